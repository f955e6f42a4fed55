"""Words in silence: rates with bounds, and their difference."""

import numpy as np
import pytest

from slukh.experiment.statistics.counts import Silence, difference, times_wanted


def test_bursts_of_one_length_have_the_exact_interval_of_poisson() -> None:
    # Garwood's table: 10 events, 4.795 to 18.390.
    assert Silence(seconds=60, words=(3,) * 10).times(1) == pytest.approx(
        (30, 3 * 4.795, 3 * 18.390), abs=1e-2
    )


def test_no_word_heard_is_not_a_rate_of_nothing() -> None:
    assert Silence(seconds=60).times(1) == pytest.approx((0, 0, 3 * 3.6889), abs=1e-4)


def test_one_burst_of_words_says_little_more_than_one_word() -> None:
    rate, low, high = Silence(seconds=60, words=(100,)).times(1)
    assert rate == 100
    assert low == pytest.approx(100 * 0.02532, abs=0.01)
    assert high == pytest.approx(557.2, abs=0.1)


def test_the_difference_is_covered_as_often_as_it_says_where_words_come_in_bursts() -> None:
    generator, covered, tries = np.random.default_rng(1), 0, 400
    for _ in range(tries):
        one, other = (
            Silence(seconds=6000, words=tuple(generator.geometric(0.4, generator.poisson(events)).tolist()))
            for events in (20, 8)
        )
        _, low, high = difference(one, other)
        covered += low < (20 - 8) / 0.4 / 100 < high
    assert covered / tries >= 0.93


def test_as_much_silence_as_is_asked_for_is_enough() -> None:
    one, other = Silence(seconds=60), Silence(seconds=60)
    times = times_wanted(one, other, 0.05)
    assert times is not None
    assert times == pytest.approx(3 * 3.6889 / 0.05, rel=0.02)
    assert difference(one, other, longer=times)[2] < 0.05
    assert times_wanted(Silence(seconds=600, words=(5,)), other, 0.05) is None
