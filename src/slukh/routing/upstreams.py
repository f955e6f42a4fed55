"""The recognisers of a process as all its calls know them: who works, who is full, who is slow. No I/O."""

import math
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from slukh.routing.attempts import Candidate
from slukh.routing.breaker import Breaker, BreakerPolicy
from slukh.routing.breaker_store import BreakerStore, MemoryBreakerStore, Standing
from slukh.routing.reconnects import Reconnects
from slukh.routing.rollout import recovery_bucket
from slukh.stt.base import SttProvider
from slukh.types import AttemptEnded, Outcome

_SERVING = frozenset({"serve", "retry", "hedge"})
_WINDOW = 100  # finals of a provider whose 95th percentile is its hedge's deadline
_FEWEST = 20  # of them, before that percentile means anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is asked of the recognisers.

    Attributes:
        hedge_floor_seconds: a final is never called late before this.
        hedge_cap_seconds: and always after this, also while too few finals are known; None never hedges.
        capacity: calls at a time, by provider; one that is not named takes any number.
        backlog_seconds: a provider whose oldest request waits longer than this takes no new calls.
        breaker: when a provider is kept away from calls.
    """

    hedge_floor_seconds: float = 0.8
    hedge_cap_seconds: float | None = 3.0
    capacity: Mapping[str, int] = field(default_factory=dict)
    backlog_seconds: float = 1.0
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)


class Upstreams:
    """See the module.

    Args:
        providers: by registry name.
        limits: what is asked of them.
        store: where breakers keep their standing.
        draw: random numbers, 0 <= n < 1.
        on_standing: told a provider's standing when its state, or its error's being permanent, changed.
    """

    def __init__(
        self,
        providers: Mapping[str, SttProvider],
        *,
        limits: Limits | None = None,
        store: BreakerStore | None = None,
        draw: Callable[[], float] = random.random,
        on_standing: Callable[[str, Standing], None] = lambda _name, _standing: None,
    ) -> None:
        self.providers = providers
        self.limits = limits or Limits()
        self.on_standing = on_standing
        store = store or MemoryBreakerStore()
        self.breakers = {name: Breaker(name, store=store, policy=self.limits.breaker) for name in providers}
        self._told = {name: breaker.standing for name, breaker in self.breakers.items()}
        self._reconnects = {name: Reconnects(draw=draw) for name in providers}
        self._finals: dict[str, deque[float]] = {name: deque(maxlen=_WINDOW) for name in providers}
        self._calls: Counter[str] = Counter()

    def has_room(self, name: str) -> bool:
        """Whether a provider takes one more call."""
        capacity = self.limits.capacity.get(name, math.inf)
        return (
            self._calls[name] < capacity
            and self.providers[name].backlog_seconds() <= self.limits.backlog_seconds
        )

    @property
    def deaf(self) -> str | None:
        """Why no call is heard as things are: every recogniser fails calls. None while one does not."""
        if not all(breaker.is_failing for breaker in self.breakers.values()):
            return None
        return f"{' and '.join(self.breakers)} failed calls, and no probe was heard since"

    def with_room(self, chain: Sequence[str]) -> tuple[str, ...]:
        """The providers of a chain, those that are full behind the others; empty when all are."""
        room = {name: self.has_room(name) for name in chain}
        if not any(room.values()):
            return ()
        return tuple(sorted(chain, key=lambda name: not room[name]))

    def call_began(self, name: str) -> None:
        """A call was given to a provider."""
        self._calls[name] += 1

    def call_ended(self, name: str) -> None:
        """It is over."""
        self._calls[name] -= 1

    def candidates(self, chain: Sequence[str], call_id: str, now: float) -> list[Candidate]:
        """Who may hear the next utterance of a call.

        While all of a chain are kept away from calls they are asked all the same: without a recogniser the
        caller's words are lost for certain. `may_open` bounds how often.
        """
        allowed = [name for name in chain if self.breakers[name].allows(now, recovery_bucket(name, call_id))]
        self._tell()
        return [
            Candidate(
                name=name,
                gives_interims=self.providers[name].capabilities.interim_results,
                hedge_seconds=self.hedge_seconds(name),
            )
            for name in allowed or chain
        ]

    def may_open(self, name: str, now: float) -> bool:
        """Whether a provider may be connected to; one that fails only so often."""
        if not self.breakers[name].is_failing:
            return True
        return self._reconnects[name].take(now, self._calls.total())

    def delay(self, name: str, attempts: int) -> float | None:
        """Seconds before an utterance that had so many Attempts asks a failing provider again, drawn by lot.

        None for one that is not known to fail.
        """
        return self._reconnects[name].delay(attempts - 1) if self.breakers[name].is_failing else None

    def hedge_seconds(self, name: str) -> float | None:
        """How long after our endpoint a provider's final is late: its own 95th percentile, within bounds."""
        cap = self.limits.hedge_cap_seconds
        finals = self._finals[name]
        if cap is None or len(finals) < _FEWEST:
            return cap
        return min(
            cap, max(self.limits.hedge_floor_seconds, sorted(finals)[math.ceil(0.95 * len(finals)) - 1])
        )

    def ended(self, attempt: AttemptEnded, now: float, *, outrun_seconds: float | None = None) -> None:
        """An Attempt for a caller is over.

        Args:
            attempt: how it ended.
            now: monotonic seconds.
            outrun_seconds: its hedge gave the final, so long after our endpoint; its own would have come
                later. None where no hedge did.
        """
        if attempt.purpose not in _SERVING:
            return
        breaker = self.breakers[attempt.provider]
        if outrun_seconds is None:
            breaker.record(attempt.outcome, now, attempt.final_seconds)
        else:
            breaker.outrun(now)
        # One that was outrun is as late as it was waited for, at least. Were it left out, the percentile
        # would be that of the quick ones only, and move the next hedge forward, again and again.
        final_seconds = attempt.final_seconds if outrun_seconds is None else outrun_seconds
        if final_seconds is not None:
            self._finals[attempt.provider].append(final_seconds)
        self._tell()

    def keep_away(self, name: str, now: float) -> None:
        """A provider did not start, for a reason that only an operator can mend."""
        self.breakers[name].keep_away(now)
        self._tell()

    def begin_probe(self, name: str, now: float) -> bool:
        """Take the probe of a provider that is due; False when none is, or it may not be connected to."""
        breaker = self.breakers[name]
        breaker.tick(now)
        self._tell()
        due = breaker.next_probe_at
        if due is None or now < due or not self._reconnects[name].take(now, self._calls.total()):
            return False
        return breaker.begin_probe(now)

    def end_probe(self, name: str, began: float, outcome: Outcome, now: float) -> None:
        """A probe that began then has ended; `published` is a success."""
        self.breakers[name].end_probe(began, outcome, now)
        self._tell()

    def _tell(self) -> None:
        for name, breaker in self.breakers.items():
            standing, told = breaker.standing, self._told[name]
            # A permanent error may find it open already, and is an alarm all the same.
            if (standing.state, standing.is_permanent) != (told.state, told.is_permanent):
                self._told[name] = standing
                self.on_standing(name, standing)
