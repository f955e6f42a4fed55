"""Golden values of the decision, and the sentences it comes down to."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slukh.cost.estimates.decision import Decision, Hearing, decide
from slukh.cost.estimates.scenario import Scenario, Service, WhisperFleet
from slukh.cost.estimates.scenario_file import load_scenario
from slukh.cost.estimates.verdict import verdict_of
from slukh.cost.pricing.price import Price
from slukh.cost.pricing.price_book import PriceBook

SEED = load_scenario("seed")
SHOP = load_scenario("tyre-shop")
MARKET = PriceBook.load("market-2026-11")


def three_minutes(provider: str, **whisper: Any) -> Scenario:
    assert isinstance(SEED.stt.whisper, WhisperFleet)
    fleet = replace(SEED.stt.whisper, **whisper)
    stt = replace(
        SEED.stt,
        google=Service(provider=provider, model="nova-3-multi" if provider == "deepgram" else "long"),
        whisper=fleet,
    )
    return replace(SEED, stt=stt)


def ninety_seconds(provider: str) -> Scenario:
    scenario = three_minutes(provider)
    return replace(scenario, call=replace(scenario.call, seconds=Decimal(90), turns=5))


def decided(scenario: Scenario) -> Decision:
    decision = decide(scenario, MARKET)
    assert decision is not None
    return decision


@pytest.mark.parametrize(
    ("gpu", "hours", "v1", "v2", "deepgram"),
    [
        ("gpu-reference", None, 3_403, 5_104, 14_080),
        ("gpu-gcp-l4", None, 7_097, 10_646, 29_368),
        ("gpu-gcp-l4", Decimal(312), 3_033, 4_550, 12_552),
        ("gpu-aws-t4", None, 5_333, 8_000, 22_068),
    ],
)
def test_one_gpu_is_paid_for_by_so_many_calls(
    gpu: str, hours: Decimal | None, v1: int, v2: int, deepgram: int
) -> None:
    for provider, expected in (("google-v1", v1), ("google", v2), ("deepgram", deepgram)):
        hearing = Hearing(three_minutes(provider, gpu=gpu, hours=hours), MARKET)
        found = hearing.break_even(gated=False)
        assert found is not None
        assert round(found) == expected


def test_a_spare_gpu_doubles_that() -> None:
    for provider, expected in (("google-v1", 6_806), ("google", 10_208), ("deepgram", 28_161)):
        found = Hearing(three_minutes(provider), MARKET).break_even(gated=False, gpus=2)
        assert found is not None
        assert round(found) == expected


def test_the_staircase_is_crossed_several_times() -> None:
    intervals = decided(three_minutes("google")).intervals["google"]
    assert [(i.from_calls, i.to_calls) for i in intervals] == [(5_105, 7_111), (10_209, None)]
    hearing = Hearing(three_minutes("google"), MARKET)
    saved = {n: hearing.google(n) - hearing.point(n).whisper for n in (7_000, 7_500, 8_000)}
    assert saved == {7_000: 91, 7_500: -130, 8_000: -106}


@pytest.mark.parametrize(
    ("calls", "gpus", "month", "overflow"),
    [
        (3_000, 0, "144", 1.0),
        (5_000, 0, "240", 1.0),
        (8_000, 1, "245.18", 0.0005),
        (12_000, 1, "247.38", 0.00414),
        (20_000, 1, "278.89", 0.0353),
        (30_000, 1, "409.02", 0.1139),
    ],
)
def test_the_best_mix_of_both(calls: int, gpus: int, month: str, overflow: float) -> None:
    best = Hearing(three_minutes("google"), MARKET).best_hybrid(calls)
    assert best.gpus == gpus
    assert round(best.month_usd, 2) == Decimal(month)
    assert best.overflow_share == pytest.approx(overflow, abs=1e-4)


def test_a_second_gpu_costs_more_than_the_overflow_it_takes() -> None:
    hearing = Hearing(three_minutes("google"), MARKET)
    assert round(hearing.hybrid(30_000, 2).month_usd, 2) == Decimal("492.30")
    assert round(hearing.hybrid(5_000, 1).month_usd, 2) == Decimal("245.01")


@pytest.mark.parametrize(
    ("scenario", "mix", "alone"),
    [
        # Without the overflow it would be (600 + 245) / price of a call: 11,736, 17,604, 23,472 and 35,208.
        (three_minutes("google-v1"), 11_781, 15_139),
        (three_minutes("google"), 18_045, 22_709),
        (ninety_seconds("google-v1"), 23_562, 30_278),
        (ninety_seconds("google"), 36_089, 45_417),
    ],
)
def test_six_hundred_dollars_a_month_are_saved_from(scenario: Scenario, mix: int, alone: int) -> None:
    found = {target.way: target for target in decided(scenario).targets}
    assert (found["hybrid"].calls_per_month, found["hybrid"].gpus) == (mix, 1)
    assert (found["whisper"].calls_per_month, found["whisper"].gpus) == (alone, 2)
    hearing = Hearing(scenario, MARKET)
    saved = [hearing.google(n) - hearing.hybrid(n, 1).month_usd for n in (mix - 1, mix)]
    assert saved[0] < 600 <= saved[1]


def test_twelve_thousand_calls_save_615_on_v1() -> None:
    hearing = Hearing(three_minutes("google-v1"), MARKET)
    assert round(hearing.google(12_000) - hearing.hybrid(12_000, 1).month_usd) == 615


def test_a_shop_of_500_calls_a_day_needs_no_gpu() -> None:
    decision = decided(SHOP)
    large = next(point for point in decision.points if point.calls_per_month == 15_000)
    # $360 and $80 if every call had 90 s and every utterance 5 s; they differ, and each is rounded up.
    assert float(large.google) == pytest.approx(362, abs=0.5)
    assert float(large.google_gated) == pytest.approx(87, abs=0.5)
    assert decision.gpu_month_usd == 245
    assert large.cheapest == "google_gated"
    sentences = verdict_of(decision)
    assert "Cheapest: Google, speech only" in sentences[1]
    assert "no GPU can beat that, one costs $245.00" in sentences[1]


def test_the_verdict_says_when_the_other_answer_is_right() -> None:
    busy = replace(SHOP, volume=replace(SHOP.volume, calls_per_month=150_000, compare_calls_per_month=()))
    first = verdict_of(decided(busy))[0]
    assert "GPUs, overflow to Google's speech only" in first
    assert "no GPU can beat that" not in first


def test_an_assumed_capacity_is_called_one() -> None:
    assert any("is an assumption" in sentence for sentence in verdict_of(decided(SHOP)))


def test_whisper_as_a_service_has_no_staircase() -> None:
    service = Service(provider="groq", model="whisper-large-v3-turbo")
    assert decide(replace(SHOP, stt=replace(SHOP.stt, whisper=service)), MARKET) is None


def test_every_interval_is_cheaper_inside_and_not_at_its_edges() -> None:
    hearing = Hearing(three_minutes("google"), MARKET)
    for interval in hearing.whisper_wins(gated=False, most_calls=60_000):
        point = hearing.point(interval.from_calls)
        before = hearing.point(interval.from_calls - 1)
        assert point.whisper < point.google
        assert before.whisper >= before.google
        if interval.to_calls is not None:
            after = hearing.point(interval.to_calls + 1)
            assert after.whisper >= after.google


def test_work_on_the_servers_is_part_of_the_rent() -> None:
    worked = Hearing(three_minutes("google", upkeep_usd_per_month=Decimal(100)), MARKET)
    assert worked.point(12_000).whisper == 590
    assert worked.hybrid(12_000, 0).month_usd == worked.google(12_000)
    free, paid = (
        verdict_of(decided(three_minutes("google", upkeep_usd_per_month=Decimal(n)))) for n in (0, 9)
    )
    assert any("Nobody's work" in sentence for sentence in free)
    assert not any("Nobody's work" in sentence for sentence in paid)


@settings(max_examples=12, deadline=None)
@given(
    gpu=st.integers(5, 400),
    streams=st.integers(1, 12),
    minute=st.integers(1, 40),
    spare=st.integers(0, 1),
)
def test_intervals_are_those_of_looking_at_every_volume(
    gpu: int, streams: int, minute: int, spare: int
) -> None:
    dated: dict[str, Any] = {
        "effective_from": date(2026, 1, 1), "source": "a test", "read_on": date(2026, 1, 1),
        "confidence": "fact",
    }  # fmt: skip
    own = (
        Price(
            id="stt", component="stt", provider="google", unit="audio_ms", per=60_000,
            amount=Decimal(minute) / 1000, basis="audio_sent", **dated,
        ),
        Price(
            id="gpu", component="fixed", provider="*", models=("gpu-reference",), unit="month",
            amount=Decimal(gpu), basis="calendar_time", **dated,
        ),
    )  # fmt: skip
    book = PriceBook(name="own", prices=own)
    hearing = Hearing(three_minutes("google", streams_per_gpu=streams, spare_gpus=spare), book)
    most = 2_000
    won = {
        calls
        for calls in range(1, most + 1)
        if hearing.rent(hearing.fleet.gpus(calls, hearing.traffic)) < hearing.google(calls)
    }
    found = list(hearing.whisper_wins(gated=False, most_calls=most))
    assert won == {n for i in found for n in range(i.from_calls, (i.to_calls or most) + 1)}
    assert all(after.from_calls > (before.to_calls or most) + 1 for before, after in pairwise(found))


def test_calls_and_utterances_that_are_all_alike_cost_360_and_80() -> None:
    alike = replace(SHOP, call=replace(SHOP.call, spread=0.0, utterance_spread=0.0))
    large = Hearing(alike, MARKET).point(15_000)
    assert large.google == 360
    assert large.google_gated == 80
    assert large.google_gated < Hearing(alike, MARKET).gpu_month
