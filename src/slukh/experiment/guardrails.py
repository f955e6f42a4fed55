"""When Whisper's share is taken back at once: operational guardrails over live calls, by assignment. No I/O.

| guardrail | a turn is bad when                                                            | at most |
|-----------|-------------------------------------------------------------------------------|---------|
| errors    | the arm's own recogniser failed on it, or missed its words, or was kept away  | 10 %    |
| timeouts  | the arm's own recogniser gave none in time, or nobody did                     |  5 %    |
| latency   | its final came later than 3 s after the end of speech, or never               | 20 %    |
| no data   | calls of the arm began, and none of them has reported a turn for 10 minutes   |         |

A caller counts once, by the mean of their calls: who calls again from a bad line, or dials without a word,
says nothing of others. A call counts by the share of its turns that are bad; while it has few turns, those to
come count as good. Nothing is decided on fewer callers than `least_callers`, on evidence that chance gives
more than once in `Bounds.evidence` callers (`statistics/detection.py`), or where Google's calls of the same
time may be as bad: then no other share would help.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Literal

from slukh.experiment.evidence import ARMS
from slukh.experiment.statistics.detection import Stretch, worst_stretch

Guardrail = Literal["errors", "timeouts", "latency", "no_data"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is asked of live calls.

    Attributes:
        errors: largest share of turns.
        timeouts: likewise.
        late: likewise.
        late_seconds: from the end of speech to the final.
        deadline_seconds: a final that has not come so long after our endpoint counts as none.
        silent_seconds: how long calls may report no turn.
        least_callers: on calls of fewer nothing is decided; one with a withheld number is new in each call.
        window_seconds: an older call counts no more.
        window_calls: and no more than so many of an arm do.
        call_turns: of a call, the newest so many.
        few_turns: a call that goes on is judged as if it had so many at least.
        evidence: callers between two alarms by chance, at least, where an arm is exactly as bad as it may be.
    """

    errors: float = 0.10
    timeouts: float = 0.05
    late: float = 0.20
    late_seconds: float = 3.0
    deadline_seconds: float = 8.0
    silent_seconds: float = 600.0
    least_callers: int = 5
    window_seconds: float = 7200.0
    window_calls: int = 200
    call_turns: int = 20
    few_turns: int = 5
    evidence: float = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One utterance of a live call, as its arm served it.

    Attributes:
        is_failed: the arm's own recogniser failed on it, missed its words, or was kept away.
        is_timed_out: it gave no final in time, or nobody did.
        seconds: from the end of speech to the final, whoever gave it; None when none came in time.
    """

    is_failed: bool = False
    is_timed_out: bool = False
    seconds: float | None


Judge = Callable[[Turn, Bounds], bool]
JUDGES: tuple[tuple[Guardrail, Judge, Callable[[Bounds], float]], ...] = (
    ("errors", lambda turn, _: turn.is_failed, lambda bounds: bounds.errors),
    ("timeouts", lambda turn, _: turn.is_timed_out or turn.seconds is None, lambda bounds: bounds.timeouts),
    (
        "latency",
        lambda turn, bounds: turn.seconds is None or turn.seconds > bounds.late_seconds,
        lambda bounds: bounds.late,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A guardrail that does not hold.

    Attributes:
        guardrail: which.
        callers: of Whisper's calls that show it, the newest ones.
        share: of their turns that are bad, the mean over callers; None where there is no data.
        bound: what it may be; seconds where there is no data.
        google: the same share of Google's calls of that time, or None where there are too few.
    """

    guardrail: Guardrail
    callers: int
    share: float | None
    bound: float
    google: float | None = None

    def __str__(self) -> str:
        if self.share is None:
            minutes = self.bound / 60
            return (
                f"no data: {self.callers} callers, and no turn of theirs was reported for {minutes:g} minutes"
            )
        google = "" if self.google is None else f", Google's {self.google:.0%}"
        return (
            f"{self.guardrail}: {self.share:.0%} of the turns of {self.callers} callers, "
            f"at most {self.bound:.0%}{google}"
        )


@dataclass(slots=True)
class _Call:
    """One call of an arm."""

    caller: str
    began: float
    newest: float
    turns: deque[tuple[bool, ...]] = field(default_factory=deque)  # what is bad about each, by guardrail
    bad: list[int] = field(default_factory=lambda: [0] * len(JUDGES))  # of them
    has_ended: bool = False

    def add(self, judged: tuple[bool, ...], most: int) -> None:
        """One more turn; the oldest is forgotten when there are too many."""
        gone = self.turns.popleft() if len(self.turns) == most else (False,) * len(judged)
        self.turns.append(judged)
        self.bad = [bad + new - old for bad, new, old in zip(self.bad, judged, gone, strict=True)]

    def share(self, number: int, few_turns: int) -> float:
        """Of its turns that are bad."""
        return self.bad[number] / max(len(self.turns), 1 if self.has_ended else few_turns)


