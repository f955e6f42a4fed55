"""What a gateway's calls use and cost, put together: meter, spool, ledger, prices and budget."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from slukh.cost.drain import MeterSink
from slukh.cost.ledger.adjustments import Adjustments
from slukh.cost.ledger.rated_lines import RatedLines
from slukh.cost.ledger.store import Ledger
from slukh.cost.live import Budget, LiveCosts
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.spool import Spool
from slukh.cost.spool_folder import SpoolTakenError
from slukh.cost.spools import leave_address
from slukh.errors import LedgerError
from slukh.monitoring.metrics import Metrics
from slukh.settings.config import Settings
from slukh.settings.costs import CostSettings
from slukh.types import CallCost, CallEvent

logger = logging.getLogger(__name__)

_MAX_GATEWAYS = 16  # on one machine, with one data folder
_STATEMENTS_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Metering:
    """The meter of a gateway that runs.

    Attributes:
        meter: books usage; drains it into the ledger.
        directory: of its spool.
        costs: says what it costs.
        ledger: where it ends.
        book_name: of the prices.
        metrics: of the gateway.
    """

    meter: MeterSink
    directory: Path
    costs: LiveCosts
    ledger: Ledger
    book_name: str
    metrics: Metrics

    @property
    def last_error(self) -> str | None:
        """Why usage cannot reach the disk or the ledger now; None when it can."""
        return self.meter.last_error

    def costs_of(self, event: CallEvent) -> tuple[CallCost, ...]:
        """Book what an event used; what it costs. Never raises."""
        costs = self.meter.costs_of(event)
        for cost in costs:
            if cost.over_budget is not None:
                fields = {"scope": cost.over_budget, "call_id": event.call_id, "call_usd": str(cost.call_usd)}
                logger.error("over_budget", extra=fields)
        if costs and (used := self.costs.day_used(event.received_at)) is not None:
            self.metrics.budget_used(used)
        return costs

    def is_day_spent(self) -> bool:
        """Whether the day's budget is."""
        return self.costs.is_day_spent(datetime.now(UTC))

    async def follow_statements(self) -> None:
        """Show the drift of statements, which another process reconciles, until cancelled."""
        adjustments = Adjustments(self.ledger, self.book_name)
        while True:
            with contextlib.suppress(LedgerError):  # the drain says when the ledger is away
                for (component, provider), drift in (await asyncio.to_thread(adjustments.drifts)).items():
                    self.metrics.drift(component, provider, drift)
            used = self.costs.day_used(datetime.now(UTC))
            self.metrics.budget_used(math.nan if used is None else used)
            await asyncio.sleep(_STATEMENTS_SECONDS)


@contextlib.contextmanager
def metering(
    settings: Settings, given: CostSettings, metrics: Metrics, *, payees: Mapping[str, str] | None = None
) -> Iterator[Metering]:
    """The meter, draining until the block ends.

    Args:
        settings: where usage is kept.
        given: prices and budgets.
        metrics: told of everything.
        payees: who is paid for a recogniser that is not paid by its own name.

    Raises:
        PriceError: the price book cannot be used.
        LedgerError: the ledger or the spool cannot be.
    """
    book = PriceBook.load(given.slukh_prices)
    costs = LiveCosts(book, Budget(call_usd=given.slukh_budget_call_usd, day_usd=given.slukh_budget_day_usd))
    with contextlib.ExitStack() as stack:
        ledger = stack.enter_context(Ledger(settings.ledger_url, may_be_away=True))
        if given.slukh_budget_day_usd is not None:
            _spent_before(costs, ledger, book)
        spool = stack.enter_context(_own_spool(settings.slukh_data_dir, metrics))
        meter = MeterSink(
            spool,
            ledger,
            costs=costs,
            payees=payees or {},
            on_error=metrics.usage_error,
            on_rows=metrics.spooled,
        )
        meter.start()
        stack.callback(meter.stop)
        leave_address(spool.directory, None)
        yield Metering(
            meter=meter,
            directory=spool.directory,
            costs=costs,
            ledger=ledger,
            book_name=book.name,
            metrics=metrics,
        )


def _spent_before(costs: LiveCosts, ledger: Ledger, book: PriceBook) -> None:
    """Count what the day has cost before this start."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = RatedLines(ledger, book)
    try:
        lines.rate_new(since=midnight)
        spent = sum(total.amount_pico_usd for total in lines.totals(since=midnight))
    except LedgerError as error:
        logger.warning("budget_counts_from_now", extra={"error": str(error)})
        return
    costs.spent_before(midnight.date(), spent)


def _own_spool(data_dir: Path, metrics: Metrics) -> Spool:
    """The first spool that no other gateway on this machine owns."""
    for number in range(1, _MAX_GATEWAYS):
        with contextlib.suppress(SpoolTakenError):
            return Spool(data_dir / f"spool-{number}", on_error=metrics.usage_error)
    return Spool(data_dir / f"spool-{_MAX_GATEWAYS}", on_error=metrics.usage_error)
