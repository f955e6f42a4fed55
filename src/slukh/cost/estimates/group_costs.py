"""What calls cost by a group that each belongs to, such as the arm of a rollout: whole calls, from usage."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from slukh.cost.estimates.real_calls import RealCall
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.tolerant import TolerantRater


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCost:
    """The calls of one group.

    Attributes:
        usd_by_call: what each that was found used, as far as it has a price.
        unpriced: the book's sentence about something without one; empty where everything has.
        rented_by_month: providers that were heard for nothing, because their machine is paid by the month.
    """

    usd_by_call: Mapping[str, Decimal]
    unpriced: str
    rented_by_month: frozenset[str]

    @property
    def calls(self) -> int:
        """How many were found."""
        return len(self.usd_by_call)

    @property
    def usd_per_call(self) -> Decimal:
        """The mean."""
        return sum(self.usd_by_call.values(), Decimal(0)) / self.calls


def costs_by_group(
    calls: Iterable[RealCall], groups: Mapping[str, str], book: PriceBook
) -> dict[str, GroupCost]:
    """What each group's calls used: line, voice and answers too, for a call that goes badly is longer.

    Shadows are left out: an experiment pays for them, not the arm.

    Args:
        calls: each once.
        groups: call_id -> its group; other calls are left out.
        book: the prices.
    """
    usd: dict[str, dict[str, Decimal]] = {}
    unpriced: dict[str, str] = {}
    rented: dict[str, set[str]] = {}
    free = {price.id for price in book.all_prices() if not price.amount and not price.graduated}
    rater = TolerantRater(book)
    for call in calls:
        call_id = call.legs[0].call_id if call.legs else ""
        group = groups.get(call_id)
        if group is None:
            continue
        rated = rater.rate([row for row in call.usage if row.purpose != "shadow"])
        amount = sum((line.amount_usd for line in rated.lines), Decimal(0))
        usd.setdefault(group, {})[call_id] = amount
        rented.setdefault(group, set()).update(
            line.provider for line in rated.lines if line.component == "stt" and line.price_id in free
        )
        for row in rated.unpriced:
            if (what := rater.named(row)) is not None:
                unpriced.setdefault(group, what.problem)
    return {
        group: GroupCost(
            usd_by_call=amounts,
            unpriced=unpriced.get(group, ""),
            rented_by_month=frozenset(rented[group]),
        )
        for group, amounts in usd.items()
    }
