"""What a call paid for prompts that a working cache would have read: its requests, priced a second time.

A working cache has a moving breakpoint: every request reads all that the one before it had sent, as soon as
that is as long as the model's minimum. The first request finds what it did find, because what other calls had
left there is not known. The difference of the two bills is the waste; a cache that is written and hardly read
costs more than none, and is no waste of this kind.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from slukh.cost.ledger.waste import Waste
from slukh.cost.pricing.llm_tokens import Request, buckets, tells_tokens
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import pico_usd, rate
from slukh.errors import PriceError
from slukh.types import TOKEN_UNITS, UNITS_PER_REQUEST, Unit, Usage

_Units = dict[Unit, Usage]


def prompt_waste(usage: Iterable[Usage], book: PriceBook) -> Waste | None:
    """The waste of a call's prompts; None where no model was asked more than once.

    Args:
        usage: rows of one call; only those of models are looked at.
        book: the prices, and the shortest prefix that a model caches.
    """
    legs: defaultdict[int, dict[int, _Units]] = defaultdict(dict)
    for row in usage:
        if tells_tokens(row):
            request = row.sequence // UNITS_PER_REQUEST
            legs[row.leg].setdefault(request, {})[row.unit] = row
    talks = [[units for _, units in sorted(requests.items())] for requests in legs.values()]
    talks = [requests for requests in talks if len(requests) > 1]
    if not talks:
        return None
    whole = sum(_prompt_tokens(units) for requests in talks for units in requests)
    minima = [_minimum(requests, book) for requests in talks]
    as_if = [_as_if(requests, minimum or 0) for requests, minimum in zip(talks, minima, strict=True)]
    missed = sum(max(0, _read(would) - _read(requests)) for requests, would in zip(talks, as_if, strict=True))
    found = Waste(
        kind="prefix", what="llm", unit="input_tokens", quantity=missed, of_quantity=whole, amount_pico_usd=0
    )
    if not missed:
        known = max(minimum or 0 for minimum in minima)
        short = all(_prompt_tokens(units) < known for requests in talks for units in requests)
        return replace(found, note=_TOO_SHORT.format(known)) if short else found
    if None in minima:
        return replace(found, quantity=None, amount_pico_usd=None, note=_NO_MINIMUM)
    try:
        saved = sum(
            (
                max(Decimal(0), _usd(requests, book) - _usd(would, book))
                for requests, would in zip(talks, as_if, strict=True)
            ),
            Decimal(0),
        )
    except PriceError as error:
        return replace(found, amount_pico_usd=None, note=error.problem)
    return replace(found, amount_pico_usd=pico_usd(saved))


_TOO_SHORT = "no prompt was as long as the {:,} tokens that the model caches: nothing could be read"
_NO_MINIMUM = "the shortest prefix that the model caches is not in the price book"


def _as_if(requests: Sequence[_Units], minimum: int) -> list[_Units]:
    """The requests of one dialogue with their prompt tokens in the buckets of a working cache."""
    first = _quantity(requests[0], "cache_read_tokens")
    billed = buckets(
        tuple(
            Request(prompt_tokens=_prompt_tokens(units), output_tokens=_quantity(units, "output_tokens"))
            for units in requests
        ),
        caching="moving",
        prefix_tokens=first,
        warm=bool(first),
        one_hour=any("cache_write_1h_tokens" in units for units in requests),
        minimum_prefix_tokens=minimum,
    )
    return [
        {
            unit: replace(
                next(iter(units.values())),
                sequence=number * UNITS_PER_REQUEST + TOKEN_UNITS.index(unit),
                unit=unit,
                quantity=getattr(tokens, unit),
                reported_quantity=None,
            )
            for unit in TOKEN_UNITS
            if getattr(tokens, unit)
        }
        for number, (units, tokens) in enumerate(zip(requests, billed, strict=True))
    ]


def _usd(requests: Sequence[_Units], book: PriceBook) -> Decimal:
    """Raises PriceError."""
    rows = [row for units in requests for row in units.values()]
    return sum((line.amount_usd for line in rate(rows, book)), Decimal(0))


def _minimum(requests: Sequence[_Units], book: PriceBook) -> int | None:
    row = next(iter(requests[0].values()))
    return book.minimum_prefix_tokens(row.provider, row.model, row.occurred_at.date())


def _read(requests: Iterable[Mapping[Unit, Usage]]) -> int:
    return sum(_quantity(units, "cache_read_tokens") for units in requests)


def _prompt_tokens(units: Mapping[Unit, Usage]) -> int:
    return sum(row.quantity for unit, row in units.items() if unit != "output_tokens")


def _quantity(units: Mapping[Unit, Usage], unit: Unit) -> int:
    return units[unit].quantity if unit in units else 0
