"""Looking every day without fooling oneself: intervals and checks that hold at every look at once.

A fixed 95 % interval that is looked at daily for four weeks cries wolf in about 28 of 100 experiments in
which there is nothing to find. These stay below 5 however often they are looked at, at 1.6 times the width.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from slukh.experiment.statistics.estimates import FEWEST_CLUSTERS, Estimate

_CONCENTRATION = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """An always-valid statement about a difference.

    Attributes:
        low: lower bound.
        high: upper bound.
        p: probability under no difference, at most; valid at any look.
    """

    low: float
    high: float
    p: float


def confidence_sequence(
    estimate: Estimate, *, observations: int, planned: int, alpha: float = 0.05
) -> Bounds:
    """Bounds that hold at every look (F5).

    Args:
        estimate: from all data so far.
        observations: calls so far, of both arms.
        planned: calls at which the decision is expected; the bounds are tightest there.
        alpha: how often the true value may ever be outside.

    Source: asymptotic confidence sequence, Waudby-Smith et al., arXiv 2103.06476, eq. 9.
    """
    variance = estimate.standard_error**2
    # That all calls were alike so far is no certainty: as little is known as of a single one.
    is_of_few = estimate.clusters < FEWEST_CLUSTERS
    if is_of_few or not math.isfinite(variance) or not variance or observations <= 0:
        return Bounds(low=-math.inf, high=math.inf, p=1.0)
    log_alpha = math.log(alpha)
    mixture = (-2 * log_alpha + math.log(1 - 2 * log_alpha)) / planned
    k = observations * mixture + 1
    reach = math.sqrt(variance * observations) * math.sqrt(
        2 * k * math.log(math.sqrt(k) / alpha) / (observations**2 * mixture)
    )
    distance = mixture * estimate.value**2 * observations / (2 * k * variance)
    return Bounds(
        low=estimate.value - reach,
        high=estimate.value + reach,
        p=min(1.0, math.sqrt(k) * math.exp(-distance)),
    )


def is_not_worse(bounds: Bounds, margin: float) -> bool:
    """Whether a difference is certainly below a margin (F6): 2.5 % wrong at most, at any number of looks."""
    return bounds.high < margin


def is_worse(bounds: Bounds, margin: float) -> bool:
    """Whether a difference is certainly above a margin."""
    return bounds.low > margin


def sample_ratio_p(counts: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """Whether callers fell into the arms as they should have; valid at any look (F9).

    Args:
        counts: by arm, of what the lot is drawn for: callers. Calls of one caller are no draws of their own.
        shares: what each arm should have; together 1.

    Returns: p; below 0.001 something assigns, loses or filters callers by arm.
    Source: Dirichlet-multinomial Bayes factor, Lindon & Malek, arXiv 2011.03567.
    """
    arms = [arm for arm, share in shares.items() if share > 0]
    if any(counts.get(arm, 0) for arm, share in shares.items() if share <= 0):
        return 0.0  # an arm that nobody should be in has calls
    prior = {arm: _CONCENTRATION * shares[arm] for arm in arms}
    total = sum(counts.get(arm, 0) for arm in arms)
    log_bayes = math.lgamma(_CONCENTRATION) - math.lgamma(_CONCENTRATION + total)
    for arm in arms:
        count = counts.get(arm, 0)
        log_bayes += math.lgamma(prior[arm] + count) - math.lgamma(prior[arm]) - count * math.log(shares[arm])
    return math.exp(min(0.0, -log_bayes))
