"""What a provider billed against what the ledger metered, name by name. Pure.

An item of a statement meets the metered sums of its own kind: by the provider's SKU id where the price book
knows it, else by model and unit where the statement says them, else by component. What was metered of these
kinds and billed under no name is listed too, with nothing billed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from slukh.cost.ledger.rated_rows import Total
from slukh.cost.ledger.statement import Item, Statement
from slukh.cost.pricing.charge import prompt_charge
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import pico_usd
from slukh.errors import PriceError, StatementError

DRIFT_LIMIT = Decimal("0.02")


class _Kind(NamedTuple):
    """What can be compared: the price entries of a SKU, or a model's unit, or all of a component."""

    provider: str
    component: str
    sku_id: str = ""
    model: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One name of a statement beside the ledger.

    Attributes:
        provider: who billed.
        component: for what.
        sku: the provider's name of it, or ours where it was not billed.
        metered_pico_usd: by the ledger.
        invoiced_pico_usd: by the statement.
    """

    provider: str
    component: str
    sku: str
    metered_pico_usd: int
    invoiced_pico_usd: int

    @property
    def difference_pico_usd(self) -> int:
        """What the ledger lacks; negative when it has too much."""
        return self.invoiced_pico_usd - self.metered_pico_usd

    @property
    def drift(self) -> Decimal | None:
        """The difference as a share of what was billed; None when only something metered is there."""
        if self.invoiced_pico_usd == 0:
            return Decimal(0) if self.metered_pico_usd == 0 else None
        return Decimal(self.difference_pico_usd) / self.invoiced_pico_usd

    @property
    def is_off(self) -> bool:
        """Whether it is off by more than `DRIFT_LIMIT`."""
        return self.drift is None or abs(self.drift) > DRIFT_LIMIT


def compare(statement: Statement, totals: Iterable[Total], book: PriceBook) -> tuple[Comparison, ...]:
    """Every name of a statement beside what was metered in its time.

    Args:
        statement: of a provider.
        totals: the ledger's, from `statement.started_at` until `statement.ended_at`.
        book: what the totals were rated with.

    Raises:
        StatementError: the book has no price for tokens that the statement lists without money.
    """
    sku_of_price = {price.id: price.sku for price in book.all_prices() if price.sku}
    known = frozenset(sku_of_price.values())
    invoiced: dict[_Kind, int] = defaultdict(int)
    names: dict[_Kind, dict[str, None]] = defaultdict(dict)
    for item in statement.items:
        kind = _kind_of_item(item, known)
        invoiced[kind] += _amount(item, book, statement.source)
        names[kind][item.sku] = None
    metered: dict[_Kind, int] = defaultdict(int)
    for total in totals:
        found = _kind_of_total(total, invoiced.keys(), sku_of_price.get(total.price_id, ""))
        if found is not None and total.amount_pico_usd:
            metered[found] += total.amount_pico_usd
            if found not in invoiced:
                names[found][f"{total.model} {total.unit}".strip()] = None
    return tuple(
        Comparison(
            provider=kind.provider,
            component=kind.component,
            sku=" + ".join(names[kind]),
            metered_pico_usd=metered.get(kind, 0),
            invoiced_pico_usd=invoiced.get(kind, 0),
        )
        for kind in sorted({*invoiced, *metered})
    )


def _kind_of_item(item: Item, known_skus: frozenset[str]) -> _Kind:
    own = _Kind(item.provider, item.component)
    if item.sku_id in known_skus:
        return own._replace(sku_id=item.sku_id)
    return own._replace(model=_undated(item.model), unit=item.unit or "") if item.model else own


def _kind_of_total(total: Total, billed: AbstractSet[_Kind], sku_id: str) -> _Kind | None:
    """The kind that metered lines belong to; None when the statement is not about them."""
    for kind in billed:
        if sku_id and kind.sku_id == sku_id:
            return kind
    own = _Kind(total.provider, total.component)
    model = own._replace(model=_undated(total.model), unit=total.unit)
    for kind in (model, own, own._replace(provider="*")):
        if kind in billed:
            return kind
    is_theirs = any(kind.provider == total.provider for kind in billed)
    return model if is_theirs else None


def _undated(model: str) -> str:
    """`claude-haiku-4-5-20251001` -> `claude-haiku-4-5`: a statement may leave the snapshot's date out."""
    return re.sub(r"-\d{8}$", "", model)


def _amount(item: Item, book: PriceBook, source: str) -> int:
    """What an item was billed for; tokens without money at the book's price of short prompts."""
    if item.amount_usd is not None:
        return pico_usd(item.amount_usd)
    assert item.unit is not None
    assert item.quantity is not None
    on = item.started_at.date()
    try:
        price = book.price(item.component, item.provider, item.model, item.unit, on=on)
        per_usd = book.rate(price.currency, on)
    except PriceError as error:
        raise StatementError(f"{source}: {error.problem}", remedy=error.remedy) from error
    # A day's tokens are many prompts, and none of them is as long as their sum.
    return pico_usd(prompt_charge(price, item.quantity, prompt_tokens=0).amount / per_usd)
