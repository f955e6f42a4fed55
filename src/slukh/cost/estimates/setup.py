"""A way of running the agent, and what a month of it costs: what recommendations compare.

A setup is a scenario, who hears (whole calls or speech only, GPUs beside Google or none), and the price list
of each service: an old price list may be compared with today's, service by service.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from slukh.cost.estimates.call_costs import CallCosts, fleet_of, traffic_of
from slukh.cost.estimates.scenario import Scenario, WhisperFleet
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.wording import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How the agent is run.

    Attributes:
        scenario: its calls.
        book: prices of all that follows no other.
        stt_book: of hearing.
        llm_book: of the answering model.
        tts_book: of the voice.
        gated: the hosted recogniser gets speech only.
        gpus: rented for Whisper; Google hears what finds them full.
    """

    scenario: Scenario
    book: PriceBook
    stt_book: PriceBook
    llm_book: PriceBook
    tts_book: PriceBook
    gated: bool = False
    gpus: int = 0

    @property
    def parts(self) -> dict[str, Decimal]:
        """Dollars of a month, part by part."""
        scenario, calls = self.scenario, self.scenario.volume.calls_per_month
        costs = CallCosts(scenario, self.book)
        return {
            "stt": self._hearing(calls),
            "llm": calls * CallCosts(scenario, self.llm_book).llm(calls),
            "tts": calls * CallCosts(scenario, self.tts_book).tts(),
            "line": calls * costs.line(),
            "fixed": costs.fixed_month(),
        }

    @property
    def month_usd(self) -> Decimal:
        """Dollars of a month."""
        return sum(self.parts.values(), Decimal(0))

    def _hearing(self, calls: int) -> Decimal:
        overflow, rent = 1.0, Decimal(0)
        whisper = self.scenario.stt.whisper
        if self.gpus and isinstance(whisper, WhisperFleet):
            streams = self.gpus * fleet_of(whisper).streams_per_gpu
            overflow = traffic_of(self.scenario).overflow_share(calls, streams)
            rent = CallCosts(self.scenario, self.book).gpus_month(self.gpus)
        costs = CallCosts(self.scenario, self.stt_book)
        google = self.scenario.stt.google
        return rent + costs.stt_month(google, gated=self.gated, calls=calls * overflow)


def setup_of(scenario: Scenario, book: PriceBook) -> Setup:
    """The scenario as it is: whole calls at Google, one price list."""
    return Setup(scenario=scenario, book=book, stt_book=book, llm_book=book, tts_book=book)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A change of a setup.

    Attributes:
        name: short and stable, for scripts.
        kind: whose sentences tell it.
        facts: the numbers in them.
        confidence: as in `Recommendation`.
        apply: a setup with the change made.
    """

    name: str
    kind: str
    facts: Facts
    confidence: Literal["high", "medium", "low"]
    apply: Callable[[Setup], Setup]


def with_part(scenario: Scenario, part: str, **values: Any) -> Scenario:  # noqa: ANN401  # fields of the part
    """The scenario with other values in one of its parts."""
    changed: Any = {part: replace(getattr(scenario, part), **values)}
    return replace(scenario, **changed)
