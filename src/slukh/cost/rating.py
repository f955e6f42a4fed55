"""What usage costs: rows and a price book in, one line of money per row out. Pure Decimal, no I/O.

Rounding is per request and then summed, never the other way round. The month's tiers are climbed in the order
in which usage occurred, so a line's amount is the marginal one at its position. A row that comes twice is
rated once, and the order of the rows does not matter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from slukh.cost.price_book import PriceBook
from slukh.types import Purpose, Unit, Usage

PICO = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingOptions:
    """How to read usage.

    Attributes:
        quantity: `reported` takes the provider's own figure where it gave one, `measured` always ours.
        free_tier: take the provider's free monthly quantity off; other projects of the account may use it up.
        channels: audio channels sent to recognisers; each is billed.
        region: whose prices, where a provider has several.
        month_quantity: by (sku or price id, month such as "2026-11"): units billed before the first row.
    """

    quantity: Literal["reported", "measured"] = "reported"
    free_tier: bool = False
    channels: int = 1
    region: str | None = None
    month_quantity: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedLine:
    """One usage row in money.

    Attributes:
        call_id, leg, component, sequence: the row's key.
        provider, model, unit, purpose, outcome, occurred_at: as in the row.
        quantity: the quantity that was rated, the provider's own or ours.
        repeated_quantity: of ours, what an earlier Attempt of the same utterance had sent already.
        billed_quantity: after minimum, increments and channels.
        price_id: the entry of the book; `` for a cached row.
        rule: one sentence that proves the amount.
        amount: money of `currency`, not rounded.
        free_tier_amount: money the free tier took off; `amount` is what is left.
        currency: the price's.
        amount_usd: by the rate of the day.
        amount_pico_usd: the same as int, quantised once (half to even); what is summed and stored.
    """

    call_id: str
    leg: int
    component: str
    sequence: int
    provider: str
    model: str
    unit: Unit
    purpose: Purpose
    outcome: str
    occurred_at: datetime
    quantity: int
    repeated_quantity: int = 0
    billed_quantity: int
    price_id: str
    rule: str
    amount: Decimal
    free_tier_amount: Decimal = Decimal(0)
    currency: str
    amount_usd: Decimal
    amount_pico_usd: int


class Rater:
    """Rates batch after batch and keeps the month's position between them.

    Batches come in the order of time, and the rows of one request, and of one utterance, come in one batch.
    """

    def __init__(self, book: PriceBook, options: RatingOptions | None = None) -> None:
        self._book = book
        self._options = options or RatingOptions()

    def rate(self, rows: Sequence[Usage]) -> list[RatedLine]:
        """A line per distinct row, by time and key.

        Raises:
            PriceError: something was used that the book has no price for.
            ValueError: two different rows have one key.
        """
        raise NotImplementedError


def rate(rows: Sequence[Usage], book: PriceBook, *, options: RatingOptions | None = None) -> list[RatedLine]:
    """Lines of all rows, by time and key: `Rater` with one batch."""
    return Rater(book, options).rate(rows)
