"""A call's rated lines in sums, as its bill shows them, and the telephone line in its billed blocks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from slukh.cost.ledger.explanation import Explanation
from slukh.cost.ledger.rated_rows import StoredLine
from slukh.cost.ledger.store import CallRecord
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import CACHED
from slukh.cost.pricing.tolerant import TolerantRater
from slukh.types import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Lines of a call that differ in time only.

    Attributes:
        component, provider, model, unit: what was used.
        is_cached: it came from the phrase cache, and cost nothing.
        price_ids: by which it was rated.
        quantity: before rounding, in `unit`.
        billed_quantity: after it.
        amount_pico_usd: their exact sum.
        saved_pico_usd: of cached speech: what it would have cost; None elsewhere, or when it has no price.
    """

    component: str
    provider: str
    model: str
    unit: Unit
    is_cached: bool
    price_ids: tuple[str, ...]
    quantity: int
    billed_quantity: int
    amount_pico_usd: int
    saved_pico_usd: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLeg:
    """A leg of the telephone line, in the blocks that it is billed in.

    Attributes:
        leg: which.
        provider: the trunk.
        price_id: the entry that rates it.
        milliseconds: of the leg.
        initial_ms: the first block, billed whole; 0 where there is none.
        increments: started blocks behind it.
        increment_ms: of each.
        amount_pico_usd: of all of them.
    """

    leg: int
    provider: str
    price_id: str
    milliseconds: int
    initial_ms: int
    increments: int
    increment_ms: int
    amount_pico_usd: int


def parts_of(explanation: Explanation, record: CallRecord, book: PriceBook) -> Iterator[Part]:
    """The lines in sums, by what was used.

    Args:
        explanation: the lines.
        record: the rows behind them.
        book: says what cached speech would have cost.
    """
    groups: dict[tuple[str, str, str, Unit, bool], list[StoredLine]] = {}
    for line in explanation.lines:
        is_cached = line.component == "tts" and line.outcome == CACHED
        key = (line.component, line.provider, line.model, line.unit, is_cached)
        groups.setdefault(key, []).append(line)
    for (component, provider, model, unit, is_cached), lines in sorted(groups.items()):
        yield Part(
            component=component,
            provider=provider,
            model=model,
            unit=unit,
            is_cached=is_cached,
            price_ids=tuple(sorted({line.price_id for line in lines if line.price_id})),
            quantity=sum(line.quantity for line in lines),
            billed_quantity=sum(line.billed_quantity for line in lines),
            amount_pico_usd=sum(line.amount_pico_usd for line in lines),
            saved_pico_usd=_saved(record, book, provider, model) if is_cached else None,
        )


def _saved(record: CallRecord, book: PriceBook, provider: str, model: str) -> int | None:
    """What a voice's cached phrases would have cost: the same rows, as if they had been sent."""
    cached = [
        replace(row, outcome="sent")
        for row in record.usage
        if row.component == "tts" and row.outcome == CACHED and (row.provider, row.model) == (provider, model)
    ]
    rated = TolerantRater(book).rate(cached)
    return None if rated.unpriced else sum(line.amount_pico_usd for line in rated.lines)


def line_legs_of(explanation: Explanation) -> Iterator[LineLeg]:
    """The telephone line, a leg each."""
    for line in explanation.lines:
        price = explanation.prices.get(line.price_id)
        if line.component != "line" or price is None:
            continue
        initial = price.initial if line.billed_quantity else 0
        yield LineLeg(
            leg=line.leg,
            provider=line.provider,
            price_id=line.price_id,
            milliseconds=line.quantity,
            initial_ms=initial,
            increments=(line.billed_quantity - initial) // price.increment,
            increment_ms=price.increment,
            amount_pico_usd=line.amount_pico_usd,
        )
