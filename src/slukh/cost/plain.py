"""Results as plain JSON values: amounts are strings, so that no reader makes binary floats of them."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal

from slukh.cost.estimates.breakdown import money
from slukh.cost.estimates.scenario import Scenario

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]


def plain(value: object) -> Plain:
    """A value as JSON has it; a scenario is its name.

    Raises:
        TypeError: it is of no kind that results are made of.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Decimal | date | Scenario):
        return _text(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"no JSON for {type(value).__name__}")


def _text(value: Decimal | date | Scenario) -> str:
    match value:
        case Decimal():
            return money(value)
        case Scenario():
            return value.name
    return value.isoformat()
