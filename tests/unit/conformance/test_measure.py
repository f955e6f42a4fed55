"""How the number of callers is found at which finals are twice as late."""

import pytest

from slukh.conformance.measure import load
from slukh.conformance.report import Step

ALONE = Step(streams=1, p50_seconds=0.5, p95_seconds=0.5)


async def searched(too_many: int, most: int) -> tuple[list[int], int | None]:
    async def at_once(streams: int) -> Step:
        seconds = 1.0 if streams >= too_many else 0.5
        return Step(streams=streams, p50_seconds=seconds, p95_seconds=seconds)

    steps, doubled_at = await load(ALONE, most, at_once)
    return [step.streams for step in steps], doubled_at


@pytest.mark.parametrize(
    ("too_many", "tried", "doubled_at"),
    [
        (2, [1, 2], 2),
        (3, [1, 2, 4, 3], 3),
        (6, [1, 2, 4, 8, 6, 5], 6),
        (99, [1, 2, 4, 8, 16], None),
    ],
)
async def test_callers_are_doubled_and_then_halved_back_to_where_finals_are_twice_as_late(
    too_many: int, tried: list[int], doubled_at: int | None
) -> None:
    assert await searched(too_many, most=16) == (tried, doubled_at)


async def test_more_callers_than_were_wanted_are_never_tried() -> None:
    assert await searched(99, most=1) == ([1], None)
    assert await searched(99, most=7) == ([1, 2, 4], None)
