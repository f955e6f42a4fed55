import numpy as np
import pytest

from slukh.experiment.statistics.estimates import Estimate, Floats
from slukh.experiment.statistics.quantiles import quantile_difference

CALLS = [str(n // 10) for n in range(3000)]


def latencies(seed: int, slower: float = 0.0) -> Floats:
    generator = np.random.default_rng(seed)
    of_call = np.repeat(generator.normal(0, 0.1, 300), 10)
    return 0.5 + slower + of_call + generator.gamma(2.0, 0.1, 3000)


def difference(first: Floats, second: Floats, calls: list[str] = CALLS) -> Estimate:
    return quantile_difference((calls, first), (calls, second), seed=3, quantile=0.95, draws=400)


def test_a_slower_arm_is_slower_by_that_much() -> None:
    found = difference(latencies(1), latencies(2, slower=0.2))
    assert found.value == pytest.approx(0.2, abs=0.06)
    assert found.clusters == 600
    low, high = found.interval()
    assert 0.1 < low < 0.2 < high


def test_calls_are_drawn_whole_so_the_error_is_larger_than_of_values() -> None:
    whole = difference(latencies(1), latencies(2))
    apart = difference(latencies(1), latencies(2), [str(n) for n in range(3000)])
    assert whole.standard_error > 1.2 * apart.standard_error


def test_finals_that_are_nearly_a_twentieth_lost_leave_the_quantile_unknown() -> None:
    lost = latencies(2)
    lost[: 3000 * 45 // 1000] = 8.0
    assert (
        difference(latencies(1), lost).standard_error
        > 10 * difference(latencies(1), latencies(2)).standard_error
    )


def test_the_same_seed_gives_the_same_error() -> None:
    assert difference(latencies(1), latencies(2)) == difference(latencies(1), latencies(2))
