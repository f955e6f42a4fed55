"""One stream of a local Google: what it hears, what it says, how it fails. See `google.py`."""

import asyncio
import contextlib
import itertools
import math
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import grpc  # type: ignore[import-untyped]  # grpcio ships no types
import numpy as np
from google.cloud.speech_v2.types import cloud_speech

from slukh.errors import SttError
from slukh.testing.google_ears import Ears
from slukh.testing.google_limits import AudioGate, GoogleLimits, Refusal
from slukh.types import SAMPLE_RATE_HERTZ

_INTERIM_BYTES = SAMPLE_RATE_HERTZ // 4 * 2
_STABLE, _UNSTABLE = 0.9, 0.01  # what Google says of the parts of an interim
_CONFIDENCE = 0.95
_LOUD = 300  # mean absolute level of a message that holds a voice
_BROKEN: Refusal = (grpc.StatusCode.INTERNAL, "Internal error encountered.")


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleScript:
    """How one stream behaves.

    Attributes:
        refusal: its answer to the first message.
        error: its end after `error_after_seconds` of audio (at the half-close when there is less).
        error_after_seconds: see `error`.
        is_silent: takes audio and never answers.
        has_empty_final: its final has no words, whatever the interims had.
        blocks: stops reading after the first message; gRPC then still takes minutes of audio.
        final_after_seconds: from the half-close to the final; `inf` is never.
        endpoint_seconds: silence after which it finalises what was said; `inf`: only at the half-close.
        finals: how often the final is said; 0 closes in peace after interims only.
        segment_words: finalises that many words at a time in mid-utterance; 0: all at the half-close.
        language_code: what it claims to have heard; empty: the first one asked, in lower case.
        confidence: of finals; 0.0 is Google's "not set".
        stabilities: of the words that two interims in a row begin with, and of the others; the last is one of
            those.
    """

    refusal: Refusal | None = None
    error: Refusal | None = None
    error_after_seconds: float = 0.0
    is_silent: bool = False
    has_empty_final: bool = False
    blocks: bool = False
    final_after_seconds: float = 0.0
    endpoint_seconds: float = 0.8
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
        ended: whether it is over, whoever ended it.
        failed_at: when it ended with its script's error, monotonic seconds, or None.
        billed_seconds: Google's rounding, up to the next second.
    """

    recognizer: str
    config: cloud_speech.StreamingRecognitionConfig
    metadata: dict[str, str | bytes]
    peer: str
    messages: list[int] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)
    half_closed_at: float | None = None
    ended: bool = False
    failed_at: float | None = None

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
        ears: what it hears with.
        context: whom it answers.
    """

    def __init__(
        self,
        record: GoogleStreamRecord,
        script: GoogleScript,
        limits: GoogleLimits,
        ears: Ears,
        context: grpc.aio.ServicerContext,
    ) -> None:
        self._record = record
        self._script = script
        self._limits = limits
        self._ears = ears
        self._context = context
        self._segment = 0  # byte at which what is not finalised begins
        self._finalised = 0  # words of it that are finalised all the same
        self._said_until = 0  # byte up to which words are finalised
        self._silence: int | None = None  # bytes since the last voice of the segment
        self._heard = 0  # bytes of the last interim
        self._guessed: list[str] = []  # its words
        self._language = ""
        self._speaking: asyncio.Task[None] | None = None

    async def run(self, requests: AsyncIterator[cloud_speech.StreamingRecognizeRequest]) -> Refusal | None:
        """Serve it; how it ends, or None when in peace."""
        try:
            async with asyncio.timeout(self._limits.stream_limit_seconds):
                if self._script.blocks:
                    await asyncio.Event().wait()
                async for refusal in self._listen(requests):
                    if refusal is not None:
                        return refusal
                    if self._speaking is None or self._speaking.done():
                        await self._speak()
                if self._speaking is not None:
                    await self._speaking
                if self._script.error is not None:
                    self._record.failed_at = time.monotonic()
                    return self._script.error
                await self._say_final(len(self._record.audio), is_last=True)
        except TimeoutError:
            return self._limits.stream_limit
        except SttError:
            return _BROKEN
        finally:
            if self._speaking is not None:
                self._speaking.cancel()
        return None

    async def _speak(self) -> None:
        """Begin to say what is due."""
        if self._speaking is not None:
            await self._speaking
        now_bytes = len(self._record.audio)
        if self._has_paused:
            self._speaking = asyncio.create_task(self._say_final(now_bytes))
        elif self._speaks_early and now_bytes >= self._heard + _INTERIM_BYTES:
            self._heard = now_bytes
            self._speaking = asyncio.create_task(self._say_interim(now_bytes))

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
            self._mind_silence(request.audio)
            refusal = gate.refuse(request.audio, time.monotonic())
            if script.error is not None and record.seconds >= script.error_after_seconds:
                refusal = script.error
                record.failed_at = time.monotonic()
            yield refusal

    def _mind_silence(self, pcm: bytes) -> None:
        if np.abs(np.frombuffer(pcm, dtype="<i2").astype(np.int32)).mean() > _LOUD:
            self._silence = 0
        elif self._silence is not None:
            self._silence += len(pcm)

    @property
    def _speaks_early(self) -> bool:
        return bool(self._record.config.streaming_features.interim_results or self._script.segment_words > 0)

    @property
    def _has_paused(self) -> bool:
        """Whether its own endpointing has found the end of what was said."""
        seconds = (self._silence or 0) / 2 / SAMPLE_RATE_HERTZ
        return self._script.finals > 0 and seconds >= self._script.endpoint_seconds

    async def _words(self, until: int, *, is_final: bool) -> list[str]:
        """Words up to a byte that are not finalised."""
        asked = self._record.config.config.language_codes
        pcm = bytes(self._record.audio[self._segment : until])
        heard = await self._ears.hear(pcm, asked, is_final=is_final)
        self._language = (self._script.language_code or heard.language_code or asked[0]).lower()
        return heard.words[self._finalised :]

    async def _say_interim(self, until: int) -> None:
        words = await self._words(until, is_final=False)
        results = []
        while 0 < self._script.segment_words <= len(words):
            piece, words = words[: self._script.segment_words], words[self._script.segment_words :]
            self._finalised += len(piece)
            results.append(self._final_result(piece, until))
        if self._record.config.streaming_features.interim_results:
            pairs = zip(words[:-1], self._guessed, strict=False)
            kept = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
            self._guessed = words
            for part, stability in zip((words[:kept], words[kept:]), self._script.stabilities, strict=True):
                if part:
                    results.append(self._result(part, until, stability=stability))
        if results:
            await self._answer(results)

    async def _say_final(self, until: int, *, is_last: bool = False) -> None:
        self._silence, self._guessed = None, []
        words = await self._words(until, is_final=True) if until > self._segment else []
        has_empty_final = self._script.has_empty_final
        if self._script.is_silent or math.isinf(self._script.final_after_seconds):
            await asyncio.Event().wait()
        await asyncio.sleep(self._script.final_after_seconds)
        self._segment, self._finalised, has_spoken = until, 0, bool(words or self._finalised)
        billed = timedelta(seconds=math.ceil(until / 2 / SAMPLE_RATE_HERTZ))
        results = [self._final_result([] if has_empty_final else words, until)] if words else []
        for _ in range(self._script.finals if has_spoken or is_last else 0):
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

    def _timings(self, words: list[str], until: int) -> list[cloud_speech.WordInfo]:
        """Where they are, if that was asked: spread evenly, for its ears do not say."""
        if not self._record.config.config.features.enable_word_time_offsets or not words:
            return []
        step = (until - self._said_until) / len(words)
        moments = [_offset(self._said_until + step * number) for number in range(len(words) + 1)]
        self._said_until = until
        return [
            cloud_speech.WordInfo(word=word, start_offset=start, end_offset=end)
            for word, start, end in zip(words, moments, moments[1:], strict=False)
        ]

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
                    transcript=" " + " ".join(words),
                    confidence=confidence,
                    words=self._timings(words, heard_bytes) if is_final else [],
                )
            ],
            is_final=is_final,
            stability=stability,
            language_code=self._language,
            result_end_offset=_offset(heard_bytes),
        )


def _offset(audio_bytes: float) -> timedelta:
    """How far into the stream so many bytes are."""
    return timedelta(seconds=audio_bytes / 2 / SAMPLE_RATE_HERTZ)
