import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from slukh.cost.live import Budget, LiveCosts
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import rate
from slukh.types import UNANSWERED, UNITS_PER_REQUEST, CallCost, Unit, Usage

MOMENT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
BOOK = PriceBook.load("market-2026-11")
SECOND = Decimal("0.000266666667")  # of Google at $0.016 a minute, in whole pico-dollars


def stt(
    sequence: int = 1001, *, seconds: int = 1, call_id: str = "c-1", leg: int = 1, at: float = 0.0
) -> Usage:
    return Usage(
        call_id=call_id, leg=leg, component="stt", sequence=sequence, provider="google", model="chirp_3",
        unit="audio_ms", quantity=seconds * 1000, outcome="published",
        occurred_at=MOMENT + timedelta(seconds=at),
    )  # fmt: skip


def llm(request: int, unit: Unit, quantity: int, *, provider: str = "anthropic") -> Usage:
    offset = 0 if unit == "input_tokens" else 1
    return replace(
        stt(), component="llm", sequence=request * UNITS_PER_REQUEST + offset, provider=provider,
        model="claude-haiku-5-5", unit=unit, quantity=quantity,
    )  # fmt: skip


def one(costs: tuple[CallCost, ...]) -> CallCost:
    (cost,) = costs
    return cost


def test_a_calls_cost_grows_with_every_row_over_its_legs() -> None:
    live = LiveCosts(BOOK)
    assert one(live.add([stt()])).call_usd == SECOND
    second = one(live.add([stt(2001)]))
    assert (second.added_usd, second.call_usd, second.leg_usd) == (SECOND, 2 * SECOND, 2 * SECOND)
    other = one(live.add([stt(call_id="c-2")]))
    assert other.call_usd == SECOND
    back = one(live.add([stt(leg=2)], is_final=True))
    assert (back.call_usd, back.leg_usd, back.is_final) == (3 * SECOND, SECOND, True)


def test_the_buckets_of_one_request_are_rated_together() -> None:
    rows = [llm(1, "input_tokens", 150_000), llm(1, "output_tokens", 10)]  # a long prompt: five times as much
    costs = LiveCosts(BOOK).add(rows)
    assert [cost.added_usd for cost in costs] == [line.amount_usd for line in rate(rows, BOOK)]
    assert [cost.is_final for cost in LiveCosts(BOOK).add(rows, is_final=True)] == [False, True]


def test_a_request_without_figures_costs_nothing_that_is_known() -> None:
    live = LiveCosts(BOOK)
    assert one(live.add([llm(1, "input_tokens", 1000)])).added_usd
    lost = one(live.add([replace(llm(2, "input_tokens", 0), outcome=UNANSWERED)], is_final=True))
    assert (lost.added_usd, lost.is_whole) == (Decimal(0), False)


def test_a_cost_is_whole_when_every_leg_is_over_and_nothing_more_comes() -> None:
    live = LiveCosts(BOOK)
    assert not one(live.add([stt()])).is_whole
    first = one(live.add([stt()], is_final=True))
    assert (first.is_whole, first.is_final) == (True, True)
    assert not one(live.add([stt(leg=2)])).is_whole
    assert one(live.add([stt(leg=2)], is_final=True)).is_whole


def test_what_comes_after_the_end_is_in_the_cost_of_its_leg_which_is_final_once() -> None:
    live = LiveCosts(BOOK)
    ended = one(live.add([stt()]))
    live.add([stt(leg=2)])  # the caller is back before the first leg's figures are
    late = one(live.add([stt()]))
    assert [ended.is_final, late.is_final] == [False, False]
    whole = one(live.settled("c-1", 1))
    assert (whole.leg_usd, whole.call_usd, whole.added_usd) == (2 * SECOND, 3 * SECOND, Decimal(0))
    assert (whole.is_final, whole.is_whole) == (True, False)  # the second leg goes on
    assert live.settled("c-1", 1) == live.settled("c-9", 1) == ()


def test_what_has_no_price_is_unknown_named_once_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    live = LiveCosts(BOOK)
    with caplog.at_level(logging.ERROR, "slukh.cost.live"):
        costs = [one(live.add([llm(n, "input_tokens", 5, provider="nobody")])) for n in (1, 2, 3)]
    assert [(cost.added_usd, cost.is_whole) for cost in costs] == [(None, False)] * 3
    assert len(caplog.records) == 1
    known = one(live.add([stt()], is_final=True))
    assert (known.call_usd, known.is_whole) == (SECOND, False)


def test_a_calls_budget_is_told_once_when_it_is_spent() -> None:
    live = LiveCosts(BOOK, Budget(call_usd=2 * SECOND))
    told = [one(live.add([stt(n * 1000 + 1)])).over_budget for n in range(1, 5)]
    assert told == [None, None, "call", None]
    assert one(live.add([stt(call_id="c-2")])).over_budget is None


def test_a_days_budget_is_that_of_all_calls_and_begins_anew_at_midnight() -> None:
    live = LiveCosts(BOOK, Budget(day_usd=2 * SECOND))
    told = [one(live.add([stt(call_id=f"c-{n}")])).over_budget for n in range(4)]
    assert told == [None, None, "day", None]
    assert live.is_day_spent(MOMENT)
    assert live.day_used(MOMENT) == pytest.approx(2.0)
    tomorrow = MOMENT + timedelta(hours=14)
    assert not live.is_day_spent(tomorrow)
    assert live.day_used(tomorrow) == 0


def test_a_day_goes_on_where_the_ledger_stands() -> None:
    live = LiveCosts(BOOK, Budget(day_usd=2 * SECOND))
    live.spent_before(MOMENT.date(), int(3 * SECOND * 10**12))
    assert live.is_day_spent(MOMENT)
    assert one(live.add([stt()])).over_budget is None  # it had been spent before


def test_without_a_budget_nothing_is_ever_spent() -> None:
    live = LiveCosts(BOOK)
    assert one(live.add([stt(seconds=10**9)])).over_budget is None
    assert live.day_used(MOMENT) is None


def test_only_so_many_calls_are_remembered() -> None:
    live = LiveCosts(BOOK, max_calls=2)
    for number in range(3):
        live.add([stt(call_id=f"c-{number}")])
    assert one(live.add([stt(2001, call_id="c-0")])).call_usd == SECOND
    assert one(live.add([stt(2001, call_id="c-2")])).call_usd == 2 * SECOND
