"""What a person on the phone costs, and what an agent that takes part of the calls saves.

    month's wage with taxes and overhead / calls a person really takes in a month = cost of a person's call
    net saving of a call = containment * cost of a person's call - cost of the agent's call

An agent's call that ends with a person costs both. Pure Decimal, no I/O.
"""

from dataclasses import dataclass
from decimal import Decimal

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One person on the phone, in the month.

    Attributes:
        gross_wage: a month's, before the person's own taxes.
        currency: of the wage.
        currency_per_usd: how many of it a dollar is.
        social_contribution: the employer's share on top, 0.22 in Ukraine (ESV).
        overhead: place, equipment, supervision, hiring, as a share of both.
        paid_hours: a month's.
        shrinkage: share of the paid hours not at the phone: leave, illness, training, breaks.
        occupancy: share of the hours at the phone that are calls; the rest is waiting for one.
        talk_seconds: a call's mean length.
        wrap_up_seconds: work after it.
    """

    gross_wage: Decimal
    currency: str
    currency_per_usd: Decimal
    social_contribution: Decimal
    overhead: Decimal
    paid_hours: Decimal
    shrinkage: Decimal
    occupancy: Decimal
    talk_seconds: Decimal
    wrap_up_seconds: Decimal

    @property
    def month_usd(self) -> Decimal:
        """What a month of the person costs."""
        return self.gross_wage * (1 + self.social_contribution) * (1 + self.overhead) / self.currency_per_usd

    @property
    def call_minutes(self) -> Decimal:
        """Minutes of a month that go into calls and the work after them."""
        return self.paid_hours * 60 * (1 - self.shrinkage) * self.occupancy

    @property
    def calls_per_month(self) -> Decimal:
        """Calls that the person takes."""
        return self.call_minutes * 60 / (self.talk_seconds + self.wrap_up_seconds)

    @property
    def call_usd(self) -> Decimal:
        """What a call costs that the person takes."""
        return self.month_usd / self.calls_per_month

    @property
    def naive_call_usd(self) -> Decimal:
        """The same if every paid minute were a call: the usual mistake, shown beside it."""
        return self.month_usd / (self.paid_hours * 3600 / (self.talk_seconds + self.wrap_up_seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Roi:
    """The agent against the person.

    Attributes:
        containment: share of the calls that end without a person.
        agent_call_usd: cost of the agent's call.
        operator_call_usd: cost of the person's call.
        setup_usd: paid once, before the first call.
        calls_per_month: volume.
    """

    containment: Decimal
    agent_call_usd: Decimal
    operator_call_usd: Decimal
    setup_usd: Decimal = _ZERO
    calls_per_month: int = 0

    @property
    def break_even_containment(self) -> Decimal:
        """Containment at which the agent costs as much as it saves; above 1 it never pays."""
        return self.agent_call_usd / self.operator_call_usd

    @property
    def blended_call_usd(self) -> Decimal:
        """Cost of a call, the person's share of it included: per resolved call, as all get resolved."""
        return self.agent_call_usd + (1 - self.containment) * self.operator_call_usd

    @property
    def saving_per_call(self) -> Decimal:
        """Against a person on every call; negative when the agent costs more than it saves."""
        return self.containment * self.operator_call_usd - self.agent_call_usd

    @property
    def saving_per_month(self) -> Decimal:
        """Of all calls."""
        return self.saving_per_call * self.calls_per_month

    @property
    def ratio(self) -> Decimal:
        """Saving per dollar spent on the agent."""
        return self.saving_per_call / self.agent_call_usd

    @property
    def payback_months(self) -> Decimal | None:
        """Months until the setup is earned back; None when it never is."""
        return self.setup_usd / self.saving_per_month if self.saving_per_month > 0 else None
