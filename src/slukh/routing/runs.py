"""Drives the Attempts of one utterance: the async shell around `attempts.py`."""

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from slukh.errors import SttError, SttStreamError
from slukh.routing.attempts import Action, AttemptPolicy, Close, Open, Publish, Show, UtteranceAttempts
from slukh.routing.choosing import Assignment
from slukh.routing.upstreams import Upstreams
from slukh.speech.segmenter import Utterance
from slukh.stt.base import Hypothesis, Rejection, Result, StreamConfig, SttProvider, SttStream
from slukh.types import (
    AttemptEnded,
    AudioChunk,
    CallStarted,
    Event,
    Failover,
    Outcome,
    Purpose,
    RecognisersDown,
    ResultDropped,
    Transcript,
    seconds,
)

logger = logging.getLogger(__name__)

_LOOK_EVERY_SECONDS = 0.2
_CHUNKS_SENT = 3  # frames of the detector that are sent together when they wait


class Call(Protocol):
    """The call whose utterance is run, as `CallRouter` is.

    Attributes:
        call: who it is.
        assignment: who may hear it.
        upstreams: the recognisers.
        policy: deadlines.
        publish: where events go.
        serving: the provider that was asked last.
    """

    call: CallStarted
    assignment: Assignment
    upstreams: Upstreams
    policy: AttemptPolicy
    publish: Callable[[Event], None]
    serving: str

    def stream_config(self) -> StreamConfig:
        """What the next Attempt is asked for."""

    def published(self, utterance: Utterance, hypothesis: Hypothesis) -> None:
        """An utterance has its final."""

    def done(self, utterance: Utterance) -> None:
        """No Attempt of an utterance runs any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """Why an Attempt on another provider was opened."""

    provider: str
    outcome: Outcome
    at: float


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One running stream and what its row will say."""

    number: int
    provider: SttProvider
    purpose: Purpose
    fault: _Fault | None = None
    said_before: int = 0  # samples of the utterance when it was opened
    audio_samples: int = 0
    has_ended: bool = False  # it was given all of them
    first_sent_at: float | None = None
    first_result_at: float | None = None
    final_at: float | None = None
    reported_ms: int | None = None
    rejection: Rejection | None = None
    task: asyncio.Task[None] | None = None
    more: asyncio.Future[None] | None = None  # while it waits for audio


