"""How far each assumption of a scenario may be off, and the scenario with another value in its place."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from slukh.cost.price_book import Price, PriceBook, PriceComponent, PriceUnit
from slukh.cost.scenario import Scenario

Applied = tuple[Scenario, PriceBook]
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """An assumption with a low and a high value.

    Attributes:
        what: how reports call it.
        low: its low value, in its own unit or as a factor.
        base: what the scenario has.
        high: its high value.
        apply: the scenario and the book with a value in place.
        shown: a value as people read it.
        is_drawn: it is uncertain; not so what somebody decides, and what others of the list are parts of.
    """

    what: str
    low: Decimal
    base: Decimal
    high: Decimal
    apply: Callable[[Scenario, PriceBook, Decimal], Applied]
    shown: Callable[[Decimal], str]
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
        self._scaled = base
        self._component = component
        self._factor = factor

    def price(
        self,
        component: PriceComponent,
        provider: str,
        model: str,
        unit: PriceUnit,
        *,
        on: date,
        region: str | None = None,
    ) -> Price:
        """The base's price, multiplied where it is of the component; raises as the base does."""
        found = self._scaled.price(component, provider, model, unit, on=on, region=region)
        if component != self._component:
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
            what="length and turns of a call",
            low=half,
            base=_ONE,
            high=twice,
            apply=lambda s, book, factor: (
                with_call(s, seconds=s.call.seconds * factor, turns=round(s.call.turns * factor)),
                book,
            ),
            shown=lambda factor: f"{call.seconds * factor:.0f} s, {round(call.turns * factor)} turns",
            is_drawn=False,
        ),
        Range(
            what="turns",
            low=half,
            base=_ONE,
            high=twice,
            apply=lambda s, book, factor: (with_call(s, turns=round(s.call.turns * factor)), book),
            shown=lambda factor: f"{round(call.turns * factor)}",
        ),
        Range(
            what="length of a call, turns as they are",
            low=Decimal(2) / 3,
            base=_ONE,
            high=Decimal(5) / 3,
            apply=lambda s, book, factor: (with_call(s, seconds=s.call.seconds * factor), book),
            shown=lambda factor: f"{call.seconds * factor:.0f} s",
        ),
        Range(
            what="system prompt and tools",
            low=half,
            base=_ONE,
            high=Decimal(3),
            apply=lambda s, book, factor: (_llm(s, prefix_tokens=round(s.llm.prefix_tokens * factor)), book),
            shown=lambda factor: f"{llm.prefix_tokens * factor:,.0f} tokens",
        ),
        Range(
            what="price of the model",
            low=_ONE / 3,
            base=_ONE,
            high=Decimal(5) / 3,
            apply=lambda s, book, factor: (s, ScaledBook(book, "llm", factor)),
            shown=lambda factor: f"x {factor:.2f}",
            is_drawn=False,
        ),
        Range(
            what="tokens for the same text",
            low=Decimal("0.8"),
            base=_ONE,
            high=Decimal("1.3"),
            apply=lambda s, book, factor: (_tokens(s, factor), book),
            shown=lambda factor: f"x {factor:.2f}",
        ),
        Range(
            what="calls a month",
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
            shown=lambda factor: f"{volume.calls_per_month * factor:,.0f}",
        ),
        Range(
            what="price of the line",
            low=Decimal(0),
            base=_ONE,
            high=Decimal(3),
            apply=lambda s, book, factor: (s, ScaledBook(book, "line", factor)),
            shown=lambda factor: f"x {factor:.2f}",
        ),
        Range(
            what="streams a call is sent in",
            low=_ONE,
            base=Decimal(call.streams),
            high=Decimal(max(call.turns, call.streams)),
            apply=lambda s, book, streams: (replace(s, call=replace(s.call, streams=int(streams))), book),
            shown=lambda streams: f"{streams:.0f}",
            is_drawn=False,
        ),
        Range(
            what="characters spoken from the cache",
            low=Decimal("0.8"),
            base=scenario.tts.hit_rate,
            high=Decimal(0),
            apply=lambda s, book, rate: (replace(s, tts=replace(s.tts, hit_rate=rate)), book),
            shown=lambda rate: f"{rate:.0%}",
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


def _llm(scenario: Scenario, **values: Any) -> Scenario:  # noqa: ANN401  # fields of LanguageModel
    return replace(scenario, llm=replace(scenario.llm, **values))


def _tokens(scenario: Scenario, factor: Decimal) -> Scenario:
    names = (
        "prefix_tokens", "caller_tokens", "answer_tokens", "tool_call_tokens", "tool_result_tokens",
    )  # fmt: skip
    return _llm(scenario, **{name: round(getattr(scenario.llm, name) * factor) for name in names})
