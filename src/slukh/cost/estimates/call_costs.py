"""What a scenario's calls cost: its usage rows through the rating engine that rates real ones.

Calls differ in length; each distinct piece of one (so many seconds, so many turns) is rated once.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import cast

from slukh.cost.estimates.breakdown import COLUMNS, Breakdown, Column
from slukh.cost.estimates.capacity import Fleet, Traffic
from slukh.cost.estimates.scenario import Scenario, Service, WhisperFleet
from slukh.cost.estimates.scenario_usage import (
    CallShape,
    call_shapes,
    gated_usage,
    line_usage,
    llm_usage,
    tts_usage,
    whole_call_usage,
)
from slukh.cost.pricing.fixed import FixedItem, month_of
from slukh.cost.pricing.price_book import Price, PriceBook, PriceComponent
from slukh.cost.pricing.rating import RatedLine, RatingOptions, rate
from slukh.types import Usage

LIFETIME_HOURS = {"5m": 5 / 60, "1h": 1.0}


def traffic_of(scenario: Scenario) -> Traffic:
    """When the scenario's calls come."""
    return Traffic(
        call_seconds=float(scenario.call.seconds),
        working_days=scenario.volume.days_per_month,
        busy_hour_share=float(scenario.volume.busy_hour_share),
        hourly_profile=tuple(map(float, scenario.volume.hourly_profile)),
    )


def fleet_of(whisper: WhisperFleet) -> Fleet:
    """How its GPUs are counted."""
    return Fleet(
        streams_per_gpu=whisper.streams_per_gpu, blocking=whisper.blocking, spare_gpus=whisper.spare_gpus
    )


def warm_share(traffic: Traffic, calls_per_month: int, lifetime_hours: float) -> float:
    """Share of the calls before which another one has left its prompt in the cache, and it is still there.

    Calls come independently of each other: in an hour of n calls the last one was less than t ago with
    probability 1 - exp(-n t).
    """
    shares = traffic.hourly_profile or (traffic.busy_hour_share,)
    a_day = calls_per_month / traffic.working_days
    weighted = sum(share * (1 - math.exp(-a_day * share * lifetime_hours)) for share in shares)
    return weighted / sum(shares)


