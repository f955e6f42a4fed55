"""How far each assumption of a scenario may be off, and the scenario with another value in its place."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from slukh.cost.estimates.scenario import Scenario
from slukh.cost.pricing.price_book import Price, PriceBook, PriceComponent, Wanted
from slukh.cost.wording import Fact, Facts

Applied = tuple[Scenario, PriceBook]
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """An assumption with a low and a high value.

    Attributes:
        name: its sentences in the catalogues stand under `range.NAME`.
        low: its low value, in its own unit or as a factor.
        base: what the scenario has.
        high: its high value.
        apply: the scenario and the book with a value in place.
        facts: what a value comes to, for those sentences.
        is_drawn: it is uncertain; not so what somebody decides, and what others of the list are parts of.
    """

    name: str
    low: Decimal
    base: Decimal
    high: Decimal
    apply: Callable[[Scenario, PriceBook, Decimal], Applied]
    facts: Callable[[Decimal], Facts]
    is_drawn: bool = True


class ScaledBook(PriceBook):
    """A book with all prices of a component multiplied.

    Args:
        base: the book.
        component: whose prices.
        factor: by what.
    """

    def __init__(self, base: PriceBook, component: PriceComponent, factor: Decimal) -> None:
        super().__init__(name=f"{base.name}, {component} x {factor:.3g}", prices=(), base=base)
        self._component = component
        self._factor = factor

    def _find(self, wanted: Wanted) -> Price | None:
        """The base's price, multiplied where it is of the component."""
        found = super()._find(wanted)
        if found is None or wanted.component != self._component:
            return found
        return replace(
            found,
            amount=found.amount * self._factor,
            setup=found.setup * self._factor,
            graduated=tuple(replace(tier, amount=tier.amount * self._factor) for tier in found.graduated),
            cliff=tuple(replace(tier, amount=tier.amount * self._factor) for tier in found.cliff),
        )


def ranges_of(scenario: Scenario) -> tuple[Range, ...]:
    """What a call's cost may hang on, as far as the scenario leaves room for it."""
    call, llm, volume = scenario.call, scenario.llm, scenario.volume
    half, twice = _ONE / 2, Decimal(2)
    found = [
        Range(
            name="length-and-turns",
            low=half,
            base=_ONE,
            high=twice,
            apply=lambda s, book, factor: (
                with_call(s, seconds=s.call.seconds * factor, turns=round(s.call.turns * factor)),
                book,
            ),
            facts=lambda factor: {"seconds": call.seconds * factor, "turns": round(call.turns * factor)},
            is_drawn=False,
        ),
        Range(
            name="turns",
            low=half,
            base=_ONE,
            high=twice,
            apply=lambda s, book, factor: (with_call(s, turns=round(s.call.turns * factor)), book),
            facts=lambda factor: {"turns": round(call.turns * factor)},
        ),
        Range(
            name="length",
            low=Decimal(2) / 3,
            base=_ONE,
            high=Decimal(5) / 3,
            apply=lambda s, book, factor: (with_call(s, seconds=s.call.seconds * factor), book),
            facts=lambda factor: {"seconds": call.seconds * factor},
        ),
        Range(
            name="prefix",
            low=half,
            base=_ONE,
            high=Decimal(3),
            apply=lambda s, book, factor: (_llm(s, prefix_tokens=round(s.llm.prefix_tokens * factor)), book),
            facts=lambda factor: {"tokens": llm.prefix_tokens * factor},
        ),
        Range(
            name="model-price",
            low=_ONE / 3,
            base=_ONE,
            high=Decimal(5) / 3,
            apply=lambda s, book, factor: (s, ScaledBook(book, "llm", factor)),
            facts=_factor,
            is_drawn=False,
        ),
        Range(
            name="tokens",
            low=Decimal("0.8"),
            base=_ONE,
            high=Decimal("1.3"),
            apply=lambda s, book, factor: (_tokens(s, factor), book),
            facts=_factor,
        ),
        Range(
            name="volume",
            low=Decimal(5),
            base=_ONE,
            high=half,
            apply=lambda s, book, factor: (
                replace(
                    s,
                    volume=replace(
                        s.volume, calls_per_month=max(1, round(s.volume.calls_per_month * factor))
                    ),
                ),
                book,
            ),
            facts=lambda factor: {"calls": volume.calls_per_month * factor},
        ),
        Range(
            name="line-price",
            low=Decimal(0),
            base=_ONE,
            high=Decimal(3),
            apply=lambda s, book, factor: (s, ScaledBook(book, "line", factor)),
            facts=_factor,
        ),
        Range(
            name="streams",
            low=_ONE,
            base=Decimal(call.streams),
            high=Decimal(max(call.turns, call.streams)),
            apply=lambda s, book, streams: (replace(s, call=replace(s.call, streams=int(streams))), book),
            facts=lambda streams: {"streams": streams},
            is_drawn=False,
        ),
        Range(
            name="hit-rate",
            low=Decimal("0.8"),
            base=scenario.tts.hit_rate,
            high=Decimal(0),
            apply=lambda s, book, rate: (replace(s, tts=replace(s.tts, hit_rate=rate)), book),
            facts=lambda rate: {"rate": rate},
        ),
    ]
    return tuple(item for item in found if item.low != item.high)


def with_call(scenario: Scenario, *, seconds: Decimal | None = None, turns: int | None = None) -> Scenario:
    """The scenario with other calls; utterances get shorter where they would not fit."""
    call = scenario.call
    seconds = call.seconds if seconds is None else seconds
    turns = call.turns if turns is None else max(1, turns)
    utterance = min(call.utterance_seconds, seconds / turns)
    return replace(scenario, call=replace(call, seconds=seconds, turns=turns, utterance_seconds=utterance))


def _factor(factor: Decimal) -> dict[str, Fact]:
    return {"factor": factor}


def _llm(scenario: Scenario, **values: Any) -> Scenario:  # noqa: ANN401  # fields of LanguageModel
    return replace(scenario, llm=replace(scenario.llm, **values))


def _tokens(scenario: Scenario, factor: Decimal) -> Scenario:
    names = (
        "prefix_tokens", "caller_tokens", "answer_tokens", "tool_call_tokens", "tool_result_tokens",
    )  # fmt: skip
    return _llm(scenario, **{name: round(getattr(scenario.llm, name) * factor) for name in names})
