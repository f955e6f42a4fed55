import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from slukh.talking.pace import LATE_SECONDS, Pace
from slukh.telephony.line import FRAME_SECONDS

HALF_AN_HOUR = 30 * 60 * 50  # frames


def departures(frames: int, oversleeps: Callable[[int], float]) -> list[float]:
    """When frames leave on a machine that sleeps too long."""
    pace, now, times = Pace(), 100.0, []
    for number in range(frames):
        now += pace.wait(now) + oversleeps(number)
        pace.left(now)
        times.append(now)
    return times


def test_half_an_hour_of_frames_ends_when_it_should_on_a_machine_that_always_sleeps_too_long() -> None:
    chance = random.Random(1)
    times = departures(HALF_AN_HOUR, lambda _: chance.uniform(0.0, 0.015))
    drifts = [at - times[0] - number * FRAME_SECONDS for number, at in enumerate(times)]
    assert max(map(abs, drifts)) <= 0.015 + 1e-6


def test_what_is_late_by_a_moment_is_followed_by_the_next_on_time() -> None:
    times = departures(10, lambda number: 0.03 if number == 4 else 0.0)
    assert [round(at - times[0], 3) for at in times] == [
        0,
        0.02,
        0.04,
        0.06,
        0.11,
        0.11,
        0.12,
        0.14,
        0.16,
        0.18,
    ]


@pytest.mark.parametrize("stall", [0.05, 1.0, 60.0])
def test_what_is_late_by_more_is_not_made_up_for(stall: float) -> None:
    times = departures(100, lambda number: stall if number == 50 else 0.0)
    assert times[-1] - times[0] == pytest.approx(99 * FRAME_SECONDS + stall)
    assert min(after - before for before, after in pairwise(times)) > 0.019


def test_never_more_than_three_frames_leave_at_once() -> None:
    chance = random.Random(2)
    times = departures(20_000, lambda _: chance.choice([0.0, 0.0, 0.0, LATE_SECONDS, 0.039, 0.2]))
    assert all(later - at > 0.019 for at, later in zip(times, times[3:], strict=False))
