"""A second opinion on a price book: its cells beside those of genai-prices.

A cell is one unit of one model from one day on. Two books that were typed by different people and agree are
worth more than one; where they differ, one of them is wrong, and the entry says which if that is known.
"""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Literal

from slukh.cost.pricing.genai_book import genai_models, genai_price
from slukh.cost.pricing.price import Price
from slukh.cost.pricing.price_book import PriceBook
from slukh.errors import PriceError

Verdict = Literal["same", "known", "differs", "outdated", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One price of the book, compared.

    Attributes:
        price: ours.
        model: the name under which genai-prices was asked.
        on: the day of the comparison: the one asked for, or an ended price's first.
        theirs: that of genai-prices, or None.
        verdict: `same`; `known` difference, which the entry explains; `differs`; `outdated`, explained but
            gone; `unknown` to genai-prices.
    """

    price: Price
    model: str
    on: date
    theirs: Price | None
    verdict: Verdict

    @property
    def is_fine(self) -> bool:
        """Whether nobody needs to look."""
        return self.verdict in ("same", "known")


def compared_with_genai(book: PriceBook, as_of: date) -> tuple[Cell, ...]:
    """Every Claude cell of the book, and every other one that genai-prices has too.

    A price that has ended is compared on its first day. Entries for models by pattern only are nobody's to
    confirm and are left out.
    """
    cells = (
        _cell(book, price, model, as_of)
        for price in book.all_prices()
        if price.component in ("stt", "tts", "llm")
        for model in price.models
        if not set(model) & set("*?[")
    )
    return tuple(cell for cell in cells if cell.theirs or cell.price.provider == "anthropic")


def left_to_genai(book: PriceBook) -> tuple[str, ...]:
    """Claude models that only genai-prices prices."""
    named = {model for price in book.all_prices() if price.provider == "anthropic" for model in price.models}
    uses = book.uses_genai_prices or (book.base is not None and book.base.uses_genai_prices)
    return tuple(model for model in genai_models("anthropic") if uses and model not in named)


def in_force(book: PriceBook, price: Price, on: date) -> bool:
    """Whether it is this entry that holds on that day."""
    try:
        if price.component == "fixed":
            return book.monthly(price.models[0], on) == price
        model = price.models[0]
        held = book.price(price.component, price.provider, model, price.unit, on=on, region=price.region)
    except PriceError:
        return False
    return held == price


def _cell(book: PriceBook, price: Price, model: str, as_of: date) -> Cell:
    on = as_of if in_force(book, price, as_of) else price.effective_from
    theirs = genai_price(price.provider, model, price.unit, on)
    return Cell(price=price, model=model, on=on, theirs=theirs, verdict=_verdict(price, theirs))


def _verdict(ours: Price, theirs: Price | None) -> Verdict:
    if theirs is None:
        return "unknown"
    is_same = _amounts(ours) == _amounts(theirs)
    if ours.known_difference:
        return "outdated" if is_same else "known"
    return "same" if is_same else "differs"


def _amounts(price: Price) -> list[tuple[int, Fraction]]:
    """What a unit costs from which prompt length on, exactly."""
    cliff = [(tier.over, tier.amount) for tier in price.cliff]
    return [(over, Fraction(amount) / price.per) for over, amount in [(0, price.amount), *cliff]]
