"""Everything that a cost report prints, computed once: `analysis_report`.

The order is the report's: what it comes down to, what a call costs, Google or Whisper, what the numbers hang
on, what to change. Nothing is computed where it is printed.
"""

from dataclasses import dataclass
from decimal import Decimal

from slukh.cost.estimates.analysis import Analysis, analyse
from slukh.cost.estimates.breakdown import Column
from slukh.cost.estimates.call_costs import CallCosts
from slukh.cost.estimates.decision import MOST_CALLS, Decision, Hearing, VolumePoint, decide
from slukh.cost.estimates.measures import minute_usd
from slukh.cost.estimates.recommend import Recommendation, Step, recommend, waterfall
from slukh.cost.estimates.scenario import Scenario, Service
from slukh.cost.estimates.uncertainty import (
    Distribution,
    Swing,
    assumptions_drawn,
    calls_drawn,
    staff_tornado,
    tornado,
)
from slukh.cost.estimates.verdict import headline, verdict_of
from slukh.cost.pricing.price_book import PriceBook

CURVE_POINTS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class HearingPrice:
    """A month of hearing by a hosted recogniser.

    Attributes:
        service: which.
        price_id: the price book's entry.
        minute_usd: of audio, before rounding and tiers.
        whole_calls_usd: a month, the whole call streamed.
        speech_only_usd: a month, one stream per utterance.
    """

    service: Service
    price_id: str
    minute_usd: Decimal
    whole_calls_usd: Decimal
    speech_only_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """What a report says.

    Attributes:
        analysis: what a call costs, three ways of hearing, against a person.
        decision: Google or Whisper; None when Whisper is a service.
        verdict: what it comes down to, a sentence each.
        curve: months of hearing by volume, to be drawn; both ends of every step of the staircase are in it.
        hearing: hosted recognisers compared, the scenario's own first.
        tornado: what the cost of a call hangs on, widest first.
        staff_tornado: what the saving against a person hangs on, widest first.
        calls: costs of single calls.
        assumptions: how sure the mean cost is.
        recommendations: what to change, by dollars a month.
        waterfall: from today to the best setup.
    """

    analysis: Analysis
    decision: Decision | None
    verdict: tuple[str, ...]
    curve: tuple[VolumePoint, ...]
    hearing: tuple[HearingPrice, ...]
    tornado: tuple[Swing, ...]
    staff_tornado: tuple[Swing, ...]
    calls: Distribution
    assumptions: Distribution
    recommendations: tuple[Recommendation, ...]
    waterfall: tuple[Step, ...]


def analysis_report(
    scenario: Scenario,
    book: PriceBook,
    market: PriceBook,
    *,
    analysis: Analysis | None = None,
    column: Column = "google",
) -> CostReport:
    """All of a report.

    Args:
        scenario: the calls, or what was fitted to real ones.
        book: what is paid for them.
        market: today's price list, for what could be used instead.
        analysis: of real calls, in place of the scenario's.
        column: the way of hearing that the draws and tornados are of.

    Raises:
        PriceError: a book has no price for something that is used.
    """
    decision = decide(scenario, book)
    analysis = analyse(scenario, book) if analysis is None else analysis
    swings = tornado(scenario, book, column=column)
    return CostReport(
        analysis=analysis,
        decision=decision,
        verdict=(headline(analysis), *(() if decision is None else verdict_of(decision))),
        curve=() if decision is None else hearing_curve(decision, book),
        hearing=hearing_prices(scenario, book, market),
        tornado=swings,
        staff_tornado=staff_tornado(scenario, book, swings[0], column=column),
        calls=calls_drawn(scenario, book, column=column),
        assumptions=assumptions_drawn(scenario, book, column=column),
        recommendations=recommend(scenario, book, market),
        waterfall=waterfall(scenario, book, market),
    )


def hearing_curve(decision: Decision, book: PriceBook) -> tuple[VolumePoint, ...]:
    """Months of hearing from a few calls to well beyond where something is decided."""
    hearing = Hearing(decision.scenario, book)
    decided = [point.calls_per_month for point in decision.points]
    decided += [found.from_calls for found in decision.intervals["google"]]
    decided += [found.calls_per_month for found in decision.targets if found.calls_per_month]
    most = min(MOST_CALLS, round(1.25 * max(decided)))
    grid = {max(1, most * index // CURVE_POINTS) for index in range(CURVE_POINTS + 1)}
    steps = {edge for first, last, _ in hearing.fleet.steps(most, hearing.traffic) for edge in (first, last)}
    return tuple(map(hearing.point, sorted(grid | steps)))


def hearing_prices(scenario: Scenario, book: PriceBook, market: PriceBook) -> tuple[HearingPrice, ...]:
    """The scenario's own recogniser by its book, the alternatives by the market's."""
    own = _hearing_price(scenario, book, scenario.stt.google)
    return (own, *(_hearing_price(scenario, market, service) for service in scenario.stt.alternatives))


def _hearing_price(scenario: Scenario, book: PriceBook, service: Service) -> HearingPrice:
    costs = CallCosts(scenario, book)
    price, calls = costs.stt_price(service), scenario.volume.calls_per_month
    return HearingPrice(
        service=service,
        price_id=price.id,
        minute_usd=minute_usd(price, book, scenario.as_of),
        whole_calls_usd=costs.stt_month(service, gated=False, calls=calls),
        speech_only_usd=costs.stt_month(service, gated=True, calls=calls),
    )
