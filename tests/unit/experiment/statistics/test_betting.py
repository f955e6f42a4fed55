"""Bounds of rare events that hold for whatever they look like, however often one looks."""

import math

import numpy as np
import pytest

from slukh.experiment.statistics.betting import Counted


def minutes(*differences: float, most: float = 1.0) -> Counted:
    """One observation of a minute each."""
    return Counted(differences=np.array(differences), sizes=np.ones(len(differences)), most=most)


def test_nothing_in_212_minutes_is_less_than_one_in_fifty() -> None:
    assert minutes(*[0.0] * 212).bounds()[1] < 0.02 < minutes(*[0.0] * 211).bounds()[1]


def test_events_may_come_in_any_order() -> None:
    events = [1.0, 0.0, -1.0, 1.0, *[0.0] * 300]
    assert minutes(*events).bounds() == pytest.approx(minutes(*events[::-1]).bounds())


def test_what_is_turned_round_has_its_bounds_turned_round() -> None:
    events = [1.0] * 9 + [-1.0] * 2 + [0.0] * 300
    low, high = minutes(*events).bounds()
    assert low < minutes(*events).rate < high
    assert minutes(*(-event for event in events)).bounds() == pytest.approx((-high, -low))


def test_a_handful_of_observations_bounds_nothing() -> None:
    assert minutes(1.0).bounds()[0] < -0.9
    assert minutes(0.0, most=1000.0).bounds()[1] > 1000


def test_as_many_observations_as_are_asked_for_are_enough() -> None:
    events = [1.0, *[0.0] * 99]
    times = minutes(*events).times_wanted(0.02)
    assert times is not None
    whole = math.ceil(times)
    assert minutes(*events * whole).bounds()[1] < 0.02 < minutes(*events * (whole - 1)).bounds()[1]
    assert minutes(1.0, *[0.0] * 9).times_wanted(0.02) is None


def test_a_rate_at_the_bound_is_told_below_it_as_seldom_as_promised_at_any_look() -> None:
    generator, wrong, runs = np.random.default_rng(1), 0, 100
    for _ in range(runs):
        events = generator.binomial(1, 0.02, 600) * generator.integers(1, 4, 600)
        found = [minutes(*events[:seen], most=3.0) for seen in range(100, 601, 100)]
        wrong += any(each.bounds()[1] < float(2 * 0.02) for each in found)
    assert wrong / runs <= 0.025
