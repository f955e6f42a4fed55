import math

import pytest

from slukh.experiment.statistics.estimates import Estimate
from slukh.experiment.statistics.planning import calls_needed, labels_needed


@pytest.mark.parametrize(
    ("share", "margin", "expected"),
    [(0.1, 0.01, 17_400), (0.1, 0.02, 4_400), (0.1, 0.03, 1_900), (0.5, 0.01, 6_300), (0.5, 0.02, 1_600)],
)
def test_the_calls_needed_are_those_of_the_formula(share: float, margin: float, expected: int) -> None:
    assert calls_needed(0.141, margin, share) == pytest.approx(expected, rel=0.03)


def test_twice_as_sure_takes_four_times_the_labels() -> None:
    now = Estimate(value=0.0, standard_error=0.02, clusters=100)
    wide = labels_needed(now, labels=100, margin=0.04, reach=3.0, seconds_per_label=8.0)
    narrow = labels_needed(now, labels=100, margin=0.02, reach=3.0, seconds_per_label=8.0)
    assert wide is not None
    assert narrow is not None
    assert narrow.labels + 100 == pytest.approx(4 * (wide.labels + 100), rel=0.01)
    assert narrow.audio_seconds == narrow.labels * 8.0


def test_labels_enough_need_no_more() -> None:
    now = Estimate(value=0.0, standard_error=0.002, clusters=100)
    found = labels_needed(now, labels=400, margin=0.02, reach=3.0, seconds_per_label=8.0)
    assert found is not None
    assert found.labels == 0


@pytest.mark.parametrize("value", [0.02, 0.05])
def test_no_number_of_labels_shows_what_is_not_so(value: float) -> None:
    now = Estimate(value=value, standard_error=0.01, clusters=100)
    assert labels_needed(now, labels=100, margin=0.02, reach=3.0, seconds_per_label=8.0) is None
    unknown = Estimate(value=math.nan, standard_error=math.inf, clusters=0)
    assert labels_needed(unknown, labels=0, margin=0.02, reach=3.0, seconds_per_label=8.0) is None
