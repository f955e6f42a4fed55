from collections.abc import Iterable

import pytest

from slukh.experiment.guardrails import JUDGES, Bounds, Breach, Guardrails, Turn
from slukh.monitoring.declarations import FIXED_SETS

GOOD = Turn(seconds=1.2)
FAILED = Turn(seconds=1.6, is_failed=True)
TIMED_OUT = Turn(seconds=9.0, is_timed_out=True)
LATE = Turn(seconds=3.1)
NEVER = Turn(seconds=None)


class Arms:
    """Calls of both arms, one after the other, ten seconds apart."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.guardrails = Guardrails(bounds)
        self.now = 0.0
        self.calls = 0

    def call(self, arm: str, *turns: Turn, goes_on: bool = False, caller: str | None = None) -> Breach | None:
        self.calls += 1
        name = f"call-{self.calls}"
        self.now += 10.0
        self.guardrails.began(arm, name, self.now, caller)
        for turn in turns:
            self.guardrails.heard(arm, name, turn, self.now)
        if not goes_on:
            self.guardrails.ended(arm, name)
        return self.guardrails.look(self.now)

    def until_a_breach(self, arm: str, *turns: Turn, most: int = 100) -> Breach | None:
        for _ in range(most):
            if (breach := self.call(arm, *turns)) is not None:
                return breach
        return None


def turns(*kinds: tuple[Turn, int]) -> Iterable[Turn]:
    return (turn for turn, count in kinds for _ in range(count))


def test_a_whisper_that_fails_wholly_is_seen_after_five_calls() -> None:
    breach = Arms().until_a_breach("whisper", FAILED, FAILED)
    assert breach == Breach(guardrail="errors", callers=5, share=1.0, bound=0.1)
    assert str(breach) == "errors: 100% of the turns of 5 callers, at most 10%"


def test_half_of_the_turns_is_seen_after_a_few_calls_more() -> None:
    arms = Arms()
    breach = arms.until_a_breach("whisper", GOOD, FAILED)
    assert breach is not None
    assert (breach.guardrail, breach.share) == ("errors", 0.5)
    assert 5 < breach.callers <= 12


def test_each_guardrail_judges_its_own() -> None:
    for bad, guardrail in (
        ((FAILED, GOOD), "errors"),
        ((TIMED_OUT, GOOD), "timeouts"),
        ((NEVER, GOOD), "timeouts"),
        ((LATE, LATE, GOOD), "latency"),
    ):
        breach = Arms().until_a_breach("whisper", *bad)
        assert breach is not None
        assert breach.guardrail == guardrail


def test_a_share_below_its_bound_is_left_alone() -> None:
    assert Arms().until_a_breach("whisper", *turns((FAILED, 1), (GOOD, 15)), most=300) is None
    assert Arms().until_a_breach("whisper", *turns((LATE, 1), (GOOD, 9)), most=300) is None


def test_turns_of_one_call_count_once() -> None:
    arms = Arms()
    for _ in range(4):
        assert arms.call("whisper", *[FAILED] * 20) is None


def test_calls_of_one_caller_count_once() -> None:
    arms = Arms()
    for _ in range(100):
        assert arms.call("whisper", FAILED, FAILED, caller="courier") is None
    for _ in range(3):
        assert arms.call("whisper", FAILED, FAILED) is None
    breach = arms.call("whisper", FAILED, FAILED)
    assert breach is not None
    assert (breach.callers, breach.share) == (5, 1.0)


def test_one_who_dials_without_a_word_is_no_missing_data() -> None:
    arms = Arms()
    for _ in range(50):
        arms.call("whisper", caller="robot")
    assert arms.guardrails.look(arms.now + 1800) is None


def test_of_a_call_that_goes_on_the_turns_to_come_count_as_good() -> None:
    arms, bad = Arms(), 0
    for _ in range(5):
        bad += arms.call("whisper", FAILED, goes_on=True) is not None
    assert not bad
    assert Arms().until_a_breach("whisper", FAILED, most=5) is not None


def test_where_google_is_as_bad_no_other_share_would_help() -> None:
    arms = Arms()
    for _ in range(60):
        assert arms.call("google", FAILED, GOOD) is None
        assert arms.call("whisper", FAILED, GOOD) is None


def test_where_google_is_not_as_bad_its_share_is_told() -> None:
    arms = Arms()
    breach = None
    while breach is None:
        arms.call("google", FAILED, *[GOOD] * 4)
        breach = arms.call("whisper", FAILED)
    assert breach.google == pytest.approx(0.2)
    assert str(breach).endswith("at most 10%, Google's 20%")


def test_what_was_bad_before_the_window_counts_no_more() -> None:
    arms = Arms(Bounds(window_seconds=100.0))
    for _ in range(4):
        arms.call("whisper", FAILED)
    arms.now += 1000.0
    for _ in range(4):
        assert arms.call("whisper", FAILED) is None
    assert arms.call("whisper", FAILED) is not None


def test_health_of_yesterday_does_not_hide_a_failure_of_today() -> None:
    arms = Arms()
    for _ in range(199):
        arms.call("whisper", GOOD, GOOD)
    assert arms.until_a_breach("whisper", FAILED, most=6) is not None


def test_calls_that_report_no_turn_are_no_data() -> None:
    arms = Arms()
    for _ in range(6):
        assert arms.call("whisper", goes_on=True) is None
    silent = arms.guardrails.look(610.0)
    assert silent is not None
    assert silent.guardrail == "no_data"
    assert str(silent) == "no data: 6 callers, and no turn of theirs was reported for 10 minutes"


def test_a_night_without_calls_is_no_missing_data() -> None:
    arms = Arms()
    for _ in range(50):
        arms.call("whisper", GOOD)
    assert arms.guardrails.look(arms.now + 8 * 3600) is None


def test_one_caller_who_says_nothing_is_no_missing_data() -> None:
    arms = Arms()
    arms.call("whisper")
    assert arms.guardrails.look(arms.now + 3600) is None


def test_google_that_reports_nothing_is_not_whispers_fault() -> None:
    arms = Arms()
    for _ in range(20):
        arms.call("google")
    assert arms.guardrails.look(arms.now + 3600) is None


def test_after_a_change_of_the_share_everything_begins_anew() -> None:
    arms = Arms()
    for _ in range(4):
        arms.call("whisper", FAILED)
    arms.guardrails.forget()
    assert arms.call("whisper", FAILED) is None


def test_memory_is_bounded_by_the_newest_calls() -> None:
    arms = Arms(Bounds(window_calls=10))
    for _ in range(500):
        arms.call("whisper", GOOD, goes_on=True)
        arms.call("google")
    assert all(len(arm.calls) == 10 for arm in arms.guardrails._arms.values())
    assert all(len(arm.silent_since) <= 10 for arm in arms.guardrails._arms.values())


def test_the_metric_has_a_label_for_every_guardrail() -> None:
    assert FIXED_SETS["guardrails"] == (*(name for name, *_ in JUDGES), "no_data")
