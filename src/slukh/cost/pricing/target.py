"""What a call may cost, and where one lies to that."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

Amount = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Verdict = Literal["below", "inside", "above"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a call may cost, in dollars."""

    low_usd: Amount
    high_usd: Amount

    __pydantic_config__ = ConfigDict(extra="forbid", frozen=True)

    def __post_init__(self) -> None:
        if self.low_usd > self.high_usd:
            raise ValueError("low_usd is above high_usd")

    def verdict(self, cost_usd: Decimal) -> Verdict:
        """Where a call's cost lies to it; without tax, as it is."""
        if cost_usd < self.low_usd:
            return "below"
        return "inside" if cost_usd <= self.high_usd else "above"


WANTED = Target(low_usd=Decimal("0.15"), high_usd=Decimal("0.30"))