class UtteranceRun:
    """One utterance: its Attempts' tasks report here, a timer watches the clock.

    Attributes:
        over: set when no Attempt runs any more.
    """

    def __init__(self, call: Call, utterance: Utterance) -> None:
        self.over = asyncio.Event()
        self._loop = asyncio.get_running_loop()  # its clock is a test's to move
        self._call = call
        self._utterance = utterance
        upstreams, assignment = call.upstreams, call.assignment
        self._core = UtteranceAttempts(
            candidates=upstreams.candidates(assignment.chain, call.call.call_id, self._loop.time()),
            language_code=call.call.language_code,
            policy=call.policy,
            may_open=upstreams.may_open,
            delay=upstreams.delay,
        )
        self._attempts: dict[int, _Attempt] = {}
        self._running = 0
        self._fault: _Fault | None = None
        self._winner: Purpose | None = None
        self._endpoint_at: float | None = None
        self._is_abandoned = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Speech began."""
        self._carry_out(self._core.start(self._loop.time()))
        self._watch()

    def grew(self) -> None:
        """There is more audio."""
        for attempt in self._attempts.values():
            if attempt.more is not None and not attempt.more.done():
                attempt.more.set_result(None)

    def endpoint(self) -> None:
        """Our endpointing closed the utterance."""
        self._endpoint_at = self._loop.time()
        self.grew()
        self._carry_out(self._core.endpoint(self._endpoint_at))

    def abandon(self) -> None:
        """Nobody waits any longer."""
        self._is_abandoned = True
        self._carry_out(self._core.abandon("cancelled"))

    def _watch(self) -> None:
        """Look whether a deadline has passed, now and then: one moves with every chunk."""
        now = self._loop.time()
        self._carry_out(self._core.tick(now))
        if not self._core.is_published:
            wait = min(_LOOK_EVERY_SECONDS, (self._core.next_deadline or math.inf) - now)
            self._timer = self._loop.call_later(max(0.0, wait), self._watch)

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Open(attempt=number, provider=name, purpose=purpose):
                    self._open(number, name, purpose)
                case Close(attempt=number, outcome=outcome, error=error):
                    self._close(self._attempts[number], outcome, error)
                case Show(hypothesis=hypothesis):
                    self._call.publish(self._transcript(hypothesis))
                case Publish(attempt=number, hypothesis=hypothesis, is_salvage=is_salvage):
                    if number is None and not self._is_abandoned:
                        self._call.publish(RecognisersDown(utterance_id=self._utterance.id))
                    self._call.publish(self._transcript(hypothesis, is_salvage=is_salvage))
                    self._call.published(self._utterance, hypothesis)
        if actions:
            self._wind_up()

    def _wind_up(self) -> None:
        """Published and quiet: the utterance is over."""
        if self._core.is_published and not self._running and not self.over.is_set():
            if self._timer is not None:
                self._timer.cancel()
            self._call.done(self._utterance)
            self.over.set()

    def _open(self, number: int, name: str, purpose: Purpose) -> None:
        call = self._call
        attempt = _Attempt(
            number=number,
            provider=call.upstreams.providers[name],
            purpose=purpose,
            said_before=self._utterance.samples if number > 1 else 0,
        )
        if self._fault is not None and self._fault.provider != name:
            attempt.fault = self._fault
        elif purpose == "serve" and name != call.serving and name != call.assignment.chain[0]:
            self._call.publish(
                Failover(
                    utterance_id=self._utterance.id,
                    from_provider=call.serving,
                    to_provider=name,
                    reason="breaker",
                )
            )
        if purpose != "hedge":
            call.serving = name
        self._attempts[number] = attempt
        self._running += 1
        attempt.task = asyncio.create_task(self._attempt(attempt))
        attempt.task.add_done_callback(self._attempt_is_over)

    def _attempt_is_over(self, _task: "asyncio.Task[None]") -> None:
        self._running -= 1
        self._wind_up()

    def _close(self, attempt: _Attempt, outcome: Outcome, error: str | None) -> None:
        now = self._loop.time()
        name = attempt.provider.name
        if attempt.task is not None and attempt.final_at is None:
            attempt.task.cancel()
        if attempt.rejection is not None:
            self._call.publish(
                ResultDropped(utterance_id=self._utterance.id, provider=name, reason=attempt.rejection.reason)
            )
        if attempt.fault is not None and attempt.first_result_at is None:
            self._tell_failover(attempt, attempt.fault, None)
        if error is not None or outcome == "empty":
            self._fault = _Fault(provider=name, outcome=outcome, at=now)
        ended = AttemptEnded(
            utterance_id=self._utterance.id,
            attempt=attempt.number,
            provider=name,
            model=attempt.provider.model,
            purpose=attempt.purpose,
            outcome=outcome,
            audio_samples=attempt.audio_samples,
            replayed_samples=min(attempt.said_before, attempt.audio_samples),
            reported_ms=attempt.reported_ms,
            first_result_seconds=_between(attempt.first_sent_at, attempt.first_result_at),
            final_seconds=_between(self._endpoint_at, attempt.final_at),
            error=error,
        )
        if outcome == "published":
            self._winner = attempt.purpose
        was_outrun = outcome == "superseded" and self._winner == "hedge"
        outrun_seconds = _between(self._endpoint_at, now) if was_outrun else None
        self._call.upstreams.ended(ended, now, outrun_seconds=outrun_seconds)
        self._call.publish(ended)

    def _tell_failover(self, attempt: _Attempt, fault: _Fault, taken: float | None) -> None:
        self._call.publish(
            Failover(
                utterance_id=self._utterance.id,
                from_provider=fault.provider,
                to_provider=attempt.provider.name,
                reason=fault.outcome,
                seconds=taken,
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
            stream = await attempt.provider.open(self._call.stream_config())
            try:
                self._core.opened(attempt.number, self._loop.time())
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
            self._carry_out(self._core.failed(attempt.number, error, self._loop.time()))

    async def _feed(self, attempt: _Attempt, stream: SttStream) -> None:
        """Give a stream the utterance from its first sample, as fast as it takes it."""
        utterance, core, number = self._utterance, self._core, attempt.number
        chunks, position = utterance.chunks, 0
        while not (utterance.closed and position == len(chunks)):
            if position == len(chunks):
                # Not an Event: its wait asks the system for our process id, once per call and 60 ms.
                attempt.more = self._loop.create_future()
                await attempt.more
                continue
            chunk, position = _next_chunk(chunks, position)
            now = self._loop.time()
            attempt.first_sent_at = attempt.first_sent_at or now
            core.sending(number, now)
            await stream.send(chunk)
            samples = chunk.samples
            attempt.audio_samples += samples
            if actions := core.sent(number, seconds(samples) if chunk.voiced else 0.0, self._loop.time()):
                self._carry_out(actions)
        attempt.has_ended = True
        core.ended(number)
        await stream.end()

    def _heard(self, attempt: _Attempt, result: Result) -> None:
        if isinstance(result, Rejection):
            attempt.rejection = result
            return
        now = self._loop.time()
        if attempt.first_result_at is None:
            attempt.first_result_at = now
            if attempt.fault is not None:
                self._tell_failover(attempt, attempt.fault, now - attempt.fault.at)
        if result.is_final and attempt.has_ended:
            attempt.final_at = now
            attempt.reported_ms = result.reported_ms
        self._carry_out(self._core.result(attempt.number, result, now))


def _next_chunk(chunks: Sequence[AudioChunk], position: int) -> tuple[AudioChunk, int]:
    """Audio from a position on, voiced or not, up to 96 ms at a time, and the position after it."""
    first, end = chunks[position], position + 1
    while end < len(chunks) and end < position + _CHUNKS_SENT and chunks[end].voiced == first.voiced:
        end += 1
    if end == position + 1:
        return first, end
    return AudioChunk(pcm=b"".join(c.pcm for c in chunks[position:end]), voiced=first.voiced), end


def _between(since: float | None, until: float | None) -> float | None:
    return None if since is None or until is None else until - since


def _first(group: ExceptionGroup[SttError]) -> SttError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error
