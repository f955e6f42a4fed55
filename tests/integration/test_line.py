"""A line over real loopback sockets: what Asterisk may do to us."""

import asyncio
import socket
import struct

import numpy as np
import pytest
from tests.integration.caller_and_line import CALL_ID, PATIENCE, connected, frame

from slukh.audio import linear16_from_samples
from slukh.telephony.audiosocket import encode_dtmf, encode_frame, encode_id
from slukh.telephony.clock import Heard
from slukh.telephony.rounds import Rounds
from slukh.types import CallEnded, Dtmf


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


async def test_a_cancelled_listener_closes_the_connection() -> None:
    async with connected(listen=False) as caller:
        await caller.sends(encode_id(CALL_ID))
        await caller.until(lambda: hasattr(caller, "line"))
        listening = await caller.listened_to()
        async with asyncio.timeout(PATIENCE):
            listening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await listening
            assert await caller.reader.read() == b""
