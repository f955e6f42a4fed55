"""What may stand in a price book's YAML, field by field."""

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from slukh.cost.pricing.price import Basis, Confidence, PriceComponent, PriceUnit

# Whatever the currency, nobody asks that for anything; 1e400 is a slip of the pen.
_TOO_MUCH = 10**9


def _money(value: object) -> object:
    if isinstance(value, str):
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise ValueError(f'{value!r} is no number; write it like "0.016"') from None
        if not number.is_finite() or number < 0:
            raise ValueError(f"{value} is no amount; a price is 0 or more")
        if number >= _TOO_MUCH:
            raise ValueError(f"{value} is no amount; a price is below {_TOO_MUCH:,}")
        return number
    return _money(str(value)) if isinstance(value, int) and not isinstance(value, bool) else value


Money = Annotated[Decimal, BeforeValidator(_money)]
Count = Annotated[int, Field(ge=0, strict=True)]


class Strict(BaseModel):
    """Nothing beyond the fields: a misspelt `increments` must not be an increment of 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TierEntry(Strict):
    """`graduated`: another amount beyond so many units of the month."""

    over: Annotated[int, Field(gt=0, strict=True)]
    amount: Money


class CliffEntry(Strict):
    """`cliff`: another amount, or amounts, for a prompt longer than that."""

    over: Annotated[int, Field(gt=0, strict=True)]
    amount: Money | None = None
    amounts: dict[PriceUnit, Money] = {}


class PriceEntry(Strict):
    """An entry of `prices`; `slukh.cost.price.Price` says what the fields mean."""

    id: Annotated[str, Field(min_length=1)]
    component: PriceComponent
    provider: Annotated[str, Field(min_length=1)]
    models: Annotated[tuple[str, ...], Field(min_length=1)] = ("*",)
    unit: PriceUnit | None = None
    amount: Money | None = None
    amounts: dict[PriceUnit, Money] = {}
    per: Annotated[int, Field(gt=0, strict=True)] = 1
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    increment: Annotated[int, Field(gt=0, strict=True)] = 1
    initial: Count = 0
    minimum: Count = 0
    free: Count = 0
    setup: Money = Decimal(0)
    graduated: tuple[TierEntry, ...] = ()
    cliff: tuple[CliffEntry, ...] = ()
    free_tier: Count = 0
    free_outcomes: tuple[str, ...] = ()
    minimum_prefix_tokens: Count | None = None
    basis: Basis | None = None
    region: str = "*"
    sku: str = ""
    effective_from: date
    effective_to: date | None = None
    source: Annotated[str, Field(min_length=1)]
    read_on: date
    confidence: Confidence
    note: str = ""
    known_differences: dict[PriceUnit, str] = {}


class RateEntry(Strict):
    """An entry of `rates`."""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    per_usd: Annotated[Decimal, BeforeValidator(_money), Field(gt=0)]
    effective_from: date
    source: Annotated[str, Field(min_length=1)]
    read_on: date
    confidence: Confidence
    note: str = ""


class BookEntries(Strict):
    """The file."""

    book: Annotated[str, Field(min_length=1)]
    extends: str | None = None
    language_models: Literal["genai-prices", "none"] = "none"
    prices: tuple[PriceEntry, ...] = ()
    rates: tuple[RateEntry, ...] = ()
