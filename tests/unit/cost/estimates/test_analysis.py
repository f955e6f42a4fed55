"""Golden values: the worked reference example, to the last digit."""

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from slukh.cost.estimates.analysis import analyse
from slukh.cost.estimates.breakdown import Breakdown, money
from slukh.cost.estimates.call_costs import CallCosts
from slukh.cost.estimates.scenario import Scenario, Service
from slukh.cost.estimates.scenario_file import load_scenario
from slukh.cost.estimates.scenario_usage import (
    CallShape,
    call_shapes,
    gated_usage,
    line_usage,
    llm_usage,
    tts_usage,
    whole_call_usage,
)
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import rate

SEED = load_scenario("seed")
REFERENCE = PriceBook.load("seed-reference")
MARKET = PriceBook.load("market-2026-11")
GOOGLE = Service(provider="google", model="long")


def having(scenario: Scenario, part: str, **values: Any) -> Scenario:
    """The scenario with other values in a part."""
    return replace(scenario, **{part: replace(getattr(scenario, part), **values)})


def google(scenario: Scenario, provider: str) -> Scenario:
    return having(scenario, "stt", google=Service(provider=provider, model="long"))


def thousand(scenario: Scenario, book: PriceBook = REFERENCE) -> Breakdown:
    return analyse(scenario, book).per_1000


def test_a_thousand_calls_of_the_reference_example() -> None:
    costs = thousand(SEED)
    assert costs.stt_google == Decimal("72.00")
    assert costs.llm == Decimal("92.70")
    assert costs.tts == Decimal("4.80")
    assert costs.line == Decimal("30.00")
    assert costs.infrastructure == Decimal("85.00")
    assert costs.total("google") == Decimal("254.50")


def test_one_call_of_it() -> None:
    analysis = analyse(SEED, REFERENCE)
    assert analysis.per_call.total("google") == Decimal("0.2545")
    assert analysis.verdict("google") == "inside"
    shares = analysis.per_call.shares("google")
    assert {name: f"{share:.2%}" for name, share in shares.items()} == {
        "stt": "28.29%",
        "llm": "36.42%",
        "tts": "1.89%",
        "line": "11.79%",
        "fixed": "21.61%",
    }


def test_json_is_for_scripts() -> None:
    json = analyse(SEED, REFERENCE).as_json()
    keys = ("stt_google", "stt_whisper", "tts", "llm", "infrastructure", "total_google", "total_whisper")
    for period in ("per_call", "per_1000", "per_month"):
        values: Any = json[period]
        assert all(isinstance(values[key], str) for key in keys)
        assert Decimal(values["total_google"]) == sum(
            Decimal(values[key]) for key in ("stt_google", "tts", "llm", "infrastructure")
        )
    assert (json["version"], json["currency"]) == (1, "USD")
    roi: Any = json["roi"]
    assert Decimal(roi["containment"]) == Decimal("0.7")
    assert round(Decimal(roi["break_even_containment"]), 2) == Decimal("0.38")
    assert round(Decimal(roi["saving_per_call"]), 4) == Decimal("0.2146")
    assert round(Decimal(roi["ratio"]), 3) == Decimal("0.843")


def test_what_was_assumed_is_said() -> None:
    found = {source.what: source for source in analyse(SEED, REFERENCE).sources}
    assert found["seed-google-stt"].confidence == "fact"
    assert found["seed-google-stt"].value == "0.006 USD per 15 s of audio"
    assert found["stt.whisper.streams_per_gpu"].confidence == "assumption"
    assert found["seed-operator"].value == "25000 UAH per month"


@pytest.mark.parametrize(
    ("scenario", "book", "expected"),
    [
        (google(SEED, "google-v1"), MARKET, "72.00"),
        (google(SEED, "google-v1-logging"), MARKET, "48.00"),
        (google(SEED, "google"), MARKET, "48.00"),
        (google(SEED, "google-batch"), MARKET, "9.00"),
        (having(SEED, "call", seconds=Decimal(185)), REFERENCE, "78.00"),
        (having(SEED, "call", streams=10), REFERENCE, "120.00"),
        (having(google(SEED, "google"), "call", channels=2), MARKET, "96.00"),
    ],
)
def test_hearing_whole_calls(scenario: Scenario, book: PriceBook, expected: str) -> None:
    costs = CallCosts(scenario, book)
    assert costs.stt_month(scenario.stt.google, gated=False, calls=1000) == Decimal(expected)


@pytest.mark.parametrize(
    ("provider", "book", "expected"),
    [("google", REFERENCE, "60.00"), ("google-v1", MARKET, "20.00"), ("google", MARKET, "13.333333333333")],
)
def test_ten_utterances_are_rounded_one_by_one(provider: str, book: PriceBook, expected: str) -> None:
    costs = CallCosts(SEED, book)
    service = Service(provider=provider, model="long")
    assert money(costs.stt_month(service, gated=True, calls=1000)) == expected


