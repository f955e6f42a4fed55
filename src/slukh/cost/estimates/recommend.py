"""What to change, ranked by the dollars a month that it saves.

Every measure is a setup with one thing changed; its saving is the difference of two months that the rating
engine priced. Measures interact (what is not sent need not be cheaper), so the way from today to the best
setup applies them one after the other, the largest of what is left first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from slukh.cost.estimates.measures import measures_of
from slukh.cost.estimates.scenario import Scenario
from slukh.cost.estimates.setup import Measure, Setup, setup_of
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.wording import Facts, wording

# Less than that a month is not worth a change.
LEAST_USD = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """A change, and what it saves.

    Attributes:
        name: short and stable, for scripts.
        kind: of measure: its sentences in the catalogues stand under `measure.KIND`.
        facts: the numbers in them.
        title: what to do, one clause; in English, as the next two.
        change: where to do it, and how.
        because: the numbers behind it.
        saving_usd_per_month: on its own, against today.
        confidence: `high` when it is arithmetic on price lists, `medium` when it rests on an assumption of
            the scenario, `low` when callers may hear the difference: measure first.
    """

    name: str
    kind: str
    facts: Facts
    title: str
    change: str
    because: str
    saving_usd_per_month: Decimal
    confidence: Literal["high", "medium", "low"]

    def as_json(self) -> dict[str, str]:
        """Plain values."""
        return {
            "name": self.name,
            "title": self.title,
            "change": self.change,
            "because": self.because,
            "saving_per_month": f"{self.saving_usd_per_month:.2f}",
            "confidence": self.confidence,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the way from today to the best setup.

    Attributes:
        name, kind, facts, title: of the measure.
        saving_usd_per_month: on top of the steps before it.
        per_call_usd: what a call costs after it.
    """

    name: str
    kind: str
    facts: Facts
    title: str
    saving_usd_per_month: Decimal
    per_call_usd: Decimal


def recommend(scenario: Scenario, book: PriceBook, market: PriceBook) -> tuple[Recommendation, ...]:
    """What saves money, the most first.

    Args:
        scenario: the calls as they are.
        book: what is paid for them.
        market: today's price list, for what could be used instead.
    """
    today = setup_of(scenario, book)
    month = today.month_usd
    found = []
    for measure in measures_of(today, market):
        saving = month - measure.apply(today).month_usd
        if saving >= LEAST_USD:
            found.append(
                Recommendation(
                    name=measure.name,
                    kind=measure.kind,
                    facts=measure.facts,
                    title=_english(measure, "title"),
                    change=_english(measure, "change"),
                    because=_english(measure, "because"),
                    saving_usd_per_month=saving,
                    confidence=measure.confidence,
                )
            )
    return tuple(sorted(found, key=lambda found: found.saving_usd_per_month, reverse=True))


def waterfall(scenario: Scenario, book: PriceBook, market: PriceBook) -> tuple[Step, ...]:
    """From today to the best setup that no caller hears the difference of, a step per measure."""
    setup = setup_of(scenario, book)
    left = [measure for measure in measures_of(setup, market) if measure.confidence != "low"]
    return tuple(_steps(setup, left))


def _steps(setup: Setup, left: list[Measure]) -> Iterator[Step]:
    month = setup.month_usd
    while left:
        months = {measure.name: measure.apply(setup).month_usd for measure in left}
        best = min(left, key=lambda measure: months[measure.name])
        if month - months[best.name] < LEAST_USD:
            return
        setup = best.apply(setup)
        yield Step(
            name=best.name,
            kind=best.kind,
            facts=best.facts,
            title=_english(best, "title"),
            saving_usd_per_month=month - months[best.name],
            per_call_usd=months[best.name] / setup.scenario.volume.calls_per_month,
        )
        month = months[best.name]
        left = [measure for measure in left if measure is not best]


def _english(measure: Measure, sentence: str) -> str:
    return wording("en").say(f"measure.{measure.kind}.{sentence}", measure.facts)
