"""Whisper on a server that takes an utterance by HTTP and answers with its text.

What is asked and how the text is cleaned is a `RestDialect`: OpenAI's stands here, whisper.cpp's beside it.
The utterance is sent while it is spoken where the server takes that (http_upload.py), else whole at its end.
Giving up on a request closes its connection, which is what makes a server stop. The language is always
forced, to the likelier one when there is a choice: left alone, small models take Ukrainian for Russian or
Japanese. `stream` is never asked for: an utterance that is over has no use for pieces of text, and events
carry no scores for the guard. A server that streams all the same is understood.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx

from slukh.audio import wav_from_linear16
from slukh.errors import (
    SttAuthenticationError,
    SttOverloadedError,
    SttProtocolError,
    SttRequestError,
)
from slukh.stt.language import SUPPORTED, iso_639_1
from slukh.stt.whisper.address import Address, Dialect, address
from slukh.stt.whisper.decoding import DecodeRequest, DecoderLimits, Decoding, likeliest
from slukh.stt.whisper.failures import (
    connect_error,
    error_from_status,
    given_back,
    no_answer,
    no_words,
    slow_connect,
    took_no_more,
)
from slukh.stt.whisper.http_answers import decoding_from_body
from slukh.stt.whisper.http_upload import HttpUpload
from slukh.stt.whisper.probing import Recognised, recognise
from slukh.stt.whisper.tcp import BLOCKED_SECONDS, SOCKET_OPTIONS, acknowledge

logger = logging.getLogger(__name__)

_MAX_ANSWER_BYTES = 4 << 20
_KEEPALIVE_SECONDS = 4.0  # below the five after which uvicorn closes: a closed one costs the utterance


@dataclass(frozen=True, slots=True, kw_only=True)
class RestDialect:
    """What differs between servers that are posted to.

    Attributes:
        path: where a bare address is posted to.
        fields: of the form, from the model, the ISO-639-1 language and what else is asked.
        alive_path: answers while the server is well; any answer but 401, 403 and 503 will do.
        words: fields that ask for word timings.
        clean: the text without what the server puts into it.
    """

    path: str
    fields: Callable[[str, str, DecodeRequest], dict[str, str]]
    alive_path: str
    words: Mapping[str, str | list[str]]
    clean: Callable[[str], str] = str


def openai_fields(model: str, language: str, request: DecodeRequest) -> dict[str, str]:
    """The form of OpenAI's `POST /v1/audio/transcriptions`; temperature 0 on every server."""
    form = {"model": model, "language": language, "response_format": "verbose_json", "temperature": "0"}
    if request.phrase_hints:
        form["prompt"] = ", ".join(request.phrase_hints)
    return form


OPENAI = RestDialect(
    path="/v1/audio/transcriptions",
    fields=openai_fields,
    alive_path="/v1/models",
    # Words alone would cost the segments, and the guard its scores.
    words={"timestamp_granularities[]": ["segment", "word"]},
)


