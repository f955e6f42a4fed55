import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.cost.estimates.capacity import Fleet, Traffic, erlang_b, servers_for

PROFILE = (0.04, 0.07, 0.10, 0.12, 0.15, 0.12, 0.09, 0.08, 0.08, 0.07, 0.05, 0.03)
THREE_MINUTES = Traffic(call_seconds=180, hourly_profile=PROFILE)


@pytest.mark.parametrize(
    ("calls", "erlangs", "streams"),
    [
        (1_000, 0.29, 4),
        (5_000, 1.44, 7),
        (10_000, 2.88, 10),
        (12_000, 3.46, 11),
        (20_000, 5.77, 15),
        (50_000, 14.42, 27),
        (100_000, 28.85, 46),
    ],
)
def test_a_months_calls_need_so_many_streams(calls: int, erlangs: float, streams: int) -> None:
    offered = THREE_MINUTES.busy_hour_erlangs(calls)
    assert round(offered, 2) == erlangs
    assert servers_for(offered, blocking=0.001) == streams


@pytest.mark.parametrize("servers", [0, 1, 5, 30])
@pytest.mark.parametrize("erlangs", [0.1, 3.0, 28.8])
def test_erlang_b_is_the_textbook_sum(erlangs: float, servers: int) -> None:
    terms = [erlangs**k / math.factorial(k) for k in range(servers + 1)]
    assert erlang_b(erlangs, servers) == pytest.approx(terms[-1] / sum(terms))


@pytest.mark.parametrize(
    ("calls", "gpus", "overflow"),
    [
        (5_000, 1, 0.0000237),
        (12_000, 1, 0.00414),
        (20_000, 1, 0.0353),
        (30_000, 1, 0.1139),
        (30_000, 2, 0.0016),
    ],
)
def test_what_does_not_fit_goes_elsewhere(calls: int, gpus: int, overflow: float) -> None:
    assert THREE_MINUTES.overflow_share(calls, 8 * gpus) == pytest.approx(overflow, rel=0.01)


def test_gpus_are_a_staircase() -> None:
    fleet = Fleet(streams_per_gpu=8)
    assert list(fleet.steps(30_000, THREE_MINUTES)) == [(1, 7111, 1), (7112, 23301, 2), (23302, 30000, 3)]
    assert [fleet.gpus(calls, THREE_MINUTES) for calls in (500, 10_000, 12_000, 20_000, 50_000)] == [
        1,
        2,
        2,
        2,
        4,
    ]


def test_a_spare_one_is_on_top() -> None:
    assert Fleet(spare_gpus=1).gpus(1000, THREE_MINUTES) == 2


def test_the_streams_of_a_small_shop_are_idle_nearly_always() -> None:
    assert THREE_MINUTES.utilisation(1000, 4) == pytest.approx(0.0174, abs=1e-4)


@given(st.floats(0.01, 200), st.integers(0, 200))
def test_one_server_more_never_turns_more_away(erlangs: float, servers: int) -> None:
    assert 0 <= erlang_b(erlangs, servers + 1) <= erlang_b(erlangs, servers) <= 1


@given(st.floats(0.01, 100), st.floats(0.0001, 0.5))
def test_the_fewest_servers_are_the_fewest(erlangs: float, blocking: float) -> None:
    fewest = servers_for(erlangs, blocking=blocking)
    assert erlang_b(erlangs, fewest) <= blocking < erlang_b(erlangs, fewest - 1)
