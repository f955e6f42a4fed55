"""Has a share gone up? Asked all the time, of values that are new all the time.

While the mean is at most the bound, whoever starts with 1 and bets on more, value by value, has 1 at most on
average, whenever they stop. So to have 10,000, won since any moment in the past, takes 10,000 values or more
on average, however often one looks; a mean well above the bound wins them in a few. Values may have any
distribution between 0 and 1, so one value may be the mean of things that belong together.

Source: e-detector, Shin, Ramdas & Rinaldo, arXiv 2203.03532.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Shares of what is in hand that are bet each time: for a mean far above the bound, and for one near it.
_BETS = np.array([[0.1], [0.3], [0.9]])


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
    if not values:
        return Stretch(values=0, mean=0.0, evidence=0.0)
    newest_first = np.array(values[::-1])
    with np.errstate(over="ignore"):  # more than can be counted is enough
        purses = np.cumprod(1 + _BETS * (newest_first / bound - 1), axis=1)
        evidence = purses.mean(axis=0)
    count = int(evidence.argmax()) + 1
    return Stretch(values=count, mean=float(newest_first[:count].mean()), evidence=float(evidence[count - 1]))
