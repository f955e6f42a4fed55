"""Drives the Attempts of a call's utterances: the async shell around `attempts.py`."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from slukh.errors import SttError, SttStreamError
from slukh.routing.attempts import (
    Action,
    AttemptPolicy,
    Candidate,
    Close,
    Open,
    Publish,
    Show,
    UtteranceAttempts,
)
from slukh.speech.segmenter import SegmentEvent, Utterance, UtteranceEnded, UtteranceGrew, UtteranceStarted
from slukh.stt.base import Hypothesis, Rejection, Result, StreamConfig, SttProvider, SttStream
from slukh.stt.language import LanguageTracker
from slukh.types import (
    AttemptEnded,
    CallStarted,
    Event,
    Outcome,
    Purpose,
    ResultDropped,
    SpeechEnded,
    SpeechStarted,
    Transcript,
    seconds,
)

logger = logging.getLogger(__name__)

_LOOK_EVERY_SECONDS = 0.2

Publisher = Callable[[Event], None]


class CallRouter:
    """Hears the utterances of one call and publishes one final for each.

    Args:
        call: whose.
        providers: by registry name; the first is the call's, the others its backups.
        publish: where events go; never blocks, never raises.
        policy: deadlines of an Attempt.
        interim_results: whether anybody wants interims.
        phrase_hints: words to expect.
    """

    def __init__(
        self,
        call: CallStarted,
        providers: Mapping[str, SttProvider],
        publish: Publisher,
        *,
        policy: AttemptPolicy,
        interim_results: bool = True,
        phrase_hints: tuple[str, ...] = (),
    ) -> None:
        self._call = call
        self.providers = providers
        self.publish = publish
        self.policy = policy
        self._interim_results = interim_results
        self._phrase_hints = phrase_hints
        self._tracker = LanguageTracker(call.language_code, call.alternative_language_codes)
        self._runs: dict[int, _UtteranceRun] = {}

    def hear(self, event: SegmentEvent) -> None:
        """Take what endpointing found."""
        match event:
            case UtteranceStarted(utterance=utterance):
                self.publish(SpeechStarted(utterance_id=utterance.id, position=utterance.speech_start))
                self._runs[utterance.id] = _UtteranceRun(self, utterance)
            case UtteranceGrew(utterance=utterance):
                if (run := self._runs.get(utterance.id)) is not None:  # absent once it was abandoned
                    run.grew()
            case UtteranceEnded(utterance=utterance):
                self.publish(
                    SpeechEnded(
                        utterance_id=utterance.id, position=utterance.speech_end, endpoint=utterance.end
                    )
                )
                if (run := self._runs.get(utterance.id)) is not None:
                    run.endpoint()

    async def finish(self) -> None:
        """Wait until every utterance is published; each is bounded by its own deadlines."""
        while self._runs:
            await asyncio.gather(*(run.task for run in self._runs.values()))

    def abandon(self) -> None:
        """Publish what there is, now: the gateway stops."""
        for run in tuple(self._runs.values()):
            run.abandon()

    def stream_config(self) -> StreamConfig:
        """What the next Attempt is asked for."""
        return StreamConfig(
            language_code=self._call.language_code,
            alternative_language_codes=self._call.alternative_language_codes,
            language_prior=self._tracker.prior(),
            interim_results=self._interim_results,
            phrase_hints=self._phrase_hints,
        )

    def published(self, utterance: Utterance, hypothesis: Hypothesis) -> None:
        """An utterance has its final: learn the caller's language from it."""
        if hypothesis.language_probabilities:
            self._tracker.observe(hypothesis.language_probabilities, seconds(utterance.voiced_samples))

    def done(self, utterance: Utterance) -> None:
        """No Attempt of an utterance runs any more: let go of its audio."""
        del self._runs[utterance.id]
        utterance.release()


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One running stream and what its row will say."""

    number: int
    provider: SttProvider
    purpose: Purpose
    audio_samples: int = 0
    first_sent_at: float | None = None
    first_result_at: float | None = None
    final_at: float | None = None
    reported_ms: int | None = None
    rejection: Rejection | None = None
    task: asyncio.Task[None] | None = None


class _UtteranceRun:
    """One utterance: its Attempts' tasks report here, one task watches the clock."""

    def __init__(self, router: CallRouter, utterance: Utterance) -> None:
        self._router = router
        self._utterance = utterance
        self._core = UtteranceAttempts(
            candidates=[
                Candidate(name=name, gives_interims=provider.capabilities.interim_results)
                for name, provider in router.providers.items()
            ],
            language_code=router.stream_config().language_code,
            policy=router.policy,
        )
        self._attempts: dict[int, _Attempt] = {}
        self._endpoint_at: float | None = None
        self._news = asyncio.Event()
        self._grew = asyncio.Event()
        self._carry_out(self._core.start(time.monotonic()))
        self.task = asyncio.create_task(self._run())

    def grew(self) -> None:
        """There is more audio."""
        self._grew.set()

    def endpoint(self) -> None:
        """Our endpointing closed the utterance."""
        self._endpoint_at = time.monotonic()
        self._grew.set()
        self._carry_out(self._core.endpoint(self._endpoint_at))

    def abandon(self) -> None:
        """Nobody waits any longer."""
        self._carry_out(self._core.abandon("cancelled"))

    async def _run(self) -> None:
        while not self._core.is_published:
            self._news.clear()
            now = time.monotonic()
            # A deadline moves with every chunk; to look now and then is cheaper than to be woken for each.
            wait = min(_LOOK_EVERY_SECONDS, (self._core.next_deadline or math.inf) - now)
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                self._carry_out(self._core.tick(time.monotonic()))
        tasks = (attempt.task for attempt in self._attempts.values() if attempt.task is not None)
        await asyncio.gather(*tasks, return_exceptions=True)
        self._router.done(self._utterance)

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Open(attempt=number, provider=name, purpose=purpose):
                    attempt = _Attempt(number=number, provider=self._router.providers[name], purpose=purpose)
                    self._attempts[number] = attempt
                    attempt.task = asyncio.create_task(self._attempt(attempt))
                case Close(attempt=number, outcome=outcome, error=error):
                    self._close(self._attempts[number], outcome, error)
                case Show(hypothesis=hypothesis):
                    self._router.publish(self._transcript(hypothesis))
                case Publish(hypothesis=hypothesis, is_salvage=is_salvage):
                    self._router.publish(self._transcript(hypothesis, is_salvage=is_salvage))
                    self._router.published(self._utterance, hypothesis)
        self._news.set()

    def _close(self, attempt: _Attempt, outcome: Outcome, error: str | None) -> None:
        if attempt.task is not None and attempt.final_at is None:
            attempt.task.cancel()
        if attempt.rejection is not None:
            self._router.publish(
                ResultDropped(
                    utterance_id=self._utterance.id,
                    provider=attempt.provider.name,
                    reason=attempt.rejection.reason,
                )
            )
        self._router.publish(
            AttemptEnded(
                utterance_id=self._utterance.id,
                attempt=attempt.number,
                provider=attempt.provider.name,
                model=attempt.provider.model,
                purpose=attempt.purpose,
                outcome=outcome,
                audio_samples=attempt.audio_samples,
                reported_ms=attempt.reported_ms,
                first_result_seconds=_between(attempt.first_sent_at, attempt.first_result_at),
                final_seconds=_between(self._endpoint_at, attempt.final_at),
                error=error,
            )
        )

    def _transcript(self, hypothesis: Hypothesis, *, is_salvage: bool = False) -> Transcript:
        utterance = self._utterance
        return Transcript(
            utterance_id=utterance.id,
            text=hypothesis.text,
            is_final=hypothesis.is_final,
            stable_length=len(hypothesis.text) if hypothesis.is_final else hypothesis.stable_length,
            stability=hypothesis.stability,
            confidence=hypothesis.confidence,
            language_code=hypothesis.language_code,
            words=tuple(
                replace(w, start=utterance.start + w.start, end=utterance.start + w.end)
                for w in hypothesis.words
            ),
            start=utterance.speech_start,
            end=utterance.speech_end,
            is_salvage=is_salvage,
        )

    async def _attempt(self, attempt: _Attempt) -> None:
        """Open, feed and read one stream; whatever goes wrong becomes a `SttError` for the core."""
        name = attempt.provider.name
        error: SttError = SttStreamError(name, "ended without a final")
        try:
            stream = await attempt.provider.open(self._router.stream_config())
            try:
                self._core.opened(attempt.number, time.monotonic())
                self._news.set()
                async with asyncio.TaskGroup() as tasks:
                    feeding = tasks.create_task(self._feed(attempt, stream))
                    async for result in stream:
                        self._heard(attempt, result)
                    feeding.cancel()
            finally:
                await stream.close()
        except* SttError as group:
            error = _first(group)
        except* Exception as group:  # a defect in a recogniser must not end the call
            logger.exception("recogniser_defect", extra={"provider": name}, exc_info=group)
            error = SttStreamError(name, "a defect of ours, see the log")
        if attempt.final_at is None:
            self._carry_out(self._core.failed(attempt.number, error, time.monotonic()))

    async def _feed(self, attempt: _Attempt, stream: SttStream) -> None:
        """Give a stream the utterance from its first sample, as fast as it takes it."""
        position = 0
        while not (self._utterance.closed and position == len(self._utterance.chunks)):
            if position == len(self._utterance.chunks):
                self._grew.clear()
                await self._grew.wait()
                continue
            chunk = self._utterance.chunks[position]
            position += 1
            now = time.monotonic()
            attempt.first_sent_at = attempt.first_sent_at or now
            self._core.sending(attempt.number, now)
            await stream.send(chunk)
            attempt.audio_samples += chunk.samples
            voice = seconds(chunk.samples) if chunk.voiced else 0.0
            if actions := self._core.sent(attempt.number, voice, time.monotonic()):
                self._carry_out(actions)
        await stream.end()

    def _heard(self, attempt: _Attempt, result: Result) -> None:
        if isinstance(result, Rejection):
            attempt.rejection = result
            return
        now = time.monotonic()
        attempt.first_result_at = attempt.first_result_at or now
        if result.is_final and self._endpoint_at is not None:
            attempt.final_at = now
            attempt.reported_ms = result.reported_ms
        self._carry_out(self._core.result(attempt.number, result, now))


def _between(since: float | None, until: float | None) -> float | None:
    return None if since is None or until is None else until - since


def _first(group: ExceptionGroup[SttError]) -> SttError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error
