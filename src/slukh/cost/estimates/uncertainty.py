"""What the cost of a call hangs on: one assumption at a time, then calls as they differ, then all together.

    tornado       each assumption from low to high, the others at their base, sorted by what it moves
    calls         lognormal lengths: what single calls cost (their mean is above the bill of the mean call)
    assumptions   every uncertain one drawn at once (beta-PERT): how sure the mean cost is

Draws have a fixed seed, so that a report can be made again to the digit.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from slukh.cost.estimates.analysis import operator_of
from slukh.cost.estimates.breakdown import Column
from slukh.cost.estimates.call_costs import CallCosts
from slukh.cost.estimates.ranges import Range, ranges_of
from slukh.cost.estimates.roi import Operator
from slukh.cost.estimates.scenario import Scenario
from slukh.cost.estimates.scenario_usage import CallShape, shape_of
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.wording import Facts, wording

SEED = 20261122
CALLS_DRAWN = 20_000
ASSUMPTIONS_DRAWN = 400
# Where a scenario has calls that are all alike, their lengths are taken to differ by so much.
USUAL_SPREAD = 0.5
_BINS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing:
    """What one assumption does to the mean cost of a call.

    Attributes:
        name: the assumption, as the catalogues call it; `agent.` before it: seen from the person's side.
        what: the same in English.
        low: how its low value is called there.
        high: and its high one.
        low_facts: numbers of the low value.
        high_facts: and of the high one.
        low_usd: cost of a call at the low value.
        high_usd: cost of a call at the high value.
    """

    name: str
    what: str
    low: str
    high: str
    low_facts: Facts
    high_facts: Facts
    low_usd: Decimal
    high_usd: Decimal

    @property
    def width_usd(self) -> Decimal:
        """What it moves."""
        return abs(self.high_usd - self.low_usd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Costs that were drawn, in dollars per call.

    Attributes:
        draws: how many.
        seed: of the random numbers.
        mean: of the draws.
        plug_in: the cost when everything stands at its mean: what a calculator says.
        p5: one in twenty costs less.
        p50: the median.
        p95: one in twenty costs more.
        below, inside, above: shares of the draws by the target band.
        edges: of the histogram's bins, one more than bins; the last bin has all that is above it, too.
        counts: draws in each bin.
    """

    draws: int
    seed: int
    mean: float
    plug_in: float
    p5: float
    p50: float
    p95: float
    below: float
    inside: float
    above: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]


def tornado(scenario: Scenario, book: PriceBook, *, column: Column = "google") -> tuple[Swing, ...]:
    """Swings of the mean cost of a call, widest first; what it does not hang on is left out."""
    swings = []
    for item in ranges_of(scenario):
        low, high = (
            mean_cost(*item.apply(scenario, book, value), column=column) for value in (item.low, item.high)
        )
        if low != high:
            swings.append(_swing(item.name, (item.facts(item.low), item.facts(item.high)), (low, high)))
    return tuple(sorted(swings, key=lambda swing: swing.width_usd, reverse=True))


def staff_tornado(
    scenario: Scenario, book: PriceBook, widest: Swing, *, column: Column = "google"
) -> tuple[Swing, ...]:
    """Swings of the saving per call against a person, widest first.

    Args:
        scenario: the calls.
        book: the prices.
        widest: what moves the agent's own cost most; it is one of the swings.
        column: how the agent hears.
    """
    agent = mean_cost(scenario, book, column=column)
    person, contained = operator_of(scenario, book), scenario.staff.containment
    low_wage, high_wage = person.gross_wage * Decimal("0.8"), person.gross_wage * Decimal("1.12")
    persons: dict[str, tuple[tuple[Facts, Operator], ...]] = {
        "wage": (
            ({"wage": low_wage, "currency": person.currency}, replace(person, gross_wage=low_wage)),
            ({"wage": high_wage, "currency": person.currency}, replace(person, gross_wage=high_wage)),
        ),
        "shrinkage": tuple(
            ({"rate": rate}, replace(person, shrinkage=rate)) for rate in (Decimal("0.2"), Decimal("0.4"))
        ),
        "occupancy": tuple(
            ({"rate": rate}, replace(person, occupancy=rate)) for rate in (Decimal("0.65"), Decimal("0.85"))
        ),
        "overhead": tuple(
            ({"rate": rate}, replace(person, overhead=rate)) for rate in (Decimal(0), Decimal("0.5"))
        ),
        # The usual mistake: every paid minute is a call.
        "idle-time": (
            ({"how": "not-counted"}, replace(person, shrinkage=Decimal(0), occupancy=Decimal(1))),
            ({"how": "as-here"}, person),
        ),
    }
    found = [
        _swing(name, (low[0], high[0]), tuple(contained * end[1].call_usd - agent for end in (low, high)))
        for name, (low, high) in persons.items()
    ]
    few, many = Decimal("0.5"), Decimal("0.9")
    found += (
        _swing(
            "containment",
            ({"rate": few}, {"rate": many}),
            (few * person.call_usd - agent, many * person.call_usd - agent),
        ),
        _swing(
            f"agent.{widest.name}",
            (widest.low_facts, widest.high_facts),
            (contained * person.call_usd - widest.low_usd, contained * person.call_usd - widest.high_usd),
        ),
    )
    return tuple(sorted(found, key=lambda swing: swing.width_usd, reverse=True))


