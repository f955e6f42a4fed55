"""One stream of a local Google: what it hears, what it says, how it fails. See `google.py`."""

import asyncio
import contextlib
import inspect
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import grpc  # type: ignore[import-untyped]  # grpcio ships no types
from google.cloud.speech_v2.types import cloud_speech

from slukh.testing.google_limits import AudioGate, GoogleLimits, Refusal
from slukh.types import SAMPLE_RATE_HERTZ

Hear = Callable[[bytes], list[str] | Awaitable[list[str]]]

_INTERIM_BYTES = SAMPLE_RATE_HERTZ // 4 * 2
_STABLE, _UNSTABLE = 0.9, 0.01  # what Google says of the parts of an interim
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleScript:
    """How one stream behaves.

    Attributes:
        refusal: its answer to the first message.
        error: its end after `error_after_seconds` of audio (at the half-close when there is less).
        error_after_seconds: see `error`.
        is_silent: takes audio and never answers.
        blocks: stops reading after the first message; gRPC then still takes minutes of audio.
        final_after_seconds: from the half-close to the final; `inf` is never.
        finals: how often the final is said; 0 closes in peace after interims only.
        segment_words: finalises that many words at a time in mid-utterance; 0: all at the half-close.
        language_code: what it claims to have heard; empty: the first one asked, in lower case.
        confidence: of finals; 0.0 is Google's "not set".
        stabilities: of an interim's words but the last, and of the last.
    """

    refusal: Refusal | None = None
    error: Refusal | None = None
    error_after_seconds: float = 0.0
    is_silent: bool = False
    blocks: bool = False
    final_after_seconds: float = 0.0
    finals: int = 1
    segment_words: int = 0
    language_code: str = ""
    confidence: float = _CONFIDENCE
    stabilities: tuple[float, float] = (_STABLE, _UNSTABLE)


WORKS = GoogleScript()


@dataclass(slots=True, kw_only=True)
class GoogleStreamRecord:
    """What came over one stream.

    Attributes:
        recognizer: whom it was for.
        config: what it asked for.
        metadata: what it carried.
        peer: the connection it came over.
        messages: sizes of its audio messages, in bytes.
        audio: all of it.
        half_closed_at: monotonic seconds, or None.
        billed_seconds: Google's rounding, up to the next second.
    """

    recognizer: str
    config: cloud_speech.StreamingRecognitionConfig
    metadata: dict[str, str | bytes]
    peer: str
    messages: list[int] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)
    half_closed_at: float | None = None

    @property
    def seconds(self) -> float:
        """How much audio came."""
        return len(self.audio) / 2 / SAMPLE_RATE_HERTZ

    @property
    def billed_seconds(self) -> int:
        """What Google would bill."""
        return math.ceil(self.seconds)