@pytest.mark.parametrize(
    ("hit_rate", "expected"), [("0.4", "2.88"), ("0.6", "1.92"), ("0.8", "0.96"), ("0.9", "0.48")]
)
def test_what_was_spoken_before_costs_nothing(hit_rate: str, expected: str) -> None:
    assert thousand(having(SEED, "tts", hit_rate=Decimal(hit_rate))).tts == Decimal(expected)


@pytest.mark.parametrize(("hit_rate", "expected"), [("0", "36.00"), ("0.6", "14.40")])
def test_a_dear_voice(hit_rate: str, expected: str) -> None:
    dear = having(SEED, "tts", model="uk-UA-Chirp3-HD-Kore", hit_rate=Decimal(hit_rate))
    assert 1000 * CallCosts(dear, MARKET).tts() == Decimal(expected)


MATRIX = {
    "claude-sonnet-4-5": ("92.70", "45.60", "31.524", "24.624"),
    "claude-sonnet-5-5": ("61.80", "28.60", "18.658", "13.858"),
    "claude-haiku-5-5": ("3.09", "1.52", "1.0508", "0.8208"),
    "claude-opus-5-5": ("123.60", "57.20", "37.316", "27.716"),
}


@pytest.mark.parametrize("model", MATRIX)
def test_a_thousand_conversations_by_model_and_caching(model: str) -> None:
    scenario = having(SEED, "llm", model=model)

    def cost(caching: Any, *, warm: bool = False) -> Decimal:
        rows = llm_usage(scenario, CallShape(180_000, 10), caching=caching, warm=warm)
        return 1000 * sum((line.amount_usd for line in rate(rows, MARKET)), Decimal(0))

    found = (cost("none"), cost("static"), cost("moving"), cost("moving", warm=True))
    assert found == tuple(map(Decimal, MATRIX[model]))


def test_a_prefix_too_short_for_the_model_is_not_cached() -> None:
    haiku = having(SEED, "llm", model="claude-haiku-4-5", caching="static")
    assert 1000 * CallCosts(haiku, MARKET).llm(1000) == Decimal("30.90")


@pytest.mark.parametrize(
    ("turns", "expected"), [(5, "0.0411"), (10, "0.0927"), (20, "0.2274"), (30, "0.4041")]
)
def test_history_makes_the_bill_quadratic(turns: int, expected: str) -> None:
    rows = llm_usage(SEED, CallShape(180_000, turns))
    assert sum(line.amount_usd for line in rate(rows, REFERENCE)) == Decimal(expected)


@pytest.mark.parametrize(("caching", "expected"), [("none", "218.64"), ("moving", "56.811")])
def test_tool_calls_are_requests_too(caching: Any, expected: str) -> None:
    tools = having(
        SEED,
        "llm",
        prefix_tokens=3500,
        tool_turns=(2, 4, 6, 8),
        tool_call_tokens=60,
        tool_result_tokens=250,
        caching=caching,
    )
    assert thousand(tools).llm == Decimal(expected)


def test_the_optimised_call() -> None:
    best = having(google(SEED, "google"), "llm", caching="moving")
    best = having(best, "tts", hit_rate=Decimal("0.6"))
    analysis = analyse(best, MARKET)
    assert analysis.per_1000.total("google") == Decimal("166.444")
    assert analysis.per_call.total("google") == Decimal("0.166444")
    assert round(analysis.rois["google"].ratio, 3) == Decimal("1.818")
    cheaper = having(best, "llm", model="claude-sonnet-5-5")
    assert analyse(cheaper, MARKET).per_1000.total("google") == Decimal("153.578")


BY_VOLUME = [
    (500, "36", "24", 1, "245", ".3095", ".2855", ".7275"),
    (1_000, "72", "48", 1, "245", ".2545", ".2305", ".4275"),
    (3_000, "216", "144", 1, "245", ".2178", ".1938", ".2275"),
    (5_000, "360", "240", 1, "245", ".2105", ".1865", ".1875"),
    (10_000, "720", "480", 2, "490", ".2050", ".1810", ".1820"),
    (12_000, "864", "576", 2, "490", ".2041", ".1801", ".1729"),
    (20_000, "1440", "960", 2, "490", ".2023", ".1782", ".1547"),
    (50_000, "3600", "2400", 4, "980", ".2006", ".1766", ".1482"),
]


