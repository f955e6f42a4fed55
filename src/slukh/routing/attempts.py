"""One utterance, its Attempts, and whose text is published: the decision, without any I/O.

An utterance is published once, whole, from exactly one Attempt, so nothing is lost or doubled by
construction and no text is ever stitched. An Attempt that fails is followed by another one, which gets the
utterance's audio from its first sample. When none is left, the last stable interim is published, marked.

The shell calls what happened (`start`, `opened`, `result`, `failed`, `endpoint`, `tick`) with `now`, carries
out the `Action`s it gets back, and calls `tick` no later than `next_deadline`.
"""

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
        final_seconds: for the final, from our endpoint (or from the opening of a later Attempt).
        give_up_seconds: after our endpoint, whatever is still being tried.
        max_attempts: for one utterance.
        retry_seconds: wait before the same provider is tried a second time again; doubles.
    """

    connect_seconds: float = 2.0
    send_seconds: float = 1.5
    final_seconds: float = 8.0
    give_up_seconds: float = 20.0
    max_attempts: int = 4
    retry_seconds: float = 0.25


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
    provider: str
    opened_at: float
    is_open: bool = False
    send_began_at: float | None = None


class UtteranceAttempts:
    """Which Attempts one utterance gets, and which of them speaks for it.

    Args:
        providers: registry names, the first one first; later ones are its backups.
        language_code: of an empty final when no engine answered.
        policy: deadlines.
    """

    def __init__(self, *, providers: tuple[str, ...], language_code: str, policy: AttemptPolicy) -> None:
        self._providers = list(providers)
        self._policy = policy
        self._running: _Running | None = None
        self._count = 0
        self._retry_at: float | None = None
        self._endpoint_at: float | None = None
        self._shown = Hypothesis(text="", is_final=False, language_code=language_code)
        self.is_published = False

    @property
    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest, or None."""
        moments = [self._retry_at, self._give_up_at]
        if self._running is not None:
            moments.append(self._deadline(self._running))
        return min((m for m in moments if m is not None), default=None)

    def start(self, now: float) -> list[Action]:
        """Speech began."""
        return self._open(now, "serve")

    def opened(self, attempt: int) -> None:
        """The stream of an Attempt is open."""
        if (running := self._is_running(attempt)) is not None:
            running.is_open = True

    def sending(self, attempt: int, since: float | None) -> None:
        """A chunk is on its way since then, or (None) has been taken."""
        if (running := self._is_running(attempt)) is not None:
            running.send_began_at = since

    def result(self, attempt: int, hypothesis: Hypothesis, now: float) -> list[Action]:
        """An Attempt yielded an interim or its final."""
        if (running := self._is_running(attempt)) is None or self.is_published:
            return []
        if hypothesis.is_final:
            if self._endpoint_at is None:  # the rest of the utterance would be lost
                early = SttStreamError(running.provider, "gave its final before the utterance was over")
                return self.failed(attempt, early, now)
            self._running = None
            outcome: Outcome = "published" if hypothesis.text else "empty"
            return [Close(attempt=attempt, outcome=outcome), *self._publish(attempt, hypothesis)]
        # A later Attempt hears the utterance anew: what the caller's side was told is stable stays.
        stable = self._shown.text[: self._shown.stable_length]
        if not hypothesis.text.startswith(stable):
            return []
        self._shown = replace(hypothesis, stable_length=max(hypothesis.stable_length, len(stable)))
        return [Show(attempt=attempt, hypothesis=self._shown)]

    def failed(self, attempt: int, error: SttError, now: float) -> list[Action]:
        """An Attempt ended with an error."""
        if (running := self._is_running(attempt)) is None or self.is_published:
            return []
        self._running = None
        actions: list[Action] = [Close(attempt=attempt, outcome=error.error_type, error=error.detail)]
        if error.is_permanent:
            self._providers.remove(running.provider)
        elif len(self._providers) > 1:
            self._providers.append(self._providers.pop(0))
        if not self._providers or self._count >= self._policy.max_attempts:
            return actions + self._salvage()
        if self._count == 1 or self._providers[0] != running.provider:
            return actions + self._open(now, "retry")
        self._retry_at = now + self._policy.retry_seconds * 2 ** (self._count - 2)
        return actions

    def endpoint(self, now: float) -> list[Action]:
        """Our endpointing closed the utterance."""
        self._endpoint_at = now
        if self._running is None and self._retry_at is None and not self.is_published:
            return self._salvage()
        return []

    def tick(self, now: float) -> list[Action]:
        """Time passed."""
        if self.is_published:
            return []
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            return self._open(now, "retry")
        if self._give_up_at is not None and now >= self._give_up_at:
            return self.abandon("timeout")
        running = self._running
        if running is not None and (deadline := self._deadline(running)) is not None and now >= deadline:
            error = SttTimeoutError(running.provider, f"no {self._awaited(running)} in time")
            return self.failed(running.number, error, now)
        return []

    def abandon(self, outcome: Outcome) -> list[Action]:
        """Publish what there is: nobody waits any longer."""
        if self.is_published:
            return []
        actions: list[Action] = []
        if self._running is not None:
            actions.append(Close(attempt=self._running.number, outcome=outcome))
        self._running = self._retry_at = None
        self._endpoint_at = self._endpoint_at or 0.0
        return actions + self._salvage()

    @property
    def _give_up_at(self) -> float | None:
        if self._endpoint_at is None or self.is_published:
            return None
        return self._endpoint_at + self._policy.give_up_seconds

    def _deadline(self, running: _Running) -> float | None:
        if not running.is_open:
            return running.opened_at + self._policy.connect_seconds
        if running.send_began_at is not None:
            return running.send_began_at + self._policy.send_seconds
        if self._endpoint_at is not None:
            return max(self._endpoint_at, running.opened_at) + self._policy.final_seconds
        return None

    def _awaited(self, running: _Running) -> str:
        if not running.is_open:
            return "open stream"
        return "room for audio" if running.send_began_at is not None else "final"

    def _is_running(self, attempt: int) -> _Running | None:
        running = self._running
        return running if running is not None and running.number == attempt else None

    def _open(self, now: float, purpose: Purpose) -> list[Action]:
        self._count += 1
        self._running = _Running(number=self._count, provider=self._providers[0], opened_at=now)
        return [Open(attempt=self._count, provider=self._providers[0], purpose=purpose)]

    def _publish(self, attempt: int | None, hypothesis: Hypothesis, *, salvage: bool = False) -> list[Action]:
        self.is_published = True
        self._retry_at = None
        return [Publish(attempt=attempt, hypothesis=hypothesis, is_salvage=salvage)]

    def _salvage(self) -> list[Action]:
        if self._endpoint_at is None:  # the caller still speaks: the text is published at the endpoint
            return []
        stable = self._shown.text[: self._shown.stable_length]
        final = replace(self._shown, text=stable, is_final=True, stable_length=len(stable), confidence=None)
        return self._publish(None, final, salvage=True)
