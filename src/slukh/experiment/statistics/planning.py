"""How much is still needed until a difference is decided: calls, or labels and the listening they are."""

import math
from dataclasses import dataclass
from statistics import NormalDist

from slukh.experiment.statistics.estimates import Estimate

POWER = 0.8  # how probable a decision shall be, with what is asked for


def times_needed(estimate: Estimate, *, reach: float, margin: float) -> float | None:
    """How many times the evidence shows a difference to be below a margin, as probably as `POWER`.

    None where no amount does, or nothing is known yet. F7, with the reach that the gate has in the place of a
    single look's.

    Args:
        estimate: of the difference, now; its error falls with the root of the evidence.
        reach: of the bound above the estimate, likewise.
        margin: largest difference that is acceptable.
    """
    if not math.isfinite(reach) or not estimate.value < margin:
        return None
    wanted = reach + NormalDist().inv_cdf(POWER) * estimate.standard_error
    return (wanted / (margin - estimate.value)) ** 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPlan:
    """What to label before the gate can be decided.

    Attributes:
        labels: more than there are.
        audio_seconds: how much audio that is.
    """

    labels: int
    audio_seconds: float


def labels_needed(
    estimate: Estimate, *, labels: int, reach: float, margin: float, seconds_per_label: float
) -> LabelPlan | None:
    """How many labels more until the difference is shown to be below the margin; None when no number does it.

    The standard error is taken to fall with the root of the number of labels, which asks for too many where
    the unlabelled calls carry part of it.

    Args:
        estimate: of the difference, with what is labelled now.
        labels: behind it.
        reach: as for `times_needed`.
        margin: likewise.
        seconds_per_label: audio that is played for one.
    """
    times = times_needed(estimate, reach=reach, margin=margin)
    if times is None:
        return None
    more = max(0, math.ceil(labels * (times - 1)))
    return LabelPlan(labels=more, audio_seconds=more * seconds_per_label)
