"""What a report is about: what was computed, the rate of the day, the tax, and the curves of the chart."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import ceil

from slukh.cost.cost_report import CostReport
from slukh.cost.decision import MOST_CALLS, Decision, Hearing
from slukh.cost.fixed import FixedItem, month_of
from slukh.cost.price_book import ExchangeRate, PriceBook
from slukh.cost.scenario import Scenario, WhisperFleet

_POINTS = 200  # of a curve
_BEYOND = Decimal("1.6")  # a chart ends so much after the last volume of interest


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of the staircase: so many GPUs from one volume to another, calls a month."""

    first: int
    last: int
    gpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Hearing by volume, dollars a month.

    Attributes:
        calls: volumes of the chart, calls a month.
        google: whole calls, for each of them.
        google_gated: speech only.
        steps: of the staircase, up to the last volume.
        gpu_month_usd: a step's height.
        gpu_low: the cheapest GPU of the price book, its name and a month of it in dollars.
        gpu_high: the dearest.
    """

    calls: tuple[int, ...]
    google: tuple[Decimal, ...]
    google_gated: tuple[Decimal, ...]
    steps: tuple[Step, ...]
    gpu_month_usd: Decimal
    gpu_low: tuple[str, Decimal]
    gpu_high: tuple[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a report tells.

    Attributes:
        report: the costs.
        rate: hryvnias that a dollar buys, or None when the book does not know.
        vat: as a share, on top of everything that is bought.
        curves: of the break-even chart; None when Whisper is a service.
        command: that makes it again.
    """

    report: CostReport
    rate: ExchangeRate | None
    vat: Decimal
    curves: Curves | None
    command: str

    @property
    def scenario(self) -> Scenario:
        """The calls."""
        return self.report.analysis.scenario

    @property
    def calls(self) -> int:
        """A month's."""
        return self.report.analysis.calls_per_month

    def a_day(self, calls_per_month: int) -> int:
        """Calls a day, of the days on which calls come."""
        return round(calls_per_month / self.scenario.volume.days_per_month)

    def from_a_day(self, calls_per_month: int) -> int:
        """The first whole number of calls a day that comes to so many a month."""
        return ceil(calls_per_month / self.scenario.volume.days_per_month)

    def to_a_day(self, calls_per_month: int) -> int:
        """The last one that does not come to more."""
        return calls_per_month // self.scenario.volume.days_per_month


def findings_of(report: CostReport, book: PriceBook, *, vat: Decimal, command: str) -> Findings:
    """A report's findings.

    Args:
        report: the costs.
        book: whose prices they are.
        vat: as a share, 0 to 1.
        command: that makes the report again.

    Raises:
        PriceError: the book has no price of its own GPUs on the report's day.
    """
    scenario = report.analysis.scenario
    rates = [r for r in book.all_rates() if r.currency == "UAH" and r.effective_from <= scenario.as_of]
    return Findings(
        report=report,
        rate=max(rates, key=lambda rate: rate.effective_from, default=None),
        vat=vat,
        command=command,
        curves=None if report.decision is None else _curves(report.decision, scenario, book),
    )


def _curves(decision: Decision, scenario: Scenario, book: PriceBook) -> Curves:
    hearing = Hearing(scenario, book)
    most = _last_volume(decision)
    calls = tuple(sorted({max(1, most * number // _POINTS) for number in range(1, _POINTS + 1)}))
    gpus = sorted(_gpus(scenario, book, scenario.as_of), key=lambda gpu: gpu[1])
    return Curves(
        calls=calls,
        google=tuple(hearing.google(volume) for volume in calls),
        google_gated=tuple(hearing.google(volume, gated=True) for volume in calls),
        steps=tuple(
            Step(first=first, last=last, gpus=number)
            for first, last, number in hearing.fleet.steps(most, hearing.traffic)
        ),
        gpu_month_usd=hearing.gpu_month,
        gpu_low=gpus[0],
        gpu_high=gpus[-1],
    )


def _last_volume(decision: Decision) -> int:
    """Far enough to see every crossing that there is, and the volumes that were asked about."""
    volumes = [point.calls_per_month for point in decision.points]
    volumes += [interval.from_calls for found in decision.intervals.values() for interval in found]
    return min(MOST_CALLS, round(max(volumes) * _BEYOND))


def _gpus(scenario: Scenario, book: PriceBook, on: date) -> Iterator[tuple[str, Decimal]]:
    """Machines of the book that were rentable on that day, rented for as long as the scenario's own."""
    own = scenario.stt.whisper
    assert isinstance(own, WhisperFleet)
    names = {
        name
        for price in book.all_prices()
        if price.component == "fixed" and price.effective_from <= on <= (price.effective_to or date.max)
        for name in price.models
        if name.startswith("gpu-")
    }
    for name in sorted({own.gpu, *names}):
        yield name, month_of(FixedItem(name=name, hours=own.hours), book, on).amount_usd
