"""Rates of errors per word, their differences, and how far off they may be: the call is what counts.

Words of one call share its line and its caller. In a simulation with as many errors, nominal 95 % intervals
that took words for independent covered 57 %, utterances 76 %, calls 94 %. So everything here takes one number
per call (per caller, where callers come back): its errors and its words.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slukh.errors import ExperimentError

Floats = NDArray[np.float64]
_ROUNDING = 1e-12  # what is left of equal numbers
# With fewer there is no interval: of 10 simulated calls a nominal 95 % covers 92.8 % of the true values, of 5
# 91.7 %, and those of 2 are 120 points wide; of 15 it covers 93.2 % (`bench/experiment_simulations.py`).
FEWEST_CLUSTERS = 15
_FEW_CLUSTERS = 50  # below, the normal distribution is too narrow


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A rate or a difference of rates.

    Attributes:
        value: the estimate.
        standard_error: infinite when one cluster, or none, says nothing of others.
        clusters: calls (or callers) behind it.
    """

    value: float
    standard_error: float
    clusters: int

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Where the true value is, looked at once: for daily looks see `sequential.py`.

        Without bounds where nothing is known of the spread: too few clusters, or all of them alike. That a
        few calls had the same rate is no certainty.

        Student's t below 50 clusters. Raises ExperimentError when scipy is not installed and is needed.
        """
        if (
            self.clusters < FEWEST_CLUSTERS
            or not math.isfinite(self.standard_error)
            or self.standard_error < _ROUNDING
        ):
            return -math.inf, math.inf
        tail = (1 + confidence) / 2
        few = self.clusters < _FEW_CLUSTERS
        reach = (
            _student(tail, self.clusters - 1) if few else NormalDist().inv_cdf(tail)
        ) * self.standard_error
        return self.value - reach, self.value + reach

    def __sub__(self, other: "Estimate") -> "Estimate":
        """The difference of two arms that share no call (F3); calls of one make up for none of the other."""
        is_of_few = min(self.clusters, other.clusters) < FEWEST_CLUSTERS
        return Estimate(
            value=self.value - other.value,
            standard_error=(math.inf if is_of_few else math.hypot(self.standard_error, other.standard_error)),
            clusters=self.clusters + other.clusters,
        )


def rate(errors: ArrayLike, words: ArrayLike) -> Estimate:
    """Pooled errors per word with a clustered standard error (F1).

    Args:
        errors: of every call; or the difference of two providers' errors on it, which gives the paired
            difference of their rates (F2).
        words: of every call's references.

    Source: linearised ratio estimator, Cochran, "Sampling Techniques", 3rd ed., 6.4 and 9A.
    """
    counted, said = _floats(errors), _floats(words)
    clusters, total = len(said), float(said.sum())
    if not total:
        return Estimate(value=math.nan, standard_error=math.inf, clusters=clusters)
    value = float(counted.sum()) / total
    return Estimate(
        value=value,
        standard_error=_clustered(counted - value * said, total),
        clusters=clusters,
    )


def with_one_of_each(part: ArrayLike, whole: ArrayLike) -> tuple[Floats, Floats]:
    """Calls of which a share is counted, with one more that is all of it and one more that has none.

    For bounds, not for the estimate: what has not been seen in a few calls has no spread there, and would
    count as certain.

    Source: Agresti & Caffo, "Simple and effective confidence intervals for proportions and differences of
    proportions", The American Statistician 54 (2000), with a call in the place of a trial.
    """
    counted, of_all = _floats(part), _floats(whole)
    if not len(of_all):
        return counted, of_all
    size = of_all.mean()
    return np.append(counted, (size, 0.0)), np.append(of_all, (size, size))


def long_tailed(part: ArrayLike, whole: ArrayLike) -> Estimate:
    """A rate of what a few calls have most of, such as cost: its error allows for one more like the largest.

    A few calls that happen to hold none of the tail have a low rate and a low error at once. Large is what is
    so for its size: a caller of many calls that cost what calls cost counts as one of as many as is usual.
    """
    found, of_all = rate(part, whole), _floats(whole)
    total = float(of_all.sum())
    if not total:
        return found
    for_its_size = _floats(part) - found.value * (of_all - of_all.mean())
    largest = float(for_its_size.max()) / total
    return replace(found, standard_error=math.hypot(found.standard_error, largest))


def by_cluster(keys: Sequence[str], *columns: ArrayLike) -> tuple[Floats, ...]:
    """Columns summed over the utterances of each call, calls in the order of their keys."""
    _, codes = np.unique(np.array(keys, str), return_inverse=True)
    return tuple(np.bincount(codes, weights=_floats(column)).astype(np.float64) for column in columns)


def _clustered(residuals: Floats, total: float) -> float:
    """Standard error of a ratio from its clusters' residuals."""
    clusters = len(residuals)
    if clusters <= 1:
        return math.inf
    return math.sqrt(clusters / (clusters - 1) * float(residuals @ residuals)) / total


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, np.float64)


def _student(tail: float, degrees: int) -> float:
    try:
        from scipy.special import stdtrit  # type: ignore[import-untyped]  # ships no types
    except ModuleNotFoundError as error:
        raise ExperimentError(
            "intervals of fewer than 50 calls need scipy", remedy="pip install 'slukh[experiment]'"
        ) from error
    return float(stdtrit(degrees, tail))
