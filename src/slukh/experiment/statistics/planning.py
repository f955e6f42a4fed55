"""How much is still needed: calls for a live comparison, labels for a shadow one."""

import math
from dataclasses import dataclass
from statistics import NormalDist

from slukh.experiment.statistics.estimates import Estimate


def calls_needed(
    deviation: float, margin: float, share: float, *, alpha: float = 0.025, power: float = 0.8
) -> int:
    """Calls of both arms that show a difference to be below a margin, when there is none (F7).

    Args:
        deviation: of a call's errors about the rate, per mean words of a call.
        margin: largest difference that is acceptable.
        share: of the smaller arm.
        alpha: how often a difference at the margin may pass, one-sided.
        power: how often no difference shall pass.
    """
    normal = NormalDist()
    reach = normal.inv_cdf(1 - alpha) + normal.inv_cdf(power)
    return math.ceil((reach * deviation / margin) ** 2 * (1 / share + 1 / (1 - share)))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPlan:
    """What to label before the gate can be decided.

    Attributes:
        labels: more than there are.
        audio_seconds: how much audio that is.
        power: how probable a decision is then.
    """

    labels: int
    audio_seconds: float
    power: float


def labels_needed(
    estimate: Estimate,
    *,
    labels: int,
    margin: float,
    reach: float,
    seconds_per_label: float,
    power: float = 0.8,
) -> LabelPlan | None:
    """How many labels more until the difference is shown to be below the margin; None when no number does it.

    The standard error is taken to fall with the root of the number of labels, which asks for too many where
    the unlabelled calls carry part of it.

    Args:
        estimate: of the difference, with what is labelled now.
        labels: behind it.
        margin: largest difference that is acceptable.
        reach: half-width of the bounds in standard errors, as the gate takes them.
        seconds_per_label: audio that is played for one.
        power: how probable a decision shall be.
    """
    if estimate.value >= margin or not math.isfinite(estimate.standard_error):
        return None
    allowed = (margin - estimate.value) / (reach + NormalDist().inv_cdf(power))
    total = math.ceil(labels * (estimate.standard_error / allowed) ** 2)
    more = max(0, total - labels)
    return LabelPlan(labels=more, audio_seconds=more * seconds_per_label, power=power)
