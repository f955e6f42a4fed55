"""Whisper on a server that speaks OpenAI's `POST /v1/audio/transcriptions`: one request per utterance.

No interims and no speculation: many such servers decode one request at a time, and some bill each. Giving up
on a request closes its connection, which is what makes a server stop. The language is always forced, to the
likelier one when there is a choice: left alone, small models take Ukrainian for Russian or Japanese.
"""

import asyncio
import io
import socket
import ssl
import sys
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from slukh.errors import (
    SttAuthenticationError,
    SttConnectError,
    SttProtocolError,
    SttRequestError,
    SttStreamError,
    SttTimeoutError,
)
from slukh.stt.language import SUPPORTED, iso_639_1
from slukh.stt.whisper.decoding import DecodeRequest, DecoderLimits, Decoding
from slukh.stt.whisper.http_answers import decoding_from_body, error_from_status, transcription_url
from slukh.types import SAMPLE_RATE_HERTZ

_MAX_ANSWER_BYTES = 4 << 20
_KEEPALIVE_SECONDS = 4.0  # below the five after which uvicorn closes: a closed one costs the utterance
_BLOCKED_SECONDS = 1.5  # for a piece of the upload to be taken
_GONE_MS = 3000  # for a server's kernel to acknowledge what was sent, or a keepalive
_TCP_NOTSENT_LOWAT = 25  # linux/tcp.h; the socket module of 3.11 does not name it
_SOCKET_OPTIONS: list[tuple[int, int, int]] = []
if sys.platform == "linux":
    _SOCKET_OPTIONS = [
        # Otherwise our own kernel takes a whole utterance for a server that reads none of it.
        (socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, 16384),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GONE_MS),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    ]


class HttpDecoder:
    """A `Decoder` over a server.

    Args:
        url: `http://host:8000`, `http://host:8000/v1`, or the full path.
        api_key: bearer key, or empty.
        model: sent as `model`; servers with one model ignore it.
        connect_seconds: longest that connecting may take.
        total_seconds: longest that a request may take, waiting and decoding included.
        start_seconds: longest that the first answer may take, however patient requests are.
        name: registry name for errors.

    Raises:
        SettingsError: the address cannot be one.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str = "",
        model: str = "whisper-1",
        connect_seconds: float = 2.0,
        total_seconds: float = 10.0,
        start_seconds: float = 8.0,
        name: str = "whisper",
    ) -> None:
        self.limits = DecoderLimits(
            interims=False, speculative=False, repetition_guard=False, languages=frozenset(SUPPORTED)
        )
        self.url = transcription_url(url)
        self._api_key = api_key
        self._model = model
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds
        self._start_seconds = start_seconds
        self._name = name
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(total_seconds, connect=connect_seconds, write=_BLOCKED_SECONDS),
            transport=httpx.AsyncHTTPTransport(
                limits=httpx.Limits(max_connections=None, keepalive_expiry=_KEEPALIVE_SECONDS),
                verify=ssl.create_default_context(),
                socket_options=_SOCKET_OPTIONS,
            ),
            # A caller's audio goes to the address of the setting, never through a proxy of the environment.
            trust_env=False,
        )

    @property
    def queue_age_seconds(self) -> float:
        """Nothing waits here; what waits at the server shows in its latency."""
        return 0.0

    async def start(self) -> None:
        """See that the server is there and takes the key; any other answer will do, health paths differ.

        Raises:
            SttConnectError: it is not there.
            SttAuthenticationError: it wants another key.
            SttTimeoutError: it does not answer.
        """
        models = httpx.URL(self.url).copy_with(path="/v1/models")
        async with self._translated(self._start_seconds):
            response = await self._client.get(models)
        error = error_from_status(self._name, response.status_code, b"", url=str(models))
        if isinstance(error, SttAuthenticationError):
            raise error

    async def decode(self, request: DecodeRequest) -> Decoding:
        """Post the utterance and read its text. Cancelling closes the connection."""
        form = {
            "model": self._model,
            "language": iso_639_1(likeliest(request)),
            "response_format": "verbose_json",
            "temperature": "0",
        }
        if request.phrase_hints:
            form["prompt"] = ", ".join(request.phrase_hints)
        audio = {"file": ("utterance.wav", wav(request.pcm), "audio/wav")}
        async with (
            self._translated(self._total_seconds),
            self._client.stream("POST", self.url, data=form, files=audio) as response,
        ):
            body = await _read(self._name, response)
        if response.status_code != httpx.codes.OK:
            raise error_from_status(
                self._name, response.status_code, body, url=self.url, secret=self._api_key
            )
        return decoding_from_body(self._name, body, response.headers.get("content-type", ""), request)

    def hasten(self, request: DecodeRequest) -> None:
        """Nothing: every request is on its way at once."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def _translated(self, total_seconds: float) -> AsyncIterator[None]:
        """The deadline, and httpx's errors as ours."""
        try:
            async with asyncio.timeout(total_seconds):
                yield
        except httpx.ConnectTimeout as error:
            detail = f"no connection to {self.url} in {self._connect_seconds:g} s: see WHISPER_API_URL"
            raise SttConnectError(self._name, detail) from error
        except httpx.ConnectError as error:
            raise SttConnectError(
                self._name, f"cannot connect to {self.url}: is the server running?"
            ) from error
        except httpx.WriteTimeout as error:
            detail = f"the server took no more of the audio for {_BLOCKED_SECONDS:g} s"
            raise SttTimeoutError(self._name, detail) from error
        except (httpx.TimeoutException, TimeoutError) as error:
            detail = f"no answer in {total_seconds:g} s: is it a Whisper server, and fast enough?"
            raise SttTimeoutError(self._name, detail) from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise SttRequestError(self._name, f"{self.url} cannot be asked: see WHISPER_API_URL") from error
        except httpx.RequestError as error:
            detail = "the server closed the connection without an answer: its own log may say why"
            raise SttStreamError(self._name, detail) from error
        except RuntimeError as error:
            if not self._client.is_closed:
                raise
            raise SttStreamError(self._name, "the connection to the server was given back") from error

    def __repr__(self) -> str:
        return f"HttpDecoder({self.url!r})"


def likeliest(request: DecodeRequest) -> str:
    """The language to force, BCP-47."""
    prior = request.language_prior
    return max(prior, key=lambda code: prior[code]) if prior else request.language_code


def wav(pcm: bytes) -> bytes:
    """A WAV file of linear 16-bit mono at 8 kHz."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HERTZ)
        file.writeframes(pcm)
    return buffer.getvalue()


async def _read(name: str, response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _MAX_ANSWER_BYTES:
            raise SttProtocolError(name, "an answer of more than 4 MiB: is this a Whisper server?")
    return bytes(body)