class CallCosts:
    """Mean costs of a scenario's calls in dollars.

    Args:
        scenario: the calls.
        book: the prices.
        shapes: other calls than the scenario's own.

    Raises:
        PriceError: from every method, when the book has no price for what is used.
    """

    def __init__(
        self, scenario: Scenario, book: PriceBook, *, shapes: Iterable[CallShape] | None = None
    ) -> None:
        self.scenario = scenario
        self.book = book
        self._shapes = tuple(call_shapes(scenario.call) if shapes is None else shapes)
        self._options = RatingOptions(channels=scenario.call.channels)
        self._rated: dict[tuple[object, ...], tuple[Decimal, int]] = {}
        self._prices: dict[str, Price] = {}

    @property
    def _on(self) -> date:
        return self.scenario.as_of

    def line(self) -> Decimal:
        """The telephone line, per call."""
        return self._mean("line", lambda shape: line_usage(self.scenario, shape), by="milliseconds")[0]

    def tts(self) -> Decimal:
        """The voice, per call."""
        return self._mean("tts", lambda shape: tts_usage(self.scenario, shape), by="turns")[0]

    def llm(self, calls_per_month: int) -> Decimal:
        """The answering model, per call, at a volume: it decides how often the cache is warm."""
        warm = self._warm_share(calls_per_month)
        return (1 - warm) * self._llm(warm=False) + (warm * self._llm(warm=True) if warm else 0)

    def _llm(self, *, warm: bool) -> Decimal:
        return self._mean(f"llm {warm}", partial(self._llm_rows, warm=warm), by="turns")[0]

    def _llm_rows(self, shape: CallShape, *, warm: bool) -> tuple[Usage, ...]:
        model = self.scenario.llm
        minimum = self.book.minimum_prefix_tokens(model.provider, model.model, self._on) or 0
        return llm_usage(self.scenario, shape, warm=warm, minimum_prefix_tokens=minimum)

    def _warm_share(self, calls_per_month: int) -> Decimal:
        model = self.scenario.llm
        if model.caching == "none" or model.cache_start == "cold":
            return Decimal(0)
        share = warm_share(traffic_of(self.scenario), calls_per_month, LIFETIME_HOURS[model.cache_lifetime])
        return Decimal(str(share))

    def stt_month(self, service: Service, *, gated: bool, calls: float) -> Decimal:
        """A month of hearing by a hosted recogniser; `calls` may be a share of calls, such as an overflow.

        Where the price falls with the month's quantity, the month is rated as one row: its requests are
        whole increments already.
        """
        rows_of = gated_usage if gated else whole_call_usage
        amount, billed = self._mean(
            f"stt {service} {gated}",
            lambda shape: rows_of(self.scenario, shape, service),
            by="turns" if gated else "milliseconds",
        )
        price = self.stt_price(service)
        if not price.graduated:
            return amount * Decimal(str(calls))
        one = gated_usage(self.scenario, self._shapes[0], service)[0]
        month = replace(one, quantity=round(billed * calls))
        return sum((line.amount_usd for line in rate([month], self.book)), Decimal(0))

    def stt_price(self, service: Service) -> Price:
        """What a hosted recogniser charges."""
        return self.book.price("stt", service.provider, service.model, "audio_ms", on=self._on)

    def gpu_month(self) -> Decimal:
        """One GPU for a month."""
        whisper = self.scenario.stt.whisper
        assert isinstance(whisper, WhisperFleet)
        return self._month(FixedItem(name=whisper.gpu, hours=whisper.hours))

    def gpus_month(self, gpus: int) -> Decimal:
        """So many GPUs for a month, and the work on them."""
        whisper = self.scenario.stt.whisper
        assert isinstance(whisper, WhisperFleet)
        return gpus * self.gpu_month() + (whisper.upkeep_usd_per_month if gpus else 0)

    def hearing_month(self, column: Column, calls: int) -> Decimal:
        """A month of hearing, one of the three ways."""
        if column == "whisper":
            return self.whisper_month(calls)
        return self.stt_month(self.scenario.stt.google, gated=column == "google_gated", calls=calls)

    def whisper_month(self, calls: int) -> Decimal:
        """A month of hearing by Whisper alone."""
        whisper = self.scenario.stt.whisper
        if isinstance(whisper, Service):
            return self.stt_month(whisper, gated=True, calls=calls)
        return self.gpus_month(fleet_of(whisper).gpus(calls, traffic_of(self.scenario)))

    def fixed_month(self) -> Decimal:
        """Servers and numbers for a month."""
        items = (FixedItem(name=name, count=count) for name, count in self.scenario.fixed.items())
        return sum(map(self._month, items), Decimal(0))

    def _month(self, item: FixedItem) -> Decimal:
        price = self.book.monthly(item.name, self._on)
        self._prices[price.id] = price
        return month_of(item, self.book, self._on).amount_usd

    def breakdown(self) -> Breakdown:
        """Mean cost of a call, part by part, at the scenario's volume."""
        calls = self.scenario.volume.calls_per_month
        hearing = {column: self.hearing_month(column, calls) / calls for column in COLUMNS}
        return Breakdown(
            stt_google=hearing["google"],
            stt_google_gated=hearing["google_gated"],
            stt_whisper=hearing["whisper"],
            tts=self.tts(),
            llm=self.llm(calls),
            line=self.line(),
            fixed=self.fixed_month() / calls,
        )

    def total(self, column: Column) -> Decimal:
        """Mean cost of a call, heard in one way, at the scenario's volume."""
        calls = self.scenario.volume.calls_per_month
        by_the_month = self.hearing_month(column, calls) + self.fixed_month()
        return by_the_month / calls + self.tts() + self.llm(calls) + self.line()

    def only(self, shape: CallShape) -> "CallCosts":
        """The same for calls that are all of one shape; what was rated here is not rated again."""
        one = CallCosts(self.scenario, self.book, shapes=(shape,))
        one._rated = self._rated
        return one

    def prices_used(self) -> tuple[Price, ...]:
        """Every price that was needed so far, by id."""
        return tuple(self._prices[price_id] for price_id in sorted(self._prices))

    def price_of(self, line: RatedLine) -> Price:
        """The entry that a line was rated by."""
        component, on = cast("PriceComponent", line.component), line.occurred_at.date()
        return self.book.price(component, line.provider, line.model, line.unit, on=on)

    def _mean(
        self, what: str, rows_of: Callable[[CallShape], tuple[Usage, ...]], *, by: str
    ) -> tuple[Decimal, float]:
        """Mean dollars and mean billed quantity of a call; `by` names all of the shape that matters."""
        counts = Counter(getattr(shape, by) for shape in self._shapes)
        examples = {getattr(shape, by): shape for shape in self._shapes}
        amount, billed = Decimal(0), 0
        for value, count in counts.items():
            one_amount, one_billed = self._rate(what, value, rows_of, examples[value])
            amount += count * one_amount
            billed += count * one_billed
        return amount / len(self._shapes), billed / len(self._shapes)

    def _rate(
        self, what: str, value: int, rows_of: Callable[[CallShape], tuple[Usage, ...]], shape: CallShape
    ) -> tuple[Decimal, int]:
        key = (what, value)
        if key not in self._rated:
            lines = rate(rows_of(shape), self.book, options=self._options)
            for line in lines:
                if line.price_id and line.price_id not in self._prices:
                    self._prices[line.price_id] = self.price_of(line)
            self._rated[key] = (
                sum((line.amount_usd for line in lines), Decimal(0)),
                sum(line.billed_quantity for line in lines),
            )
        return self._rated[key]
