"""What a call cost, every cent of it: each usage row with its rule, its price and who says so."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from slukh.cost.ledger.rated_lines import RatedLines
from slukh.cost.ledger.rated_rows import StoredLine
from slukh.cost.ledger.store import Ledger
from slukh.cost.pricing.price import Price
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import PICO
from slukh.cost.pricing.tolerant import Unpriced
from slukh.errors import PriceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A call's bill.

    Attributes:
        call_id: whose.
        book: the price book's name.
        lines: by time.
        prices: the entries that the lines name, by id.
        unpriced: rows without a price, whose amount is unknown, with how many.
    """

    call_id: str
    book: str
    lines: tuple[StoredLine, ...]
    prices: dict[str, Price]
    unpriced: tuple[tuple[Unpriced, int], ...]

    @property
    def total_usd(self) -> Decimal:
        """The exact sum of the lines."""
        return Decimal(sum(line.amount_pico_usd for line in self.lines)) / PICO

    def as_json(self) -> dict[str, object]:
        """For scripts; money as decimal strings."""
        return {
            "version": 1,
            "call_id": self.call_id,
            "currency": "USD",
            "book": self.book,
            "lines": [self._line_json(line) for line in self.lines],
            "unpriced": [
                {"component": u.component, "provider": u.provider, "model": u.model, "unit": u.unit,
                 "rows": count, "problem": u.problem}
                for u, count in self.unpriced
            ],
            "total_usd": f"{self.total_usd:f}",
        }  # fmt: skip

    def _line_json(self, line: StoredLine) -> dict[str, object]:
        price = self.prices.get(line.price_id)
        return {
            "leg": line.leg,
            "component": line.component,
            "sequence": line.sequence,
            "occurred_at": line.occurred_at.isoformat(),
            "provider": line.provider,
            "model": line.model,
            "purpose": line.purpose,
            "outcome": line.outcome,
            "unit": line.unit,
            "quantity": line.quantity,
            "billed_quantity": line.billed_quantity,
            "repeated_quantity": line.repeated_quantity,
            "rule": line.rule,
            "amount_usd": f"{line.amount_usd:f}",
            "price_id": line.price_id,
            "engine": line.engine,
            "source": None if price is None else price.source,
            "read_on": None if price is None or price.read_on is None else price.read_on.isoformat(),
            "confidence": None if price is None else price.confidence,
        }


def explain(ledger: Ledger, book: PriceBook, call_id: str) -> Explanation | None:
    """A call's bill under a book; None when the ledger knows no usage of it.

    Rows that are not rated yet are rated now.

    Raises:
        LedgerError: the ledger cannot be read or written.
    """
    rated = RatedLines(ledger, book)
    rerated = rated.rate_new(call_id=call_id)
    lines = rated.lines(call_id)
    if not lines and not rerated.unpriced:
        return None
    return Explanation(
        call_id=call_id,
        book=book.name,
        lines=lines,
        prices=_prices(lines, book),
        unpriced=rerated.unpriced,
    )


def _prices(lines: Iterable[StoredLine], book: PriceBook) -> dict[str, Price]:
    """The entries that lines name. Not looked up by id: a language model's may come from genai-prices."""
    found: dict[str, Price] = {}
    for line in lines:
        if line.price_id and line.price_id not in found:
            try:
                price = book.price(
                    line.component,  # type: ignore[arg-type]  # as it was rated
                    line.provider,
                    line.model,
                    line.unit,
                    on=line.occurred_at.date(),
                )
            except PriceError:
                continue  # the book has changed since; `slukh cost rerate` asks it again
            found[price.id] = price
    return found
