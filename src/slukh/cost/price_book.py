"""Price books: dated prices of everything a call pays for, and which one holds on a day.

A book is a list of entries that only grows: a new price is a new entry with a later `effective_from`, which
ends the one before it. Usage is looked up by what it is (component, provider, model, unit, day, region). What
is not there is a `PriceError` that names it; there is no fall-back to another model and no guess.

A book may name language models it leaves to genai-prices (`language_models: genai-prices`); its own entries
go first.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal, Self, get_args

from slukh.types import Unit

PriceComponent = Literal["stt", "tts", "llm", "line", "fixed"]
PRICE_COMPONENTS: tuple[PriceComponent, ...] = get_args(PriceComponent)
# Usage's units, and what runs by the calendar.
PriceUnit = Unit | Literal["month", "hour"]
Basis = Literal[
    "audio_sent", "connection_time", "characters_sent", "tokens", "requests", "call_time", "calendar_time"
]
Confidence = Literal["fact", "assumption"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Another amount from a quantity on.

    Attributes:
        over: graduated: units of the month beyond which it holds; cliff: prompt tokens of one request.
        amount: what `Price.per` units cost there.
    """

    over: int
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a unit costs from a day on.

    Attributes:
        id: unique in its book; a rated line names it.
        component: what it is for; `fixed` is paid by the calendar, whoever calls.
        provider: who is paid, or `*`.
        models: patterns of model names (`fnmatch`, case matters); for `fixed` the names of the item.
        unit: what is counted.
        per: how many units `amount` buys.
        amount: money of `currency`.
        currency: ISO 4217.
        increment: billed quantities are multiples of it, rounded up per request.
        initial: the first block of a call: charged whole however short the call is.
        minimum: a request that used anything is billed for so much at least.
        free: a request (a call) up to this quantity costs nothing.
        setup: money of `currency`, once per request or per fixed item.
        graduated: amounts of the month's units beyond thresholds; each unit at the price of its own tier.
        cliff: amounts of whole requests whose prompt is longer than a threshold.
        free_tier: units free each month and account; counts only when `RatingOptions.free_tier` is on.
        free_outcomes: outcomes that cost nothing, such as a server error at Google.
        minimum_prefix_tokens: a cached prefix shorter than this is silently not cached; None when unknown.
        basis: what exactly the provider measures.
        region: where it holds, or `*`.
        sku: the provider's own name of it; prices of one sku share their month's tiers.
        effective_from: first day.
        effective_to: last day, or None when only a later entry ends it.
        source: where it was read.
        read_on: when.
        confidence: `fact` was read there, `assumption` is ours to replace.
        note: what else to know.
    """

    id: str
    component: PriceComponent
    provider: str
    models: tuple[str, ...] = ("*",)
    unit: PriceUnit
    per: int = 1
    amount: Decimal
    currency: str = "USD"
    increment: int = 1
    initial: int = 0
    minimum: int = 0
    free: int = 0
    setup: Decimal = Decimal(0)
    graduated: tuple[Tier, ...] = ()
    cliff: tuple[Tier, ...] = ()
    free_tier: int = 0
    free_outcomes: tuple[str, ...] = ()
    minimum_prefix_tokens: int | None = None
    basis: Basis
    region: str = "*"
    sku: str = ""
    effective_from: date
    effective_to: date | None = None
    source: str
    read_on: date
    confidence: Confidence
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRate:
    """Units of a currency that one US dollar buys, from a day on."""

    currency: str
    per_usd: Decimal
    effective_from: date
    source: str
    read_on: date
    confidence: Confidence


class PriceBook:
    """Prices by what was used and when.

    Args:
        name: how reports call it.
        prices: entries of all layers, a book's own before those of the book it extends.
        rates: exchange rates, in the same order.
        uses_genai_prices: language models without an entry are priced by genai-prices.
    """

    def __init__(
        self,
        *,
        name: str,
        prices: tuple[Price, ...],
        rates: tuple[ExchangeRate, ...] = (),
        uses_genai_prices: bool = False,
    ) -> None:
        self.name = name
        self.prices = prices
        self.rates = rates
        self.uses_genai_prices = uses_genai_prices

    @classmethod
    def load(cls, name_or_path: str | Path) -> Self:
        """A book that ships (`seed-reference`, `market-2026-11`), or a YAML file.

        Raises:
            PriceError: there is no such book, or it is wrong: file, line and remedy.
        """
        raise NotImplementedError

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
        """The price that holds on a day: the most specific entry (own book, provider, model, region).

        Raises:
            PriceError: there is none, or none yet; names provider, model, unit and day.
        """
        raise NotImplementedError

    def monthly(self, name: str, on: date) -> Price:
        """The price of a fixed item (`server`, `did`, `gpu-gex44`, `operator`); unit `month` or `hour`.

        Raises:
            PriceError: there is none on that day.
        """
        raise NotImplementedError

    def rate(self, currency: str, on: date) -> Decimal:
        """Units of `currency` that one US dollar buys on a day; 1 for USD.

        Raises:
            PriceError: the book has no rate of that day.
        """
        raise NotImplementedError

    def minimum_prefix_tokens(self, provider: str, model: str, on: date) -> int | None:
        """The shortest prompt prefix the model caches, or None when the book does not know."""
        raise NotImplementedError
