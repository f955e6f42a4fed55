import math

import numpy as np
import pytest
from scipy.stats import bootstrap  # type: ignore[import-untyped]  # ships no types

from slukh.experiment.statistics.estimates import Estimate, by_cluster, long_tailed, rate
from slukh.experiment.statistics.sequential import confidence_sequence
from slukh.testing.simulated_errors import Traffic, simulated_callers, simulated_calls, simulated_turns

TRAFFIC = Traffic()
LEVEL = TRAFFIC.level(0.18)


def coverage(intervals: list[tuple[float, float]], truth: float) -> float:
    return sum(low <= truth <= high for low, high in intervals) / len(intervals)


def test_the_rate_is_pooled() -> None:
    found = rate([1, 0, 3], [1, 9, 10])
    assert found.value == pytest.approx(0.2)
    # By hand: residuals 0.8, -1.8, 1.0; 3/2 of their squares, under 20 squared.
    assert found.standard_error == pytest.approx(math.sqrt(1.5 * (0.64 + 3.24 + 1.0)) / 20)
    assert found.clusters == 3


def test_one_call_says_nothing_of_others() -> None:
    assert rate([1], [10]).interval() == (-math.inf, math.inf)
    assert math.isnan(rate([], []).value)
    assert math.isnan(rate([0, 0], [0, 0]).value)


def test_too_few_calls_have_no_interval_however_many_the_others_are() -> None:
    few, many = (Estimate(value=0.1, standard_error=0.01, clusters=clusters) for clusters in (14, 900))
    nothing = (-math.inf, math.inf)
    assert few.interval() == nothing
    assert (few - many).interval() == nothing
    assert (many - few).interval() == nothing
    always = confidence_sequence(few, observations=14, planned=100)
    assert (always.low, always.high) == nothing


def test_calls_that_are_all_alike_bound_nothing() -> None:
    assert rate([0] * 20, [10] * 20).interval() == (-math.inf, math.inf)
    assert rate([1] * 20, [10] * 20).interval() == (-math.inf, math.inf)


def test_few_calls_have_the_wider_interval_of_student() -> None:
    few = Estimate(value=0.0, standard_error=1.0, clusters=15)
    many = Estimate(value=0.0, standard_error=1.0, clusters=500)
    assert few.interval()[1] == pytest.approx(2.144787)
    assert many.interval()[1] == pytest.approx(1.959964)


def test_turns_are_summed_by_call() -> None:
    errors, words = by_cluster(["b", "a", "b"], [1, 2, 3], [10, 20, 30])
    assert errors.tolist() == [2, 4]
    assert words.tolist() == [20, 40]


def test_clustered_intervals_cover_the_truth_and_word_ones_do_not() -> None:
    generator = np.random.default_rng(1)
    by_call, by_word = [], []
    for _ in range(400):
        words, errors = simulated_calls(generator, 200, (LEVEL,))
        found = rate(errors, words)
        by_call.append(found.interval())
        reach = 1.96 * math.sqrt(found.value * (1 - found.value) / words.sum())
        by_word.append((found.value - reach, found.value + reach))
    assert 0.92 <= coverage(by_call, 0.18) <= 0.975
    assert coverage(by_word, 0.18) < 0.75


def test_the_interval_is_that_of_resampled_calls() -> None:
    words, errors = simulated_calls(np.random.default_rng(2), 400, (LEVEL,))
    resampled = bootstrap(
        (errors, words), lambda e, w, axis: e.sum(axis) / w.sum(axis), paired=True, method="percentile",
        n_resamples=2000, rng=3,
    ).confidence_interval  # fmt: skip
    assert rate(errors, words).interval() == pytest.approx(tuple(resampled), abs=0.002)


def test_pairs_are_surer_than_arms_that_share_no_call() -> None:
    generator = np.random.default_rng(4)
    words, first, second = simulated_calls(generator, 400, (LEVEL, LEVEL))
    paired = rate(second - first, words)
    apart = rate(second, words) - rate(first, words)
    assert paired.value == pytest.approx(apart.value)
    assert paired.standard_error < 0.6 * apart.standard_error


def test_differences_of_arms_cover_none() -> None:
    generator = np.random.default_rng(5)
    intervals = []
    for _ in range(300):
        (words, errors), (other_words, other_errors) = (
            simulated_calls(generator, calls, (LEVEL,)) for calls in (60, 300)
        )
        intervals.append((rate(errors, words) - rate(other_errors, other_words)).interval())
    assert 0.92 <= coverage(intervals, 0.0) <= 0.98


def test_simulated_turns_have_the_rate_they_were_asked_for() -> None:
    turns = simulated_turns(np.random.default_rng(6), 20_000, (LEVEL,))
    assert turns.errors[0].sum() / turns.words.sum() == pytest.approx(0.18, abs=0.004)


def test_callers_who_call_again_are_the_clusters() -> None:
    generator = np.random.default_rng(7)
    by_caller: list[tuple[float, float]] = []
    by_call: list[tuple[float, float]] = []
    for _ in range(300):
        caller = simulated_callers(generator, 400)
        turns = simulated_turns(generator, 400, (LEVEL,), caller=caller)
        for keys, found in ((caller[turns.call], by_caller), (turns.call, by_call)):
            found.append(
                rate(*by_cluster([str(key) for key in keys], turns.errors[0], turns.words)).interval()
            )
    assert 0.90 <= coverage(by_caller, 0.18) <= 0.975
    assert coverage(by_call, 0.18) < 0.82


def test_simulated_callers_call_twice_and_a_few_of_them_thirty_times() -> None:
    times = np.bincount(simulated_callers(np.random.default_rng(8), 50_000))
    assert times.mean() == pytest.approx(0.99 * 2 + 0.01 * 30, rel=0.03)
    assert (times == 30).mean() == pytest.approx(0.01, abs=0.002)


def test_one_more_like_the_dearest_is_far_off_and_one_who_calls_often_is_not() -> None:
    usd, calls = [1.0, 1.2, 0.8, 1.1, 0.9] * 20, [1.0] * 100
    assert long_tailed([*usd, 31.0], [*calls, 1.0]).standard_error > 30 / 131
    often = [*usd, 30.0], [*calls, 30.0]
    dearest = (1.2 - 1.0 + 130 / 101) / 130  # of 130 calls by 101 callers
    assert long_tailed(*often).standard_error == pytest.approx(
        math.hypot(rate(*often).standard_error, dearest)
    )