@pytest.mark.parametrize(("calls", "v1", "v2", "gpus", "whisper", "a_v1", "a_v2", "a_whisper"), BY_VOLUME)
def test_a_call_by_volume(  # noqa: PLR0917  # the columns of the table
    calls: int, v1: str, v2: str, gpus: int, whisper: str, a_v1: str, a_v2: str, a_whisper: str
) -> None:
    asked = having(SEED, "volume", calls_per_month=calls)
    older, newer = (analyse(google(asked, p), MARKET) for p in ("google-v1", "google"))
    half_a_digit = Decimal("0.00005")
    assert older.per_month.stt_google == Decimal(v1)
    assert newer.per_month.stt_google == Decimal(v2)
    assert newer.per_month.stt_whisper == Decimal(whisper)
    assert newer.capacity is not None
    assert newer.capacity.gpus == gpus
    for total, expected in (
        (older.per_call.total("google"), a_v1),
        (newer.per_call.total("google"), a_v2),
        (newer.per_call.total("whisper"), a_whisper),
    ):
        assert abs(total - Decimal(expected)) <= half_a_digit


def test_a_month_climbs_the_tiers() -> None:
    million = google(SEED, "google")
    costs = CallCosts(million, MARKET)
    # 400,000 calls of 3 minutes: 500,000 min at 0.016, 500,000 at 0.010, 200,000 at 0.008.
    assert costs.stt_month(million.stt.google, gated=False, calls=400_000) == Decimal(14_600)


def test_a_scenario_is_rated_as_a_real_call_is() -> None:
    shape = CallShape(180_000, 10)
    rows = (
        *whole_call_usage(SEED, shape, SEED.stt.google),
        *llm_usage(SEED, shape),
        *tts_usage(SEED, shape),
        *line_usage(SEED, shape),
    )
    variable = sum((line.amount_usd for line in rate(rows, REFERENCE)), Decimal(0))
    per_call = analyse(SEED, REFERENCE).per_call
    assert variable + per_call.fixed == per_call.total("google")


def test_long_calls_are_streamed_in_pieces() -> None:
    rows = whole_call_usage(SEED, CallShape(600_000, 30), SEED.stt.google)
    assert [row.quantity for row in rows] == [200_000] * 3
    assert len({row.sequence for row in rows}) == 3


def test_calls_that_differ_have_the_mean_they_were_given() -> None:
    differing = having(SEED, "call", spread=0.5)
    shapes = call_shapes(differing.call)
    seconds = [shape.milliseconds / 1000 for shape in shapes]
    assert sum(seconds) / len(seconds) == pytest.approx(180, abs=0.5)
    assert min(seconds) < 60
    assert max(seconds) > 400


def test_the_mean_bill_is_not_the_bill_of_the_mean_call() -> None:
    differing = analyse(having(SEED, "call", spread=0.5), REFERENCE).per_call.total("google")
    assert differing == pytest.approx(Decimal("0.2639"), abs=Decimal("0.0005"))


def test_gated_utterances_are_as_many_as_turns() -> None:
    rows = gated_usage(SEED, CallShape(90_000, 5), SEED.stt.google)
    assert [row.quantity for row in rows] == [4200] * 5


def test_utterances_that_differ_are_each_rounded_up() -> None:
    differing = having(google(SEED, "google"), "call", utterance_spread=0.19)
    sent = [row.quantity for row in gated_usage(differing, CallShape(180_000, 10), GOOGLE)]
    assert sum(sent) == pytest.approx(42_000, abs=10)
    assert sent == sorted(sent)
    billed = sum(math.ceil(quantity / 1000) for quantity in sent)
    costs = CallCosts(differing, MARKET)
    assert money(costs.stt_month(GOOGLE, gated=True, calls=60)) == money(Decimal("0.016") * billed)


def test_whisper_may_be_a_service() -> None:
    groq = Service(provider="groq", model="whisper-large-v3-turbo")
    scenario = having(SEED, "stt", whisper=groq)
    analysis = analyse(scenario, MARKET)
    # Ten utterances of 4.2 s, each billed as 10 s, at 0.04 an hour.
    assert analysis.per_1000.stt_whisper == pytest.approx(Decimal("1.1111"), abs=Decimal("0.0001"))
    assert analysis.capacity is None


def test_a_warm_cache_is_as_likely_as_the_traffic_makes_it() -> None:
    cached = having(SEED, "llm", caching="moving")
    by_traffic = having(cached, "llm", cache_start="by_traffic")
    cold, often, seldom = (
        CallCosts(cached, REFERENCE).llm(1000),
        CallCosts(by_traffic, REFERENCE).llm(100_000),
        CallCosts(by_traffic, REFERENCE).llm(100),
    )
    assert often < seldom < cold
    assert 1000 * often == pytest.approx(Decimal("24.624"), abs=Decimal("0.1"))
