"""What all calls know of their recognisers."""

import random

from slukh.routing.breaker_store import State
from slukh.routing.upstreams import Limits, Upstreams
from slukh.stt.fake import FakeProvider
from slukh.testing.numbered import heard_words
from slukh.types import AttemptEnded, Outcome, Purpose

CHAIN = ("whisper", "google")


def fakes() -> dict[str, FakeProvider]:
    return {name: FakeProvider(heard_words, name=name) for name in CHAIN}


def upstreams(limits: Limits | None = None) -> Upstreams:
    return Upstreams(fakes(), limits=limits, draw=lambda: 0.5)


def ended(
    outcome: Outcome, *, provider: str = "whisper", purpose: Purpose = "serve", final: float | None = None
) -> AttemptEnded:
    return AttemptEnded(
        utterance_id=1, attempt=1, provider=provider, model="m", purpose=purpose, outcome=outcome,
        audio_samples=8000, final_seconds=final,
    )  # fmt: skip


def failing(
    times: int = 5, outcome: Outcome = "connect", *, outrun_seconds: float | None = None
) -> Upstreams:
    """Whisper has failed."""
    known = upstreams()
    for number in range(times):
        known.ended(ended(outcome), float(number), outrun_seconds=outrun_seconds)
    return known


def names(known: Upstreams, now: float = 5.0) -> list[str]:
    return [candidate.name for candidate in known.candidates(CHAIN, "call", now)]


def test_the_chain_is_asked_in_its_order_while_all_work() -> None:
    assert names(upstreams()) == ["whisper", "google"]


def test_a_provider_that_fails_is_kept_away_from_calls() -> None:
    assert names(failing()) == ["google"]


def test_nobody_hears_when_all_fail_and_one_is_enough() -> None:
    assert upstreams().deaf is None
    known = failing()
    assert known.deaf is None
    for number in range(5):
        known.ended(ended("connect", provider="google"), float(number))
    assert str(known.deaf).startswith("whisper and google failed calls")


def test_a_provider_whose_hedges_give_the_finals_is_kept_away_from_calls() -> None:
    assert names(failing(outcome="superseded")) == ["whisper", "google"]
    assert names(failing(outcome="superseded", outrun_seconds=3.2)) == ["google"]


def test_a_final_that_a_hedge_outran_counts_as_late_as_it_was_waited_for() -> None:
    known = upstreams()
    for _ in range(19):
        known.ended(ended("published", final=1.0), 0.0)
    known.ended(ended("superseded"), 0.0, outrun_seconds=2.0)
    assert known.hedge_seconds("whisper") == 1.0
    known.ended(ended("superseded"), 0.0, outrun_seconds=2.0)
    assert known.hedge_seconds("whisper") == 2.0


def test_hedges_that_win_neither_move_their_own_deadline_nor_open_the_breaker() -> None:
    """A provider whose 95th percentile is 2.9 s, and a backup that answers in 0.2 s."""
    known, lot = upstreams(Limits(hedge_cap_seconds=6.0)), random.Random(1)
    utterances, hedged = 5_000, 0
    for number in range(utterances):
        deadline, now = known.hedge_seconds("whisper"), 2.0 * number
        assert deadline is not None
        own, others = 1.5 * lot.lognormvariate(0.0, 0.4), deadline + 0.2 * lot.lognormvariate(0.0, 0.3)
        hedged += own > deadline
        if others < own:
            known.ended(ended("superseded"), now, outrun_seconds=others)
        else:
            known.ended(ended("published", final=own), now)
        assert names(known, now) == ["whisper", "google"]
    assert hedged / utterances < 0.08


def test_shadows_and_canaries_have_no_vote() -> None:
    known = upstreams()
    for number in range(20):
        known.ended(ended("connect", purpose="shadow"), float(number))
    assert names(known) == ["whisper", "google"]


def test_while_all_fail_they_are_asked_all_the_same_but_not_often() -> None:
    known = failing()
    for number in range(5):
        known.ended(ended("connect", provider="google"), float(number))
    assert names(known) == ["whisper", "google"]
    assert [known.may_open("whisper", 5.0) for _ in range(5)] == [True, True, True, False, False]
    assert known.may_open("whisper", 15.1)


def test_a_healthy_provider_is_connected_to_as_often_as_callers_speak() -> None:
    known = upstreams()
    assert all(known.may_open("whisper", 0.0) for _ in range(1000))
    assert known.delay("whisper", 2) is None
    assert failing().delay("whisper", 2) == 0.75


def test_a_final_is_late_when_it_is_later_than_19_of_20_of_its_provider() -> None:
    known = upstreams()
    assert known.hedge_seconds("whisper") == 3.0
    for hundredth in range(1, 101):
        known.ended(ended("published", final=1 + hundredth / 100), 0.0)
    assert known.hedge_seconds("whisper") == 1.95
    assert known.hedge_seconds("google") == 3.0


def test_a_hedge_has_a_floor_a_cap_and_may_be_switched_off() -> None:
    quick, slow = upstreams(), upstreams(Limits(hedge_cap_seconds=2.0))
    for _ in range(20):
        quick.ended(ended("published", final=0.01), 0.0)
        slow.ended(ended("published", final=3.9), 0.0)
    assert quick.hedge_seconds("whisper") == 0.8
    assert slow.hedge_seconds("whisper") == 2.0
    assert upstreams(Limits(hedge_cap_seconds=None)).hedge_seconds("whisper") is None


def test_a_full_provider_comes_after_its_backups_and_nobody_when_all_are_full() -> None:
    known = upstreams(Limits(capacity={"whisper": 1, "google": 2}))
    assert known.with_room(CHAIN) == ("whisper", "google")
    known.call_began("whisper")
    assert known.with_room(CHAIN) == ("google", "whisper")
    for _ in range(2):
        known.call_began("google")
    assert known.with_room(CHAIN) == ()
    known.call_ended("whisper")
    assert known.with_room(CHAIN) == ("whisper", "google")


def test_a_queue_older_than_a_second_sends_new_calls_to_the_backup() -> None:
    providers = fakes()
    known = Upstreams(providers)
    providers["whisper"].backlog = 1.5
    assert known.with_room(CHAIN) == ("google", "whisper")


def test_a_change_of_standing_is_told_once() -> None:
    told: list[tuple[str, State]] = []
    known = Upstreams(fakes(), on_standing=lambda name, standing: told.append((name, standing.state)))
    known.ended(ended("authentication"), 1.0)
    known.ended(ended("authentication"), 2.0)
    assert told == [("whisper", "open")]


def test_a_permanent_error_is_told_of_a_provider_that_is_kept_away_already() -> None:
    told: list[tuple[State, bool]] = []
    known = Upstreams(
        fakes(), on_standing=lambda _name, standing: told.append((standing.state, standing.is_permanent))
    )
    for number in range(5):
        known.ended(ended("connect"), float(number))
    known.ended(ended("authentication"), 5.0)
    assert told == [("open", False), ("open", True)]


def test_a_probe_is_begun_once_when_it_is_due() -> None:
    known = failing()
    assert not known.begin_probe("whisper", 5.0)
    assert known.begin_probe("whisper", 8.0)
    assert not known.begin_probe("whisper", 8.0)
    known.end_probe("whisper", 8.0, "published", 8.2)
    assert known.begin_probe("whisper", 8.7)
