"""What the fault proxy does to a connection, and that our clients feel it when they should."""

import asyncio
import errno
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from slukh.errors import SttStreamError, SttTimeoutError
from slukh.stt.whisper.decoding import DecodeRequest
from slukh.stt.whisper.http import HttpDecoder
from slukh.testing.fault_proxy import BLACK_HOLE, FaultProxy, Wire
from slukh.testing.numbered import heard_words, numbered_speech
from slukh.testing.whisper_server import FakeWhisperServer, Hears

MIB = bytes(range(256)) * 4096
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Pair]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    """In front of a server that echoes."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with FaultProxy(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
    server.close()


@pytest.fixture
async def connect(proxy: FaultProxy) -> AsyncIterator[Connect]:
    """Connects through the proxy."""
    pairs: list[Pair] = []

    async def connect() -> Pair:
        pairs.append(await asyncio.open_connection("127.0.0.1", proxy.port))
        return pairs[-1]

    yield connect
    for _, writer in pairs:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in pairs), return_exceptions=True)


async def said(pair: Pair, data: bytes, length: int | None = None) -> bytes:
    """What comes back, so many bytes of it."""
    pair[1].write(data)
    return await pair[0].readexactly(len(data) if length is None else length)


async def is_silent(pair: Pair, seconds: float = 0.2) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await pair[0].read(1)
    except TimeoutError:
        return True
    return False


async def test_a_healthy_proxy_changes_nothing(proxy: FaultProxy, connect: Connect) -> None:
    pair = await connect()
    assert await said(pair, MIB) == MIB
    assert proxy.open_connections == 1
    pair[1].write_eof()
    assert await pair[0].read() == b""


async def test_slices_and_jitter_change_no_byte(proxy: FaultProxy, connect: Connect) -> None:
    proxy.up = Wire(slice_bytes=7, jitter_seconds=0.001)
    assert await said(await connect(), MIB[:500]) == MIB[:500]


async def test_a_delay_and_a_slow_read_take_their_time(proxy: FaultProxy, connect: Connect) -> None:
    pair = await connect()
    proxy.down = Wire(delay_seconds=0.2)
    began = time.monotonic()
    await said(pair, b"x")
    assert time.monotonic() - began >= 0.2
    proxy.down, proxy.up = Wire(), Wire(bytes_per_second=1000)
    began = time.monotonic()
    await said(pair, bytes(300))
    assert time.monotonic() - began >= 0.3


async def test_after_so_many_bytes_the_rest_is_swallowed(proxy: FaultProxy, connect: Connect) -> None:
    proxy.up = Wire(limit_bytes=1000)
    pair = await connect()
    assert await said(pair, MIB[:3000], 1000) == MIB[:1000]
    assert await is_silent(pair)


async def test_after_so_many_bytes_the_connection_is_reset(proxy: FaultProxy, connect: Connect) -> None:
    proxy.up = Wire(slice_bytes=100, limit_bytes=1000, at_limit="reset")
    pair = await connect()
    pair[1].write(MIB[:3000])
    with pytest.raises(ConnectionResetError):
        await pair[0].read(-1)


async def test_a_black_hole_keeps_the_connection_and_says_nothing(
    proxy: FaultProxy, connect: Connect
) -> None:
    pair = await connect()
    assert await said(pair, b"x") == b"x"
    proxy.down = BLACK_HOLE
    pair[1].write(b"y")
    assert await is_silent(pair)


async def test_corruption_turns_every_bit_over(proxy: FaultProxy, connect: Connect) -> None:
    proxy.down = Wire(corrupts=True)
    assert await said(await connect(), b"\x00\xf0") == b"\xff\x0f"


async def test_a_reset_breaks_what_is_open_and_nothing_else(proxy: FaultProxy, connect: Connect) -> None:
    pair = await connect()
    await said(pair, b"x")
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        await pair[0].read(1)
    assert await said(await connect(), b"y") == b"y"


async def test_after_a_half_close_the_other_direction_goes_on(proxy: FaultProxy, connect: Connect) -> None:
    pair = await connect()
    await said(pair, b"x")
    proxy.half_close()
    assert await pair[0].read() == b""
    pair[1].write(b"y")
    await pair[1].drain()
    assert proxy.open_connections == 1


async def test_new_connections_are_refused_or_unanswered_or_never_served(
    proxy: FaultProxy, connect: Connect
) -> None:
    old = await connect()
    await said(old, b"x")
    proxy.never_answer()
    unserved = await connect()
    unserved[1].write(b"x")
    assert await is_silent(unserved)
    proxy.black_hole()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await connect()
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await connect()
    assert await said(old, b"y") == b"y"


async def test_a_peer_that_vanished_acknowledges_nothing(proxy: FaultProxy, connect: Connect) -> None:
    reader, writer = await connect()
    await said((reader, writer), b"x")
    writer.get_extra_info("socket").setsockopt(6, 18, 500)  # TCP_USER_TIMEOUT
    proxy.vanish()
    writer.write(b"y")
    with pytest.raises(OSError) as raised:  # noqa: PT011  # its number says which
        await reader.read(1)
    assert raised.value.errno == errno.ETIMEDOUT


# What our Whisper client makes of it

UTTERANCE = DecodeRequest(
    pcm=numbered_speech([1, 2, 3, 4, 5, 6, 7, 8]).tobytes(), kind="final", language_code="uk-UA"
)


@pytest.fixture
async def whisper() -> AsyncIterator[tuple[FaultProxy, HttpDecoder]]:
    """A healthy Whisper server behind a proxy."""
    async with (
        FakeWhisperServer([Hears(heard_words)]) as server,
        FaultProxy(int(server.url.rpartition(":")[2])) as proxy,
    ):
        decoder = HttpDecoder(f"http://127.0.0.1:{proxy.port}", total_seconds=60.0)
        yield proxy, decoder
        await decoder.aclose()


async def test_an_upload_that_nobody_reads_is_given_up_long_before_the_deadline(
    whisper: tuple[FaultProxy, HttpDecoder],
) -> None:
    proxy, decoder = whisper
    assert (await decoder.decode(UTTERANCE)).text == "1 2 3 4 5 6 7 8"
    proxy.up = Wire(bytes_per_second=0)
    async with asyncio.timeout(30):
        with pytest.raises(SttTimeoutError, match="no more of the audio"):
            await decoder.decode(UTTERANCE)


@pytest.mark.parametrize("passed", [20_000, 46_900], ids=["in the upload", "all of it taken"])
async def test_a_server_that_vanished_is_given_up_long_before_the_deadline(
    passed: int, whisper: tuple[FaultProxy, HttpDecoder]
) -> None:
    proxy, decoder = whisper
    proxy.up = Wire(slice_bytes=4096, limit_bytes=passed, at_limit="vanish")
    async with asyncio.timeout(30):
        with pytest.raises((SttStreamError, SttTimeoutError)):
            await decoder.decode(UTTERANCE)
