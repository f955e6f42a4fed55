"""A clock that counts what was waited for; these tests run under it, as all of one process do."""

import asyncio
import socket
import time

import pytest

from slukh.testing.steady_time import SteadyTimeLoop


def keep_busy(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def test_every_test_has_this_clock() -> None:
    assert isinstance(asyncio.get_running_loop(), SteadyTimeLoop)


async def test_what_is_computed_takes_no_time() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    keep_busy(0.05)
    await asyncio.sleep(0)
    assert loop.time() == began


async def test_what_leaves_every_20_ms_does_so_while_something_keeps_the_processor() -> None:
    loop = asyncio.get_running_loop()
    began, times = loop.time(), list[float]()
    for number in range(1, 6):
        await asyncio.sleep(began + number * 0.02 - loop.time())
        times.append(loop.time() - began)
        keep_busy(0.03)
    assert times == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1], abs=0.002)


async def test_what_waits_in_a_socket_is_read_before_time_goes_on() -> None:
    loop = asyncio.get_running_loop()
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        there.setblocking(False)
        began = loop.time()
        for _ in range(10):
            arriving = asyncio.create_task(loop.sock_recv(there, 1))
            await loop.sock_sendall(here, b"x")
            keep_busy(0.01)
            assert await arriving == b"x"
        assert loop.time() == began


async def test_a_thread_is_waited_for_and_a_timeout_ends_what_hangs() -> None:
    await asyncio.to_thread(keep_busy, 0.02)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
