import math

import numpy as np
import pytest

from slukh.experiment.statistics.estimates import by_cluster, rate
from slukh.experiment.statistics.labelled import Shadowed, labelled_difference
from slukh.testing.simulated_errors import Traffic, simulated_turns

TRAFFIC = Traffic()
LEVELS = (TRAFFIC.level(0.18), TRAFFIC.level(0.20))


def shadowed(generator: np.random.Generator, *, good_proxy: bool) -> Shadowed:
    turns = simulated_turns(generator, 500, LEVELS)
    difference = (turns.errors[1] - turns.errors[0]).astype(float)
    judged = np.where(difference == 0, 0.0, 0.8 * difference + generator.normal(0, 0.5, len(difference)))
    proxy = judged if good_proxy else generator.normal(1.0, 1.0, len(difference))
    # Drawn the more probably, the more the two differ; hardly where they do not.
    probability = np.where(difference == 0, 0.02, np.clip(0.05 * np.abs(difference), 0.02, 1.0))
    return Shadowed(
        calls=[str(call) for call in turns.call],
        difference=difference,
        words=turns.words.astype(float),
        proxy=proxy,
        length=turns.words * 0.8 + generator.normal(0, 1, len(difference)),  # biased: it says too few
        probability=probability,
        is_labelled=generator.random(len(difference)) < probability,
    )


@pytest.mark.parametrize("good_proxy", [True, False])
def test_few_labels_cover_the_truth_whatever_the_proxy_is_worth(good_proxy: bool) -> None:
    generator = np.random.default_rng(10)
    found = [labelled_difference(shadowed(generator, good_proxy=good_proxy)) for _ in range(200)]
    covered = sum(low <= 0.02 <= high for low, high in (each.interval() for each in found)) / 200
    assert 0.90 <= covered <= 0.985
    assert np.mean([each.value for each in found]) == pytest.approx(0.02, abs=0.003)


def test_a_good_proxy_makes_the_estimate_surer() -> None:
    errors = {
        good: np.mean([
            labelled_difference(shadowed(np.random.default_rng(seed), good_proxy=good)).standard_error
            for seed in range(20)
        ])
        for good in (True, False)
    }  # fmt: skip
    assert errors[True] < 0.9 * errors[False]


def test_the_proxy_has_the_weight_that_makes_the_variance_least() -> None:
    """PPI++ (arXiv 2311.01453): covariance over the labelled, by variance over all times 1 + n/N. By hand.

    All calls are alike, so that every fold finds the same weight; lengths are too, and have none.
    """
    calls = 40
    found = labelled_difference(
        Shadowed(
            calls=[str(call) for call in range(calls) for _ in range(4)],
            difference=np.tile([0.0, 1.0, 0.0, 2.0], calls),
            words=np.tile([0.0, 10.0, 0.0, 10.0], calls),
            proxy=np.tile([0.0, 1.0, 2.0, 4.0], calls),
            length=np.full(4 * calls, 10.0),
            probability=np.full(4 * calls, 0.5),
            is_labelled=np.tile([False, True, False, True], calls),
        )
    )
    covariance = ((1 - 1.5) * (1 - 2.5) + (2 - 1.5) * (4 - 2.5)) / 2
    variance = (0 + 1 + 4 + 16) / 4 - (7 / 4) ** 2
    weight = covariance / (variance * (1 + 2 / 4))
    all_of_them, labelled = weight * 7, ((1 - weight * 1) + (2 - weight * 4)) / 0.5
    assert found.value == pytest.approx((all_of_them + labelled) / (20 / 0.5))


def test_with_every_utterance_labelled_it_is_the_paired_difference() -> None:
    turns = simulated_turns(np.random.default_rng(11), 100, LEVELS)
    difference, words = (turns.errors[1] - turns.errors[0]).astype(float), turns.words.astype(float)
    calls, all_of_them = [str(call) for call in turns.call], np.ones(len(words))
    found = labelled_difference(
        Shadowed(
            calls=calls, difference=difference, words=words, proxy=np.zeros(len(words)), length=words,
            probability=all_of_them, is_labelled=all_of_them.astype(bool),
        )
    )  # fmt: skip
    paired = rate(*by_cluster(calls, difference, words))
    assert found.value == pytest.approx(paired.value)
    assert found.standard_error == pytest.approx(paired.standard_error)


def test_no_labels_say_nothing() -> None:
    nothing = np.zeros(3)
    found = labelled_difference(
        Shadowed(
            calls=["a", "b", "c"], difference=nothing, words=nothing, proxy=nothing, length=nothing,
            probability=nothing, is_labelled=nothing.astype(bool),
        )
    )  # fmt: skip
    assert math.isnan(found.value)
    assert found.standard_error == math.inf
