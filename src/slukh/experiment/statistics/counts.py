"""Words heard per minute in which nobody spoke, and how far off that may be: words come in bursts.

A recogniser that invents words rarely invents one: a single recording may hold a hundred. So a burst is what
happens by chance, and its words are its weight. The rates of two recognisers are taken for independent; where
both heard the same recordings, the bounds of their difference are too wide rather than too narrow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from slukh.errors import ExperimentError

_PHRASE = 3  # words of a burst that nobody has seen yet, such as "дякую за перегляд"
_LONGEST = 1000  # times as much silence: more is not worth asking for


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What one recogniser made of recordings in which nobody spoke.

    Attributes:
        seconds: their audio.
        words: of each call in which it heard any, how many: one burst each.
    """

    seconds: float
    words: Sequence[int] = ()

    @property
    def per_minute(self) -> float:
        """Words per minute."""
        return 60 * sum(self.words) / self.seconds

    def times(self, longer: float, unseen: int = _PHRASE) -> tuple[float, float, float]:
        """Rate with bounds, words per minute, as if there were so many times as much of the same.

        The upper bound allows for one more burst: the largest seen, and of `unseen` words at least.

        Source: gamma interval of a weighted sum of Poisson counts, Fay & Feuer, Statistics in Medicine 16
        (1997), with bursts for counts.
        """
        total, squares = longer * sum(self.words), longer * sum(word * word for word in self.words)
        most = max((unseen, *self.words))
        low = squares / total * _gamma(total**2 / squares, 0.025) if total else 0.0
        above, spread = total + most, squares + most * most
        high = spread / above * _gamma(above**2 / spread, 0.975)
        minutes = longer * self.seconds / 60
        return total / minutes, low / minutes, high / minutes


def difference(one: Silence, other: Silence, *, longer: float = 1.0) -> tuple[float, float, float]:
    """One rate less another, with its bounds (95 %, looked at once), words per minute.

    Args:
        one: whose rate counts.
        other: whose rate is taken from it.
        longer: as if there were so many times as much of the same silence.

    Source: limits from those of each rate, Zou & Donner, Statistics in Medicine 27 (2008).
    """
    # One long burst is one event, whoever it happens to: the lower bound lets the other have it next.
    largest = max(one.words, default=0)
    (a, a_low, a_high), (b, b_low, b_high) = one.times(longer), other.times(longer, max(largest, _PHRASE))
    return a - b, a - b - math.hypot(a - a_low, b_high - b), a - b + math.hypot(a_high - a, b - b_low)


def times_wanted(one: Silence, other: Silence, margin: float) -> float | None:
    """How many times as much of the same silence would show the difference to be below a margin, or None."""
    longer = 1.0
    while longer < _LONGEST:
        if difference(one, other, longer=longer)[2] < margin:
            return longer
        longer *= 1.02
    return None


def _gamma(shape: float, probability: float) -> float:
    """Quantile of the gamma distribution of scale 1."""
    try:
        from scipy.special import gammaincinv  # type: ignore[import-untyped]  # ships no types
    except ModuleNotFoundError as error:
        raise ExperimentError(
            "bounds of words in silence need scipy", remedy="pip install 'slukh[experiment]'"
        ) from error
    return float(gammaincinv(shape, probability))
