"""The tap and the rows of `bench/whisper_servers.py`."""

import asyncio

import pytest

from slukh.testing.tap import Tap
from slukh.testing.whisper_rows import Crowd, Interims, Row, degrades_first, tables


def crowd(callers: int, *, p95: float, lost: int = 0, with_interims: int = 0) -> Crowd:
    return Crowd(
        callers=callers, lost=lost, doubled=0, not_understood=0, with_interims=with_interims, p50=p95 / 2,
        p95=p95, errors=("timeout",) if lost else (),
    )  # fmt: skip


async def test_a_tap_tells_what_the_server_took_from_what_the_client_did() -> None:
    release = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(4)
        await release.wait()
        writer.write(b"pong")
        await reader.read()
        writer.close()

    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, Tap(server.sockets[0].getsockname()[1]) as tap:
        with pytest.raises(ValueError, match="nothing passed"):
            tap.server_seconds(loop.time())
        reader, writer = await asyncio.open_connection("127.0.0.1", tap.port)
        began = loop.time()
        writer.write(b"ping")
        loop.call_later(0.05, release.set)
        assert await reader.readexactly(4) == b"pong"
        answered = loop.time()
        writer.write(b"bye.")  # what comes after the moment that is asked about does not count
        writer.close()
        await reader.read()
        assert 0.05 <= tap.server_seconds(answered) <= answered - began


def test_what_goes_first_is_named_first() -> None:
    crowds = [
        crowd(1, p95=1.0, with_interims=1),
        crowd(5, p95=1.5, with_interims=3),
        crowd(20, p95=9.0, lost=1),
    ]
    assert degrades_first(crowds) == (
        "interims stop for some from 5 callers on; finals wait twice as long from 20 callers on; "
        "finals are lost from 20 callers on"
    )
    assert degrades_first(crowds[:1]) == "nothing"


def test_a_server_that_did_not_start_is_a_row_that_says_so() -> None:
    works = Row(
        server="a 1.0", ours=[1.0, 2.0, 8.0], plain=[1.0, 4.0], paired=[1.0, 2.0], added=[0.004, 0.006],
        interims=Interims(per_clip=2.0, firsts=(1.5, 2.5), clips=3, revised=0.25, is_eager=True),
        crowd=[crowd(1, p95=1.0), crowd(20, p95=9.0)], lost=["timeout"],
    )  # fmt: skip
    text = tables([works, Row(server="b 2.0", failed="b did not start: run it by hand to see why")])
    assert (
        "| a 1.0 | 3, 1 lost | 2.00, 8.00 s | 1.00, 4.00 s | 1.00, 0.50 | 4, 6 ms "
        "| 2.0 * | 2 of 3 | 1.5, 2.5 s | 25% |" in text
    )
    assert "| b 2.0 | 0 | b did not start: run it by hand to see why |" in text
    assert "| a 1.0 | 0.5, 1.0 s | 4.5, 9.0 s | 0 | 0 | 0 | none | finals wait twice" in text
    assert "degrades_first" in works.summary()
