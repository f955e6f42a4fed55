"""One quantity under one price: the amount, and the sentence that proves it."""

from dataclasses import dataclass
from decimal import Decimal

from slukh.cost.pricing.price import Price, PriceUnit
from slukh.cost.pricing.tiers import amount_between, amount_of_prompt, free_amount_between

_MILLISECONDS = frozenset({"audio_ms", "call_ms", "connection_ms"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a quantity costs.

    Attributes:
        price_id: the entry; empty when nothing was bought.
        quantity: before rounding.
        billed_quantity: after it.
        amount: money of `currency`, not rounded.
        free_tier_amount: money the free tier took off.
        currency: the price's.
        rule: the proof, one sentence.
    """

    price_id: str
    quantity: int
    billed_quantity: int
    amount: Decimal
    free_tier_amount: Decimal = Decimal(0)
    currency: str
    rule: str


def charge(
    price: Price, quantity: int, billed: int, *, channels: int = 1, start: int = 0, free_tier: bool = False
) -> Charge:
    """The charge for `billed` units from position `start` of the month.

    Args:
        price: what holds.
        quantity: what was used.
        billed: what it is billed for (`tiers.billed_quantity`).
        channels: that went into `billed`.
        start: units of the month before these.
        free_tier: whether the month's first units are free.
    """
    end = start + billed
    listed = amount_between(price, start, end)
    free = free_amount_between(price, start, end) if free_tier else Decimal(0)
    setup = price.setup if billed else Decimal(0)
    return Charge(
        price_id=price.id,
        quantity=quantity,
        billed_quantity=billed,
        amount=listed - free + setup,
        free_tier_amount=free,
        currency=price.currency,
        rule="".join((
            _rounding(price, quantity, billed, channels),
            _at(price, start, end),
            f", {price.currency} {setup} to set up" if setup else "",
            f", less {price.currency} {free} of the free tier" if free else "",
        )),
    )  # fmt: skip


def prompt_charge(price: Price, quantity: int, prompt_tokens: int) -> Charge:
    """The charge for tokens of a request whose whole prompt has that length."""
    amount = amount_of_prompt(price, prompt_tokens)
    return Charge(
        price_id=price.id,
        quantity=quantity,
        billed_quantity=quantity,
        amount=amount * quantity / price.per,
        currency=price.currency,
        rule=f"{shown(price.unit, quantity)} at {price.currency} {amount} per "
        f"{shown(price.unit, price.per)}, the amount for a prompt of {prompt_tokens:,} tokens",
    )


def unbilled(price: Price, quantity: int, why: str) -> Charge:
    """No charge, and why not."""
    return Charge(
        price_id=price.id,
        quantity=quantity,
        billed_quantity=0,
        amount=Decimal(0),
        currency=price.currency,
        rule=f"{shown(price.unit, quantity)}: {why}",
    )


def shown(unit: PriceUnit, quantity: int) -> str:
    """`4200 audio_ms` -> `4.2 s`, `1200 cache_read_tokens` -> `1,200 cache read tokens`."""
    if unit in _MILLISECONDS:
        return f"{quantity / 1000:.10g} s"
    return f"{quantity:,} {unit.replace('_', ' ')}"


def _rounding(price: Price, quantity: int, billed: int, channels: int) -> str:
    used = shown(price.unit, quantity)
    if not billed:
        return f"{used}: free up to {shown(price.unit, price.free)}" if price.free else used
    if billed == quantity:
        return used
    how = []
    if price.initial:
        how.append(f"first {shown(price.unit, price.initial)}")
    if price.minimum > quantity:
        how.append(f"at least {shown(price.unit, price.minimum)}")
    if price.increment > 1:
        how.append(f"each started {shown(price.unit, price.increment)}")
    if channels > 1:
        how.append(f"{channels} channels")
    return f"{used} billed as {shown(price.unit, billed)} ({', '.join(how)})"


def _at(price: Price, start: int, end: int) -> str:
    per = shown(price.unit, price.per)
    crossed = [tier for tier in price.graduated if tier.over < end]
    if not crossed:
        return f" at {price.currency} {price.amount} per {per}"
    amounts = [price.amount, *(tier.amount for tier in price.graduated)]
    first = sum(tier.over <= start for tier in price.graduated)
    last = len(crossed)
    between = " to ".join(str(amount) for amount in dict.fromkeys((amounts[first], amounts[last])))
    return f" at {price.currency} {between} per {per}, the month's tiers from {shown(price.unit, start)} on"
