"""Bounds of a rate of rare events, exact for any number of observations and at every look.

Whoever bets on a rate below the true one loses on average, whatever the events look like; so to have won 40
times the stake happens once in 40, however often one looks. A rate is out of bounds when betting against it
has won so much. Stakes are fixed beforehand and shared among bets of several sizes: what was won depends on
the observations, not on their order.

It takes no large numbers, which rare events do not have, but a largest value that an observation can have.

Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", arXiv 2010.09686;
for a ratio, the observation being events less the rate times the size.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slukh.experiment.statistics.estimates import Floats

# Shares of what is in hand that are bet, and of the stake that goes to each: large bets win soonest where
# nothing happens, small ones survive events that happen to both.
_BETS = np.array([0.95, 0.6, 0.3, 0.1])
_STAKES = np.array([0.7, 0.15, 0.1, 0.05])
_LARGEST_RATE = 1e6
_STEPS = 60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counted:
    """Differences of counts by observation, such as a recording; observations are independent of each other.

    Attributes:
        differences: events of one less those of the other.
        sizes: of the observations, such as their minutes; above 0.
        most: the largest count that an observation could have had, known before it is looked at.
    """

    differences: Floats
    sizes: Floats
    most: float

    @property
    def rate(self) -> float:
        """Difference per unit of size."""
        return float(self.differences.sum() / self.sizes.sum())

    def bounds(self, *, alpha: float = 0.05) -> tuple[float, float]:
        """Between which rates the true one is, at every look at once; infinite where nothing is known.

        Args:
            alpha: how often it may ever be outside, half of it on either side.
        """
        mirrored = Counted(differences=-self.differences, sizes=self.sizes, most=self.most)
        return -mirrored._upper(alpha / 2), self._upper(alpha / 2)

    def times_wanted(self, rate: float, *, alpha: float = 0.05) -> float | None:
        """How many times as many such observations would show the true rate to be below one; None: no number.

        Args:
            rate: 0 or above.
            alpha: as for `bounds`.
        """
        grown, wanted = self._grown(rate), math.log(2 / alpha)
        if grown.max() <= 0:
            return None
        low, high = 0.0, 2 * (wanted + math.log(1 / _STAKES.min())) / float(grown.max())
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if _won(middle * grown) >= wanted else (middle, high)
        return high

    def _upper(self, alpha: float) -> float:
        wanted = math.log(1 / alpha)
        low, high = (-1.0, 0.0) if _won(self._grown(0.0)) >= wanted else (0.0, _LARGEST_RATE)
        if _won(self._grown(high)) < wanted:
            return math.inf
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if _won(self._grown(middle)) >= wanted else (middle, high)
        return high

    def _grown(self, rate: float) -> NDArray[np.float64]:
        """Logarithm of what each bet against a rate, or a larger one, has won; rises with the rate."""
        # A bet must never lose more than there is, and not depend on the rate, or it would not rise with it.
        most = self.most if rate >= 0 else self.most + float(self.sizes.max())
        lost = (self.differences - rate * self.sizes) / most
        grown: NDArray[np.float64] = np.log1p(-_BETS[:, np.newaxis] * lost).sum(axis=1)
        return grown


def _won(grown: NDArray[np.float64]) -> float:
    """Logarithm of what all bets together are worth, of a stake of 1."""
    largest = float(grown.max())
    return largest + math.log(float(_STAKES @ np.exp(grown - largest)))
