"""The arithmetic of one price: blocks and increments, the month's tiers, the price of a long prompt.

    recogniser   channels * up(max(quantity, minimum), increment)
    telephone    initial + up(quantity - initial, increment); nothing up to `free`
    month        sum over tiers of (units inside the tier) * (its amount)    graduated
    prompt       the amount of the highest tier exceeded, for all tokens     cliff

Quantities are ints in the price's unit; amounts are exact up to the decimal context's precision.
"""

from decimal import Decimal

from slukh.cost.pricing.price import Price


def rounded_up(quantity: int, increment: int) -> int:
    """The next multiple of `increment`."""
    return -(-quantity // increment) * increment


def billed_quantity(price: Price, quantity: int, *, channels: int = 1) -> int:
    """What a request (an utterance, a call) of `quantity` is billed for; one that used nothing, nothing."""
    if quantity <= price.free:
        return 0
    if price.initial:
        billed = price.initial + rounded_up(max(0, quantity - price.initial), price.increment)
    else:
        billed = rounded_up(max(quantity, price.minimum), price.increment)
    return billed * channels


def amount_between(price: Price, start: int, end: int) -> Decimal:
    """Money for the units between two positions of the month, each at the amount of its own tier."""
    total = Decimal(0)
    floor, amount = 0, price.amount
    for tier in price.graduated:
        total += amount * max(0, min(end, tier.over) - max(start, floor))
        floor, amount = tier.over, tier.amount
    return (total + amount * max(0, end - max(start, floor))) / price.per


def free_amount_between(price: Price, start: int, end: int) -> Decimal:
    """Of that, the money that a month's free tier takes off."""
    return amount_between(price, start, max(start, min(end, price.free_tier)))


def amount_of_prompt(price: Price, prompt_tokens: int) -> Decimal:
    """What `price.per` tokens cost in a request with a prompt of that length."""
    for tier in reversed(price.cliff):
        if prompt_tokens > tier.over:
            return tier.amount
    return price.amount
