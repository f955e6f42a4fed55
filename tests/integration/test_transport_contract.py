"""What every telephony transport promises over real sockets: add a `Transport` to TRANSPORTS."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from slukh.audio import Samples
from slukh.audio_files import Recording
from slukh.errors import TelephonyError
from slukh.telephony.asterisk_websocket import MAX_MESSAGE_BYTES, AsteriskWebSocketCodec
from slukh.telephony.audiosocket import AudioSocketCodec
from slukh.telephony.base import Codec, CodecEvent, MediaReceived, PeerHungUp
from slukh.telephony.clock import Heard
from slukh.telephony.file_line import FileLine
from slukh.telephony.identifying import identify
from slukh.telephony.line import FRAME_BYTES, Line, LineEvent
from slukh.telephony.peer import AudioSocketPeer, Peer
from slukh.telephony.socket_line import SocketLine
from slukh.testing.calls import Caller
from slukh.testing.gateways import Calls, LoopbackGateway, loopback_gateway
from slukh.testing.numbered import numbered_speech, silence
from slukh.testing.parts import fake_parts
from slukh.testing.websocket_calls import WebSocketPeer
from slukh.types import CallEnded, Dtmf

PATIENCE = 20.0
PASSWORD = "secret"


@dataclass(frozen=True, kw_only=True)
class Transport:
    """Both sides of a transport, where a gateway listens for it, and what no peer may send."""

    name: str
    codec: Callable[[], Codec]
    peer: Callable[[], Peer]
    port: Callable[[LoopbackGateway], int]
    malformed: dict[str, bytes]


TRANSPORTS = [
    Transport(
        name="audiosocket",
        codec=AudioSocketCodec,
        peer=AudioSocketPeer,
        port=lambda gateway: gateway.port,
        malformed={"half a sample": b"\x10\x00\x03abc", "two digits": b"\x03\x00\x0255"},
    ),
    Transport(
        name="asterisk_websocket",
        codec=lambda: AsteriskWebSocketCodec(password=PASSWORD),
        peer=lambda: WebSocketPeer(password=PASSWORD),
        port=lambda gateway: gateway.websocket_port,
        malformed={
            "half a sample": WebSocketPeer().audio(b"abc"),
            "two digits": WebSocketPeer().digit("55"),
            "oversized": WebSocketPeer().audio(bytes(MAX_MESSAGE_BYTES + 2)),
            "not masked": b"\x82\x02\0\0",
        },
    ),
]
every_transport = pytest.mark.parametrize("transport", TRANSPORTS, ids=lambda transport: transport.name)


@dataclass(kw_only=True)
class Call:
    """A caller, and our line at the other end."""

    caller: Caller
    line: SocketLine
    events: AsyncIterator[LineEvent]

    async def until(self, kind: type[LineEvent]) -> LineEvent:
        async with asyncio.timeout(PATIENCE):
            return await anext(event async for event in self.events if isinstance(event, kind))

    async def hears(self, count: int) -> list[CodecEvent]:
        async with asyncio.timeout(PATIENCE):
            return await self.caller.hears(count)


@asynccontextmanager
async def call(transport: Transport) -> AsyncIterator[Call]:
    call_id = str(uuid4())
    lines: asyncio.Queue[SocketLine] = asyncio.Queue()
    over, closed = asyncio.Event(), asyncio.Event()

    async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        codec = transport.codec()
        named, early = await identify(reader, writer, codec)
        assert named == call_id
        lines.put_nowait(SocketLine(reader, writer, codec, early=early))
        await over.wait()
        writer.close()
        closed.set()

    server = await asyncio.start_server(gateway, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Caller(port, call_id, transport.peer()) as caller:
        async with asyncio.timeout(PATIENCE):
            line = await lines.get()
        events = line.events()
        assert isinstance(events, AsyncGenerator)
        try:
            yield Call(caller=caller, line=line, events=events)
        finally:
            await events.aclose()
            over.set()
            await closed.wait()


def ramp(count: int) -> Samples:
    return np.arange(count, dtype=np.int16)


def heard(events: list[LineEvent]) -> Samples:
    return np.concatenate([event.samples for event in events if isinstance(event, Heard)])


async def from_a_file(samples: Samples) -> list[LineEvent]:
    line: Line = FileLine(Recording(samples=samples, source_sample_rate_hertz=8000), paced=False)
    return [event async for event in line.events()]


def from_a_socket(transport: Transport) -> Callable[[Samples], Awaitable[list[LineEvent]]]:
    async def events(samples: Samples) -> list[LineEvent]:
        async with call(transport) as connected:
            await connected.caller.say([samples])
            connected.caller.leave()
            async with asyncio.timeout(PATIENCE):
                return [event async for event in connected.events]

    return events


LINES = {"file": from_a_file} | {transport.name: from_a_socket(transport) for transport in TRANSPORTS}


@pytest.mark.parametrize("played", LINES.values(), ids=LINES)
async def test_every_line_hears_all_samples_and_then_the_hang_up(
    played: Callable[[Samples], Awaitable[list[LineEvent]]],
) -> None:
    events = await played(ramp(16_000 + 7))
    assert heard(events).tolist() == ramp(16_000 + 7).tolist()
    assert events[-1] == CallEnded(position=16_007, reason="hangup", heard=16_007)


@every_transport
async def test_audio_is_exact_however_it_is_split(transport: Transport) -> None:
    async with call(transport) as connected:
        peer, writer = connected.caller.peer, connected.caller.writer
        wire = b"".join(peer.audio(part.tobytes()) for part in np.split(ramp(3200), 20)) + peer.goodbye()
        for at in range(0, len(wire), 37):
            writer.write(wire[at : at + 37])
            await writer.drain()
        writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            events = [event async for event in connected.events]
        assert heard(events).tolist() == ramp(3200).tolist()


@every_transport
async def test_a_digit_is_an_event_at_its_position(transport: Transport) -> None:
    async with call(transport) as connected:
        await connected.caller.say([ramp(320)])
        connected.caller.press("#")
        await connected.caller.say([ramp(160)])
        assert await connected.until(Dtmf) == Dtmf(position=320, digit="#")


@every_transport
async def test_our_hang_up_is_told_in_the_protocols_words(transport: Transport) -> None:
    async with call(transport) as connected:
        await connected.caller.say([ramp(160)])
        await connected.until(Heard)
        await connected.line.hang_up()
        assert (await connected.hears(1))[-1] == PeerHungUp()
        ended = await connected.until(CallEnded)
        assert isinstance(ended, CallEnded)
        assert ended.reason == "gateway"


@every_transport
async def test_a_silent_call_is_kept_alive_with_silence(transport: Transport) -> None:
    async with call(transport) as connected:
        listening = asyncio.create_task(connected.until(CallEnded))
        quiet = MediaReceived(linear16=bytes(FRAME_BYTES), sample_rate_hertz=8000)
        assert await connected.hears(2) == [quiet, quiet]
        await connected.line.hang_up()
        await listening


@every_transport
async def test_what_is_played_arrives_whole(transport: Transport) -> None:
    pcm = ramp(1600).tobytes()
    async with call(transport) as connected:
        await connected.line.send_audio(pcm)
        events = await connected.hears(10)
        assert b"".join(event.linear16 for event in events if isinstance(event, MediaReceived)) == pcm


@every_transport
async def test_a_broken_message_ends_the_call_with_its_reason(transport: Transport) -> None:
    for wire in transport.malformed.values():
        async with call(transport) as connected:
            connected.caller.writer.write(wire)
            ended = await connected.until(CallEnded)
            assert isinstance(ended, CallEnded)
            assert ended.reason == "error"
            assert isinstance(connected.line.failure, TelephonyError)
            assert connected.line.failure.reason == "malformed"


@every_transport
async def test_a_second_connection_of_a_live_call_is_refused_and_the_first_goes_on(
    transport: Transport, tmp_path: Path
) -> None:
    calls, call_id = Calls(), str(uuid4())
    async with loopback_gateway(fake_parts(), tmp_path, [calls], websocket_password=PASSWORD) as gateway:
        port = transport.port(gateway)
        async with asyncio.timeout(PATIENCE), Caller(port, call_id, transport.peer()) as caller:
            await caller.say([silence(0.4), numbered_speech([1, 2]), silence(0.8)])
            await calls.until(call_id, 1)
            async with Caller(port, call_id, transport.peer()) as intruder:
                await intruder.until_closed()
            await caller.say([numbered_speech([3])])
            await caller.hang_up()
            await calls.until_over(1)
        assert calls.outcomes == {("hangup", ("1 2", "3")): 1}
        assert b'reason="duplicate"} 1.0' in gateway.metrics.render()[0]


@every_transport
async def test_a_call_that_comes_back_goes_on_as_its_next_leg(transport: Transport, tmp_path: Path) -> None:
    calls, call_id = Calls(), str(uuid4())
    async with loopback_gateway(fake_parts(), tmp_path, [calls], websocket_password=PASSWORD) as gateway:
        for reset, words in ((True, [1, 2]), (False, [3, 4])):
            async with (
                asyncio.timeout(PATIENCE),
                Caller(transport.port(gateway), call_id, transport.peer()) as caller,
            ):
                await caller.say([silence(0.4), numbered_speech(words), silence(0.8)])
                await calls.until(call_id, 1)
                if reset:
                    caller.reset()
                else:
                    await caller.hang_up()
                await calls.until_over(1 if reset else 2)
        assert calls.outcomes == {("detached", ("1 2",)): 1, ("hangup", ("3 4",)): 1}
        record = gateway.book.get(call_id)
        assert record is not None
        assert (record.call.leg, [final.utterance_id for final in record.finals]) == (2, [1, 2])


async def test_a_wrong_password_is_answered_and_counted(tmp_path: Path) -> None:
    async with loopback_gateway(fake_parts(), tmp_path, websocket_password=PASSWORD) as gateway:
        peer = WebSocketPeer(password="guessed")
        async with asyncio.timeout(PATIENCE), Caller(gateway.websocket_port, str(uuid4()), peer) as caller:
            assert (await caller.until_closed()).startswith(b"HTTP/1.1 401 ")
        assert b'reason="unauthorized"} 1.0' in gateway.metrics.render()[0]


async def test_a_full_queue_of_asterisks_stops_what_is_played_until_it_has_room() -> None:
    peer = WebSocketPeer(password=PASSWORD)
    async with call(TRANSPORTS[1]) as connected:
        connected.caller.writer.write(peer.event("MEDIA_XOFF") + peer.digit("1"))
        await connected.until(Dtmf)
        playing = asyncio.create_task(connected.line.send_audio(ramp(160).tobytes()))
        connected.caller.press("2")
        await connected.until(Dtmf)
        assert not playing.done()
        connected.caller.writer.write(peer.event("MEDIA_XON"))
        connected.caller.press("3")
        await connected.until(Dtmf)
        async with asyncio.timeout(PATIENCE):
            await playing


async def test_what_asterisk_has_not_played_can_be_taken_back() -> None:
    (transport,) = [one for one in TRANSPORTS if one.name == "asterisk_websocket"]
    async with call(transport) as own:
        own.line.flush()
        await own.line.send_audio(bytes(FRAME_BYTES))
        await own.hears(1)
        assert isinstance(own.caller.peer, WebSocketPeer)
        assert own.caller.peer.flushes == 1