class GoogleRecognition:
    """One stream after its first message.

    What it does not recognise it answers with silence, as Google does. A slow recogniser says fewer interims.

    Args:
        record: where it is written down.
        script: how it behaves.
        limits: what it allows.
        hear: words in the audio so far.
        context: whom it answers.
    """

    def __init__(
        self,
        record: GoogleStreamRecord,
        script: GoogleScript,
        limits: GoogleLimits,
        hear: Hear,
        context: grpc.aio.ServicerContext,
    ) -> None:
        self._record = record
        self._script = script
        self._limits = limits
        self._hear = hear
        self._context = context
        self._finalised = 0  # words
        self._language = script.language_code or record.config.config.language_codes[0].lower()

    async def run(self, requests: AsyncIterator[cloud_speech.StreamingRecognizeRequest]) -> Refusal | None:
        """Serve it; how it ends, or None when in peace."""
        speaking: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(self._limits.stream_limit_seconds):
                if self._script.blocks:
                    await asyncio.Event().wait()
                heard_bytes = 0
                async for refusal in self._listen(requests):
                    if refusal is not None:
                        return refusal
                    is_due = len(self._record.audio) >= heard_bytes + _INTERIM_BYTES
                    if is_due and (speaking is None or speaking.done()):
                        heard_bytes = len(self._record.audio)
                        speaking = asyncio.create_task(self._say_interim(bytes(self._record.audio)))
                if speaking is not None:
                    await speaking
                if self._script.error is not None:
                    return self._script.error
                await self._say_final()
        except TimeoutError:
            return self._limits.stream_limit
        finally:
            if speaking is not None:
                speaking.cancel()
        return None

    async def _listen(
        self, requests: AsyncIterator[cloud_speech.StreamingRecognizeRequest]
    ) -> AsyncIterator[Refusal | None]:
        """Take audio until the half-close; each message's refusal, or None."""
        gate, record, script = AudioGate(), self._record, self._script
        messages = aiter(requests)
        while True:
            try:
                # Not wait_for: before Python 3.12 it may swallow a cancellation, here the stream's own limit.
                async with asyncio.timeout(self._limits.idle_limit_seconds):
                    request = await anext(messages, None)
            except TimeoutError:
                yield self._limits.idle_limit
                return
            if request is None:
                record.half_closed_at = time.monotonic()
                return
            record.messages.append(len(request.audio))
            record.audio += request.audio
            refusal = gate.refuse(request.audio, time.monotonic())
            if script.error is not None and record.seconds >= script.error_after_seconds:
                refusal = script.error
            yield refusal

    async def _words(self, pcm: bytes) -> list[str]:
        heard = self._hear(pcm)
        return await heard if inspect.isawaitable(heard) else heard

    async def _say_interim(self, pcm: bytes) -> None:
        words = (await self._words(pcm))[self._finalised :]
        results = []
        while 0 < self._script.segment_words <= len(words):
            piece, words = words[: self._script.segment_words], words[self._script.segment_words :]
            self._finalised += len(piece)
            results.append(self._final_result(piece, len(pcm)))
        if self._record.config.streaming_features.interim_results:
            stabilities = self._script.stabilities
            for part, stability in zip((words[:-1], words[-1:]), stabilities, strict=True):
                if part:
                    results.append(self._result(part, len(pcm), stability=stability))
        if results:
            await self._answer(results)

    async def _say_final(self) -> None:
        words = (await self._words(bytes(self._record.audio)))[self._finalised :]
        if self._script.is_silent or math.isinf(self._script.final_after_seconds):
            await asyncio.Event().wait()
        await asyncio.sleep(self._script.final_after_seconds)
        billed = timedelta(seconds=self._record.billed_seconds)
        for _ in range(self._script.finals if words or self._finalised else 0):
            results = [self._final_result(words, len(self._record.audio))] if words else []
            await self._answer(
                results, cloud_speech.RecognitionResponseMetadata(total_billed_duration=billed)
            )

    async def _answer(
        self,
        results: Sequence[cloud_speech.StreamingRecognitionResult],
        metadata: cloud_speech.RecognitionResponseMetadata | None = None,
    ) -> None:
        if not self._script.is_silent:
            with contextlib.suppress(asyncio.InvalidStateError):  # the client has gone
                await self._context.write(
                    cloud_speech.StreamingRecognizeResponse(results=results, metadata=metadata)
                )

    def _final_result(self, words: list[str], heard_bytes: int) -> cloud_speech.StreamingRecognitionResult:
        return self._result(words, heard_bytes, is_final=True, confidence=self._script.confidence)

    def _result(
        self,
        words: list[str],
        heard_bytes: int,
        *,
        is_final: bool = False,
        stability: float = 0.0,
        confidence: float = 0.0,
    ) -> cloud_speech.StreamingRecognitionResult:
        return cloud_speech.StreamingRecognitionResult(
            alternatives=[
                cloud_speech.SpeechRecognitionAlternative(
                    transcript=" " + " ".join(words), confidence=confidence
                )
            ],
            is_final=is_final,
            stability=stability,
            language_code=self._language,
            result_end_offset=timedelta(seconds=heard_bytes / 2 / SAMPLE_RATE_HERTZ),
        )
