"""Where the numbers of a report come from: prices and a scenario's values, each with its day."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from decimal import Decimal

from slukh.cost.estimates.scenario import Scenario
from slukh.cost.pricing.price_book import Price

_UNITS = {
    ("audio_ms", 60_000): "min of audio",
    ("audio_ms", 15_000): "15 s of audio",
    ("audio_ms", 3_600_000): "h of audio",
    ("call_ms", 60_000): "min of call",
}
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a number comes from.

    Attributes:
        what: a price's id, or the path of a scenario's value.
        value: what it is, for people.
        source: a document, a measurement, or `assumption`.
        read_on: when it was read or measured, or None where the source's own version says it.
        confidence: `fact`, `measured` or `assumption`.
        amount: of a price, in `currency`; None for a scenario's value, as the next two.
        currency: ISO 4217.
        unit: what `amount` buys, as in `value`.
    """

    what: str
    value: str
    source: str
    read_on: date | None
    confidence: str
    amount: Decimal | None = None
    currency: str | None = None
    unit: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """Plain values."""
        return {
            "what": self.what,
            "value": self.value,
            "source": self.source,
            "read_on": None if self.read_on is None else self.read_on.isoformat(),
            "confidence": self.confidence,
        }


def source_of(price: Price) -> Source:
    """A price's own."""
    return Source(
        what=price.id,
        value=f"{price.amount:f} {price.currency} per {_quantity(price)}",
        source=price.source,
        read_on=price.read_on,
        confidence=price.confidence,
        amount=price.amount,
        currency=price.currency,
        unit=_quantity(price),
    )


def assumptions_of(scenario: Scenario) -> Iterator[Source]:
    """A scenario's values that say where they come from."""
    for path, origin in scenario.assumptions.items():
        try:
            value = scenario.value_at(path)
        except LookupError:
            continue  # about a part that was replaced by another one
        yield Source(
            what=path,
            value=_shown(value),
            source=origin.source,
            read_on=origin.read_on,
            confidence=origin.confidence,
        )


def _quantity(price: Price) -> str:
    if known := _UNITS.get((price.unit, price.per)):
        return known
    unit = price.unit.replace("_", " ")
    if price.per == _MILLION:
        return f"1M {unit}"
    return unit if price.per == 1 else f"{price.per:,} {unit}"


def _shown(value: object) -> str:
    """A value as a person writes it; a part by its fields."""
    if is_dataclass(value):
        shown = ((f.name, _shown(getattr(value, f.name))) for f in fields(value))
        return ", ".join(f"{name} {text}" for name, text in shown if text)
    if isinstance(value, tuple):
        return " ".join(map(_shown, value))
    return "" if value is None else str(value)
