"""The breaker: its table, what opens it, how it comes back, and a model check of its promises."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from slukh.routing.breaker import TRANSITIONS, VOTES, Breaker, BreakerPolicy
from slukh.routing.breaker_store import MemoryBreakerStore
from slukh.routing.reconnects import Reconnects
from slukh.routing.rollout import BUCKETS
from slukh.types import OUTCOMES, Outcome

BAD: tuple[Outcome, ...] = tuple(o for o in OUTCOMES if VOTES.get(o) == "bad")
PERMANENT: tuple[Outcome, ...] = tuple(o for o in OUTCOMES if VOTES.get(o) == "permanent")
STREAM: tuple[Outcome, ...] = ("stream",)
PUBLISHED: tuple[Outcome, ...] = ("published",)
LAST = BUCKETS - 1
POLICY = BreakerPolicy()


def breaker(store: MemoryBreakerStore | None = None) -> Breaker:
    return Breaker("whisper", store=store or MemoryBreakerStore())


def after(*outcomes: Outcome, every: float = 0.1, latency: float | None = None) -> Breaker:
    """A breaker that saw these, from second 0 on."""
    made = breaker()
    for number, outcome in enumerate(outcomes):
        made.record(outcome, number * every, latency)
    return made


def opened(at: float = 0.0) -> Breaker:
    made = breaker()
    for _ in range(5):
        made.record("stream", at)
    assert made.state == "open"
    return made


def probed(made: Breaker, *outcomes: Outcome, seconds: float = 0.2) -> float:
    """Probes as they are due; the moment at which the last one ended."""
    now = 0.0
    for outcome in outcomes:
        due = made.next_probe_at
        assert due is not None
        assert made.begin_probe(due)
        now = due + seconds
        made.end_probe(due, outcome, now)
    return now


def share(made: Breaker, now: float) -> float:
    """The share of calls that may go there, in per cent."""
    return sum(made.allows(now, bucket) for bucket in range(0, BUCKETS, 50)) / (BUCKETS / 50) * 100


def test_every_outcome_votes_or_is_known_to_say_nothing() -> None:
    assert set(OUTCOMES) - set(VOTES) == {"superseded", "cancelled", "limit"}


def test_every_state_is_left_and_reached() -> None:
    sources, targets = {state for state, _ in TRANSITIONS}, set(TRANSITIONS.values())
    assert sources == targets == {"closed", "open", "half_open", "recovering"}


def test_a_new_breaker_lets_everybody_through() -> None:
    assert share(breaker(), 0.0) == 100
    assert breaker().next_probe_at is None


def test_to_be_outrun_by_a_hedge_is_bad_five_times_in_a_row_only() -> None:
    late = breaker()
    for number in range(100):
        late.outrun(number / 10)
        if number % 4 == 3:
            late.record("published", number / 10)
    assert late.state == "closed", "four of five finals are late, and there are some"
    gone = breaker()
    for number in range(5):
        assert gone.state == "closed"
        gone.outrun(60.0 * number)
    assert gone.state == "open"


@pytest.mark.parametrize("bad", BAD)
def test_five_bad_outcomes_in_a_row_open_it_however_far_apart(bad: Outcome) -> None:
    assert after(bad, bad, bad, bad, every=60.0).state == "closed"
    assert after(bad, bad, bad, bad, bad, every=60.0).state == "open"


def test_a_good_outcome_ends_the_row() -> None:
    assert after(*STREAM * 4, "published", *STREAM * 4, every=60.0).state == "closed"


def test_empty_results_neither_make_nor_end_a_row() -> None:
    assert after(*STREAM * 4, "empty", every=60.0).state == "closed"
    assert after(*STREAM * 4, "empty", "stream", every=60.0).state == "open"


def test_half_of_five_within_ten_seconds_opens_it() -> None:
    assert after("published", "stream", "published", "stream").state == "closed"
    assert after("published", "stream", "published", "stream", "stream").state == "open"
    assert after("published", "stream", "published", "stream", "stream", every=5.0).state == "closed"


def test_less_than_half_does_not_open_it() -> None:
    assert after(*(PUBLISHED * 2 + STREAM) * 100).state == "closed"


@given(outcomes=st.lists(st.sampled_from(["published", "empty"]), max_size=200))
def test_empty_results_alone_never_open_it(outcomes: list[Outcome]) -> None:
    assert after(*outcomes, latency=None if "published" in outcomes else 60.0).state == "closed"


def test_empty_results_weigh_a_quarter_beside_bad_ones() -> None:
    assert after("published", "published", "published", "stream", "stream").state == "closed"
    assert after("published", "empty", "empty", "stream", "stream").state == "open"  # 2.5 of 5
    assert after("published", "stream", "stream", "empty", "empty").state == "closed"  # never the last one


def test_slow_finals_open_it_and_quick_ones_among_them_keep_it_closed() -> None:
    assert after(*PUBLISHED * 5, latency=4.0).state == "open"
    assert after(*PUBLISHED * 50, latency=3.9).state == "closed"
    mixed = breaker()
    for number in range(50):
        mixed.record("published", number * 0.1, 9.0 if number % 3 else 0.5)
    assert mixed.state == "closed"


@pytest.mark.parametrize("outcome", ["superseded", "cancelled", "limit"])
def test_what_says_nothing_about_the_provider_does_not_vote(outcome: Outcome) -> None:
    assert after(*(outcome,) * 50).state == "closed"


def test_one_callers_language_sends_nobody_else_away() -> None:
    assert after("language").state == "closed"
    assert after(*("published", "published", "language") * 9).state == "closed"
    assert after(*("language",) * 5).state == "open"


@pytest.mark.parametrize("outcome", PERMANENT)
def test_a_permanent_error_opens_it_at_once_and_is_probed_once_a_minute(outcome: Outcome) -> None:
    made = after(outcome)
    assert (made.state, made.next_probe_at, made.standing.is_permanent) == ("open", 60.0, True)
    probed(made, outcome)
    assert made.next_probe_at == 120.2
    probed(made, "published")
    assert made.state == "recovering"
    made.tick(125.5)
    assert (made.state, made.standing.is_permanent) == ("closed", False)


def test_one_request_that_is_refused_sends_nobody_else_away_from_who_takes_others() -> None:
    assert after("published", "request").state == "closed"
    assert after(*("published", "published", "request") * 9).state == "closed"
    made = after("published", *("request",) * 4)
    assert (made.state, made.standing.is_permanent) == ("open", False)
    probed(made, "request")  # so its model was taken away: the probe tells
    assert made.standing.is_permanent


def test_who_was_probed_is_known_to_take_requests() -> None:
    made = opened()
    now = probed(made, "published", "published", "published")
    made.record("request", now + 1.0)
    made.record("request", now + 6.0)
    assert made.state == "closed"


def test_a_permanent_error_that_comes_late_lengthens_an_opening() -> None:
    made = opened()
    made.record("authentication", 1.0)
    assert made.next_probe_at == 61.0
    assert made.standing.openings == 1


def test_an_open_breaker_lets_nobody_through_and_callers_do_not_probe_it() -> None:
    made = opened()
    assert share(made, 3.9) == 0
    assert share(made, 1000.0) == 0
    assert made.state == "half_open"


def test_what_ends_while_it_is_open_began_before_and_does_not_vote() -> None:
    made = opened()
    for _ in range(10):
        made.record("published", 1.0)
        made.record("stream", 4.5)
    assert made.state == "half_open"


def test_three_probes_must_work_one_after_the_other() -> None:
    made = opened()
    assert not made.begin_probe(3.9)
    assert made.begin_probe(4.0)
    assert not made.begin_probe(4.1)
    made.end_probe(4.0, "published", 4.2)
    assert not made.begin_probe(4.3)
    probed(made, "published")
    assert made.next_probe_at is not None
    probed(made, "published")
    assert made.state == "recovering"


@pytest.mark.parametrize("wrong", ["stream", "empty", "cancelled"])
def test_one_probe_that_fails_opens_it_for_longer(wrong: Outcome) -> None:
    made = opened()
    pauses = []
    for _ in range(4):
        now = probed(made, "published", wrong)
        assert made.state == "open"
        pauses.append(round((made.next_probe_at or 0) - now, 3))
    assert pauses == [8.0, 15.0, 15.0, 15.0]


def test_a_probe_without_an_answer_has_failed_and_its_late_answer_is_nobodys() -> None:
    made = opened()
    assert made.begin_probe(4.0)
    made.tick(7.0)
    assert made.state == "open"
    assert made.begin_probe(15.0)
    made.end_probe(4.0, "published", 15.1)
    assert made.standing.probes_worked == 0


def test_calls_come_back_by_steps_and_the_same_ones_stay() -> None:
    made = opened()
    now = probed(made, *PUBLISHED * 3)
    assert [share(made, now + s) for s in (0.0, 2.4, 2.5, 4.9, 5.0)] == [5, 5, 25, 25, 100]
    assert made.state == "closed"


def test_a_recovery_that_goes_wrong_opens_it_again_for_longer() -> None:
    made = opened()
    now = probed(made, *PUBLISHED * 3)
    for _ in range(5):
        made.record("stream", now + 1.0)
    assert made.next_probe_at == now + 1.0 + 8.0


def test_after_a_calm_minute_an_opening_is_the_first_again() -> None:
    made = opened()
    closed_at = probed(made, *PUBLISHED * 3) + 5.0
    made.tick(closed_at)
    for _ in range(5):
        made.record("stream", closed_at + 60.1)
    assert made.next_probe_at == pytest.approx(closed_at + 60.1 + 4.0)


def test_breakers_on_one_store_open_and_recover_together() -> None:
    store = MemoryBreakerStore()
    one, two, other = breaker(store), breaker(store), Breaker("google", store=store)
    for _ in range(4):
        two.record("stream", 0.0)
    for _ in range(5):
        one.record("stream", 0.0)
    assert not two.allows(0.0, 0)
    assert other.allows(0.0, LAST)
    assert one.begin_probe(4.0)
    assert not two.begin_probe(4.0)
    one.end_probe(4.0, "published", 4.1)
    now = probed(one, "published", "published")
    assert one.allows(now + 5.0, LAST)
    two.record("stream", now + 5.0)  # its four from before the opening are forgotten
    assert two.state == "closed"


class BreakerModel(RuleBasedStateMachine):
    """Callers, faults and a shell that probes when it is due, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = breaker()
        self.now = 0.0
        self.bad_in_row = 0
        self.has_worked = False  # since it was open
        self.probes: list[float] = []  # of the present half-open
        self.permanent_at: float | None = None

    def saw(self, outcome: Outcome) -> None:
        was_serving = self.breaker.allows(self.now, 0)
        self.has_worked |= self.breaker.state == "recovering"
        is_one_of_many = outcome == "request" and was_serving and self.has_worked
        self.breaker.record(outcome, self.now)
        if outcome in PERMANENT and not is_one_of_many:
            assert self.breaker.state == "open"
            self.permanent_at = self.now
        elif (outcome in BAD or is_one_of_many) and was_serving:
            self.bad_in_row += 1
            assert self.bad_in_row < 5 or self.breaker.state == "open"
        elif outcome == "published":
            self.bad_in_row = 0
            self.has_worked |= was_serving
        if self.breaker.state in ("open", "half_open"):
            self.bad_in_row = 0
            self.has_worked = False

    def probe(self, outcome: Outcome, seconds: float) -> None:
        began = self.now
        if not self.breaker.begin_probe(began):
            return
        since = self.breaker.standing.since
        self.probes = [p for p in self.probes if p >= since] + [began]
        assert len(self.probes) <= 3
        if self.permanent_at is not None:
            assert began >= self.permanent_at + 60.0
            self.permanent_at = None
        self.now += seconds
        self.breaker.end_probe(began, outcome, self.now)
        if outcome in PERMANENT and seconds < POLICY.probe_seconds:
            self.permanent_at = self.now

    @rule(outcome=st.sampled_from(OUTCOMES), seconds=st.floats(0, 3))
    def an_attempt_ends(self, outcome: Outcome, seconds: float) -> None:
        self.now += seconds
        self.saw(outcome)

    @rule(number=st.integers(1, 30), draw=st.randoms(use_true_random=False))
    def busy_seconds(self, number: int, draw: random.Random) -> None:
        for _ in range(number):
            self.now += 0.2
            self.saw("stream" if draw.random() < 0.3 else "published")

    @rule(outcome=st.sampled_from(OUTCOMES), seconds=st.floats(0.01, 5))
    def a_probe_runs_if_one_is_due(self, outcome: Outcome, seconds: float) -> None:
        self.probe(outcome, seconds)

    @rule(outcome=st.sampled_from(OUTCOMES), seconds=st.floats(0.01, 5))
    @precondition(lambda self: self.breaker.next_probe_at is not None)
    def the_next_probe_runs(self, outcome: Outcome, seconds: float) -> None:
        self.now = max(self.now, self.breaker.next_probe_at or 0.0)
        self.probe(outcome, seconds)

    @rule(latency=st.floats(0.05, 1.5), draw=st.randoms(use_true_random=False))
    def the_provider_works_again(self, latency: float, draw: random.Random) -> None:
        patience = 61.0 + latency + 5.5 if self.breaker.standing.is_permanent else 30.0
        until = self.now + patience
        while self.now < until:
            self.now += 0.1
            self.probe("published", latency)
            if self.breaker.allows(self.now, draw.randrange(BUCKETS)):
                self.saw("published")
        assert self.breaker.allows(until, LAST)
        assert self.breaker.state == "closed"

    @invariant()
    def a_share_of_the_calls_is_always_the_first_buckets(self) -> None:
        allowed = [self.breaker.allows(self.now, bucket) for bucket in (0, 499, 500, 2499, 2500, LAST)]
        assert all(low or not high for low, high in pairwise(allowed))

    @invariant()
    def somebody_is_responsible_for_the_way_back(self) -> None:
        self.breaker.tick(self.now)
        due = self.breaker.next_probe_at
        assert (due is not None) == (self.breaker.state in ("open", "half_open"))