@dataclass(slots=True)
class _Arm:
    calls: OrderedDict[str, _Call] = field(default_factory=OrderedDict)
    # Calls that began after the last turn: when, and whose.
    silent_since: deque[tuple[float, str]] = field(default_factory=deque)


class Guardrails:
    """Both arms as they are now, in bounded memory.

    Args:
        bounds: what is asked.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self.forget()

    def forget(self) -> None:
        """Begin anew, as after a change of the share."""
        self._arms = {arm: _Arm() for arm in ARMS}
        self._is_new = False

    def began(self, arm: str, call_id: str, now: float, caller: str | None = None) -> None:
        """A call was given to an arm, or came back to it; nobody knows who calls with a withheld number."""
        known, caller = self._arms[arm], caller or call_id
        if (call := known.calls.get(call_id)) is not None:
            call.has_ended = False
            return
        known.calls[call_id] = _Call(caller=caller, began=now, newest=now)
        known.silent_since.append((now, caller))
        if len(known.calls) > self.bounds.window_calls:
            known.calls.popitem(last=False)
        if len(known.silent_since) > self.bounds.window_calls:
            known.silent_since.popleft()

    def heard(self, arm: str, call_id: str, turn: Turn, now: float) -> None:
        """A turn of a call is over."""
        known = self._arms[arm]
        known.silent_since.clear()
        if (call := known.calls.get(call_id)) is not None:
            judged = tuple(is_bad(turn, self.bounds) for _, is_bad, _ in JUDGES)
            call.add(judged, self.bounds.call_turns)
            call.newest = now
            self._is_new = True

    def ended(self, arm: str, call_id: str) -> None:
        """A call is over: it is judged by the turns it had."""
        if (call := self._arms[arm].calls.get(call_id)) is not None:
            call.has_ended = True
            self._is_new = True

    def look(self, now: float) -> Breach | None:
        """The first guardrail that does not hold."""
        if self._is_new:
            self._is_new = False
            calls = self._seen("whisper", now)
            for number, (guardrail, _, bound) in enumerate(JUDGES):
                if any(call.bad[number] for call in calls):
                    breach = self._breach(guardrail, number, calls, bound(self.bounds), now)
                    if breach is not None:
                        return breach
        return self._silence(now)

    def _breach(
        self, guardrail: Guardrail, number: int, calls: list[_Call], bound: float, now: float
    ) -> Breach | None:
        bounds = self.bounds
        seen = self._by_caller(calls, number)
        shares = [share for _, share in seen]
        stretch, google = worst_stretch(shares, bound), None
        if self._is_enough(stretch):
            beside = self._googles(number, now, since=seen[-stretch.values][0])
            if len(beside) >= bounds.least_callers:
                google = mean(beside)
                # Whisper is held to what Google may do as well, where that is worse than the bound.
                may_be = google + 2 * stdev(beside) / math.sqrt(len(beside))
                stretch = worst_stretch(shares, max(bound, may_be))
        if not self._is_enough(stretch):
            return None
        return Breach(
            guardrail=guardrail, callers=stretch.values, share=stretch.mean, bound=bound, google=google
        )

    def _is_enough(self, stretch: Stretch) -> bool:
        return stretch.values >= self.bounds.least_callers and stretch.evidence >= self.bounds.evidence

    def _googles(self, number: int, now: float, *, since: float) -> list[float]:
        """Shares of Google's callers of that time, or of its newest ones where those are few."""
        seen = self._by_caller(self._seen("google", now), number)
        count = max(self.bounds.least_callers, sum(began >= since for began, _ in seen))
        return [share for _, share in seen[-count:]]

    def _by_caller(self, calls: list[_Call], number: int) -> list[tuple[float, float]]:
        """When the newest call of each caller began, in that order, and the mean share of their calls."""
        shares: dict[str, list[float]] = {}
        began: dict[str, float] = {}
        for call in calls:
            shares.setdefault(call.caller, []).append(call.share(number, self.bounds.few_turns))
            began.pop(call.caller, None)
            began[call.caller] = call.began
        return [(at, mean(shares[caller])) for caller, at in began.items()]

    def _seen(self, arm: str, now: float) -> list[_Call]:
        """The calls that count, in the order they began."""
        oldest = now - self.bounds.window_seconds
        return [call for call in self._arms[arm].calls.values() if call.turns and call.newest >= oldest]

    def _silence(self, now: float) -> Breach | None:
        silent, bounds = self._arms["whisper"].silent_since, self.bounds
        while silent and silent[0][0] < now - bounds.window_seconds:
            silent.popleft()
        callers = len({caller for _, caller in silent})
        if callers < bounds.least_callers or now - silent[0][0] < bounds.silent_seconds:
            return None
        return Breach(guardrail="no_data", callers=callers, share=None, bound=bounds.silent_seconds)
