import math
from statistics import NormalDist

import pytest

from slukh.experiment.statistics.estimates import Estimate
from slukh.experiment.statistics.planning import POWER, LabelPlan, labels_needed, times_needed


def plan(now: Estimate, *, labels: int = 100, margin: float = 0.02) -> LabelPlan | None:
    reach = 3.0 * now.standard_error
    return labels_needed(now, labels=labels, reach=reach, margin=margin, seconds_per_label=8.0)


@pytest.mark.parametrize(
    ("share", "margin", "expected"),
    [(0.1, 0.01, 17_400), (0.1, 0.02, 4_400), (0.1, 0.03, 1_900), (0.5, 0.01, 6_300), (0.5, 0.02, 1_600)],
)
def test_for_a_single_look_the_calls_needed_are_those_of_the_formula(
    share: float, margin: float, expected: int
) -> None:
    """F7: 0.141 is the deviation of a call's errors about the rate, per mean words of a call."""
    a_thousand = Estimate(
        value=0.0, standard_error=0.141 * math.sqrt((1 / share + 1 / (1 - share)) / 1000), clusters=1000
    )
    reach = NormalDist().inv_cdf(0.975) * a_thousand.standard_error
    times = times_needed(a_thousand, reach=reach, margin=margin)
    assert times is not None
    assert POWER == 0.8
    assert 1000 * times == pytest.approx(expected, rel=0.03)


def test_twice_as_sure_takes_four_times_the_labels() -> None:
    now = Estimate(value=0.0, standard_error=0.02, clusters=100)
    wide, narrow = plan(now, margin=0.04), plan(now)
    assert wide is not None
    assert narrow is not None
    assert narrow.labels + 100 == pytest.approx(4 * (wide.labels + 100), rel=0.01)
    assert narrow.audio_seconds == narrow.labels * 8.0


def test_labels_enough_need_no_more() -> None:
    found = plan(Estimate(value=0.0, standard_error=0.002, clusters=100), labels=400)
    assert found is not None
    assert found.labels == 0


@pytest.mark.parametrize("value", [0.02, 0.05])
def test_no_number_of_labels_shows_what_is_not_so(value: float) -> None:
    assert plan(Estimate(value=value, standard_error=0.01, clusters=100)) is None
    assert plan(Estimate(value=math.nan, standard_error=math.inf, clusters=0), labels=0) is None
