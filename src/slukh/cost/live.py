"""What calls cost while they run: their usage in, `CallCost` events out. No I/O, no clock, bounded memory.

Usage that the book has no price for is named in the log once, its amount is unknown, and the call goes on.
The month's tiers are climbed from the start of this process, so in a month that reaches Google's second tier,
at half a million minutes, the ledger's lines may be cheaper than what is said here.
"""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import PICO
from slukh.cost.pricing.tolerant import TolerantRater, Unpriced
from slukh.types import UNANSWERED, CallCost, Usage

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much may be spent, in US dollars; None is no limit.

    Attributes:
        call_usd: by one call.
        day_usd: by all calls of a day, UTC.
    """

    call_usd: Decimal | None = None
    day_usd: Decimal | None = None


@dataclass(slots=True)
class _Spent:
    """What one call has cost, in pico-USD."""

    pico_usd: int = 0
    leg_pico_usd: dict[int, int] = field(default_factory=dict)
    unsettled: set[int] = field(default_factory=set)  # legs of which more comes
    is_known: bool = True  # everything had a price, and figures
    is_over: bool = False

    @property
    def is_whole(self) -> bool:
        return self.is_known and not self.unsettled


class LiveCosts:
    """The costs of the calls of one process.

    Args:
        book: the prices.
        budget: how much may be spent.
        max_calls: calls that are remembered; a call that ended may come back.
    """

    def __init__(self, book: PriceBook, budget: Budget | None = None, *, max_calls: int = 10_000) -> None:
        self._rater = TolerantRater(book)
        self._budget = budget or Budget()
        self._max_calls = max_calls
        self._calls: OrderedDict[str, _Spent] = OrderedDict()
        self._named: set[Unpriced] = set()
        self._day = date.min
        self._day_pico_usd = 0
        self._is_day_over = False

    def spent_before(self, on: date, pico_usd: int) -> None:
        """What a day has cost already, of calls that this process does not know."""
        self._begin(on)
        self._day_pico_usd += pico_usd
        self._is_day_over = self._exceeds(self._day_pico_usd, self._budget.day_usd)

    def day_used(self, now: datetime) -> float | None:
        """The share of the day's budget that is spent; None without one."""
        if self._budget.day_usd is None:
            return None
        self._begin(now.astimezone(UTC).date())
        return self._day_pico_usd / float(self._budget.day_usd * PICO)

    def is_day_spent(self, now: datetime) -> bool:
        """Whether the day's budget is."""
        self._begin(now.astimezone(UTC).date())
        return self._is_day_over

    def add(self, rows: Sequence[Usage], *, is_final: bool = False) -> tuple[CallCost, ...]:
        """The costs of what an event used, one for each row.

        Args:
            rows: of one call; those of one request together.
            is_final: the last row is the last of its leg.
        """
        for row in rows:
            self._spent(row.call_id).unsettled.add(row.leg)
        rated = self._rater.rate(rows)
        for row in rated.unpriced:
            self._name_unpriced(row)
        amounts = {(line.component, line.sequence): line.amount_pico_usd for line in rated.lines}
        return tuple(
            self._cost(
                row,
                amounts.get((row.component, row.sequence)),
                is_final=is_final and number == len(rows),
            )
            for number, row in enumerate(rows, start=1)
        )

    def settled(self, call_id: str, leg: int) -> tuple[CallCost, ...]:
        """The cost of a leg of which nothing more comes; none when it is not remembered, or was told."""
        spent = self._calls.get(call_id)
        if spent is None or leg not in spent.unsettled:
            return ()
        spent.unsettled.discard(leg)
        return (
            CallCost(
                component="line", provider="line", unit="call_ms", quantity=0, added_usd=Decimal(0),
                call_usd=_usd(spent.pico_usd), leg_usd=_usd(spent.leg_pico_usd.get(leg, 0)),
                is_whole=spent.is_whole, is_final=True,
            ),
        )  # fmt: skip

    def _cost(self, row: Usage, amount: int | None, *, is_final: bool) -> CallCost:
        spent = self._spent(row.call_id)
        spent.pico_usd += amount or 0
        leg_pico_usd = spent.leg_pico_usd[row.leg] = spent.leg_pico_usd.get(row.leg, 0) + (amount or 0)
        spent.is_known = spent.is_known and amount is not None and row.outcome != UNANSWERED
        if is_final:
            spent.unsettled.discard(row.leg)
        self._begin(row.occurred_at.astimezone(UTC).date())
        self._day_pico_usd += amount or 0
        return CallCost(
            component=row.component,
            provider=row.provider,
            unit=row.unit,
            quantity=row.quantity,
            added_usd=None if amount is None else _usd(amount),
            call_usd=_usd(spent.pico_usd),
            leg_usd=_usd(leg_pico_usd),
            is_whole=spent.is_whole,
            is_final=is_final,
            over_budget=self._over_budget(spent),
        )

    def _over_budget(self, spent: _Spent) -> Literal["call", "day"] | None:
        """The budget that was just spent: each is told once, the call's first."""
        if not spent.is_over and self._exceeds(spent.pico_usd, self._budget.call_usd):
            spent.is_over = True
            return "call"
        if not self._is_day_over and self._exceeds(self._day_pico_usd, self._budget.day_usd):
            self._is_day_over = True
            return "day"
        return None

    def _spent(self, call_id: str) -> _Spent:
        spent = self._calls.setdefault(call_id, _Spent())
        if len(self._calls) > self._max_calls:
            self._calls.popitem(last=False)
        return spent

    def _begin(self, on: date) -> None:
        """Another day begins at nothing; usage that is told late belongs to the one that runs."""
        if on > self._day:
            self._day, self._day_pico_usd, self._is_day_over = on, 0, False

    def _name_unpriced(self, row: Usage) -> None:
        unpriced = self._rater.named(row)
        if unpriced is not None and unpriced not in self._named:
            self._named.add(unpriced)
            logger.error("usage_without_price", extra={"problem": unpriced.problem})

    @staticmethod
    def _exceeds(pico_usd: int, limit_usd: Decimal | None) -> bool:
        return limit_usd is not None and pico_usd > limit_usd * PICO


def _usd(pico: int) -> Decimal:
    return Decimal(pico).scaleb(-12)
