import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.experiment.statistics.detection import worst_stretch

SHARES = st.floats(0, 1)


@given(st.lists(SHARES, max_size=12), st.floats(0.01, 0.9))
def test_the_evidence_is_the_best_of_all_stretches_that_end_now(values: list[float], bound: float) -> None:
    def won(stretch: list[float]) -> float:
        return sum(math.prod(1 + bet * (v / bound - 1) for v in stretch) for bet in (0.1, 0.3, 0.9)) / 3

    found = worst_stretch(values, bound)
    every = [won(values[start:]) for start in range(len(values))]
    assert found.evidence == pytest.approx(max(every, default=0.0))
    if found.values:
        assert found.mean == pytest.approx(sum(values[-found.values :]) / found.values)


@pytest.mark.parametrize("bound", [0.05, 0.1, 0.2])
def test_nobody_wins_by_betting_on_a_mean_that_is_right(bound: float) -> None:
    # Exactly, over all outcomes of eight calls that fail wholly or not at all.
    expected = 0.0
    for outcome in itertools.product((0.0, 1.0), repeat=8):
        chance = math.prod(bound if value else 1 - bound for value in outcome)
        purses = [math.prod(1 + bet * (v / bound - 1) for v in outcome) for bet in (0.1, 0.3, 0.9)]
        expected += chance * sum(purses) / 3
    assert expected == pytest.approx(1.0)


def test_five_calls_that_fail_wholly_are_evidence_enough_and_one_is_not() -> None:
    assert worst_stretch([1.0], 0.1).evidence < 10
    assert worst_stretch([0.0] * 50 + [1.0] * 5, 0.1).evidence > 10_000
    assert worst_stretch([0.0] * 50 + [1.0] * 5, 0.1).values == 5


def test_where_all_of_it_is_right_nothing_is_evidence() -> None:
    assert worst_stretch([1.0] * 100, 1.0).evidence == pytest.approx(1.0)
    assert worst_stretch([], 0.1).evidence == 0.0


def test_a_share_at_its_bound_is_not_called_too_high_in_a_month_of_calls() -> None:
    # 40 calls a day; turns of one call fail together. The whole simulation is in bench/.
    generator = np.random.default_rng(1)
    alarms = 0
    for _ in range(20):
        shares = generator.beta(0.1, 0.9, 1120)
        alarms += any(
            worst_stretch(shares[max(0, end - 60) : end].tolist(), 0.1).evidence >= 10_000
            for end in range(1, len(shares) + 1, 7)
        )
    assert alarms <= 2
