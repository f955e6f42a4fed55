"""Rent GPUs or pay by the minute: from which volumes on, how many GPUs, and what gating alone does.

Rent is a staircase: on one step it stands still while Google's bill grows, so every step has at most one
crossing, and Whisper may win, lose at the next step and win again. Answers are intervals, never one point.
A hybrid rents fewer GPUs than the busy hour needs; calls that find them full are heard by Google.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Literal

from slukh.cost.estimates.breakdown import COLUMN_TITLES, Column
from slukh.cost.estimates.call_costs import CallCosts, fleet_of, traffic_of
from slukh.cost.estimates.scenario import Scenario, WhisperFleet
from slukh.cost.pricing.price_book import PriceBook

MOST_CALLS = 200_000  # a month; larger volumes are not looked at
_ALL = range(1, MOST_CALLS + 1)

Way = Literal["google", "google_gated", "whisper", "hybrid", "hybrid_gated"]
WAY_TITLES: dict[Way, str] = {
    "google": COLUMN_TITLES["google"],
    "google_gated": COLUMN_TITLES["google_gated"],
    "whisper": COLUMN_TITLES["whisper"],
    "hybrid": "GPUs, overflow to Google's whole calls",
    "hybrid_gated": "GPUs, overflow to Google's speech only",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Volumes at which Whisper alone costs less.

    Attributes:
        from_calls: first volume, calls a month.
        to_calls: last one, or None when it wins as far as was looked.
        saving_usd: a month's at the last volume, or at the last that was looked at.
    """

    from_calls: int
    to_calls: int | None
    saving_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Hybrid:
    """The number of GPUs that costs least when Google takes the overflow.

    Attributes:
        gpus: rented; 0 is Google alone.
        overflow_share: share of the calls that Google hears.
        month_usd: rent and overflow.
    """

    gpus: int
    overflow_share: float
    month_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSaving:
    """From which volume on a way of hearing saves enough against Google listening to whole calls.

    Attributes:
        way: speech only, GPUs alone, or GPUs with Google for whole calls that overflow.
        calls_per_month: first volume that saves the target, or None when none does as far as was looked.
        gpus: rented there.
        overflow_share: of the calls there, heard by Google.
    """

    way: Way
    calls_per_month: int | None
    gpus: int
    overflow_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumePoint:
    """A month of hearing at one volume, every way, in dollars.

    Attributes:
        calls_per_month: volume.
        google: whole calls.
        google_gated: speech only.
        whisper: GPUs alone.
        gpus: how many that takes.
        whisper_spare: with one GPU more, so that one may fail.
        hybrid: GPUs, overflow heard by Google as whole calls.
        hybrid_gated: GPUs, overflow heard by Google as speech only.
        rest_per_call: all that is not hearing, per call.
    """

    calls_per_month: int
    google: Decimal
    google_gated: Decimal
    whisper: Decimal
    gpus: int
    whisper_spare: Decimal
    hybrid: Hybrid
    hybrid_gated: Hybrid
    rest_per_call: Decimal

    @property
    def ways(self) -> dict[Way, Decimal]:
        """Every way's month."""
        return {
            "google": self.google,
            "google_gated": self.google_gated,
            "whisper": self.whisper,
            "hybrid": self.hybrid.month_usd,
            "hybrid_gated": self.hybrid_gated.month_usd,
        }

    @property
    def cheapest(self) -> Way:
        """The way that costs least; the first, and simplest, of equals."""
        return min(self.ways, key=lambda way: self.ways[way])

    def per_call(self, way: Way) -> Decimal:
        """Total of a call."""
        return self.ways[way] / self.calls_per_month + self.rest_per_call


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Google or Whisper.

    Attributes:
        scenario: the calls.
        gpu_month_usd: one GPU, for a month.
        points: the scenario's volume first, then those it compares.
        break_even_calls: volume at which one GPU's rent is Google's bill, by column; None: never.
        intervals: volumes at which Whisper alone wins, against a column.
        targets: where `saving_target_usd` is reached.
    """

    scenario: Scenario
    gpu_month_usd: Decimal
    points: tuple[VolumePoint, ...]
    break_even_calls: dict[Column, Decimal | None]
    intervals: dict[Column, tuple[Interval, ...]]
    targets: tuple[TargetSaving, ...]


class Hearing:
    """A month of hearing by volume, for a scenario whose Whisper runs on rented GPUs."""

    def __init__(self, scenario: Scenario, book: PriceBook) -> None:
        assert isinstance(scenario.stt.whisper, WhisperFleet)
        self._scenario = scenario
        self._costs = CallCosts(scenario, book)
        self.fleet = fleet_of(scenario.stt.whisper)
        self.traffic = traffic_of(scenario)
        self.gpu_month = self._costs.gpu_month()

    def google(self, calls: float, *, gated: bool = False) -> Decimal:
        """Google's bill; `calls` may be a share of calls."""
        return self._costs.stt_month(self._scenario.stt.google, gated=gated, calls=calls)

    def rent(self, gpus: int) -> Decimal:
        """So many GPUs, and the work on them."""
        return self._costs.gpus_month(gpus)

    def hybrid(self, calls: int, gpus: int, *, gated: bool = False) -> Hybrid:
        """So many GPUs, and Google for calls that find them full."""
        overflow = self.traffic.overflow_share(calls, gpus * self.fleet.streams_per_gpu)
        month = self.rent(gpus) + self.google(calls * overflow, gated=gated)
        return Hybrid(gpus=gpus, overflow_share=overflow, month_usd=month)

    def best_hybrid(self, calls: int, *, gated: bool = False) -> Hybrid:
        """The number of GPUs that costs least; the smaller of equals."""
        most = self.fleet.gpus(calls, self.traffic)
        return min(
            (self.hybrid(calls, gpus, gated=gated) for gpus in range(most + 1)),
            key=lambda hybrid: hybrid.month_usd,
        )

    def whisper_wins(self, *, gated: bool, most_calls: int = MOST_CALLS) -> Iterator[Interval]:
        """Volumes at which GPUs alone cost less than Google; neighbouring steps are one interval."""
        google = partial(self.google, gated=gated)
        open_one: Interval | None = None
        for first, last, gpus in self.fleet.steps(most_calls, self.traffic):
            rent = self.rent(gpus)
            start = _first(range(first, last + 1), google, rent)
            # As much is not less: the crossing itself is nobody's win.
            if start is not None and google(start) == rent:
                start = start + 1 if start < last else None
            if start is None:
                continue
            step = Interval(
                from_calls=start,
                to_calls=None if last == most_calls else last,
                saving_usd=google(last) - rent,
            )
            if open_one is not None and open_one.to_calls == start - 1:
                step = replace(step, from_calls=open_one.from_calls)
            elif open_one is not None:
                yield open_one
            open_one = step
        if open_one is not None:
            yield open_one

    def break_even(self, *, gated: bool, gpus: int = 1) -> Decimal | None:
        """Calls a month, not rounded, whose bill is the rent of so many GPUs; None when none is in reach."""
        google = partial(self.google, gated=gated)
        rent = self.rent(gpus)
        calls = _first(_ALL, google, rent)
        if calls is None:
            return None
        before, after = google(calls - 1), google(calls)
        return calls - (after - rent) / (after - before)

    def target_savings(self, target_usd: Decimal) -> Iterator[TargetSaving]:
        """Where each way saves so much a month against Google that listens to whole calls."""
        calls = _first(_ALL, lambda calls: self.google(calls) - self.google(calls, gated=True), target_usd)
        yield TargetSaving(way="google_gated", calls_per_month=calls, gpus=0, overflow_share=1.0)
        steps = list(self.fleet.steps(MOST_CALLS, self.traffic))
        yield self._whisper_target(steps, target_usd)
        # What a fixed number of GPUs carries only grows with the volume, so one search per number finds it.
        mixes = [
            (found, gpus)
            for gpus in range(1, steps[-1][2] + 1)
            if (found := _first(_ALL, partial(self._mix_saves, gpus=gpus), target_usd))
        ]
        calls, gpus = min(mixes, default=(None, 0))
        overflow = 1.0 if calls is None else self.hybrid(calls, gpus).overflow_share
        yield TargetSaving(way="hybrid", calls_per_month=calls, gpus=gpus, overflow_share=overflow)

    def _whisper_target(self, steps: list[tuple[int, int, int]], target_usd: Decimal) -> TargetSaving:
        for first, last, gpus in steps:
            calls = _first(range(first, last + 1), self.google, self.rent(gpus) + target_usd)
            if calls is not None:
                return TargetSaving(way="whisper", calls_per_month=calls, gpus=gpus, overflow_share=0.0)
        return TargetSaving(way="whisper", calls_per_month=None, gpus=0, overflow_share=0.0)

    def _mix_saves(self, calls: int, *, gpus: int) -> Decimal:
        return self.google(calls) - self.hybrid(calls, gpus).month_usd

    def point(self, calls: int) -> VolumePoint:
        """Every way at one volume."""
        gpus = self.fleet.gpus(calls, self.traffic)
        costs = self._costs
        return VolumePoint(
            calls_per_month=calls,
            google=self.google(calls),
            google_gated=self.google(calls, gated=True),
            whisper=self.rent(gpus),
            gpus=gpus,
            whisper_spare=self.rent(gpus + 1),
            hybrid=self.best_hybrid(calls),
            hybrid_gated=self.best_hybrid(calls, gated=True),
            rest_per_call=costs.tts() + costs.llm(calls) + costs.line() + costs.fixed_month() / calls,
        )


def decide(scenario: Scenario, book: PriceBook) -> Decision | None:
    """Google or Whisper, for a scenario; None when its Whisper is a service, which has no staircase.

    Raises:
        PriceError: the book has no price for something that is used.
    """
    if not isinstance(scenario.stt.whisper, WhisperFleet):
        return None
    hearing = Hearing(scenario, book)
    volume = scenario.volume
    return Decision(
        scenario=scenario,
        gpu_month_usd=hearing.gpu_month,
        points=tuple(map(hearing.point, (volume.calls_per_month, *volume.compare_calls_per_month))),
        break_even_calls={
            "google": hearing.break_even(gated=False),
            "google_gated": hearing.break_even(gated=True),
        },
        intervals={
            "google": tuple(hearing.whisper_wins(gated=False)),
            "google_gated": tuple(hearing.whisper_wins(gated=True)),
        },
        targets=tuple(hearing.target_savings(scenario.saving_target_usd)),
    )


def _first(volumes: range, growing: Callable[[int], Decimal], least: Decimal) -> int | None:
    """The first volume at which something that only grows reaches an amount, or None."""
    index = bisect_left(volumes, least, key=growing)
    return volumes[index] if index < len(volumes) else None