class HttpDecoder:
    """A `Decoder` over a server.

    Args:
        url: `http://host:8000`, `http://host:8000/v1`, or the full path.
        dialect: what is asked there.
        candidates: what else may stand behind an address without a path: it is asked before its first use.
        api_key: bearer key, or empty.
        model: sent as `model`; servers with one model ignore it.
        words: ask for word timings of finals.
        pieces: send utterances while they are spoken, unless the server turns out to refuse that.
        as_language: BCP-47 to what is sent; what servers do with other forms is why it is not an option.
        connect_seconds: longest that connecting may take.
        total_seconds: longest from the end of an utterance to its text.
        start_seconds: longest that the first answer may take, however patient requests are.
        name: registry name for errors.

    Raises:
        SettingsError: the address cannot be one.
    """

    def __init__(
        self,
        url: str | Address,
        *,
        dialect: RestDialect = OPENAI,
        candidates: Mapping[Dialect, RestDialect] | None = None,
        api_key: str = "",
        model: str = "whisper-1",
        words: bool = False,
        pieces: bool = False,
        as_language: Callable[[str], str] = iso_639_1,
        connect_seconds: float = 2.0,
        total_seconds: float = 10.0,
        start_seconds: float = 8.0,
        name: str = "whisper",
    ) -> None:
        self.limits = DecoderLimits(
            interims=False,
            speculative=False,
            repetition_guard=False,
            languages=frozenset(SUPPORTED),
            words=words,
        )
        where = url if isinstance(url, Address) else address(url)
        self.url = where.url
        self.recognised: Recognised | None = None
        self.pieces = pieces
        self.took_pieces = self.broke_pieces = False  # so far
        self._candidates = candidates if candidates and where.is_bare else {}
        self._dialect = dialect
        self._as_language = as_language
        self._api_key = api_key
        self._model = model
        self._connect_seconds = connect_seconds
        self.total_seconds = total_seconds
        self._start_seconds = start_seconds
        self._name = name
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(total_seconds, connect=connect_seconds, write=BLOCKED_SECONDS),
            transport=httpx.AsyncHTTPTransport(
                limits=httpx.Limits(max_connections=None, keepalive_expiry=_KEEPALIVE_SECONDS),
                verify=ssl.create_default_context(),
                socket_options=SOCKET_OPTIONS,
            ),
            # A caller's audio goes to the address of the setting, never through a proxy of the environment.
            trust_env=False,
        )

    @property
    def queue_age_seconds(self) -> float:
        """Nothing waits here; what waits at the server shows in its latency."""
        return 0.0

    async def start(self) -> None:
        """See that the server is there, takes the key and has loaded its model.

        Raises:
            SttConnectError: it is not there.
            SttAuthenticationError: it wants another key.
            SttOverloadedError: it is still loading.
            SttTimeoutError: it does not answer.
        """
        await self._recognise()
        alive = httpx.URL(self.url).copy_with(path=self._dialect.alive_path)
        async with self.translated(self._start_seconds):
            response = await self._client.get(alive)
        error = error_from_status(
            self._name, response.status_code, response.content, url=str(alive), secret=self._api_key
        )
        if isinstance(error, SttAuthenticationError | SttOverloadedError):
            raise error

    async def decode(self, request: DecodeRequest) -> Decoding:
        """Post the utterance and read its text. Cancelling closes the connection."""
        await self._recognise()
        audio = {"file": ("utterance.wav", wav_from_linear16(request.pcm), "audio/wav")}
        async with (
            self.translated(self.total_seconds),
            self._client.stream("POST", self.url, data=self.form(request), files=audio) as response,
        ):
            return await self._decoding(response, request)

    def upload(self, request: DecodeRequest) -> HttpUpload | None:
        """Begin to send an utterance, where the server takes that."""
        return HttpUpload(self, request) if self.pieces else None

    async def decode_pieces(
        self, request: DecodeRequest, body: AsyncIterator[bytes], content_type: str
    ) -> Decoding:
        """Post a form that is still being written. Raises what `decode` does."""
        await self._recognise()
        headers = {"Content-Type": content_type}
        async with (
            self.translated(None),
            self._client.stream("POST", self.url, content=body, headers=headers) as response,
        ):
            return await self._decoding(response, request)

    def form(self, request: DecodeRequest) -> dict[str, str | list[str]]:
        """Its fields besides the file."""
        fields = self._dialect.fields(self._model, self._as_language(likeliest(request)), request)
        wants_words = self.limits.words and request.kind != "interim"
        return {**fields, **(self._dialect.words if wants_words else {})}

    def hasten(self, request: DecodeRequest) -> None:
        """Nothing: every request is on its way at once."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _recognise(self) -> None:
        """Once: what answers at a bare address."""
        if self.recognised is not None or not self._candidates:
            return
        found = await recognise(self._client, self.url)
        if found is None:
            return  # it does not answer; whoever asks next learns why
        self.recognised = found
        self._dialect = self._candidates[found.dialect]
        self.url = str(httpx.URL(self.url).copy_with(path=self._dialect.path))
        logger.info("whisper_server_recognised", extra={"server": found.server, "url": self.url})

    async def _decoding(self, response: httpx.Response, request: DecodeRequest) -> Decoding:
        acknowledge(response.extensions["network_stream"].get_extra_info("socket"))
        body = await _read(self._name, response)
        if response.status_code != httpx.codes.OK:
            raise error_from_status(
                self._name, response.status_code, body, url=self.url, secret=self._api_key
            )
        decoding = decoding_from_body(self._name, body, response.headers.get("content-type", ""), request)
        clean = self._dialect.clean(decoding.text)
        # Which of its words the noise was, nobody says.
        return decoding if clean == decoding.text else replace(decoding, text=clean, words=())

    @asynccontextmanager
    async def translated(self, within_seconds: float | None) -> AsyncIterator[None]:
        """A deadline, and httpx's errors as ours."""
        try:
            async with asyncio.timeout(within_seconds):
                yield
        except httpx.ConnectTimeout as error:
            raise slow_connect(self._name, self.url, self._connect_seconds) from error
        except httpx.ConnectError as error:
            raise connect_error(self._name, self.url, _root(error)) from error
        except httpx.WriteTimeout as error:
            raise took_no_more(self._name) from error
        except (httpx.TimeoutException, TimeoutError) as error:
            waited = self.total_seconds if within_seconds is None else within_seconds
            raise no_answer(self._name, waited) from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise SttRequestError(self._name, f"{self.url} cannot be asked: see WHISPER_API_URL") from error
        except httpx.RequestError as error:
            raise no_words(self._name, url=self.url) from error
        except RuntimeError as error:
            if not self._client.is_closed:
                raise
            raise given_back(self._name) from error

    def __repr__(self) -> str:
        return f"HttpDecoder({self.url!r})"


def _root(error: BaseException) -> BaseException:
    """What httpx and httpcore wrapped."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


async def _read(name: str, response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _MAX_ANSWER_BYTES:
            raise SttProtocolError(name, "an answer of more than 4 MiB: is this a Whisper server?")
    return bytes(body)