TestBreakerModel = BreakerModel.TestCase
TestBreakerModel.settings = settings(max_examples=60, stateful_step_count=40)


@pytest.mark.parametrize("calls", [2, 5, 20, 60, 200])
def test_random_faults_of_thirty_per_cent_flip_it_at_most_twice_a_minute(calls: int) -> None:
    """20 000 Attempts of callers who speak about every 6 s; a flip is from serving to not serving or back."""
    draw = random.Random(calls)
    made = breaker()
    now, flips, is_serving = 0.0, 0, True
    for _ in range(20_000):
        now += draw.expovariate(calls / 6.0)
        while (due := made.next_probe_at) is not None and due <= now:
            made.begin_probe(due)
            made.end_probe(due, "stream" if draw.random() < 0.3 else "published", min(due + 0.5, now))
        if made.allows(now, draw.randrange(BUCKETS)):
            made.record("stream" if draw.random() < 0.3 else "published", now)
        if (serves := made.state in ("closed", "recovering")) != is_serving:
            flips, is_serving = flips + 1, serves
    assert flips / (now / 60) <= 2.0


def test_reconnects_to_a_failing_provider_stay_below_the_cap_in_any_ten_seconds() -> None:
    draw = random.Random(1)
    cap = Reconnects(draw=draw.random)
    now, taken = 0.0, []
    for _ in range(20_000):
        now += draw.expovariate(20.0)
        if cap.take(now, 25):
            taken.append(now)
    for first, beyond in zip(taken, taken[30:], strict=False):
        assert beyond - first >= 10.0
    assert len(taken) >= now / 10 * 30 * 0.95


def test_a_lone_call_may_reconnect_and_be_probed() -> None:
    cap = Reconnects(draw=lambda: 0.5)
    assert [cap.take(1.0, 0) for _ in range(4)] == [True, True, True, False]
    assert cap.take(11.0, 0)


def test_two_hundred_reconnects_are_spread_over_more_than_a_second() -> None:
    cap = Reconnects(draw=random.Random(1).random)
    delays = sorted(cap.delay(1) for _ in range(200))
    assert delays[-1] - delays[0] > 1.0
    assert max(delays[at + 20] - delays[at] for at in range(180)) < 0.4  # no lump, no gap


def test_full_jitter_doubles_up_to_its_bound() -> None:
    cap = Reconnects(draw=lambda: 1.0)
    assert [cap.delay(n) for n in (1, 2, 3, 4, 5000)] == [1.5, 3.0, 6.0, 10.0, 10.0]


def test_reconnects_are_capped_while_it_fails_and_free_while_it_works() -> None:
    assert not after().is_failing
    assert not after("stream").is_failing
    assert opened().is_failing
