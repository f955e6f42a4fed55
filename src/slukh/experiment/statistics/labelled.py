"""The paired difference from few labels and much unlabelled audio (F8).

Where two providers' canonical texts are equal, their errors are equal too, whatever was said: labels go where
they differ, drawn with known probabilities. A proxy (a judge, a third recogniser) says of every utterance how
much worse the second is; labels correct what the proxy gets wrong, so a bad proxy costs width, not truth.
The number of words said is unknown for unlabelled audio too, so the denominator is corrected likewise.

Source: difference estimator with Poisson sampling (Sarndal, Swensson & Wretman, "Model Assisted Survey
Sampling", 6.3); tuning as in PPI++, Angelopoulos et al., arXiv 2311.01453; the ratio is ours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slukh.experiment.statistics.estimates import Estimate, Floats

_FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shadowed:
    """Utterances that both providers heard, one value each.

    Attributes:
        calls: which call each belongs to.
        difference: errors of the second provider less those of the first; anything where not labelled.
        words: of the reference; likewise.
        proxy: a guess of `difference`.
        length: a guess of `words`, such as the mean length of both hypotheses.
        probability: with which it was drawn for labelling; above 0 wherever `is_labelled`.
        is_labelled: whether it was. A pair of equal texts may count as labelled only where `words` is known.
    """

    calls: Sequence[str]
    difference: Floats
    words: Floats
    proxy: Floats
    length: Floats
    probability: Floats
    is_labelled: NDArray[np.bool_]


def labelled_difference(shadowed: Shadowed, *, seed: int = 0) -> Estimate:
    """The difference of the two providers' word error rates, clustered by call.

    Args:
        shadowed: the utterances.
        seed: of the folds in which the proxies' weights are fitted, each on the others.
    """
    weight = np.where(shadowed.is_labelled, 1 / np.where(shadowed.is_labelled, shadowed.probability, 1), 0.0)
    names, codes = np.unique(np.array(shadowed.calls, str), return_inverse=True)
    folds = np.random.default_rng(seed).permutation(len(names))[codes] % _FOLDS
    difference = np.where(shadowed.is_labelled, shadowed.difference, 0.0)
    words = np.where(shadowed.is_labelled, shadowed.words, 0.0)
    proxy = _trust(difference, shadowed.proxy, weight, folds) * shadowed.proxy
    length = _trust(words, shadowed.length, weight, folds) * shadowed.length
    top, bottom = proxy + weight * (difference - proxy), length + weight * (words - length)
    total = float(bottom.sum())
    if total <= 0:
        return Estimate(value=math.nan, standard_error=math.inf, clusters=len(names))
    value = float(top.sum()) / total
    influence = np.bincount(codes, weights=top - value * bottom)
    clusters = len(names)
    error = math.inf
    if clusters > 1:
        error = math.sqrt(clusters / (clusters - 1) * float(influence @ influence)) / total
    return Estimate(value=value, standard_error=error, clusters=clusters)


def _trust(truth: Floats, guess: Floats, weight: Floats, folds: NDArray[np.int_]) -> Floats:
    """How much of the guess to take, 0 to 1, for every utterance from the folds it is not in."""
    trust = np.zeros(len(guess))
    for fold in range(_FOLDS):
        others = folds != fold
        drawn = weight[others]
        if (drawn > 0).sum() < 2 or not (spread := guess[others].var()):  # noqa: PLR2004  # no covariance of one
            continue
        here, there, total = truth[others], guess[others], drawn.sum()
        covariance = float(drawn @ ((here - drawn @ here / total) * (there - drawn @ there / total)) / total)
        labelled = float((drawn > 0).mean())
        trust[~others] = min(1.0, max(0.0, covariance / (spread * (1 + labelled))))
    return trust
