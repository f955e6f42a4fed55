"""Whisper's policy over a decoder whose answers the test gives."""

import asyncio
from typing import Any

from slukh.stt.base import StreamConfig
from slukh.stt.language import SUPPORTED
from slukh.stt.whisper.decoding import DecodeRequest, DecoderLimits, Decoding, Kind
from slukh.stt.whisper.provider import WhisperProvider
from slukh.stt.whisper.stream import WhisperStream
from slukh.types import AudioChunk, samples_from_ms

UK, RU = "uk-UA", "ru-RU"
LOOP = "я вважаю, що " * 30


class ScriptedDecoder:
    """A decoder whose answers the test gives, when it wants to."""

    def __init__(
        self, *, interims: bool = True, speculative: bool = True, repetition_guard: bool = True
    ) -> None:
        self.limits = DecoderLimits(
            interims=interims,
            speculative=speculative,
            repetition_guard=repetition_guard,
            languages=frozenset(SUPPORTED),
        )
        self.requests: list[DecodeRequest] = []
        self.hastened: list[DecodeRequest] = []
        self.cancelled: list[DecodeRequest] = []
        self._futures: list[asyncio.Future[Decoding]] = []
        self._asked = asyncio.Condition()
        self.queue_age_seconds = 0.0

    async def start(self) -> None:
        pass

    async def aclose(self) -> None:
        pass

    def upload(self, request: DecodeRequest) -> None:
        return None

    def hasten(self, request: DecodeRequest) -> None:
        self.hastened.append(request)

    async def decode(self, request: DecodeRequest) -> Decoding:
        future: asyncio.Future[Decoding] = asyncio.get_running_loop().create_future()
        self.requests.append(request)
        self._futures.append(future)
        async with self._asked:
            self._asked.notify_all()
        try:
            return await future
        except asyncio.CancelledError:
            self.cancelled.append(request)
            raise

    async def asked(self, count: int) -> DecodeRequest:
        """The last request, once there are so many."""
        async with asyncio.timeout(2), self._asked:
            await self._asked.wait_for(lambda: len(self.requests) >= count)
        assert len(self.requests) == count
        return self.requests[-1]

    async def says(self, text: str, **fields: Any) -> None:
        """Answer the last request."""
        fields = {"avg_logprob": -0.5, "no_speech_probability": 0.05, "language_code": UK, **fields}
        self._futures[-1].set_result(Decoding(text=text, **fields))
        await settle()

    async def fails(self, error: Exception) -> None:
        self._futures[-1].set_exception(error)
        await settle()


class Utterance:
    """A stream, and whatever it has said."""

    def __init__(self, decoder: ScriptedDecoder, stream: WhisperStream) -> None:
        self.decoder = decoder
        self.stream = stream

    async def end(self) -> None:
        await self.stream.end()
        await settle()

    async def voice(self, ms: int) -> None:
        await self._send(ms, voiced=True)

    async def silence(self, ms: int) -> None:
        await self._send(ms, voiced=False)

    async def _send(self, ms: int, *, voiced: bool) -> None:
        for _ in range(0, ms, 20):
            await self.stream.send(AudioChunk(pcm=bytes(2 * samples_from_ms(20)), voiced=voiced))
            await settle()

    async def results(self) -> list[Any]:
        async with asyncio.timeout(2):
            return [result async for result in self.stream]


async def settle() -> None:
    """Let everything that can run, run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def utterance(
    decoder: ScriptedDecoder | None = None, *, metered: bool = False, **config: Any
) -> Utterance:
    decoder = decoder or ScriptedDecoder()
    provider = WhisperProvider(decoder, model="base", metered=metered)
    return Utterance(decoder, await provider.open(StreamConfig(**{"language_code": UK, **config})))


def kinds(decoder: ScriptedDecoder) -> list[Kind]:
    return [request.kind for request in decoder.requests]


def seconds_of(request: DecodeRequest) -> float:
    return round(request.audio_seconds, 2)
