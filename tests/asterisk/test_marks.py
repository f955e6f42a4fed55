"""What a real Asterisk's chan_websocket says of the audio that it holds: marks come back behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from tests.asterisk.test_asterisk import SECRET, SIP, Gateway, asked_until

from slukh.audio import linear16_from_mulaw, linear16_from_samples, samples_from_linear16
from slukh.telephony.asterisk_websocket import AsteriskWebSocketCodec
from slukh.telephony.identifying import identify
from slukh.telephony.socket_line import SocketLine
from slukh.testing.numbered import silence
from slukh.testing.telephone import Call, telephone

SECOND = 16_000  # bytes
LOUD = np.random.default_rng(7).integers(4000, 8000, 8000).astype(np.int16)

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.usefixtures("asterisk"),
    pytest.mark.timeout(480),
]


@asynccontextmanager
async def one_call() -> AsyncIterator[tuple[SocketLine, Call]]:
    """A call whose audio comes here, announced to a gateway that never gets it."""
    lines: asyncio.Queue[SocketLine] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        codec = AsteriskWebSocketCodec(password=SECRET)
        _, early = await identify(reader, writer, codec)
        line = SocketLine(reader, writer, codec, early=early)
        lines.put_nowait(line)
        async for _ in line.events():
            pass

    announced_to = Gateway("announced")
    server = await asyncio.start_server(take, "127.0.0.1", 9093)
    try:
        await asked_until(bool, announced_to.is_up)
        async with telephone(SIP) as phone:
            call = await phone.call("2000", caller="+380670000000")
            async with asyncio.timeout(20):
                line = await lines.get()
            yield line, call
            await call.hang_up()
    finally:
        server.close()
        await announced_to.close()


async def a_second(call: Call) -> None:
    """By the telephone's clock."""
    call.say(silence(1.0))
    await call.said()


def loud_seconds(call: Call) -> float:
    heard = samples_from_linear16(linear16_from_mulaw(bytes(call.heard)))
    return float((np.abs(heard) > 2000).sum()) / 8000


async def test_a_mark_comes_back_when_all_before_it_was_played() -> None:
    async with one_call() as (line, call):
        began = asyncio.get_running_loop().time()
        await line.send_audio(linear16_from_samples(np.tile(LOUD, 2)))  # two seconds, in one burst
        line.mark()
        await line.until_played(within=10)
        assert asyncio.get_running_loop().time() - began == pytest.approx(2.0, abs=0.4)
        assert line.flush() == 0
        await a_second(call)
        assert loud_seconds(call) == pytest.approx(2.0, abs=0.1)


async def test_what_asterisk_holds_is_taken_back_and_known() -> None:
    async with one_call() as (line, call):
        await line.send_audio(linear16_from_samples(LOUD))
        line.mark()
        await line.until_played(within=10)
        await line.send_audio(linear16_from_samples(np.tile(LOUD, 4)))
        line.mark()
        await a_second(call)
        unheard = line.flush() / SECOND
        assert 2.0 < unheard < 3.3
        await a_second(call)
        assert loud_seconds(call) == pytest.approx(1.0 + 4.0 - unheard, abs=0.3)
        await line.until_played(within=10)  # the mark that was flushed is not waited for
        await line.send_audio(linear16_from_samples(LOUD))
        line.mark()
        await line.until_played(within=10)
        await a_second(call)
        assert loud_seconds(call) == pytest.approx(2.0 + 4.0 - unheard, abs=0.3)
