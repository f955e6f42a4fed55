"""What is paid by the calendar: servers, numbers, GPUs; used or not, switched on or off."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from slukh.cost.price_book import PriceBook


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedItem:
    """Something that is rented.

    Attributes:
        name: as the price book has it, such as `gpu-gex44`.
        count: how many.
        hours: hours a month it is rented, for a price by the hour; None is all of them (730).
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
    """A rented item's cost of a period; `busy_usd` + `idle_usd` = `amount_usd`."""

    name: str
    count: int
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
    """Cost of items from `start` to `end`, a month at a time, each month by its own length.

    Raises:
        PriceError: the book has no price of an item on the period's first day, or of its currency.
    """
    raise NotImplementedError
