"""When to leave a recogniser alone, and when to trust it again: the decision, without any I/O.

Every Attempt votes when it ends. Five bad ones in a row, or half of at least five within 10 s, open the
breaker. One that its hedge outran is no failure: one in twenty is later than its hedge by design, and some
hedges win. Five of them in a row, with no final in between, are bad: that is how one looks which no longer
answers, because nobody waits for its time-outs then. A permanent error opens it at once, unless what was
refused is one request of a provider that is known to take others. While it is open nobody's call goes there.
When it has cooled, up to three synthetic probes (stored clips whose words are checked, never a caller's only
audio) must all work, one after the other; then 5 %, 25 % and all of the new calls come back. A provider that
is opened again soon cools longer each time, so that a half broken one does not flap, and never so long that
one which works again waits more than 30 s for all its calls (60 s for its first probe after a permanent
error).

The shell calls `record` or `outrun` when an Attempt ended and `tick` now and then, starts a probe when
`next_probe_at` is due (`begin_probe`, `end_probe`), and asks `allows` once per utterance with the bucket of
the call.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

from slukh.routing.breaker_store import BreakerStore, Standing, State
from slukh.routing.rollout import threshold
from slukh.types import Outcome

Happening = Literal["tripped", "cooled", "probe_failed", "probes_worked", "ramped"]

TRANSITIONS: dict[tuple[State, Happening], State] = {
    ("closed", "tripped"): "open",
    ("open", "cooled"): "half_open",
    ("half_open", "probes_worked"): "recovering",
    ("half_open", "probe_failed"): "open",
    ("recovering", "ramped"): "closed",
    ("recovering", "tripped"): "open",
    # A permanent error of an Attempt that was under way, or of a probe: wait longer.
    ("open", "tripped"): "open",
    ("half_open", "tripped"): "open",
}

Vote = Literal["good", "bad", "late", "weak", "permanent"]
VOTES: dict[Outcome, Vote] = {
    "published": "good",
    "empty": "weak",  # a cough has no words; a provider that hears nothing at all has none either
    "timeout": "bad",
    "stalled": "bad",
    "connect": "bad",
    "stream": "bad",
    "overloaded": "bad",
    # Permanent for its Attempt, which is not repeated. One corrupt message is no reason to send every call
    # away for a minute; a wrong address, which answers so every time, is opened by the third or fifth.
    "protocol": "bad",
    # Likewise: one caller's language, or one dial plan's mistake, is no reason either.
    "language": "bad",
    "request": "permanent",
    "authentication": "permanent",
    # `superseded`, `cancelled` and `limit` say nothing about the provider.
}
BADNESS: dict[Vote, float] = {"good": 0.0, "weak": 0.25, "late": 0.25, "bad": 1.0, "permanent": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When to open, and for how long; sized for about 20 calls.

    Attributes:
        window_seconds: how far back votes count.
        window_votes: and at most so many of them.
        bad_run: bad or late outcomes in a row that open it, however far apart.
        min_votes: votes in the window before a share of them means anything.
        bad_share: of the votes, opens it; an empty or late one is a quarter of a bad vote, and an empty one
            never the last.
        slow_seconds: a final later than this after our endpoint is slow.
        slow_share: of the votes, opens it.
        cool_seconds: from opening to the first probe, the first, second and any further time.
        calm_seconds: closed for so long, the next opening counts as the first again.
        permanent_seconds: from a permanent error to the one probe that tries whether it was mended.
        probes: that must work in half-open, none of them twice.
        probe_gap_seconds: between the end of one and the start of the next.
        probe_seconds: an unanswered probe has failed.
        ramp: (seconds since the probes worked, per cent of the calls from then on).
    """

    window_seconds: float = 10.0
    window_votes: int = 100
    bad_run: int = 5
    min_votes: int = 5
    bad_share: float = 0.5
    slow_seconds: float = 4.0
    slow_share: float = 0.8
    cool_seconds: tuple[float, ...] = (4.0, 8.0, 15.0)
    calm_seconds: float = 60.0
    permanent_seconds: float = 60.0
    probes: int = 3
    probe_gap_seconds: float = 0.5
    probe_seconds: float = 3.0
    ramp: tuple[tuple[float, int], ...] = ((0.0, 5), (2.5, 25), (5.0, 100))


