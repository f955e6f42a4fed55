"""One utterance, its Attempts, and whose text is published: the decision, without any I/O.

An utterance is published once, whole, from exactly one Attempt, so nothing is lost or doubled by
construction and no text is ever stitched. An Attempt that fails is followed by another one, on the next
provider where there is one, and gets the utterance's audio from its first sample. A final that is late gets
a hedge beside it, and an empty one for a second of voice is asked for again, where there is a backup. When
nothing is left, the last stable interim is published.

    what is waited for                  deadline, from                        holds for
    the stream to open                  connect_seconds, its opening          every provider
    a chunk to be taken                 send_seconds, the chunk               every provider
    a first or further result           stall_seconds of voice and of time    those that give interims
    the final                           final_seconds, the end of the audio   every provider
    a final before a hedge beside it    hedge_seconds, the end of the audio   while a backup is there

The end of the audio is our endpoint, or later where a replay takes so long: Google is given 28 s in 7 s.

The shell calls what happened (`start`, `opened`, `sent`, `ended`, `result`, `failed`, `endpoint`, `tick`)
with `now`, carries out the `Action`s it gets back, and calls `tick` no later than `next_deadline`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from slukh.errors import SttError, SttStreamError, SttTimeoutError
from slukh.stt.base import Hypothesis
from slukh.types import Outcome, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPolicy:
    """When to give up, in seconds.

    Attributes:
        connect_seconds: for a stream to open.
        send_seconds: for one chunk to be taken.
        stall_seconds: of voice without a result, from a provider that gives interims.
        final_seconds: for the final, from our endpoint, or from when a later Attempt took its last audio.
        give_up_seconds: after our endpoint, whatever is still being tried.
        doubt_seconds: of voice; an empty final for that much is not believed before a backup was asked too.
        max_attempts: for one utterance.
        retry_seconds: wait before the same provider is tried a second time again; doubles.
    """

    connect_seconds: float = 2.0
    send_seconds: float = 1.5
    stall_seconds: float = 2.5
    final_seconds: float = 8.0
    give_up_seconds: float = 20.0
    doubt_seconds: float = 1.0
    max_attempts: int = 4
    retry_seconds: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A provider that may hear the utterance.

    Attributes:
        name: registry name.
        gives_interims: it speaks while the caller speaks, so its silence means something.
        hedge_seconds: of waiting for its final, to a second Attempt beside its own; None never hedges.
    """

    name: str
    gives_interims: bool = False
    hedge_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Open a stream, and give it the utterance from its first sample."""

    attempt: int
    provider: str
    purpose: Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Close a stream; its row says `outcome`, and why when it failed."""

    attempt: int
    outcome: Outcome
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """Publish an interim."""

    attempt: int
    hypothesis: Hypothesis


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """Publish the one final; `attempt` is None when every Attempt failed."""

    attempt: int | None
    hypothesis: Hypothesis
    is_salvage: bool = False


Action = Open | Close | Show | Publish


@dataclass(slots=True, kw_only=True)
class _Running:
    number: int
    candidate: Candidate
    opened_at: float
    is_open: bool = False
    has_ended: bool = False  # it was given all of the utterance
    send_began_at: float | None = None
    took_at: float  # when it took audio last, or was opened
    quiet_since: float
    quiet_voice: float = 0.0  # seconds of voice it took since it last said something
    voice: float = 0.0  # all of it


