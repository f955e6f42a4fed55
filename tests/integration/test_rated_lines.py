"""What usage costs, in the ledger of either database: made anew at will, and always the same."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, create_engine, text

from slukh.cost.ledger.rated_lines import RatedLines, Rerated
from slukh.cost.ledger.store import Ledger
from slukh.cost.ledger.tables import MIGRATIONS
from slukh.cost.pricing.price import Price, Tier
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import rate
from slukh.types import Unit, Usage

MOMENT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
SEED = PriceBook.load("seed-reference")
# 1 s at $0.01 up to ten seconds of a month, $0.001 beyond.
TIERED = PriceBook(
    name="tiered",
    prices=(
        Price(
            id="stt-tiered", component="stt", provider="google", models=("*",), unit="audio_ms", per=1000,
            amount=Decimal("0.01"), currency="USD", increment=1000,
            graduated=(Tier(over=10_000, amount=Decimal("0.001")),), basis="audio_sent",
            effective_from=date(2026, 1, 1), source="test", read_on=date(2026, 11, 22), confidence="fact",
        ),
    ),
)  # fmt: skip


def stt(
    sequence: int = 1001,
    *,
    call_id: str = "c-1",
    quantity: int = 4200,
    at: float = 0.0,
    model: str = "chirp_3",
) -> Usage:
    return Usage(
        call_id=call_id, leg=1, component="stt", sequence=sequence, provider="google", model=model,
        unit="audio_ms", quantity=quantity, purpose="serve", outcome="published",
        occurred_at=MOMENT + timedelta(seconds=at),
    )  # fmt: skip


def llm(sequence: int, unit: Unit, quantity: int, *, provider: str = "anthropic") -> Usage:
    return replace(
        stt(),
        component="llm",
        sequence=sequence,
        provider=provider,
        model="claude",
        unit=unit,
        quantity=quantity,
    )


def amounts(lines: RatedLines, call_id: str = "c-1") -> list[int]:
    return [line.amount_pico_usd for line in lines.lines(call_id)]


def whole(lines: RatedLines) -> dict[tuple[str, int, str, int], int]:
    return {
        (line.call_id, line.leg, line.component, line.sequence): line.amount_pico_usd for line in lines.each()
    }


def test_lines_are_what_the_rating_engine_says_to_the_pico(ledger: Ledger) -> None:
    rows = [stt(1001), stt(2001, at=9), llm(8, "input_tokens", 2777), llm(9, "output_tokens", 81)]
    ledger.record(rows)
    lines = RatedLines(ledger, SEED)
    assert lines.rerate() == Rerated(rows=4, changed=4)
    stored = {(line.component, line.sequence): line for line in lines.lines("c-1")}
    for line in rate(rows, SEED):
        found = stored[line.component, line.sequence]
        assert found.amount_pico_usd == line.amount_pico_usd
        assert (found.rule, found.price_id, found.book) == (line.rule, line.price_id, "seed-reference")
        assert (found.billed_quantity, found.occurred_at) == (line.billed_quantity, line.occurred_at)


def test_rating_again_changes_nothing(ledger: Ledger) -> None:
    ledger.record([stt(1001), stt(2001)])
    lines = RatedLines(ledger, SEED)
    lines.rerate()
    assert lines.rerate() == Rerated(rows=2, changed=0)
    assert lines.rate_new() == Rerated()


def test_only_calls_with_a_row_that_has_no_line_are_rated(ledger: Ledger) -> None:
    lines = RatedLines(ledger, SEED)
    ledger.record([stt(1001), stt(1001, call_id="c-2")])
    assert lines.rate_new(call_id="c-2") == Rerated(rows=1, changed=1)
    assert lines.rate_new() == Rerated(rows=1, changed=1)
    ledger.record([stt(2001, call_id="c-2", at=5)])
    assert lines.rate_new() == Rerated(rows=2, changed=1)


def test_a_late_first_attempt_turns_the_second_into_a_repetition(ledger: Ledger) -> None:
    lines = RatedLines(ledger, SEED)
    ledger.record([stt(1002, quantity=5000)])
    lines.rate_new()
    assert [line.repeated_quantity for line in lines.lines("c-1")] == [0]
    ledger.record([stt(1001, quantity=3000)])
    assert lines.rate_new() == Rerated(rows=2, changed=2)
    assert [line.repeated_quantity for line in lines.lines("c-1")] == [0, 3000]


def test_another_book_has_its_own_lines_of_the_same_usage(ledger: Ledger) -> None:
    ledger.record([stt(1001)])
    seed, market = RatedLines(ledger, SEED), RatedLines(ledger, PriceBook.load("market-2026-11"))
    seed.rerate()
    market.rerate()
    assert amounts(seed) == [6_000_000_000]  # a started block of 15 s at $0.006
    assert amounts(market) == [1_333_333_333]  # 5 started seconds at $0.016 a minute


def test_a_row_without_a_price_has_no_line_and_is_named(ledger: Ledger) -> None:
    ledger.record([stt(1001), llm(8, "input_tokens", 100, provider="nobody")])
    lines = RatedLines(ledger, SEED)
    rerated = lines.rerate()
    ((unpriced, count),) = rerated.unpriced
    assert (rerated.changed, count) == (1, 1)
    assert (unpriced.provider, unpriced.unit) == ("nobody", "input_tokens")
    assert "no price of llm nobody" in unpriced.problem
    assert len(lines.lines("c-1")) == 1


def test_a_quantity_that_cannot_be_keeps_no_other_row_from_its_line(ledger: Ledger) -> None:
    ledger.record([stt(1001), stt(2001, quantity=2**62)])
    lines = RatedLines(ledger, SEED)
    ((unpriced, count),) = lines.rerate().unpriced
    assert count == 1
    assert "usage of c-1 is more than a request can be: see `slukh calls show c-1`" in unpriced.problem
    assert [line.sequence for line in lines.lines("c-1")] == [1001]


def test_a_price_that_was_taken_back_takes_its_lines_with_it(ledger: Ledger) -> None:
    ledger.record([stt(1001)])
    RatedLines(ledger, SEED).rerate()
    without = RatedLines(ledger, PriceBook(name="seed-reference", prices=()))
    assert without.rerate().unpriced[0][1] == 1
    assert without.lines("c-1") == ()


def test_the_months_tiers_are_climbed_in_the_order_of_time_however_rows_arrive(ledger: Ledger) -> None:
    ledger.record(
        [stt(1001, call_id="late", quantity=8000, at=60), stt(1001, call_id="early", quantity=8000)]
    )
    lines = RatedLines(ledger, TIERED)
    lines.rerate()
    assert amounts(lines, "early") == [80_000_000_000]
    assert amounts(lines, "late") == [26_000_000_000]  # two seconds at the first amount, six beyond


def test_calls_that_come_later_go_on_where_the_month_stands(ledger: Ledger) -> None:
    lines = RatedLines(ledger, TIERED)
    for number, call_id in enumerate(("c-1", "c-2", "c-3")):
        ledger.record([stt(1001, call_id=call_id, quantity=8000, at=number)])
        lines.rate_new()
    step_by_step = whole(lines)
    assert sum(step_by_step.values()) == 114_000_000_000  # 10 s at $0.01, 14 s at $0.001
    lines.rerate()
    assert whole(lines) == step_by_step


def test_a_call_that_goes_on_is_not_counted_twice_in_its_month(ledger: Ledger) -> None:
    lines = RatedLines(ledger, TIERED)
    for number in range(1, 4):
        ledger.record([stt(number * 1000 + 1, quantity=4000, at=number)])
        lines.rate_new()
    assert amounts(lines) == [40_000_000_000, 40_000_000_000, 22_000_000_000]


def test_another_month_begins_at_its_first_tier(ledger: Ledger) -> None:
    lines = RatedLines(ledger, TIERED)
    ledger.record([stt(1001, quantity=12_000), stt(2001, quantity=8000, at=86_400 * 10)])
    lines.rerate()
    assert amounts(lines) == [102_000_000_000, 80_000_000_000]
    assert lines.rerate(since=MOMENT + timedelta(days=10)) == Rerated(rows=1)


def test_any_order_and_repetition_of_deliveries_gives_the_same_bill(ledger: Ledger) -> None:
    rows = [stt(1001, call_id=f"c-{n}", quantity=2500, at=n) for n in range(9)]
    shuffled = random.Random(5).sample(rows * 2, 18)
    for row in shuffled:
        ledger.record([row])
    lines = RatedLines(ledger, TIERED)
    lines.rerate()
    assert whole(lines) == {
        (line.call_id, line.leg, line.component, line.sequence): line.amount_pico_usd
        for line in rate(rows, TIERED)
    }


def test_batches_keep_attempts_of_an_utterance_together(ledger: Ledger) -> None:
    rows = [stt(1000 + n % 2 + 1, call_id=f"c-{n // 2:03}", quantity=3000, at=n * 20) for n in range(60)]
    ledger.record(rows)
    lines = RatedLines(ledger, TIERED, batch_rows=7)
    assert lines.rerate() == Rerated(rows=60, changed=60)
    found = {(line.call_id, line.sequence): line.repeated_quantity for line in lines.each()}
    assert set(found.values()) == {0, 3000}
    assert all((sequence == 1002) == (repeated == 3000) for (_, sequence), repeated in found.items())
    assert whole(lines) == {
        (line.call_id, line.leg, line.component, line.sequence): line.amount_pico_usd
        for line in rate(rows, TIERED)
    }


def test_sums_are_exact_by_what_was_bought(ledger: Ledger) -> None:
    ledger.record([stt(n * 1000 + 1, quantity=1001, at=n) for n in range(1, 4)])
    lines = RatedLines(ledger, PriceBook.load("market-2026-11"))
    lines.rerate()
    (total,) = lines.totals()
    assert (total.lines, total.quantity, total.billed_quantity) == (3, 3003, 6000)
    assert total.amount_pico_usd == sum(amounts(lines)) == 3 * 533_333_333
    assert lines.totals(since=MOMENT + timedelta(seconds=3))[0].lines == 1
    assert lines.totals(until=MOMENT + timedelta(seconds=2))[0].lines == 1


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_a_ledger_of_an_earlier_version_opens_with_its_rows(new_url: object, version: int) -> None:
    assert callable(new_url)
    url = new_url()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE slukh_migrations (name TEXT PRIMARY KEY, applied_at_us BIGINT NOT NULL)")
        )
        for migration in MIGRATIONS[:version]:
            migration(connection)
            name = migration.__name__.removeprefix("_")
            connection.execute(text("INSERT INTO slukh_migrations VALUES (:name, 0)"), {"name": name})
        connection.execute(
            text(
                "INSERT INTO usage (call_id, leg, component, sequence, provider, model, unit, quantity,"
                " purpose, outcome, occurred_at_us) VALUES ('c-1', 1, 'stt', 1001, 'google', 'chirp_3',"
                " 'audio_ms', 4200, 'serve', 'published', 1795341600000000)"
            )
        )
    engine.dispose()
    with Ledger(url) as ledger:
        record = ledger.call("c-1")
        assert record is not None
        assert record.usage == (replace(stt(), occurred_at=record.usage[0].occurred_at),)
        assert RatedLines(ledger, SEED).rerate().changed == 1


def test_adjustments_are_append_only(ledger: Ledger, raw: Engine) -> None:
    with raw.begin() as connection:
        connection.execute(
            text("INSERT INTO adjustments VALUES ('d', 'b', 'google', 'stt', 's', 0, 1, 2, 3, 1, 'f', 0)")
        )
    with raw.connect() as connection, pytest.raises(Exception, match="append-only"):
        connection.execute(text("DELETE FROM adjustments"))