class Breaker:
    """Whether calls may go to one provider, or one server of it.

    Args:
        key: `google`, or `whisper@10.0.0.5:8000` where a provider has several servers.
        store: where its standing is kept.
        policy: when to open, for how long.
    """

    def __init__(self, key: str, *, store: BreakerStore, policy: BreakerPolicy | None = None) -> None:
        self.key = key
        self.policy = policy or BreakerPolicy()
        self._store = store
        self._votes: deque[tuple[float, Vote, bool]] = deque(maxlen=self.policy.window_votes)
        self._bad_run = 0
        self._since = self.standing.since

    @property
    def standing(self) -> Standing:
        """All that is remembered of it, as of the last call of any method that was given the time."""
        return self._store.load(self.key)

    @property
    def state(self) -> State:
        """Where the table has it, likewise."""
        return self.standing.state

    @property
    def is_failing(self) -> bool:
        """Whether reconnects to it are to be spread and capped."""
        return self.state in ("open", "half_open")

    @property
    def next_probe_at(self) -> float | None:
        """When the next probe is due; None while it is closed or recovering, or a probe is under way."""
        standing = self.standing
        if standing.state == "open":
            return standing.cooled_at
        if standing.state != "half_open" or standing.probe_at is not None:
            return None
        if standing.probe_ended_at is None:
            return standing.since
        return standing.probe_ended_at + self.policy.probe_gap_seconds

    def allows(self, now: float, bucket: int) -> bool:
        """Whether a call may go there: all, none, or the share that a recovery has reached.

        Args:
            now: monotonic seconds.
            bucket: of the call, see `rollout.recovery_bucket`.
        """
        self.tick(now)
        standing = self.standing
        if standing.state == "recovering":
            return bucket < threshold(self._share(now - standing.since))
        return standing.state == "closed"

    def record(self, outcome: Outcome, now: float, latency: float | None = None) -> None:
        """An Attempt ended.

        Args:
            outcome: how.
            now: monotonic seconds.
            latency: seconds from our endpoint to its final, or None when there was none.
        """
        self.tick(now)
        vote = VOTES.get(outcome)
        if vote is None:
            return
        if outcome == "request" and self._is_known_to_work:
            vote = "bad"  # of that utterance, its audio perhaps; a model that was taken away is refused on
        if vote == "permanent":
            self._happen("tripped", now, is_permanent=True)
        elif self.state in ("closed", "recovering"):  # later, they end what began before
            is_slow = vote == "good" and latency is not None and latency >= self.policy.slow_seconds
            self._vote(vote, now, is_slow=is_slow)

    def outrun(self, now: float) -> None:
        """An Attempt was late, and its hedge gave the final."""
        self.tick(now)
        if self.state in ("closed", "recovering"):
            self._vote("late", now)

    def keep_away(self, now: float) -> None:
        """It does not start, for a reason that only an operator can mend: open as after such an error."""
        self.tick(now)
        self._happen("tripped", now, is_permanent=True)

    def begin_probe(self, now: float) -> bool:
        """Take the probe that is due; False when none is, so that of two askers one probes."""
        self.tick(now)
        due = self.next_probe_at
        if self.state != "half_open" or due is None or now < due:
            return False
        self._save(replace(self.standing, probe_at=now))
        return True

    def end_probe(self, began: float, outcome: Outcome, now: float) -> None:
        """A probe ended.

        Args:
            began: the `now` of its `begin_probe`. One whose time had run out is not taken for the next one.
            outcome: `published`, and the right words, is a success; anything else is none.
            now: monotonic seconds.
        """
        self.tick(now)
        standing = self.standing
        if standing.probe_at != began:
            return
        if outcome != "published":
            self._happen("probe_failed", now, is_permanent=VOTES.get(outcome) == "permanent")
            return
        worked = standing.probes_worked + 1
        self._save(replace(standing, probes_worked=worked, probe_at=None, probe_ended_at=now))
        # After a permanent error probes are a minute apart: the one that shows it mended has to do.
        if worked >= (1 if standing.is_permanent else self.policy.probes):
            self._happen("probes_worked", now)

    def tick(self, now: float) -> None:
        """Time passed."""
        standing = self.standing
        if standing.since != self._since:  # another breaker on the same store moved it
            self._forget_votes(standing)
        if standing.state == "open" and now >= standing.cooled_at:
            self._happen("cooled", now)
        elif standing.probe_at is not None and now >= standing.probe_at + self.policy.probe_seconds:
            self._happen("probe_failed", now)
        elif standing.state == "recovering" and now >= standing.since + self.policy.ramp[-1][0]:
            self._happen("ramped", now)

    @property
    def _is_known_to_work(self) -> bool:
        """Whether calls, or the clips that closed it again, had their words from it as it now is."""
        was_probed = self.standing.openings > 0 and self.state in ("closed", "recovering")
        return was_probed or any(vote == "good" for _, vote, _ in self._votes)

    def _vote(self, vote: Vote, now: float, *, is_slow: bool = False) -> None:
        self._votes.append((now, vote, is_slow))
        is_bad = vote in ("bad", "late")
        if vote != "weak":
            self._bad_run = self._bad_run + 1 if is_bad else 0
        if (is_bad or is_slow) and self._is_over(now):
            self._happen("tripped", now)

    def _happen(self, happening: Happening, now: float, *, is_permanent: bool = False) -> None:
        before = self.standing
        state = TRANSITIONS[before.state, happening]
        after = Standing(state=state, since=now, openings=before.openings, is_permanent=before.is_permanent)
        if state == "open":
            after = self._opened(before, now, is_permanent=is_permanent)
        elif state == "closed":
            after = replace(after, is_permanent=False)
        self._save(after)
        self._forget_votes(after)

    def _forget_votes(self, standing: Standing) -> None:
        self._votes.clear()
        self._bad_run = 0
        self._since = standing.since

    def _opened(self, before: Standing, now: float, *, is_permanent: bool) -> Standing:
        policy = self.policy
        is_calm = before.state == "closed" and now - before.since >= policy.calm_seconds
        # What ends while it is open began before: that is still the same opening.
        openings = 1 if is_calm else before.openings + (before.state != "open")
        if is_permanent:
            cool = policy.permanent_seconds
        else:
            cool = policy.cool_seconds[min(openings, len(policy.cool_seconds)) - 1]
        return Standing(
            state="open", since=now, cooled_at=now + cool, openings=openings, is_permanent=is_permanent
        )

    def _is_over(self, now: float) -> bool:
        policy = self.policy
        if self._bad_run >= policy.bad_run:
            return True
        votes = [(vote, slow) for at, vote, slow in self._votes if now - at <= policy.window_seconds]
        if len(votes) < policy.min_votes:
            return False
        bad = sum(BADNESS[vote] for vote, _ in votes)
        slow = sum(is_slow for _, is_slow in votes)
        return bad >= policy.bad_share * len(votes) or slow >= policy.slow_share * len(votes)

    def _share(self, elapsed: float) -> int:
        return [percent for after, percent in self.policy.ramp if elapsed >= after][-1]

    def _save(self, standing: Standing) -> None:
        self._store.save(self.key, standing)
