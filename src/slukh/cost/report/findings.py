"""What a report is about: what was computed, the rate of the day, and the rents that GPUs go for."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import ceil

from slukh.cost.estimates.cost_report import CostReport
from slukh.cost.estimates.scenario import Scenario, WhisperFleet
from slukh.cost.pricing.fixed import FixedItem, month_of
from slukh.cost.pricing.price_book import ExchangeRate, PriceBook
from slukh.errors import PriceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A GPU of the price book, and what a month of it costs."""

    name: str
    month_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a report tells.

    Attributes:
        report: the costs.
        rate: hryvnias that a dollar buys, or None when the book does not know.
        machines: GPUs that could be rented on that day, the cheapest first; none when Whisper is a service.
        command: that makes the report again.
    """

    report: CostReport
    rate: ExchangeRate | None
    machines: tuple[Machine, ...]
    command: str

    @property
    def scenario(self) -> Scenario:
        """The calls."""
        return self.report.analysis.scenario

    @property
    def calls(self) -> int:
        """A month's."""
        return self.report.analysis.calls_per_month

    @property
    def vat(self) -> Decimal:
        """Tax on what is bought, as a share."""
        return self.scenario.vat.rate

    def a_day(self, calls_per_month: int) -> int:
        """Calls a day, of the days on which calls come."""
        return round(calls_per_month / self.scenario.volume.days_per_month)

    def from_a_day(self, calls_per_month: int) -> int:
        """The first whole number of calls a day that comes to so many a month."""
        return ceil(calls_per_month / self.scenario.volume.days_per_month)

    def to_a_day(self, calls_per_month: int) -> int:
        """The last one that does not come to more."""
        return calls_per_month // self.scenario.volume.days_per_month


def findings_of(report: CostReport, book: PriceBook, *, command: str) -> Findings:
    """A report's findings.

    Args:
        report: the costs.
        book: whose prices they are.
        command: that makes the report again.
    """
    day = report.analysis.scenario.as_of
    rates = [rate for rate in book.all_rates() if rate.currency == "UAH" and rate.effective_from <= day]
    return Findings(
        report=report,
        rate=max(rates, key=lambda rate: rate.effective_from, default=None),
        machines=_machines(report.analysis.scenario, book),
        command=command,
    )


def _machines(scenario: Scenario, book: PriceBook) -> tuple[Machine, ...]:
    """Rented for as long as the scenario's own."""
    own, on = scenario.stt.whisper, scenario.as_of
    if not isinstance(own, WhisperFleet):
        return ()
    names = {
        name
        for price in book.all_prices()
        if price.component == "fixed" and price.effective_from <= on <= (price.effective_to or date.max)
        for name in price.models
        if name.startswith("gpu-")
    }
    found = (_machine(name, own, book, on) for name in {own.gpu, *names})
    return tuple(sorted(filter(None, found), key=lambda machine: (machine.month_usd, machine.name)))


def _machine(name: str, own: WhisperFleet, book: PriceBook, on: date) -> Machine | None:
    """None for one that has no price in dollars on that day."""
    try:
        return Machine(
            name=name, month_usd=month_of(FixedItem(name=name, hours=own.hours), book, on).amount_usd
        )
    except PriceError:
        return None
