"""Real calls through the same engine as scenarios: what one says the other says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from slukh.cost.estimates.analysis import analyse
from slukh.cost.estimates.counterfactual import AsIf, as_if_from, as_if_used
from slukh.cost.estimates.real_calls import RealCosts, real_costs, spoken_rows, whole_call_rows
from slukh.cost.estimates.recommend import recommend
from slukh.cost.estimates.scenario import Service
from slukh.cost.estimates.scenario_file import load_scenario
from slukh.cost.estimates.scenario_usage import CallShape, gated_usage, line_usage, llm_usage, tts_usage
from slukh.cost.estimates.uncertainty import tornado
from slukh.cost.ledger.store import CallRecord
from slukh.cost.meter import CallFacts
from slukh.cost.pricing.price_book import PriceBook
from slukh.errors import ScenarioError
from slukh.types import UNANSWERED, UNITS_PER_REQUEST, Purpose, Usage

SEED = load_scenario("seed")
REFERENCE = PriceBook.load("seed-reference")
MARKET = PriceBook.load("market-2026-11")
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=30)
GOOGLE = Service(provider="google", model="long")


def seed_call(number: int) -> CallRecord:
    """A call of the reference example as the meter would have written it."""
    call_id, at = f"call-{number:05}", SINCE + timedelta(hours=9 + number % 8, minutes=number)
    shape = CallShape(180_000, 10)
    rows = (
        *gated_usage(SEED, shape, GOOGLE),
        *llm_usage(SEED, shape),
        *tts_usage(SEED, shape),
        *line_usage(SEED, shape),
    )
    facts = CallFacts(
        call_id=call_id, leg=1, state="ended", started_at=at, ended_at=at + timedelta(seconds=180),
        language_code="uk-UA", announced=True, provider="google", model="long", assigned_arm="google",
        heard_ms=180_000, voiced_ms=30_000, sent_ms=42_000, withheld_ms=138_000, attempts=10, utterances=10,
        end_reason="hangup",
    )  # fmt: skip
    usage = tuple(replace(row, call_id=call_id, occurred_at=at) for row in rows)
    return CallRecord(legs=(facts,), usage=usage)


def costs_of(*calls: CallRecord, as_if: AsIf | None = None, book: PriceBook = REFERENCE) -> RealCosts:
    asked = AsIf() if as_if is None else as_if
    return real_costs(calls, SEED, book, since=SINCE, until=UNTIL, as_if=asked)


def test_calls_of_the_reference_example_cost_what_it_says() -> None:
    real = costs_of(*map(seed_call, range(1000)))
    expected = analyse(SEED, REFERENCE)
    assert real.analysis.per_call == expected.per_call
    assert real.analysis.per_1000.total("google") == Decimal("254.50")
    assert real.analysis.basis == "ledger"
    assert real.used_usd["stt"] == Decimal("60.00")


def test_a_scenario_is_fitted_to_them() -> None:
    fitted = costs_of(*map(seed_call, range(100))).analysis.scenario
    assert fitted.volume.calls_per_month == 100
    assert fitted.call.seconds == 180
    assert (fitted.call.turns, fitted.call.spread) == (10, 0.0)
    assert fitted.call.utterance_seconds == Decimal("4.2")
    assert (fitted.llm.prefix_tokens, fitted.llm.caller_tokens, fitted.llm.answer_tokens) == (2000, 60, 80)
    assert fitted.tts.characters_per_turn == 120
    assert fitted.assumptions["call.seconds"].confidence == "measured"
    assert sum(fitted.volume.hourly_profile) == 1
    assert fitted.staff == SEED.staff


def test_a_fitted_scenario_costs_what_its_calls_did() -> None:
    llm = replace(
        SEED.llm, prefix_tokens=3500, tool_turns=(2, 4, 6, 8), tool_call_tokens=60, tool_result_tokens=250
    )
    rows = llm_usage(replace(SEED, llm=llm), CallShape(180_000, 10))
    call = seed_call(0)
    others = [row for row in call.usage if row.component != "llm"]
    talk = [replace(row, call_id=call.legs[0].call_id, occurred_at=others[0].occurred_at) for row in rows]
    real = costs_of(replace(call, usage=(*others, *talk)))
    assert 1000 * real.analysis.per_call.llm == Decimal("218.64")
    assert len(real.analysis.scenario.llm.tool_turns) == 4
    fitted = analyse(real.analysis.scenario, REFERENCE).per_call
    assert fitted.llm == pytest.approx(real.analysis.per_call.llm, rel=Decimal("0.05"))
    assert fitted.stt_google_gated == real.analysis.per_call.stt_google_gated


def test_a_model_and_a_voice_that_no_call_used_are_not_made_up() -> None:
    call = seed_call(0)
    heard = replace(call, usage=tuple(row for row in call.usage if row.component in {"stt", "line"}))
    real = costs_of(heard)
    fitted = real.analysis.scenario
    assert analyse(fitted, REFERENCE).per_call.total("google") == real.analysis.per_call.total("google")
    advice = recommend(fitted, REFERENCE, MARKET)
    assert not [found.name for found in advice if found.name.startswith(("prompt", "model", "tool", "tts"))]
    assert not [swing.what for swing in tornado(fitted, REFERENCE) if swing.low_usd == swing.high_usd]
    told = fitted.assumptions
    assert told["llm.answer_tokens"].confidence == told["tts.characters_per_turn"].confidence == "measured"
    assert "llm" not in told


@pytest.mark.parametrize(
    ("as_if", "component", "dollars"),
    [
        (AsIf(caching="moving"), "llm", "31.524"),
        (AsIf(caching="static"), "llm", "45.60"),
        (AsIf(tts_hit_rate=Decimal("0.6")), "tts", "1.92"),
        (AsIf(stt=Service(provider="google", model="long")), "stt", "13.333333333333"),
        (AsIf(stt=Service(provider="google-v1", model="long")), "stt", "20.00"),
        (AsIf(llm=Service(provider="anthropic", model="claude-haiku-4-5")), "llm", "30.90"),
    ],
)
def test_what_they_would_have_cost(as_if: AsIf, component: str, dollars: str) -> None:
    book = REFERENCE if as_if.stt is None and as_if.llm is None else MARKET
    calls = map(seed_call, range(10))
    real = costs_of(*calls, as_if=as_if, book=book)
    assert real.as_if_usd is not None
    assert round(100 * real.as_if_usd[component], 12) == Decimal(dollars)
    others = {name for name in real.used_usd if name != component}
    assert all(real.as_if_usd[name] == real.used_usd[name] for name in others)


def test_a_model_with_another_tokenizer_is_charged_for_its_own_count() -> None:
    sonnet = AsIf(llm=Service(provider="anthropic", model="claude-sonnet-5-5"))
    real = costs_of(seed_call(0), as_if=sonnet, book=MARKET)
    assert real.as_if_usd is not None
    assert real.as_if_usd["llm"] == pytest.approx(Decimal("0.0618") * Decimal("1.3"))


def attempt(call: CallRecord, sequence: int, quantity: int, purpose: Purpose) -> Usage:
    stt = next(row for row in call.usage if row.component == "stt")
    return replace(stt, sequence=sequence, quantity=quantity, purpose=purpose)


def test_an_utterance_counts_once_however_often_it_was_sent() -> None:
    call = seed_call(0)
    again = (
        attempt(call, 2, 4200, "hedge"),
        attempt(call, 3, 4200, "shadow"),
        attempt(call, 1002, 9000, "retry"),
    )
    busy = replace(call, usage=call.usage + again)
    rows = spoken_rows(busy, GOOGLE)
    assert sorted(row.quantity for row in rows) == [4200] * 9 + [9000]
    real = costs_of(busy)
    assert set(real.stt_by_purpose_usd) == {"serve", "hedge", "shadow", "retry"}
    assert real.used_usd["stt"] == Decimal("0.078")
    assert real.analysis.per_call.stt_google_gated == Decimal("0.060")


@pytest.mark.parametrize("as_if", [None, AsIf(caching="moving")])
def test_a_request_without_figures_is_named_and_changes_no_amount(as_if: AsIf | None) -> None:
    call = seed_call(1)
    model = next(row for row in call.usage if row.component == "llm")
    lost = replace(
        model, sequence=99 * UNITS_PER_REQUEST, unit="input_tokens", quantity=0, outcome=UNANSWERED
    )
    whole, real = (
        costs_of(call, as_if=as_if),
        costs_of(replace(call, usage=(*call.usage, lost)), as_if=as_if),
    )
    assert (real.analysis.without_figures, real.as_json()["requests_without_figures"]) == (1, 1)
    assert real.analysis.per_call == whole.analysis.per_call
    assert real.analysis.scenario == whole.analysis.scenario


def test_a_long_leg_is_streamed_in_pieces() -> None:
    call = seed_call(0)
    long = replace(call, legs=(replace(call.legs[0], heard_ms=600_000),))
    assert [row.quantity for row in whole_call_rows(long, GOOGLE)] == [200_000] * 3


def test_a_month_is_as_long_as_the_period_says() -> None:
    calls = [seed_call(number) for number in range(70)]
    week = real_costs(calls, SEED, REFERENCE, since=SINCE, until=SINCE + timedelta(days=7))
    assert week.analysis.calls_per_month == 300


def test_a_shop_that_began_last_week_is_scaled_from_its_first_day() -> None:
    calls = [seed_call(number) for number in range(70)]
    week = real_costs(calls, SEED, REFERENCE, since=None, until=SINCE + timedelta(days=7))
    assert week.since == SINCE
    assert week.analysis.calls_per_month == 300


def test_no_call_is_no_report() -> None:
    with pytest.raises(
        ScenarioError, match=r"no call of the ledger started in that time: name an earlier day"
    ):
        costs_of()


@pytest.mark.parametrize("wish", ["stt=", "caching=most", "hit-rate=1.1", "hit-rate=x", "model=y", "llm=a"])
def test_a_wish_nobody_understands_is_refused(wish: str) -> None:
    with pytest.raises(ScenarioError, match=f"--as-if {wish} refused"):
        as_if_from([wish])


def test_wishes_may_be_combined() -> None:
    assert as_if_from(["caching=moving", "hit-rate=0.6", "stt=google/chirp_3"]) == AsIf(
        caching="moving", tts_hit_rate=Decimal("0.6"), stt=Service(provider="google", model="chirp_3")
    )


def test_every_voice_of_a_call_keeps_its_price() -> None:
    tts = next(row for row in seed_call(0).usage if row.component == "tts")
    rows = [
        replace(tts, sequence=1, quantity=100, outcome="sent"),
        replace(tts, sequence=2, quantity=60, outcome="cached"),
        replace(tts, sequence=3, quantity=50, provider="piper", outcome="interrupted"),
    ]
    spoken = as_if_used(rows, AsIf(tts_hit_rate=Decimal("0.5")), MARKET, SEED)
    assert [(row.provider, row.outcome, row.quantity) for row in spoken] == [
        ("google", "sent", 80),
        ("google", "cached", 80),
        ("piper", "sent", 25),
        ("piper", "cached", 25),
    ]
    assert len({row.sequence for row in spoken}) == 4
