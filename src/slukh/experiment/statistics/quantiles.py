"""Differences of latency quantiles (F11), by resampling calls.

From raw values: with Prometheus' default buckets a true p95 of 1.05 s reads as 1.38.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slukh.experiment.statistics.estimates import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileDifference:
    """A quantile of the second arm less that of the first.

    Attributes:
        value: in the unit of the values.
        low: lower bound of the interval.
        high: upper bound.
    """

    value: float
    low: float
    high: float


def quantile_difference(
    first: tuple[Sequence[str], Floats],
    second: tuple[Sequence[str], Floats],
    *,
    seed: int,
    quantile: float = 0.95,
    confidence: float = 0.95,
    draws: int = 1000,
) -> QuantileDifference:
    """How much slower the second arm is at a quantile.

    Args:
        first: calls and values of one arm, one of each per utterance; what never came counts at its deadline.
        second: of the other.
        seed: of the resampling.
        quantile: which.
        confidence: of the interval.
        draws: how many resamples.
    """
    generator = np.random.default_rng(seed)
    drawn = [_resampled(calls, values, quantile, draws, generator) for calls, values in (first, second)]
    low, high = np.quantile(drawn[1] - drawn[0], [(1 - confidence) / 2, (1 + confidence) / 2])
    value = _quantile(second[1], quantile) - _quantile(first[1], quantile)
    return QuantileDifference(value=value, low=float(low), high=float(high))


def _quantile(values: Floats, quantile: float) -> float:
    return float(np.quantile(values, quantile, method="inverted_cdf"))


def _resampled(
    calls: Sequence[str], values: Floats, quantile: float, draws: int, generator: np.random.Generator
) -> Floats:
    """The quantile of every resample, calls drawn whole."""
    order = np.argsort(values)
    ordered = values[order]
    names, codes = np.unique(np.array(calls, str), return_inverse=True)
    of_value = codes[order]
    found = np.empty(draws)
    for draw in range(draws):
        times = np.bincount(generator.integers(0, len(names), len(names)), minlength=len(names))
        reached = np.cumsum(times[of_value])
        found[draw] = ordered[np.searchsorted(reached, quantile * reached[-1])]
    return found
