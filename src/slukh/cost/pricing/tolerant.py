"""Rating that goes on when a price is missing: such a row has no amount, and is named, never guessed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import CACHED, RatedLine, Rater, RatingOptions
from slukh.errors import PriceError
from slukh.types import Usage

# What an int64 column holds: nine million dollars, in pico-dollars.
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpriced:
    """Something that was used and that a book has no price for.

    Attributes:
        component, provider, model, unit: what.
        problem: the book's own sentence about it, with the first day it was used.
    """

    component: str
    provider: str
    model: str
    unit: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """What became of rows.

    Attributes:
        lines: of those with a price, by time and key.
        unpriced: those without.
    """

    lines: tuple[RatedLine, ...]
    unpriced: tuple[Usage, ...]


class TolerantRater:
    """A `Rater` for what happened: `rate` never raises for a price.

    Args:
        book: the prices.
        options: how to read usage.

    Attributes:
        unpriced: rows without a price so far, by what was used.
    """

    def __init__(self, book: PriceBook, options: RatingOptions | None = None) -> None:
        self.unpriced: Counter[Unpriced] = Counter()
        self._book = book
        self._region = options.region if options else None
        self._rater = Rater(book, options)
        self._asked: dict[tuple[str, str, str, str, date], Unpriced | None] = {}
        self._named: dict[tuple[str, str, str, str], Unpriced] = {}

    def rate(self, rows: Sequence[Usage]) -> Rated:
        """Lines of the rows that have a price; batches as `Rater` wants them.

        Raises:
            ValueError: two different rows have one key.
        """
        missing = [self._missing(row) for row in rows]
        priced = [row for row, wrong in zip(rows, missing, strict=True) if wrong is None]
        self.unpriced.update(wrong for wrong in missing if wrong is not None)
        without = [row for row, wrong in zip(rows, missing, strict=True) if wrong is not None]
        lines = self._rater.rate(priced)
        if too_much := {_key(line) for line in lines if _is_too_much(line)}:
            lines = [line for line in lines if _key(line) not in too_much]
            beyond = [row for row in priced if _key(row) in too_much]
            self.unpriced.update(map(_beyond, beyond))
            without += beyond
        return Rated(lines=tuple(lines), unpriced=tuple(without))

    def named(self, row: Usage) -> Unpriced | None:
        """How `unpriced` names a row that had no price; None for one that has."""
        return self._missing(row)

    def _missing(self, row: Usage) -> Unpriced | None:
        if row.component == "tts" and row.outcome == CACHED:
            return None
        on = row.occurred_at.date()
        asked = (row.component, row.provider, row.model, row.unit, on)
        if asked not in self._asked:
            self._asked[asked] = self._look_up(row, on)
        return self._asked[asked]

    def _look_up(self, row: Usage, on: date) -> Unpriced | None:
        try:
            price = self._book.price(
                row.component, row.provider, row.model, row.unit, on=on, region=self._region
            )
            self._book.rate(price.currency, on)
        except PriceError as error:
            named = (row.component, row.provider, row.model, row.unit)
            return self._named.setdefault(
                named,
                Unpriced(
                    component=row.component,
                    provider=row.provider,
                    model=row.model,
                    unit=row.unit,
                    problem=error.problem,
                ),
            )
        return None


def _key(row: Usage | RatedLine) -> tuple[str, int, str, int]:
    return row.call_id, row.leg, row.component, row.sequence


def _is_too_much(line: RatedLine) -> bool:
    """A quantity that somebody made up must not keep all other lines out of the ledger."""
    return max(line.amount_pico_usd, line.billed_quantity) > _LARGEST


def _beyond(row: Usage) -> Unpriced:
    return Unpriced(
        component=row.component,
        provider=row.provider,
        model=row.model,
        unit=row.unit,
        problem=f"usage of {row.call_id} is more than a request can be: see `slukh calls show {row.call_id}`",
    )
