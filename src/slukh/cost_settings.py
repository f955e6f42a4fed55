"""Settings of what calls cost: whose prices, and how much may be spent. See `config.py`."""

from decimal import Decimal
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class CostSettings(BaseSettings):
    """What calls cost: whose prices, and how much may be spent."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True
    )

    slukh_prices: str = Field(
        "market-2026-11",
        min_length=1,
        description="The price book: `market-2026-11`, `seed-reference`, or the path of a YAML file.",
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
