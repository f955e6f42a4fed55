"""Rented things are paid by the calendar, used or not."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.cost.pricing.fixed import FixedItem, rate_fixed
from slukh.cost.pricing.price_book import PriceBook
from slukh.errors import PriceError

MARKET = PriceBook.load("market-2026-11")
NOVEMBER = {"start": datetime(2026, 11, 1, tzinfo=UTC), "end": datetime(2026, 12, 1, tzinfo=UTC)}
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)).map(lambda m: m.replace(tzinfo=UTC))  # noqa: DTZ001


def rented_months(start: datetime, end: datetime) -> Decimal:
    lines = rate_fixed((FixedItem(name="gpu-reference"),), MARKET, start=start, end=end)
    return sum((line.months for line in lines), Decimal(0))


def day(month: int, number: int) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        (day(11, 1), day(12, 1), "1"),
        (day(2, 1), day(2, 15), "0.5"),
        (day(11, 16), day(12, 1), "0.5"),
        (day(1, 1), day(7, 1), "6"),
        (day(11, 16), day(3, 1), "0"),
    ],
)
def test_a_month_is_a_calendar_month(start: datetime, end: datetime, months: str) -> None:
    assert rented_months(start, end) == Decimal(months)


@given(moments=st.tuples(MOMENTS, MOMENTS, MOMENTS).map(sorted))
def test_periods_add_up(moments: list[datetime]) -> None:
    first, second, third = moments
    parts = rented_months(first, second) + rented_months(second, third)
    assert abs(parts - rented_months(first, third)) < Decimal("1e-24")


def test_a_gpu_costs_its_month_however_little_it_was_busy() -> None:
    [line] = rate_fixed((FixedItem(name="gpu-reference", busy_share=Decimal("0.017")),), MARKET, **NOVEMBER)
    assert line.amount_usd == 245
    assert (line.busy_usd, line.idle_usd) == (Decimal("4.165"), Decimal("240.835"))
    assert line.amount_pico_usd == 245 * 10**12


def test_what_is_rented_by_the_hour_runs_all_month_unless_told() -> None:
    items = (FixedItem(name="gpu-gcp-l4"), FixedItem(name="gpu-gcp-l4", hours=Decimal(312)))
    assert [line.amount_usd for line in rate_fixed(items, MARKET, **NOVEMBER)] == [
        Decimal("511.00"),
        Decimal("218.40"),
    ]


def test_a_new_server_has_its_setup_fee_once() -> None:
    new, old = rate_fixed(
        (FixedItem(name="gpu-gex44", count=2, is_new=True), FixedItem(name="gpu-gex44", count=2)),
        MARKET,
        **NOVEMBER,
    )
    assert (old.amount, old.currency) == (Decimal(424), "EUR")
    assert new.amount - old.amount == 2 * 79
    assert new.rule == "2 x 1 months, EUR 212 a month, EUR 79 to set up"
    assert old.amount_usd == 424 / Decimal("0.89823")


def test_a_rent_that_rises_within_a_month_rises_from_the_next_one() -> None:
    lines = rate_fixed((FixedItem(name="gpu-gex44", is_new=True),), MARKET, start=day(5, 16), end=day(8, 1))
    assert [(line.amount, line.on.month) for line in lines] == [
        (187 * Decimal(16) / 31 + 79, 5),
        (Decimal(187), 6),
        (Decimal(212), 7),
    ]


def test_a_wage_is_in_its_own_currency() -> None:
    [line] = rate_fixed((FixedItem(name="operator"),), MARKET, **NOVEMBER)
    assert (line.amount, line.currency, round(line.amount_usd, 2)) == (
        Decimal(25_000),
        "UAH",
        Decimal("581.40"),
    )


def test_what_the_book_does_not_have_is_refused() -> None:
    with pytest.raises(PriceError, match="no price of fixed mainframe per month on 2026-11-01"):
        rate_fixed((FixedItem(name="mainframe"),), MARKET, **NOVEMBER)
