"""Differences of latency quantiles (F11), by resampling calls.

From raw values: with Prometheus' default buckets a true p95 of 1.05 s reads as 1.38.
"""

from collections.abc import Sequence

import numpy as np

from slukh.experiment.statistics.estimates import Estimate, Floats


def quantile_difference(
    first: tuple[Sequence[str], Floats],
    second: tuple[Sequence[str], Floats],
    *,
    seed: int,
    quantile: float,
    draws: int = 1000,
) -> Estimate:
    """How much slower the second arm is at a quantile, in the unit of the values.

    The standard error is that of the resamples. A resample in which the quantile falls among the finals that
    never came weighs heavily in it, as it should: it says how near the arm is to that.

    Args:
        first: calls and values of one arm, one of each per utterance; what never came counts at its deadline.
        second: of the other.
        seed: of the resampling.
        quantile: which.
        draws: how many resamples.
    """
    generator = np.random.default_rng(seed)
    drawn = [_resampled(calls, values, quantile, draws, generator) for calls, values in (first, second)]
    return Estimate(
        value=_quantile(second[1], quantile) - _quantile(first[1], quantile),
        standard_error=float((drawn[1] - drawn[0]).std(ddof=1)),
        clusters=sum(len(set(calls)) for calls, _ in (first, second)),
    )


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
