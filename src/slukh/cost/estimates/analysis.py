"""What calls cost: part by part, three ways of hearing, against a person. From a scenario or from the ledger.

Hearing has three columns, always: Google as most pipelines use it (one stream, the whole call, silence
billed), Google with speech only (one stream per utterance, rounded as the price book says), and Whisper (GPUs
counted as a staircase, idle hours and all, or a service by its tariff).
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from slukh.cost.estimates.breakdown import COLUMNS, Breakdown, Column, money
from slukh.cost.estimates.call_costs import CallCosts, fleet_of, traffic_of
from slukh.cost.estimates.roi import Operator, Roi
from slukh.cost.estimates.scenario import Scenario, WhisperFleet
from slukh.cost.estimates.sources import Source, assumptions_of, source_of
from slukh.cost.pricing.fixed import FixedItem, month_of
from slukh.cost.pricing.price_book import Price, PriceBook
from slukh.cost.pricing.target import Verdict
from slukh.errors import PriceError

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WhisperCapacity:
    """GPUs behind the Whisper column.

    Attributes:
        gpus: how many.
        streams_per_gpu: calls that one hears at once.
        busy_hour_erlangs: mean number of calls at once in the busiest hour.
        gpu_month_usd: one, for a month.
        busy_share: share of all hours of all streams in which there is a call; the rest is idle and paid.
        is_measured: whether `streams_per_gpu` was measured, and not assumed.
    """

    gpus: int
    streams_per_gpu: int
    busy_hour_erlangs: float
    gpu_month_usd: Decimal
    busy_share: float
    is_measured: bool

    @property
    def idle_usd(self) -> Decimal:
        """What of a month's rent pays for idle streams."""
        return self.gpus * self.gpu_month_usd * (1 - Decimal(str(self.busy_share)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Everything that a cost report says of one volume.

    Attributes:
        scenario: the calls, or the frame that real calls are reported in.
        basis: where the quantities come from.
        book: name of the price book.
        calls_per_month: volume.
        per_call: mean cost of a call.
        operator: the person instead.
        rois: the agent against the person, by column.
        capacity: GPUs, or None when a service runs Whisper.
        uah_per_usd: hryvnias that a dollar buys, or None when the book does not know.
        sources: prices and assumptions, with their dates.
        without_figures: requests to a model that never said what they used; in no amount.
    """

    scenario: Scenario
    basis: Literal["scenario", "ledger"] = "scenario"
    book: str
    calls_per_month: int
    per_call: Breakdown
    operator: Operator
    rois: dict[Column, Roi]
    capacity: WhisperCapacity | None
    uah_per_usd: Decimal | None
    sources: tuple[Source, ...]
    without_figures: int = 0

    @property
    def per_1000(self) -> Breakdown:
        """A thousand calls at this volume's mean."""
        return self.per_call.times(1000)

    @property
    def per_month(self) -> Breakdown:
        """All calls of a month of 30 days."""
        return self.per_call.times(self.calls_per_month)

    def with_vat(self, column: Column) -> Decimal:
        """A call's cost with value added tax on it, whether that comes back or not."""
        return self.per_call.total(column) * (1 + self.scenario.vat.rate)

    def verdict(self, column: Column) -> Verdict:
        """Where a call's cost lies to the target band."""
        return self.scenario.target.verdict(self.per_call.total(column))

    @property
    def cheapest(self) -> Column:
        """The column with the lowest total; the first of equals."""
        return min(COLUMNS, key=self.per_call.total)

    def as_json(self) -> dict[str, object]:
        """For scripts: amounts are strings, so that no reader makes binary floats of them."""
        target = self.scenario.target
        return {
            "version": VERSION,
            "currency": "USD",
            "scenario": self.scenario.name,
            "basis": self.basis,
            "prices": self.book,
            "as_of": self.scenario.as_of.isoformat(),
            "calls_per_month": self.calls_per_month,
            "per_call": self.per_call.as_json(),
            "per_1000": self.per_1000.as_json(),
            "per_month": self.per_month.as_json(),
            "vat": {
                "rate": f"{self.scenario.vat.rate:f}",
                "is_recoverable": self.scenario.vat.is_recoverable,
                "per_call": {column: money(self.with_vat(column)) for column in COLUMNS},
            },
            "shares": {
                column: {name: f"{share:.4f}" for name, share in self.per_call.shares(column).items()}
                for column in COLUMNS
            },
            "target": {
                "low": money(target.low_usd),
                "high": money(target.high_usd),
                "verdicts": {column: self.verdict(column) for column in COLUMNS},
            },
            "cheapest": self.cheapest,
            "roi": _roi_json(self.rois["google"]),
            "roi_by_column": {column: _roi_json(roi) for column, roi in self.rois.items()},
            "operator": {
                "month": money(self.operator.month_usd),
                "calls_per_month": f"{self.operator.calls_per_month:.2f}",
                "per_call": money(self.operator.call_usd),
                "naive_per_call": money(self.operator.naive_call_usd),
            },
            "whisper": None if self.capacity is None else _capacity_json(self.capacity),
            "uah_per_usd": None if self.uah_per_usd is None else f"{self.uah_per_usd:f}",
            "assumptions": [source.as_json() for source in self.sources],
        }


def _roi_json(roi: Roi) -> dict[str, str | None]:
    return {
        "containment": f"{roi.containment:f}",
        "break_even_containment": f"{roi.break_even_containment:.6f}",
        "saving_per_call": money(roi.saving_per_call),
        "saving_per_month": money(roi.saving_per_month),
        "blended_per_call": money(roi.blended_call_usd),
        "ratio": f"{roi.ratio:.6f}",
        "payback_months": None if roi.payback_months is None else f"{roi.payback_months:.2f}",
    }


def _capacity_json(capacity: WhisperCapacity) -> dict[str, object]:
    return {
        "gpus": capacity.gpus,
        "streams_per_gpu": capacity.streams_per_gpu,
        "streams_measured": capacity.is_measured,
        "busy_hour_erlangs": round(capacity.busy_hour_erlangs, 4),
        "gpu_month": money(capacity.gpu_month_usd),
        "idle_month": money(capacity.idle_usd),
        "busy_share": round(capacity.busy_share, 4),
    }


def analyse(scenario: Scenario, book: PriceBook) -> Analysis:
    """A scenario's costs at its volume.

    Args:
        scenario: the calls.
        book: the prices.

    Raises:
        PriceError: the book has no price for something that is used.
    """
    costs = CallCosts(scenario, book)
    return assembled(scenario, book, costs.breakdown(), prices=costs.prices_used())


def assembled(
    scenario: Scenario,
    book: PriceBook,
    per_call: Breakdown,
    *,
    prices: tuple[Price, ...],
    basis: Literal["scenario", "ledger"] = "scenario",
    without_figures: int = 0,
) -> Analysis:
    """The report around a breakdown.

    Args:
        scenario: volume, people, GPUs and target.
        book: the prices.
        per_call: mean cost of a call.
        prices: those that were used for it.
        basis: where the quantities come from.
        without_figures: see `Analysis`.
    """
    operator = operator_of(scenario, book)
    wage = book.monthly(scenario.staff.wage, scenario.as_of)
    calls, vat = scenario.volume.calls_per_month, scenario.vat
    return Analysis(
        scenario=scenario,
        basis=basis,
        book=book.name,
        calls_per_month=calls,
        per_call=per_call,
        operator=operator,
        rois={
            column: Roi(
                containment=scenario.staff.containment,
                agent_call_usd=per_call.total(column) * (1 if vat.is_recoverable else 1 + vat.rate),
                operator_call_usd=operator.call_usd,
                setup_usd=scenario.staff.setup_usd,
                calls_per_month=calls,
            )
            for column in COLUMNS
        },
        capacity=_capacity(scenario, book),
        uah_per_usd=_uah_per_usd(book, scenario.as_of),
        without_figures=without_figures,
        sources=(*map(source_of, (*prices, wage)), *assumptions_of(scenario)),
    )


def operator_of(scenario: Scenario, book: PriceBook) -> Operator:
    """The person who would take the calls, paid as the book says."""
    staff = scenario.staff
    wage = book.monthly(staff.wage, scenario.as_of)
    return Operator(
        gross_wage=wage.amount,
        currency=wage.currency,
        currency_per_usd=book.rate(wage.currency, scenario.as_of),
        social_contribution=staff.social_contribution,
        overhead=staff.overhead,
        paid_hours=staff.paid_hours,
        shrinkage=staff.shrinkage,
        occupancy=staff.occupancy,
        talk_seconds=staff.talk_seconds,
        wrap_up_seconds=staff.wrap_up_seconds,
    )


def _capacity(scenario: Scenario, book: PriceBook) -> WhisperCapacity | None:
    whisper = scenario.stt.whisper
    if not isinstance(whisper, WhisperFleet):
        return None
    traffic, calls = traffic_of(scenario), scenario.volume.calls_per_month
    gpus = fleet_of(whisper).gpus(calls, traffic)
    return WhisperCapacity(
        gpus=gpus,
        streams_per_gpu=whisper.streams_per_gpu,
        busy_hour_erlangs=traffic.busy_hour_erlangs(calls),
        gpu_month_usd=month_of(
            FixedItem(name=whisper.gpu, hours=whisper.hours), book, scenario.as_of
        ).amount_usd,
        busy_share=traffic.utilisation(calls, gpus * whisper.streams_per_gpu),
        is_measured=scenario.has_measured_streams,
    )


def _uah_per_usd(book: PriceBook, on: date) -> Decimal | None:
    try:
        return book.rate("UAH", on)
    except PriceError:
        return None  # amounts are shown in dollars only
