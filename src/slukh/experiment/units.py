"""Differences in the units of people: points, seconds, a minute, times as dear; never a fraction."""

from collections.abc import Mapping
from typing import Literal

Unit = Literal["share", "seconds", "per minute", "ratio"]

_FACTORS: Mapping[Unit, float] = {"share": 100.0, "seconds": 1.0, "per minute": 1.0, "ratio": 1.0}
_SIGNS: Mapping[Unit, str] = {
    "share": " pp",
    "seconds": " s",
    "per minute": " a minute",
    "ratio": "\N{MULTIPLICATION SIGN}",
}


def plain(number: float, unit: Unit) -> str:
    """Two decimals without the unit's sign, which a margin beside it has; pp are percentage points."""
    return f"{number * _FACTORS[unit]:z.2f}".replace("-", "\N{MINUS SIGN}")


def with_sign(number: float, unit: Unit) -> str:
    """As short as it goes, with the sign, as margins are written."""
    return f"{number * _FACTORS[unit]:g}{_SIGNS[unit]}"


def between(low: float, high: float, unit: Unit) -> str:
    """From where to where, without the sign."""
    return f"{plain(low, unit)} to {plain(high, unit)}"
