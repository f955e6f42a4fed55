"""What is paid by the calendar: servers, numbers, GPUs; used or not, switched on or off."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import pico_usd

HOURS_PER_MONTH = Decimal(730)  # of 8,760 hours a year
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedItem:
    """Something that is rented.

    Attributes:
        name: as the price book has it, such as `gpu-gex44`.
        count: how many.
        hours: hours a month it is rented, for a price by the hour; None is all of them.
        busy_share: of its capacity, how much was used (0 to 1), or None where that has no meaning.
        is_new: whether the setup fee falls into the period.
    """

    name: str
    count: int = 1
    hours: Decimal | None = None
    busy_share: Decimal | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedLine:
    """A rented item's cost of a calendar month, or of a part of it.

    Attributes:
        name: which item.
        count: how many.
        on: the day whose prices hold.
        months: the part of a month.
        price_id: the entry of the book.
        rule: one sentence that proves the amount.
        amount: money of `currency`, not rounded.
        currency: the price's.
        amount_usd: by the rate of the day; `busy_usd` + `idle_usd`.
        busy_usd: the share that was used; all of it where that has no meaning.
        idle_usd: the share that was paid for and not used.
        amount_pico_usd: `amount_usd` as int, quantised once.
    """

    name: str
    count: int
    on: date
    months: Decimal
    price_id: str
    rule: str
    amount: Decimal
    currency: str
    amount_usd: Decimal
    busy_usd: Decimal
    idle_usd: Decimal
    amount_pico_usd: int


def rate_fixed(
    items: tuple[FixedItem, ...], book: PriceBook, *, start: datetime, end: datetime
) -> list[FixedLine]:
    """Cost of items from `start` to `end`: a line for each item and month, at the prices of its first day.

    A price that changes within a month holds from the next one, as rents do. The setup fee is in an item's
    first line.

    Raises:
        PriceError: the book has no price of an item on such a day, or of its currency.
    """
    return [
        _line(item, book, share, on, is_first=number == 0)
        for item in items
        for number, (on, share) in enumerate(_months(start, end))
    ]


def month_of(item: FixedItem, book: PriceBook, on: date) -> FixedLine:
    """Cost of an item for one whole month, at the prices of a day.

    Raises:
        PriceError: the book has no price of the item on that day, or of its currency.
    """
    return _line(item, book, Decimal(1), on, is_first=True)


def _months(start: datetime, end: datetime) -> Iterator[tuple[date, Decimal]]:
    """The calendar months a period touches: the first day in it, and its share of that month.

    So half of a February is as much as half of a March.
    """
    moment = start
    while moment < end:
        first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        following = (first + timedelta(days=32)).replace(day=1)
        until = min(end, following)
        share = Decimal((until - moment) // _MICROSECOND) / ((following - first) // _MICROSECOND)
        yield moment.date(), share
        moment = until


def _line(item: FixedItem, book: PriceBook, months: Decimal, on: date, *, is_first: bool) -> FixedLine:
    price = book.monthly(item.name, on)
    hours = HOURS_PER_MONTH if item.hours is None else item.hours
    a_month = price.amount * hours / price.per if price.unit == "hour" else price.amount / price.per
    setup = price.setup if item.is_new and is_first else Decimal(0)
    amount = item.count * (a_month * months + setup)
    amount_usd = amount / book.rate(price.currency, on)
    busy_usd = amount_usd if item.busy_share is None else amount_usd * item.busy_share
    how = f"{hours} h a month at {price.amount}" if price.unit == "hour" else f"{price.amount} a month"
    return FixedLine(
        name=item.name,
        count=item.count,
        on=on,
        months=months,
        price_id=price.id,
        rule=f"{item.count} x {months:.4g} months, {price.currency} {how}"
        + (f", {price.currency} {setup} to set up" if setup else ""),
        amount=amount,
        currency=price.currency,
        amount_usd=amount_usd,
        busy_usd=busy_usd,
        idle_usd=amount_usd - busy_usd,
        amount_pico_usd=pico_usd(amount_usd),
    )
