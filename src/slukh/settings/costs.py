"""Settings of what calls cost: whose prices, what is rented, and how much may be spent. See `config.py`."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from slukh.errors import SettingsError

Counts = Annotated[dict[str, int], NoDecode]  # name=number, comma separated


class CostSettings(BaseSettings):
    """What calls cost: whose prices, what is rented, and how much may be spent."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True
    )

    slukh_prices: str = Field(
        "market-2026-11",
        min_length=1,
        description="The price book: `market-2026-11`, `seed-reference`, or the path of a YAML file.",
    )
    slukh_trunk: str = Field(
        "line",
        min_length=1,
        description="Who carries calls that name no trunk, as the price book calls them.",
    )
    slukh_rented: Counts = Field(
        {},
        description="What is paid by the month, as the price book names it: `server=1,did=2,gpu-gex44=1`; a "
        "call's share is a part of its cost. Unset: that part is not known.",
    )
    slukh_calls_per_month: int | None = Field(
        None,
        ge=1,
        description="Calls a month that share what is rented, as planned. Unset: as many as there are.",
    )
    slukh_target_low_usd: Decimal = Field(
        Decimal("0.15"), ge=0, description="What a call should cost, at least: below is better still."
    )
    slukh_target_high_usd: Decimal = Field(
        Decimal("0.30"), ge=0, description="What a call should cost at most."
    )
    slukh_budget_call_usd: Decimal | None = Field(
        None, gt=0, description="What a call may cost, in US dollars. Unset: as much as it does."
    )
    slukh_budget_day_usd: Decimal | None = Field(
        None,
        gt=0,
        description="What the calls of a day (UTC) may cost: of this gateway, and of all that share its "
        "ledger up to its start. Unset: as much as they do.",
    )
    slukh_when_over_budget: Literal["log", "hangup"] = Field(
        "log",
        description="When a budget is spent: `log` it, or `hangup`: the call goes back to the dial plan; "
        "once the day's is spent, running calls go on and new ones are refused.",
    )

    @field_validator("slukh_rented", mode="before")
    @classmethod
    def _counts(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.strip().partition("=") for part in value.split(",") if part.strip()]
        if any(not name or not number.strip().isdigit() or int(number) < 1 for name, _, number in pairs):
            raise ValueError("write NAME=NUMBER, comma separated")
        return {name.strip(): int(number) for name, _, number in pairs}

    @model_validator(mode="after")
    def _target_is_a_band(self) -> Self:
        if self.slukh_target_low_usd > self.slukh_target_high_usd:
            low, high = self.slukh_target_low_usd, self.slukh_target_high_usd
            raise SettingsError(
                f"SLUKH_TARGET_LOW_USD={low} is above SLUKH_TARGET_HIGH_USD={high}",
                remedy="lower the one, or raise the other",
            )
        return self
