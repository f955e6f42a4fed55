"""The bill of a whole call: the same money however it is asked for."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slukh.cost.ledger.call_bill import CallBill, Terms, bill_of
from slukh.cost.ledger.explanation import explain
from slukh.cost.ledger.store import Ledger
from slukh.cost.meter import CallFacts
from slukh.cost.pricing.fixed import FixedItem
from slukh.cost.pricing.fixed_share import Rented
from slukh.cost.pricing.price_book import PriceBook
from slukh.types import TOKEN_UNITS, UNANSWERED, UNITS_PER_REQUEST, Unit, Usage

MARKET = PriceBook.load("market-2026-11")
MOMENT = datetime(2026, 11, 22, 10, tzinfo=UTC)
NOW = datetime(2026, 11, 27, tzinfo=UTC)
RENTED = Rented(items=(FixedItem(name="server"), FixedItem(name="gpu-gex44")), gpu_streams=8)
TERMS = Terms(rented=RENTED)
MODELS = {
    "stt": ("google", "chirp_3"), "tts": ("google", "uk-UA-Chirp3-HD-Kore"),
    "llm": ("anthropic", "claude-haiku-4-5"), "line": ("kyiv", ""),
}  # fmt: skip


def row(call_id: str, component: Any, sequence: int, unit: Unit, quantity: int, **values: Any) -> Usage:
    provider, model = MODELS[component]
    found = Usage(
        call_id=call_id, leg=1, component=component, sequence=sequence, provider=provider, model=model,
        unit=unit, quantity=quantity, outcome="published",
        occurred_at=MOMENT + timedelta(seconds=sequence % 97),
    )  # fmt: skip
    return replace(found, **values)


def facts(call_id: str, **values: Any) -> CallFacts:
    found = CallFacts(
        call_id=call_id, leg=1, state="ended", started_at=MOMENT, ended_at=MOMENT + timedelta(minutes=2),
        language_code="uk-UA", announced=True, provider="google", model="chirp_3", assigned_arm="google",
        heard_ms=120_000, voiced_ms=9_000,
    )  # fmt: skip
    return replace(found, **values)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with Ledger(f"sqlite:///{tmp_path_factory.mktemp('bills')}/ledger.db") as opened:
        yield opened


def bill(ledger: Ledger, call_id: str, terms: Terms = TERMS) -> CallBill:
    found = bill_of(ledger, MARKET, call_id, terms, now=NOW)
    assert found is not None
    return found


@st.composite
def used_by_a_call(draw: st.DrawFn) -> list[Usage]:
    rows = [row("", "line", 0, "call_ms", draw(st.integers(0, 400_000)))]
    purposes = st.sampled_from(["serve", "retry", "hedge", "shadow"])
    for number in range(draw(st.integers(0, 5))):
        sent_ms, attempt = draw(st.integers(0, 20_000)), 1000 * (number // 2 + 1) + number % 2
        reported = draw(st.sampled_from([None, -(-sent_ms // 1000) * 1000]))
        purpose = draw(purposes)
        rows.append(row("", "stt", attempt, "audio_ms", sent_ms, purpose=purpose, reported_quantity=reported))
    for number in range(draw(st.integers(0, 5))):
        outcome = draw(st.sampled_from(["sent", "cached", "interrupted"]))
        characters = draw(st.integers(0, 300))
        heard = draw(st.integers(0, characters))
        rows.append(row("", "tts", number, "characters", characters, outcome=outcome, heard_quantity=heard))
    for number in range(draw(st.integers(0, 4))):
        for index, unit in enumerate(TOKEN_UNITS):
            if tokens := draw(st.integers(0, 6000)):
                rows.append(row("", "llm", number * UNITS_PER_REQUEST + index, unit, tokens))
    return rows


@settings(max_examples=30, deadline=None)
@given(rows=used_by_a_call(), voiced_ms=st.integers(0, 60_000))
def test_a_bill_is_the_sum_of_its_lines_and_its_waste_is_a_part_of_it(
    shared: Ledger, rows: list[Usage], voiced_ms: int
) -> None:
    call_id = str(uuid4())
    own = [replace(row, call_id=call_id) for row in rows]
    shared.record([*own, facts(call_id, voiced_ms=voiced_ms)])
    found = bill(shared, call_id)
    explained: Any = found.explained_json()
    lines = (Decimal(line["amount_usd"]) for line in (*explained["lines"], *explained["fixed"]))
    shown: Any = found.as_json()
    assert sum(lines) == Decimal(explained["total_usd"]) == Decimal(shown["total_usd"])
    assert sum(found.components.values()) == found.total_pico_usd
    assert sum(part.amount_pico_usd for part in found.parts) == sum(
        line.amount_pico_usd for line in found.explanation.lines
    )
    assert 0 <= found.waste_pico_usd <= found.total_pico_usd
    assert all((waste.amount_pico_usd or 0) >= 0 for waste in found.waste)
    for component in ("stt", "tts", "llm", "line"):
        wasted = sum(waste.amount_pico_usd or 0 for waste in found.waste if waste.what == component)
        assert wasted <= found.components.get(component, 0)
    alone = explain(shared, MARKET, call_id)
    assert alone is not None
    assert alone.lines == found.explanation.lines


def test_the_telephone_line_is_shown_in_its_blocks(ledger: Ledger, tariff: Any) -> None:
    book = tariff(component="line", unit="call_ms", amount="0.60", initial=60_000, increment=30_000)
    ledger.record([row("c", "line", 0, "call_ms", 100_000), facts("c")])
    found = bill_of(ledger, book, "c", TERMS, now=NOW)
    assert found is not None
    (leg,) = found.line
    assert (leg.provider, leg.price_id) == ("kyiv", "tariff")
    assert (leg.initial_ms, leg.increments, leg.increment_ms) == (60_000, 2, 30_000)
    assert leg.amount_pico_usd == 1_200_000_000_000


def test_requests_without_figures_are_named_and_the_total_is_what_is_known(ledger: Ledger) -> None:
    rows = [row("c", "line", 0, "call_ms", 60_000), row("c", "llm", UNITS_PER_REQUEST, "input_tokens", 1000)]
    lost = [
        row("c", "llm", number * UNITS_PER_REQUEST, "input_tokens", 0, outcome=UNANSWERED)
        for number in (2, 3)
    ]
    ledger.record([*rows, *lost, facts("c")])
    found = bill(ledger, "c")
    assert [what for what in found.unknown if "2 requests without figures" in what]
    assert found.components["llm"] == 1_000_000_000
    assert found.as_json()["is_whole"] is False
    assert found.as_json()["used_is_whole"] is False


def test_what_was_used_is_whole_whether_or_not_anybody_says_what_is_rented(ledger: Ledger) -> None:
    ledger.record([row("c", "line", 0, "call_ms", 60_000), facts("c")])
    found = bill(ledger, "c", Terms())
    assert (found.as_json()["is_whole"], found.used_is_whole) == (False, True)
    assert found.used_pico_usd == found.total_pico_usd


def test_what_the_cache_saved_is_what_the_phrases_would_have_cost(ledger: Ledger) -> None:
    rows = [
        row("c", "tts", 1, "characters", 1000, outcome="cached"),
        row("c", "tts", 2, "characters", 500, outcome="sent"),
    ]
    ledger.record([*rows, facts("c")])
    sent, kept = (part for part in bill(ledger, "c").parts if part.component == "tts")
    assert (kept.is_cached, kept.quantity, kept.amount_pico_usd) == (True, 1000, 0)
    assert kept.saved_pico_usd == 30_000_000_000 == 2 * sent.amount_pico_usd


def test_calls_of_a_month_share_its_rent(ledger: Ledger) -> None:
    for number in range(4):
        provider = "whisper" if number == 0 else "google"
        started = MOMENT + timedelta(days=number)
        ledger.record([
            row(f"c-{number}", "line", 0, "call_ms", 60_000),
            facts(f"c-{number}", state="started", started_at=started, provider=provider, heard_ms=0),
            facts(f"c-{number}", started_at=started, provider=provider),
        ])  # fmt: skip
    fixed = [bill(ledger, f"c-{number}").components["fixed"] for number in range(4)]
    assert fixed[1] == fixed[2] == fixed[3] < fixed[0]
    gpu = Decimal(212) / MARKET.rate("EUR", MOMENT.date())
    rent = (50 + gpu) * 5 / 30  # from the day of the first call to now
    assert Decimal(sum(fixed)) / 10**12 == pytest.approx(rent, abs=Decimal("1e-9"))


@pytest.mark.parametrize(
    ("terms", "line_ms", "verdict"),
    [
        (TERMS, 600_000, "above"),  # the whole rent of five days for one call
        (Terms(rented=Rented(items=(), planned_calls=1)), 600_000, "below"),
        (Terms(rented=Rented(items=(), planned_calls=1)), 1_200_000, "inside"),
        (Terms(), 600_000, None),  # the rent might decide
        (Terms(), 6_000_000, "above"),  # whatever the rent is
    ],
)
def test_a_verdict_is_given_when_nothing_unknown_can_change_it(
    ledger: Ledger, terms: Terms, line_ms: int, verdict: str | None
) -> None:
    ledger.record([row("c", "line", 0, "call_ms", line_ms), facts("c")])
    assert bill(ledger, "c", terms).verdict == verdict


def test_what_is_not_known_is_named_and_null(ledger: Ledger) -> None:
    ledger.record([row("c", "tts", 1, "characters", 10, provider="nobody")])
    ledger.record([facts("c", state="started")])
    found = bill(ledger, "c", Terms())
    assert found.as_json()["components"] == {"fixed": None, "tts": None}
    assert found.as_json()["is_whole"] is False
    unpriced, leg, rent = found.unknown
    assert "1 row has no amount" in unpriced
    assert "no price of tts nobody" in unpriced
    assert "leg 1 has no end yet" in leg
    assert "set SLUKH_RENTED to it, such as server=1,did=1" in rent
    without_facts = [row("d", "line", 0, "call_ms", 10)]
    ledger.record(without_facts)
    assert "when the call began" in bill(ledger, "d").unknown[0]
