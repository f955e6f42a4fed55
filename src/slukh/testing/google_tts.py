"""A local Google Text-to-Speech on loopback, in Google's own messages, without an account.

    async with LocalGoogleTts() as google:
        ...            # point a GoogleTts at google.endpoint
        google.requests[0].text

It says what the fake voice says (`fake_speech`), knows the voices it is given, and refuses as Google does: a
voice that does not exist, SSML or another method than the voice has, more than 5,000 bytes.
"""

import asyncio
import itertools
import struct
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import grpc  # type: ignore[import-untyped]  # grpcio ships no types
from google.cloud.texttospeech_v1.types import cloud_tts

from slukh.audio import mulaw_from_linear16
from slukh.tts.fake import fake_speech

Refusal = tuple[grpc.StatusCode, str]

VOICES = (
    "uk-UA-Chirp3-HD-Kore", "ru-RU-Chirp3-HD-Kore", "uk-UA-Standard-A", "ru-RU-Standard-A",
)  # fmt: skip
_SERVICE = "google.cloud.texttospeech.v1.TextToSpeech"
_LONGEST_BYTES = 5000
_PIECE = 800  # mu-law bytes of a streamed answer: 100 ms


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleTtsScript:
    """How one sentence goes.

    Attributes:
        refusal: its answer, after `pieces` of 100 ms where it streams.
        pieces: see `refusal`.
        is_silent: nothing ever comes.
        is_empty: it ends well, without audio.
    """

    refusal: Refusal | None = None
    pieces: int = 0
    is_silent: bool = False
    is_empty: bool = False


WORKS = GoogleTtsScript()


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleTtsRecord:
    """What was asked once.

    Attributes:
        text: what was to be said; with SSML, the document.
        is_ssml: whether it was SSML.
        voice: its name.
        encoding: Google's name of it.
        sample_rate_hertz: asked for.
        speaking_rate: asked for.
        is_streamed: over StreamingSynthesize.
    """

    text: str
    is_ssml: bool
    voice: str
    encoding: str
    sample_rate_hertz: int
    speaking_rate: float
    is_streamed: bool


class LocalGoogleTts:
    """See the module.

    Args:
        scripts: one for each sentence in the order they come; then everything works.
        voices: those that exist.
        port: on 127.0.0.1; 0 chooses one.

    Attributes:
        requests: what was asked, in order.
    """

    def __init__(
        self, scripts: Iterable[GoogleTtsScript] = (), *, voices: Iterable[str] = VOICES, port: int = 0
    ) -> None:
        self.requests: list[GoogleTtsRecord] = []
        self._scripts = itertools.chain(scripts, itertools.repeat(WORKS))
        self._voices = frozenset(voices)
        self._port = port
        self._server: grpc.aio.Server | None = None

    @property
    def endpoint(self) -> str:
        """`host:port`, once it is started."""
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        handlers = {
            "SynthesizeSpeech": grpc.unary_unary_rpc_method_handler(
                self._synthesize,
                request_deserializer=cloud_tts.SynthesizeSpeechRequest.deserialize,
                response_serializer=cloud_tts.SynthesizeSpeechResponse.serialize,
            ),
            "StreamingSynthesize": grpc.stream_stream_rpc_method_handler(
                self._stream,
                request_deserializer=cloud_tts.StreamingSynthesizeRequest.deserialize,
                response_serializer=cloud_tts.StreamingSynthesizeResponse.serialize,
            ),
        }
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(_SERVICE, handlers)])
        self._port = self._server.add_insecure_port(self.endpoint)
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """End it; what runs fails. Idempotent."""
        if self._server is not None:
            await self._server.stop(None)

    async def _synthesize(
        self, request: cloud_tts.SynthesizeSpeechRequest, context: grpc.aio.ServicerContext
    ) -> cloud_tts.SynthesizeSpeechResponse:
        is_ssml = bool(request.input.ssml)
        audio = request.audio_config
        record = GoogleTtsRecord(
            text=request.input.ssml or request.input.text,
            is_ssml=is_ssml,
            voice=request.voice.name,
            encoding=audio.audio_encoding.name,
            sample_rate_hertz=audio.sample_rate_hertz,
            speaking_rate=audio.speaking_rate,
            is_streamed=False,
        )
        script = await self._begin(record, context)
        if script.refusal is not None:
            await context.abort(*script.refusal)
        speech = b"" if script.is_empty else fake_speech(record.text)
        return cloud_tts.SynthesizeSpeechResponse(
            audio_content=_wav(mulaw_from_linear16(speech), 7, 8)
            if record.encoding == "MULAW"
            else _wav(speech, 1, 16)
        )

    async def _stream(
        self,
        requests: AsyncIterator[cloud_tts.StreamingSynthesizeRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[cloud_tts.StreamingSynthesizeResponse]:
        first = await anext(requests)
        if "streaming_config" not in first:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The first message must be the config.")
        config = first.streaming_config
        async for request in requests:
            record = GoogleTtsRecord(
                text=request.input.text,
                is_ssml=False,
                voice=config.voice.name,
                encoding=config.streaming_audio_config.audio_encoding.name,
                sample_rate_hertz=config.streaming_audio_config.sample_rate_hertz,
                speaking_rate=config.streaming_audio_config.speaking_rate,
                is_streamed=True,
            )
            script = await self._begin(record, context)
            speech = b"" if script.is_empty else mulaw_from_linear16(fake_speech(record.text))
            for number, start in enumerate(range(0, len(speech), _PIECE)):
                if script.refusal is not None and number >= script.pieces:
                    break
                yield cloud_tts.StreamingSynthesizeResponse(audio_content=speech[start : start + _PIECE])
            if script.refusal is not None:
                await context.abort(*script.refusal)

    async def _begin(self, record: GoogleTtsRecord, context: grpc.aio.ServicerContext) -> GoogleTtsScript:
        """Write it down, and refuse what Google would."""
        self.requests.append(record)
        if (refusal := self._refusal(record)) is not None:
            await context.abort(*refusal)
        script = next(self._scripts)
        if script.is_silent:
            await asyncio.Event().wait()
        return script

    def _refusal(self, record: GoogleTtsRecord) -> Refusal | None:
        invalid = grpc.StatusCode.INVALID_ARGUMENT
        if record.voice not in self._voices:
            return invalid, f"Voice '{record.voice}' does not exist. Is it misspelled?"
        if len(record.text.encode()) > _LONGEST_BYTES:
            return invalid, "Either `input.text` or `input.ssml` is longer than the limit of 5000 bytes."
        is_chirp = "Chirp3-HD" in record.voice
        if record.is_streamed and not is_chirp:
            return invalid, "Currently, only Chirp 3: HD voices are supported for streaming synthesis."
        if record.is_ssml and is_chirp:
            return invalid, "This voice does not support SSML."
        return None


def _wav(data: bytes, kind: int, bits: int) -> bytes:
    """A wav of 8 kHz mono, as Google sends it."""
    width = bits // 8
    chunk = struct.pack("<HHIIHH", kind, 1, 8000, 8000 * width, width, bits)
    body = (
        b"WAVE"
        + struct.pack("<4sI", b"fmt ", len(chunk))
        + chunk
        + struct.pack("<4sI", b"data", len(data))
        + data
    )
    return struct.pack("<4sI", b"RIFF", len(body)) + body