class UtteranceAttempts:
    """Which Attempts one utterance gets, and which of them speaks for it.

    Args:
        candidates: the first one first; later ones are its backups.
        language_code: of an empty final when no engine answered.
        policy: deadlines.
        may_open: whether a provider may be connected to at that moment; asked before every `Open`.
        delay: seconds before a provider is tried again, after so many Attempts; None is the policy's.
    """

    def __init__(
        self,
        *,
        candidates: Sequence[Candidate],
        language_code: str,
        policy: AttemptPolicy,
        may_open: Callable[[str, float], bool] = lambda _name, _now: True,
        delay: Callable[[str, int], float | None] = lambda _name, _count: None,
    ) -> None:
        self._candidates = list(candidates)
        self._policy = policy
        self._may_open = may_open
        self._delay = delay
        self._running: dict[int, _Running] = {}
        self._count = 0
        self._retry_at: float | None = None
        self._endpoint_at: float | None = None
        self._is_hedged = False
        self._shown = Hypothesis(text="", is_final=False, language_code=language_code)
        self._empty_final: tuple[int, Hypothesis] | None = None  # while another Attempt may know more
        self.is_published = False

    @property
    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest, or None."""
        if self.is_published:
            return None
        moments = [self._retry_at, self._hedge_at, self._give_up_at]
        moments += [self._deadline(running) for running in self._running.values()]
        return min((m for m in moments if m is not None), default=None)

    def start(self, now: float) -> list[Action]:
        """Speech began."""
        return self._open(now, "serve")

    def opened(self, attempt: int, now: float) -> None:
        """The stream of an Attempt is open."""
        if (running := self._running.get(attempt)) is not None:
            running.is_open = True
            running.quiet_since = now

    def sending(self, attempt: int, now: float) -> None:
        """A chunk is on its way."""
        if (running := self._running.get(attempt)) is not None:
            running.send_began_at = now

    def sent(self, attempt: int, voice_seconds: float, now: float) -> list[Action]:
        """The chunk has been taken; so much of it was voice."""
        if (running := self._running.get(attempt)) is None or self.is_published:
            return []
        running.send_began_at, running.took_at = None, now
        running.quiet_voice += voice_seconds
        running.voice += voice_seconds
        stall = self._policy.stall_seconds
        # Time as well as voice: a replay brings seconds of voice in an instant.
        is_stalled = running.quiet_voice >= stall and now - running.quiet_since >= stall
        # One stream may be dead where its server is well, two are not: it is slow, and would get more to do.
        is_hopeful = len(self._candidates) > 1 or self._count == 1
        if running.candidate.gives_interims and self._endpoint_at is None and is_stalled and is_hopeful:
            return self._fail(running, "stalled", f"{running.quiet_voice:.1f} s of voice and no word", now)
        return []

    def ended(self, attempt: int) -> None:
        """All of the utterance has been taken, and the stream is told that it is over."""
        if (running := self._running.get(attempt)) is not None:
            running.has_ended = True

    def result(self, attempt: int, hypothesis: Hypothesis, now: float) -> list[Action]:
        """An Attempt yielded an interim or its final."""
        if (running := self._running.get(attempt)) is None or self.is_published:
            return []
        running.quiet_since, running.quiet_voice = now, 0.0
        if not hypothesis.is_final:
            return self._show(attempt, hypothesis)
        if not running.has_ended:  # the rest of the utterance would be lost; a replay may still be under way
            early = SttStreamError(running.candidate.name, "gave its final before the utterance was over")
            return self.failed(attempt, early, now)
        del self._running[attempt]
        if hypothesis.text:
            return [Close(attempt=attempt, outcome="published"), *self._publish(attempt, hypothesis)]
        closed: list[Action] = [Close(attempt=attempt, outcome="empty")]
        if not self._running and running.voice >= self._policy.doubt_seconds:
            closed += self._doubt(running, now)
        if self._running:
            self._empty_final = self._empty_final or (attempt, hypothesis)
            return closed
        return closed + self._publish(attempt, hypothesis)

    def failed(self, attempt: int, error: SttError, now: float) -> list[Action]:
        """An Attempt ended with an error."""
        if (running := self._running.get(attempt)) is None or self.is_published:
            return []
        if error.is_permanent:
            self._candidates.remove(running.candidate)
        return self._fail(running, error.error_type, error.detail, now)

    def endpoint(self, now: float) -> list[Action]:
        """Our endpointing closed the utterance."""
        self._endpoint_at = now
        if not self._running and self._retry_at is None and not self.is_published:
            return self._salvage()
        return []

    def tick(self, now: float) -> list[Action]:
        """Time passed."""
        if self.is_published:
            return []
        if self._give_up_at is not None and now >= self._give_up_at:
            return self.abandon("timeout")
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            return self._open(now, "retry" if self._count else "serve")
        for running in tuple(self._running.values()):
            deadline = self._deadline(running)
            if deadline is not None and now >= deadline:
                error = SttTimeoutError(running.candidate.name, f"no {self._awaited(running)} in time")
                return self.failed(running.number, error, now)
        if self._hedge_at is not None and now >= self._hedge_at:
            self._is_hedged = True
            (lead,) = self._running.values()
            self._put_last(lead.candidate)
            return self._open(now, "hedge", besides=lead.candidate)
        return []

    def abandon(self, outcome: Outcome) -> list[Action]:
        """Publish what there is: nobody waits any longer."""
        if self.is_published:
            return []
        self._endpoint_at = self._endpoint_at or 0.0
        closed = self._close_all(outcome)
        if self._empty_final is not None:  # somebody did answer
            return closed + self._publish(*self._empty_final)
        return closed + self._salvage()

    @property
    def _give_up_at(self) -> float | None:
        return None if self._endpoint_at is None else self._endpoint_at + self._policy.give_up_seconds

    @property
    def _hedge_at(self) -> float | None:
        """A hedge is for the one Attempt that is late, and wants another provider."""
        if self._endpoint_at is None or self._is_hedged or len(self._running) != 1:
            return None
        if len(self._candidates) == 1 or self._count >= self._policy.max_attempts:
            return None
        (running,) = self._running.values()
        wait = running.candidate.hedge_seconds
        if wait is None:
            return None
        return max(self._endpoint_at, running.took_at) + wait

    def _deadline(self, running: _Running) -> float | None:
        if not running.is_open:
            return running.opened_at + self._policy.connect_seconds
        if running.send_began_at is not None:
            return running.send_began_at + self._policy.send_seconds
        if self._endpoint_at is not None:
            return max(self._endpoint_at, running.took_at) + self._policy.final_seconds
        return None

    def _awaited(self, running: _Running) -> str:
        if not running.is_open:
            return "open stream"
        return "room for audio" if running.send_began_at is not None else "final"

    def _show(self, attempt: int, hypothesis: Hypothesis) -> list[Action]:
        """The oldest Attempt that runs speaks, and never takes back what was stable before a switch."""
        stable = self._shown.text[: self._shown.stable_length]
        if attempt != min(self._running) or not hypothesis.text.startswith(stable):
            return []
        self._shown = replace(hypothesis, stable_length=max(hypothesis.stable_length, len(stable)))
        return [Show(attempt=attempt, hypothesis=self._shown)]

    def _fail(self, running: _Running, outcome: Outcome, error: str, now: float) -> list[Action]:
        del self._running[running.number]
        actions: list[Action] = [Close(attempt=running.number, outcome=outcome, error=error)]
        if running.candidate in self._candidates:
            self._put_last(running.candidate)
        if self._running:  # the hedge, or the one it was opened beside, goes on
            return actions
        if self._empty_final is not None:
            return actions + self._publish(*self._empty_final)
        if not self._candidates or self._count >= self._policy.max_attempts:
            return actions + self._salvage()
        # Once more at once, as a connection may just have broken; who has no room has none a moment later.
        is_first = self._count == 1 and outcome != "overloaded"
        if is_first or self._candidates[0] != running.candidate:
            return actions + self._open(now, "retry")
        self._retry_at = now + self._pause(running.candidate)
        return actions

    def _pause(self, candidate: Candidate) -> float:
        """Before that one is tried again."""
        count = max(self._count, 2)
        delay = self._delay(candidate.name, count)
        return self._policy.retry_seconds * 2.0 ** (count - 2) if delay is None else delay

    def _doubt(self, running: _Running, now: float) -> list[Action]:
        """So much voice without a word: ask another provider, where there is one that was not asked yet."""
        if self._empty_final is not None or self._count >= self._policy.max_attempts:
            return []
        self._put_last(running.candidate)
        return self._open(now, "retry", besides=running.candidate)

    def _put_last(self, candidate: Candidate) -> None:
        self._candidates.remove(candidate)
        self._candidates.append(candidate)

    def _open(self, now: float, purpose: Purpose, *, besides: Candidate | None = None) -> list[Action]:
        """The first candidate that may be connected to; with none, once more later; at last what there is.

        Nothing is lost when one besides another's Attempt cannot be had: then there is none.
        """
        others = [candidate for candidate in self._candidates if candidate != besides]
        candidate = next((c for c in others if self._may_open(c.name, now)), None)
        if candidate is None:
            if besides is not None:
                return []
            if self._endpoint_at is not None and now >= self._endpoint_at + self._policy.final_seconds:
                return self._salvage()
            self._retry_at = now + self._pause(others[0])
            return []
        self._count += 1
        self._running[self._count] = _Running(
            number=self._count, candidate=candidate, opened_at=now, took_at=now, quiet_since=now
        )
        return [Open(attempt=self._count, provider=candidate.name, purpose=purpose)]

    def _publish(self, attempt: int | None, final: Hypothesis, *, salvage: bool = False) -> list[Action]:
        self.is_published = True
        publish = Publish(attempt=attempt, hypothesis=final, is_salvage=salvage)
        return [*self._close_all("superseded"), publish]

    def _close_all(self, outcome: Outcome) -> list[Action]:
        actions: list[Action] = [Close(attempt=number, outcome=outcome) for number in self._running]
        self._running.clear()
        self._retry_at = None
        return actions

    def _salvage(self) -> list[Action]:
        if self._endpoint_at is None:  # the caller still speaks: the text is published at the endpoint
            return []
        stable = self._shown.text[: self._shown.stable_length]
        final = replace(self._shown, text=stable, is_final=True, stable_length=len(stable), confidence=None)
        return self._publish(None, final, salvage=True)
