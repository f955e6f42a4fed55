"""The clock of a line over real loopback sockets: silence, stalls, and calls that come back."""

import asyncio

import pytest
from tests.integration.caller_and_line import CALL_ID, PATIENCE, connected, frame

from slukh.telephony.audiosocket import encode_id
from slukh.telephony.clock import CallClock, Heard
from slukh.types import AudioGap


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


async def test_a_listener_that_is_cancelled_while_silence_is_due_is_cancelled() -> None:
    async with connected(listen=False) as caller:
        await caller.sends(encode_id(CALL_ID))
        await caller.until(lambda: hasattr(caller, "line"))
        listening = await caller.listened_to()
        async with asyncio.timeout(PATIENCE):
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
