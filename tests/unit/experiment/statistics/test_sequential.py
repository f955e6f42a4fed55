import math

import numpy as np
import pytest

from slukh.experiment.statistics.estimates import Estimate, rate
from slukh.experiment.statistics.sequential import (
    Bounds,
    confidence_sequence,
    is_not_worse,
    is_worse,
    sample_ratio_p,
)


def at_look(value: float, error: float, calls: int = 1000, planned: int = 1000) -> Bounds:
    estimate = Estimate(value=value, standard_error=error, clusters=calls)
    return confidence_sequence(estimate, observations=calls, planned=planned)


def test_the_bounds_are_those_of_the_formula() -> None:
    # Worked through with N = N* = 1000, alpha = 0.05, V = 1e-4.
    mixture = (5.991464547 + math.log(1 + 5.991464547)) / 1000
    k = 1000 * mixture + 1
    reach = math.sqrt(1e-4 * 1000) * math.sqrt(2 * k * math.log(math.sqrt(k) / 0.05) / (1e6 * mixture))
    found = at_look(0.03, 0.01)
    assert (found.low, found.high) == pytest.approx((0.03 - reach, 0.03 + reach))
    assert reach / 0.01 == pytest.approx(3.03, abs=0.1)  # 1.55 times as wide as 1.96


def test_p_is_alpha_exactly_where_a_bound_touches_none() -> None:
    reach = at_look(0.0, 0.01).high
    assert at_look(reach, 0.01).p == pytest.approx(0.05)
    assert at_look(0.0, 0.01).p == 1.0


def test_nothing_known_is_bounded_by_nothing() -> None:
    found = at_look(math.nan, math.inf)
    assert (found.low, found.high, found.p) == (-math.inf, math.inf, 1.0)


def test_calls_that_are_all_alike_bound_nothing() -> None:
    assert at_look(0.0, 0.0) == Bounds(low=-math.inf, high=math.inf, p=1.0)


def test_the_margin_decides_between_better_worse_and_neither() -> None:
    assert is_not_worse(at_look(0.0, 0.005), 0.02)
    assert is_worse(at_look(0.06, 0.005), 0.02)
    unclear = at_look(0.02, 0.005)
    assert not is_not_worse(unclear, 0.02)
    assert not is_worse(unclear, 0.02)


def decided(generator: np.random.Generator, difference: float, margin: float) -> tuple[bool, bool, bool]:
    """28 daily looks at 400 calls, 10 % in the second arm: (sequence alarms, fixed alarms, promoted)."""
    words = generator.poisson(60, 28 * 400).clip(1).astype(float)
    is_second = generator.random(len(words)) < 0.1
    errors = words * (0.18 + is_second * difference) + generator.normal(0, 0.141 * 60, len(words))
    alarm = fixed = promoted = False
    for day in range(3, 29):
        seen = slice(0, day * 400)
        arm, e, w = is_second[seen], errors[seen], words[seen]
        found = rate(e[arm], w[arm]) - rate(e[~arm], w[~arm])
        bounds = confidence_sequence(found, observations=day * 400, planned=28 * 400)
        alarm |= not bounds.low <= 0 <= bounds.high
        low, high = found.interval()
        fixed |= not low <= 0 <= high
        promoted |= is_not_worse(bounds, margin)
    return alarm, fixed, promoted


def test_daily_looks_at_nothing_raise_no_alarm_with_bounds_that_allow_for_them() -> None:
    generator = np.random.default_rng(7)
    alarms, fixed, _ = zip(*(decided(generator, 0.0, 0.02) for _ in range(150)), strict=True)
    assert sum(alarms) / 150 <= 0.05
    assert sum(fixed) / 150 >= 0.12


def test_a_difference_at_the_margin_is_hardly_ever_promoted_and_none_usually_is() -> None:
    generator = np.random.default_rng(8)
    wrong = sum(decided(generator, 0.02, 0.02)[2] for _ in range(150)) / 150
    right = sum(decided(generator, 0.0, 0.02)[2] for _ in range(60)) / 60
    assert wrong <= 0.03
    assert right >= 0.8


def test_the_ratio_of_the_arms_is_checked_at_every_look_without_false_alarms() -> None:
    generator = np.random.default_rng(9)
    alarms = 0
    for _ in range(200):
        second = np.cumsum(generator.random(4000) < 0.1)[99::100]
        counts = (
            {"google": n - int(s), "whisper": int(s)}
            for n, s in zip(range(100, 4001, 100), second, strict=True)
        )
        alarms += any(sample_ratio_p(each, {"google": 0.9, "whisper": 0.1}) < 0.001 for each in counts)
    assert alarms <= 1


def test_an_arm_that_loses_a_fifth_of_its_calls_is_found() -> None:
    assert sample_ratio_p({"google": 9200, "whisper": 800}, {"google": 0.9, "whisper": 0.1}) < 0.001
    assert sample_ratio_p({"google": 9000, "whisper": 1000}, {"google": 0.9, "whisper": 0.1}) > 0.5


def test_a_call_in_an_arm_without_a_share_is_wrong_at_once() -> None:
    assert sample_ratio_p({"google": 10, "whisper": 1}, {"google": 1.0, "whisper": 0.0}) == 0.0
    assert sample_ratio_p({"google": 10}, {"google": 1.0, "whisper": 0.0}) == 1.0
