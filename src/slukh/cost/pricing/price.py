"""One price: what a unit of something costs, from which day on, by which rules, and who says so."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from slukh.types import TOKEN_UNITS, Unit

PriceComponent = Literal["stt", "tts", "llm", "line", "fixed"]
# Usage's units, and what runs by the calendar.
PriceUnit = Literal[Unit, "month", "hour"]
Basis = Literal[
    "audio_sent", "connection_time", "characters_sent", "tokens", "requests", "call_time", "calendar_time"
]  # fmt: skip
# What a unit measures; a provider that bills the open socket has no price for audio, and the other way round.
BASIS_OF_UNIT: dict[PriceUnit, Basis] = {
    "audio_ms": "audio_sent",
    "connection_ms": "connection_time",
    "characters": "characters_sent",
    "requests": "requests",
    "call_ms": "call_time",
    "month": "calendar_time",
    "hour": "calendar_time",
    **dict.fromkeys(TOKEN_UNITS, "tokens"),
}
UNITS_OF_COMPONENT: dict[PriceComponent, frozenset[PriceUnit]] = {
    "stt": frozenset({"audio_ms", "connection_ms", "requests"}),
    "tts": frozenset({"characters", "requests"}),
    "llm": frozenset(TOKEN_UNITS),
    "line": frozenset({"call_ms", "requests"}),
    "fixed": frozenset({"month", "hour"}),
}
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
        currency: ISO 4217, upper case.
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
        read_on: when; None for what came with a package of prices.
        confidence: `fact` was read there, `assumption` is ours to replace.
        note: what else to know.
        known_difference: why genai-prices has another amount, where it is known to be wrong.
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
    read_on: date | None
    confidence: Confidence
    note: str = ""
    known_difference: str = ""

    def __hash__(self) -> int:
        """By name: rating looks prices up a million times, and they have thirty fields."""
        return hash(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRate:
    """Units of a currency that one US dollar buys, from a day on."""

    currency: str
    per_usd: Decimal
    effective_from: date
    source: str
    read_on: date
    confidence: Confidence
    note: str = ""