def _swing(name: str, facts: tuple[Facts, Facts], usd: tuple[Decimal, ...]) -> Swing:
    english, (low_usd, high_usd) = wording("en"), usd
    return Swing(
        name=name,
        what=english.range_title(name),
        low=english.range_value(name, facts[0]),
        high=english.range_value(name, facts[1]),
        low_facts=facts[0],
        high_facts=facts[1],
        low_usd=low_usd,
        high_usd=high_usd,
    )


def mean_cost(scenario: Scenario, book: PriceBook, *, column: Column) -> Decimal:
    """Mean cost of a call, everything in it."""
    return CallCosts(scenario, book).total(column)


def calls_drawn(
    scenario: Scenario, book: PriceBook, *, column: Column = "google", draws: int = CALLS_DRAWN
) -> Distribution:
    """Costs of single calls whose lengths differ."""
    spread = scenario.call.spread or USUAL_SPREAD
    mean = float(scenario.call.seconds)
    lengths = np.random.default_rng(SEED).lognormal(np.log(mean) - spread**2 / 2, spread, draws)
    costs = CallCosts(scenario, book)
    # Whole seconds: as many calls share a shape, and each shape is rated once.
    shapes = [shape_of(scenario.call, max(1, round(seconds))) for seconds in lengths.tolist()]
    cost_of = {shape: float(costs.only(shape).total(column)) for shape in set(shapes)}
    plug_in = _of_mean_call(scenario, book, column)
    return _distribution(scenario, np.asarray([cost_of[shape] for shape in shapes]), plug_in=plug_in)


def assumptions_drawn(
    scenario: Scenario, book: PriceBook, *, column: Column = "google", draws: int = ASSUMPTIONS_DRAWN
) -> Distribution:
    """Mean costs of a call when no assumption is sure; what somebody decides stays as decided.

    Each draw rates the mean call, and takes the gap to the mean bill from the scenario itself.
    """
    uncertain = [item for item in ranges_of(scenario) if item.is_drawn]
    rng = np.random.default_rng(SEED)
    values = [_pert(item, rng, draws) for item in uncertain]
    mean = float(mean_cost(scenario, book, column=column))
    gap = mean / _of_mean_call(scenario, book, column)
    drawn = []
    for row in zip(*values, strict=True):
        one, its_book = scenario, book
        for item, value in zip(uncertain, row, strict=True):
            one, its_book = item.apply(one, its_book, Decimal(str(round(value, 6))))
        drawn.append(gap * _of_mean_call(one, its_book, column))
    return _distribution(scenario, np.asarray(drawn), plug_in=mean)


def _of_mean_call(scenario: Scenario, book: PriceBook, column: Column) -> float:
    shape = CallShape(round(scenario.call.seconds * 1000), scenario.call.turns)
    return float(CallCosts(scenario, book, shapes=(shape,)).total(column))


def _pert(item: Range, rng: np.random.Generator, draws: int) -> list[float]:
    """Beta-PERT: the base is the most likely value, and counts four times (Malcolm et al., 1959)."""
    low, high = sorted((float(item.low), float(item.high)))
    mode = min(max(float(item.base), low), high)
    a = 1 + 4 * (mode - low) / (high - low)
    b = 1 + 4 * (high - mode) / (high - low)
    drawn: NDArray[np.float64] = low + rng.beta(a, b, draws) * (high - low)
    return [float(value) for value in drawn]


def _distribution(scenario: Scenario, costs: NDArray[np.float64], *, plug_in: float) -> Distribution:
    p5, p50, p95 = (float(p) for p in np.percentile(costs, (5, 50, 95)))
    low, high = float(scenario.target.low_usd), float(scenario.target.high_usd)
    edges = np.linspace(0, max(float(np.percentile(costs, 99)), high), _BINS + 1)
    counts, _ = np.histogram(np.minimum(costs, edges[-1]), edges)
    below, above = float((costs < low).mean()), float((costs > high).mean())
    return Distribution(
        draws=len(costs),
        seed=SEED,
        mean=float(costs.mean()),
        plug_in=plug_in,
        p5=p5,
        p50=p50,
        p95=p95,
        below=below,
        inside=1 - below - above,
        above=above,
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
    )
