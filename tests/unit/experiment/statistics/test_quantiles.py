import numpy as np
import pytest

from slukh.experiment.statistics.quantiles import quantile_difference

CALLS = [str(n // 10) for n in range(3000)]


def latencies(seed: int, slower: float = 0.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    generator = np.random.default_rng(seed)
    of_call = np.repeat(generator.normal(0, 0.1, 300), 10)
    return 0.5 + slower + of_call + generator.gamma(2.0, 0.1, 3000)


def test_a_slower_arm_is_slower_by_that_much() -> None:
    found = quantile_difference((CALLS, latencies(1)), (CALLS, latencies(2, slower=0.2)), seed=3, draws=400)
    assert found.low < 0.2 < found.high
    assert found.value == pytest.approx(0.2, abs=0.06)
    assert found.low > 0.1


def test_calls_are_drawn_whole_so_the_interval_is_wider_than_of_values() -> None:
    whole = quantile_difference((CALLS, latencies(1)), (CALLS, latencies(2)), seed=3, draws=400)
    alone = [str(n) for n in range(3000)]
    apart = quantile_difference((alone, latencies(1)), (alone, latencies(2)), seed=3, draws=400)
    assert whole.high - whole.low > 1.2 * (apart.high - apart.low)


def test_the_same_seed_gives_the_same_interval() -> None:
    arms = (CALLS, latencies(1)), (CALLS, latencies(2))
    assert quantile_difference(*arms, seed=3, draws=50) == quantile_difference(*arms, seed=3, draws=50)
