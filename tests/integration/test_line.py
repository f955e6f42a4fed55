"""A line over real loopback sockets: what Asterisk may do to us, and what we must never do to Asterisk."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast
from uuid import uuid4

import numpy as np
import pytest

from slukh.audio import Samples, linear16_from_samples
from slukh.errors import TelephonyError
from slukh.telephony.audiosocket import AudioSocketCodec, encode_dtmf, encode_frame, encode_id
from slukh.telephony.base import CodecEvent, MediaReceived, PeerHungUp
from slukh.telephony.clock import CallClock, Heard
from slukh.telephony.identifying import identify
from slukh.telephony.line import FRAME_BYTES, LineEvent
from slukh.telephony.rounds import Rounds
from slukh.telephony.socket_line import SocketLine
from slukh.types import AudioGap, CallEnded, Dtmf

CALL_ID = str(uuid4())
PATIENCE = 5.0


def frame(number: int) -> bytes:
    """20 ms whose samples all have the frame's number."""
    return encode_frame(0x10, number.to_bytes(2, "little") * 160)


class Caller:
    """Asterisk's side of one connection, and our line at the other end of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.line: SocketLine
        self.call_id = ""
        self.refusal: TelephonyError | None = None
        self.events: list[LineEvent] = []
        self.over = asyncio.Event()
        self.happened = asyncio.Condition()

    async def sends(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.writer.write(chunk)
            await self.writer.drain()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE), self.happened:
            await self.happened.wait_for(condition)

    async def until_over(self) -> CallEnded:
        async with asyncio.timeout(PATIENCE):
            await self.over.wait()
        ended = self.events[-1]
        assert isinstance(ended, CallEnded)
        assert sum(isinstance(event, CallEnded) for event in self.events) == 1
        return ended

    async def hears(self, count: int) -> list[CodecEvent]:
        """The next frames of the gateway, at least so many."""
        codec = AudioSocketCodec(side="caller")
        events: list[CodecEvent] = []
        async with asyncio.timeout(PATIENCE):
            while len(events) < count and (data := await self.reader.read(65_536)):
                events += codec.receive_data(data)
        return events

    @property
    def samples(self) -> Samples:
        return np.concatenate(
            [np.zeros(0, np.int16), *(e.samples for e in self.events if isinstance(e, Heard))]
        )


@asynccontextmanager
async def connected(
    *, within: float = 2.0, clock: CallClock | None = None, listen: bool = True, rounds: Rounds | None = None
) -> AsyncIterator[Caller]:
    """A caller connected to a gateway of one line, which it listens to in the background."""
    ready = asyncio.Event()
    finished: asyncio.Queue[None] = asyncio.Queue()

    async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        codec = AudioSocketCodec()
        await ready.wait()
        try:
            caller.call_id, early = await identify(reader, writer, codec, within=within)
            caller.line = SocketLine(reader, writer, codec, clock=clock, early=early, rounds=rounds)
            async with caller.happened:
                caller.happened.notify_all()
            if listen:
                async for event in caller.line.events():
                    caller.events.append(event)
                    async with caller.happened:
                        caller.happened.notify_all()
        except TelephonyError as refusal:
            caller.refusal = refusal
            writer.close()
        finally:
            caller.over.set()
            finished.put_nowait(None)

    server = await asyncio.start_server(gateway, "127.0.0.1", 0)
    caller = Caller(*await asyncio.open_connection(*server.sockets[0].getsockname()))
    ready.set()
    try:
        yield caller
    finally:
        caller.writer.transport.abort()
        async with asyncio.timeout(PATIENCE):
            await finished.get()
        server.close()


async def test_a_call_is_heard_from_its_id_to_its_hang_up() -> None:
    async with connected() as caller:
        await caller.sends(encode_id(CALL_ID), *(frame(number) for number in range(1, 11)))
        caller.writer.write_eof()
        assert await caller.until_over() == CallEnded(position=1600, reason="hangup", heard=1600)
        assert caller.call_id == CALL_ID
        assert caller.samples.tolist() == [number for number in range(1, 11) for _ in range(160)]


async def test_bytes_that_arrive_one_by_one_are_the_same_call() -> None:
    async with connected() as caller:
        wire = encode_id(CALL_ID) + frame(1) + encode_dtmf("5") + frame(2)
        for at in range(len(wire)):
            await caller.sends(wire[at : at + 1])
        caller.writer.write_eof()
        await caller.until_over()
        assert caller.samples.tolist() == [1] * 160 + [2] * 160
        assert Dtmf(position=160, digit="5") in caller.events


async def test_what_follows_the_id_in_the_same_read_is_heard() -> None:
    async with connected() as caller:
        await caller.sends(encode_id(CALL_ID) + frame(7) + frame(8))
        await caller.until(lambda: len(caller.samples) == 320)


async def test_a_call_that_was_over_before_anybody_listened_is_heard_whole() -> None:
    async with connected(listen=False) as caller:
        await caller.sends(encode_id(CALL_ID))
        await caller.until(lambda: hasattr(caller, "line"))
        await caller.sends(*(frame(number) for number in range(1, 101)))
        caller.writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            while not vars(caller.line._reader)["_eof"]:  # noqa: ASYNC110  # a stream has no event for it
                await asyncio.sleep(0.001)
            events = [event async for event in caller.line.events()]
        assert events[-1] == CallEnded(position=16_000, reason="hangup", heard=16_000)


async def test_a_hearer_gets_the_audio_and_the_reader_the_rest() -> None:
    async with connected(listen=False) as caller:
        await caller.sends(encode_id(CALL_ID) + frame(1))
        await caller.until(lambda: hasattr(caller, "line"))
        await caller.sends(frame(2) + encode_dtmf("5") + frame(3))
        caller.writer.write_eof()
        heard: list[Heard] = []
        async with asyncio.timeout(PATIENCE):
            events = [event async for event in caller.line.events(heard.append)]
        assert [audio.position for audio in heard] == [0, 160, 320]
        assert [int(audio.samples[0]) for audio in heard] == [1, 2, 3]
        assert events == [
            Dtmf(position=320, digit="5"),
            CallEnded(position=480, reason="hangup", heard=480),
        ]


async def test_what_a_hearer_raises_is_raised_to_the_reader_and_ends_the_connection() -> None:
    def hear(audio: Heard) -> None:
        raise ZeroDivisionError(audio.position)

    async with connected(listen=False) as caller:
        await caller.sends(encode_id(CALL_ID))
        await caller.until(lambda: hasattr(caller, "line"))
        await caller.sends(frame(1))
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(ZeroDivisionError):
                async for _ in caller.line.events(hear):
                    pass
            assert await caller.reader.read() == b""


async def test_a_line_that_was_read_rests_until_the_next_round() -> None:
    rounds = Rounds(seconds_per_line=0.05, longest_seconds=0.05)
    async with connected(rounds=rounds) as caller:
        await caller.sends(encode_id(CALL_ID), frame(1), frame(2), frame(3), encode_dtmf("5"))
        await caller.until(lambda: len(caller.samples) == 480)
        caller.writer.write_eof()
        assert (await caller.until_over()).heard == 480
    assert rounds.lines == 0


async def test_a_line_that_rests_can_be_hung_up() -> None:
    async with connected(rounds=Rounds(seconds_per_line=3600.0, longest_seconds=3600.0)) as caller:
        await caller.sends(encode_id(CALL_ID) + frame(1))
        await caller.until(lambda: len(caller.samples) == 160)
        await caller.sends(frame(2))
        await caller.until(lambda: not caller.line._transport.is_reading())
        await caller.line.hang_up()
        assert (await caller.until_over()).reason == "gateway"


async def test_a_hang_up_frame_ends_the_call() -> None:
    async with connected() as caller:
        await caller.sends(encode_id(CALL_ID) + frame(1) + encode_frame(0x00) + frame(2))
        assert (await caller.until_over()).reason == "hangup"
        assert caller.samples.tolist() == [1] * 160


async def test_a_reset_is_a_detachment() -> None:
    async with connected() as caller:
        await caller.sends(encode_id(CALL_ID), frame(1))
        await caller.until(lambda: len(caller.samples) == 160)
        sock = caller.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.writer.transport.abort()
        ended = await caller.until_over()
        assert (ended.reason, ended.heard) == ("detached", 160)


async def test_our_hang_up_is_a_frame_and_then_the_end_of_the_stream() -> None:
    async with connected() as caller:
        await caller.sends(encode_id(CALL_ID), frame(1))
        await caller.until(lambda: len(caller.samples) == 160)
        await caller.line.hang_up()
        await caller.line.hang_up()
        assert await caller.reader.read() == b"\0\0\0"
        assert (await caller.until_over()).reason == "gateway"


async def test_draining_is_another_reason_for_the_same_frame() -> None:
    async with connected() as caller:
        await caller.sends(encode_id(CALL_ID), frame(1))
        await caller.until(lambda: len(caller.samples) == 160)
        await caller.line.hang_up("drained")
        assert await caller.reader.read() == b"\0\0\0"
        assert (await caller.until_over()).reason == "drained"


async def test_a_broken_protocol_ends_this_call_with_its_reason_kept() -> None:
    async with connected() as caller:
        await caller.sends(encode_id(CALL_ID), frame(1))
        await caller.until(lambda: len(caller.samples) == 160)
        await caller.sends(b"\x10\x00\x03abc")
        assert (await caller.until_over()).reason == "error"
        assert caller.line.failure is not None
        assert caller.line.failure.reason == "malformed"
        async with asyncio.timeout(PATIENCE):
            assert await caller.reader.read() == b""


async def test_no_id_in_time_is_refused_however_busily_the_peer_types() -> None:
    async with connected(within=0.1) as caller:
        wire = encode_frame(0x7F, bytes(10_000))
        for at in range(len(wire)):
            if caller.over.is_set():
                break
            caller.writer.write(wire[at : at + 1])
            await asyncio.sleep(0.01)
        assert caller.refusal is not None
        assert caller.refusal.reason == "no_id"
        assert "0.1 s" in caller.refusal.detail


@pytest.mark.parametrize(
    ("first", "reason"),
    [(b"", "no_id"), (b"\0\0\0", "no_id"), (frame(1), "audio_before_id"), (b"\x01\x00\x0f", "bad_id")],
)
async def test_a_peer_that_does_not_name_its_call_is_refused(first: bytes, reason: str) -> None:
    async with connected() as caller:
        await caller.sends(first)
        caller.writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            await caller.over.wait()
        assert caller.refusal is not None
        assert caller.refusal.reason == reason


async def test_a_digit_is_an_event_that_no_log_shows() -> None:
    async with connected() as caller:
        await caller.sends(encode_id(CALL_ID), frame(1) + encode_dtmf("9") + frame(2) + encode_dtmf("#"))
        await caller.until(lambda: sum(isinstance(event, Dtmf) for event in caller.events) == 2)
        digits = [event for event in caller.events if isinstance(event, Dtmf)]
        assert [(digit.position, digit.digit) for digit in digits] == [(160, "9"), (320, "#")]
        assert "9" not in repr(digits[0])
        assert "#" not in repr(digits[1])


async def test_16_khz_audio_becomes_8_khz() -> None:
    async with connected() as caller:
        tone = np.rint(8000 * np.sin(2 * np.pi * 500 * np.arange(16_000) / 16_000)).astype(np.int16)
        wire = [
            encode_frame(0x12, linear16_from_samples(tone[at : at + 320])) for at in range(0, 16_000, 320)
        ]
        await caller.sends(encode_id(CALL_ID), *wire)
        caller.writer.write_eof()
        assert (await caller.until_over()).heard == 8000
        loudest = np.argmax(np.abs(np.fft.rfft(caller.samples)))
        assert loudest == 500


async def test_asterisk_hears_silence_at_least_every_second_in_frames_of_20_ms() -> None:
    loop = asyncio.get_running_loop()
    async with connected() as caller:
        began = loop.time()
        await caller.sends(encode_id(CALL_ID))
        silence = await caller.hears(2)
        assert loop.time() - began < 5.0
        assert silence == [MediaReceived(linear16=bytes(FRAME_BYTES), sample_rate_hertz=8000)] * 2


async def test_what_is_played_arrives_whole_in_20_ms_frames() -> None:
    async with connected() as caller:
        await caller.sends(encode_id(CALL_ID), frame(1))
        await caller.until(lambda: len(caller.samples) == 160)
        pcm = bytes(range(250)) * 4  # 500 samples: three frames and a bit
        await caller.line.send_audio(pcm)
        heard = await caller.hears(4)
        assert b"".join(event.linear16 for event in heard if isinstance(event, MediaReceived)) == pcm
        assert [len(e.linear16) for e in heard if isinstance(e, MediaReceived)] == [320, 320, 320, 40]
        await caller.line.hang_up()
        assert await caller.hears(1) == [PeerHungUp()]


class Wire(asyncio.Transport):
    """A transport that only notes what is written."""

    def __init__(self) -> None:
        super().__init__({})
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0


async def test_header_and_payload_of_a_frame_are_one_write() -> None:
    wire, reader = Wire(), asyncio.StreamReader()
    writer = asyncio.StreamWriter(
        wire, asyncio.StreamReaderProtocol(reader), reader, asyncio.get_running_loop()
    )
    await SocketLine(reader, writer, AudioSocketCodec()).send_audio(bytes(3 * FRAME_BYTES))
    assert wire.writes == [b"\x10\x01\x40" + bytes(FRAME_BYTES)] * 3
    writer.close()


async def test_a_peer_that_does_not_read_is_still_heard_and_can_be_hung_up() -> None:
    async with connected() as caller:
        cast("asyncio.Transport", caller.writer.transport).pause_reading()
        await caller.sends(encode_id(CALL_ID), frame(1))
        await caller.until(lambda: len(caller.samples) == 160)
        playing = asyncio.create_task(caller.line.send_audio(bytes(16_000_000)))
        assert not (await asyncio.wait({playing}, timeout=0.2))[0]
        unsent = caller.line._writer.transport.get_write_buffer_size()
        await caller.sends(frame(2))
        await caller.until(lambda: len(caller.samples) >= 320)
        assert not playing.done()
        caller.line._send_silence(caller.line._loop.time())
        assert caller.line._writer.transport.get_write_buffer_size() == unsent > 4096
        await caller.line.hang_up()
        assert (await caller.until_over()).reason == "gateway"
        async with asyncio.timeout(PATIENCE):
            await playing  # the line is aborted after a second, and the player is released


async def test_a_line_that_stops_sending_is_filled_with_silence_until_it_comes_back() -> None:
    async with connected() as caller:
        await caller.sends(encode_id(CALL_ID), frame(1))
        await caller.until(lambda: len(caller.samples) >= 160 + 4000)  # half a second of what nobody sent
        await caller.sends(frame(2))
        await caller.until(lambda: any(isinstance(event, AudioGap) for event in caller.events))
        caller.writer.write_eof()
        ended = await caller.until_over()
        [gap] = [event for event in caller.events if isinstance(event, AudioGap)]
        assert (gap.start, gap.reason) == (160, "idle")
        assert not caller.samples[gap.start : gap.end].any()
        assert caller.samples[gap.end : gap.end + 160].tolist() == [2] * 160
        assert ended.heard == 320


async def test_audio_that_waited_while_we_were_stalled_is_discarded_beyond_2_s() -> None:
    # The clock of the call began 3 s ago and stands at 0: as after a stall of that length.
    clock = CallClock()
    clock.attach(0, asyncio.get_running_loop().time() - 3.0)
    async with connected(clock=clock) as caller:
        await caller.sends(encode_id(CALL_ID) + b"".join(frame(number) for number in range(1, 141)))
        caller.writer.write_eof()
        ended = await caller.until_over()
        [gap] = [event for event in caller.events if isinstance(event, AudioGap)]
        assert gap.reason == "stale"
        assert 8000 <= gap.end - gap.start < 12_000
        assert caller.samples[-160:].tolist() == [140] * 160
        assert ended.position == 140 * 160


async def test_a_second_leg_continues_the_clock_of_the_first() -> None:
    clock = CallClock()
    async with connected(clock=clock) as caller:
        await caller.sends(encode_id(CALL_ID) + frame(1))
        caller.writer.write_eof()
        await caller.until_over()
    now = asyncio.get_running_loop().time()
    clock.attach(clock.due(now) + 800, now)
    async with connected(clock=clock) as caller:
        await caller.sends(encode_id(CALL_ID) + frame(2))
        caller.writer.write_eof()
        ended = await caller.until_over()
        gap, heard = caller.events[:2]
        assert isinstance(gap, AudioGap)
        assert isinstance(heard, Heard)
        assert (gap.start, gap.reason) == (160, "detached")
        assert heard.position == gap.end >= 160 + 640
        assert ended.heard == 160


async def test_a_cancelled_listener_closes_the_connection() -> None:
    async with connected(listen=False) as caller:
        await caller.sends(encode_id(CALL_ID))
        await caller.until(lambda: hasattr(caller, "line"))
        heard = asyncio.Event()

        async def listen() -> None:
            async for _ in caller.line.events():
                heard.set()

        listening = asyncio.create_task(listen())
        await caller.sends(frame(1))
        async with asyncio.timeout(PATIENCE):
            await heard.wait()
            listening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await listening
            assert await caller.reader.read() == b""


async def test_a_listener_that_is_cancelled_while_silence_is_due_is_cancelled() -> None:
    async with connected(listen=False) as caller:
        await caller.sends(encode_id(CALL_ID))
        await caller.until(lambda: hasattr(caller, "line"))
        heard = asyncio.Event()

        async def listen() -> None:
            async for _ in caller.line.events():
                heard.set()

        listening = asyncio.create_task(listen())
        await caller.sends(frame(1))
        async with asyncio.timeout(PATIENCE):
            await heard.wait()
            caller.line.clock._last_audio -= 3.0
            caller.line._tick()
            listening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await listening


@pytest.mark.parametrize(("late_seconds", "fills"), [(0.0, True), (3.0, False)])
async def test_a_tick_that_is_late_itself_does_not_take_a_stall_for_an_idle_line(
    late_seconds: float, *, fills: bool
) -> None:
    async with connected() as caller:
        await caller.sends(encode_id(CALL_ID), frame(1))
        await caller.until(lambda: len(caller.samples) == 160)
        line = caller.line
        assert line.clock._origin is not None
        line.clock._origin -= 3.0
        line.clock._last_audio -= 3.0
        assert line._timer is not None
        line._timer.cancel()
        line._tick_at = asyncio.get_running_loop().time() - late_seconds
        line._tick()
        assert (line.clock.position > 160) is fills
