"""Has a share gone up? Asked all the time, of values that are new all the time.

A mean that is at most the bound is a fair game at best: whoever starts with 1 and bets on more, value by
value, has 1 on average whenever they stop. So 10,000 in hand, won since any moment in the past, are seen once
in 10,000 values at most, however often one looks; a mean above the bound wins them in a few values. Values
may have any distribution between 0 and 1, so one value may be the mean of things that belong together.

Source: e-detector, Shin, Ramdas & Rinaldo, arXiv 2203.03532.
"""

from collections.abc import Sequence
from dataclasses import dataclass

# Shares of what is in hand that are bet each time: for a mean far above the bound, and for one near it.
_BETS = (0.1, 0.3, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The newest values, as far back as they speak for a mean above the bound.

    Attributes:
        values: how many.
        mean: of them.
        evidence: won by betting on it.
    """

    values: int
    mean: float
    evidence: float


def worst_stretch(values: Sequence[float], bound: float) -> Stretch:
    """The stretch that ends now with the most evidence of a mean above a bound.

    Args:
        values: between 0 and 1, oldest first.
        bound: above 0; the mean that is still right.
    """
    best = Stretch(values=0, mean=0.0, evidence=0.0)
    purses = [1.0] * len(_BETS)
    total = 0.0
    for count, value in enumerate(reversed(values), start=1):
        total += value
        purses = [purse * (1 + bet * (value / bound - 1)) for purse, bet in zip(purses, _BETS, strict=True)]
        evidence = sum(purses) / len(_BETS)
        if evidence > best.evidence:
            best = Stretch(values=count, mean=total / count, evidence=evidence)
    return best
