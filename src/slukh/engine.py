"""The four methods a pipeline with a recogniser of its own already calls, on top of Slukh."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from uuid import uuid4

from slukh.assembly.parts import Parts, build_parts
from slukh.audio import Resampler, samples_from_linear16
from slukh.routing.router import CallRouter
from slukh.settings.config import load_all
from slukh.speech.listener import Listener
from slukh.stt.language import bcp_47
from slukh.types import CallStarted, Event, Transcript

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTranscript:
    """A transcript as pipelines expect it.

    Attributes:
        text: the whole utterance so far.
        is_final: nothing of this utterance will change any more.
        confidence: 0..1; 0.0 when the engine gave none.
        language: BCP-47.
        is_salvage: every recogniser failed; a final whose text is what was sure before that, or empty.
    """

    text: str
    is_final: bool
    confidence: float
    language: str
    is_salvage: bool = False


class STTEngine:
    """One stream of one caller; make one for every call, they share `parts`.

        engine = STTEngine()
        await engine.start_stream(config)
        await engine.feed_audio(pcm)            # again and again
        async for transcript in engine.get_transcripts(): ...   # in another task
        await engine.stop_stream()              # the last final is flushed before the iteration ends

    Args:
        parts: recogniser and voice detector; None builds them from the environment at the first stream, and
            `aclose` gives them back.
    """

    def __init__(self, parts: Parts | None = None) -> None:
        self._parts = parts
        self._owns_parts = parts is None
        self._transcripts: asyncio.Queue[EngineTranscript | None] = asyncio.Queue()
        self._listener: Listener | None = None
        self._router: CallRouter | None = None
        self._resampler: Resampler | None = None
        self._position = 0
        self._half_sample = b""
        self._is_over = False

    async def start_stream(self, config: object) -> None:
        """Begin a call.

        Args:
            config: any object; its `language_code`, `alternative_languages`, `sample_rate_hertz`,
                `interim_results` and `phrase_hints` are used where present.

        Raises:
            SettingsError: unknown language.
            WeightsError, SttError: the recogniser cannot be started.
        """
        if self._router is not None:
            raise RuntimeError("this engine has an open stream: call stop_stream first, or make one per call")
        if self._parts is None:
            parts = build_parts(load_all())
            try:
                await parts.start()
            except BaseException:
                await parts.aclose()
                raise
            self._parts = parts
        language_code = bcp_47(str(getattr(config, "language_code", None) or self._parts.language_code))
        alternatives = getattr(config, "alternative_languages", None) or ()
        call = CallStarted(
            call_id=str(uuid4()),
            language_code=language_code,
            alternative_language_codes=tuple(bcp_47(code) for code in alternatives),
        )
        if self._is_over:  # who asked before the first stream started hears the first stream
            self._transcripts = asyncio.Queue()
        self._is_over = False
        self._resampler = Resampler(int(getattr(config, "sample_rate_hertz", None) or 8000), 8000)
        self._listener = self._parts.listener()
        self._router = self._parts.router(
            call,
            self._publish,
            interim_results=bool(getattr(config, "interim_results", True)),
            phrase_hints=tuple(getattr(config, "phrase_hints", None) or ()),
        )
        self._router.begin()
        self._position = 0
        self._half_sample = b""

    async def feed_audio(self, audio: bytes) -> None:
        """Hear more of the call: linear 16-bit little-endian mono, at the stream's rate, any length."""
        if self._router is None or self._listener is None or self._resampler is None:
            raise RuntimeError("no stream is open: call start_stream first")
        audio = self._half_sample + audio
        whole = len(audio) // 2 * 2
        self._half_sample = audio[whole:]
        samples = self._resampler.resample(samples_from_linear16(audio[:whole]))
        for event in self._listener.hear(samples, self._position):
            self._router.hear(event)
        self._position += len(samples)
        await asyncio.sleep(0)  # a caller that feeds a whole file lets the recogniser begin

    async def get_transcripts(self) -> AsyncIterator[EngineTranscript]:
        """Interims and finals as they come, until `stop_stream` has flushed the last one.

        A final that is late, or of audio that is fed faster than speech, may come after the next utterance's.
        """
        transcripts = self._transcripts
        while (transcript := await transcripts.get()) is not None:
            yield transcript

    async def stop_stream(self) -> None:
        """The call is over; returns when its last utterance is published. Idempotent."""
        if self._router is None or self._listener is None:
            return
        router, self._router = self._router, None
        for event in self._listener.finish():
            router.hear(event)
        await router.finish()
        self._is_over = True
        self._transcripts.put_nowait(None)

    async def aclose(self) -> None:
        """Stop the stream, and the recogniser when it was built here."""
        await self.stop_stream()
        if self._owns_parts and self._parts is not None:
            parts, self._parts = self._parts, None
            await parts.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _publish(self, event: Event) -> None:
        if isinstance(event, Transcript):
            if event.is_salvage:
                logger.warning("not_transcribed", extra={"utterance_id": event.utterance_id})
            self._transcripts.put_nowait(
                EngineTranscript(
                    text=event.text,
                    is_final=event.is_final,
                    confidence=event.confidence or 0.0,
                    language=event.language_code,
                    is_salvage=event.is_salvage,
                )
            )
