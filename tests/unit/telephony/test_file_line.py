"""A recording as a call."""

import asyncio

import numpy as np

from slukh.audio import linear16_from_samples
from slukh.audio_files import Recording
from slukh.telephony.clock import Heard
from slukh.telephony.file_line import FileLine
from slukh.telephony.line import LineEvent
from slukh.types import CallEnded


def recording(seconds: float) -> Recording:
    samples = np.arange(round(8000 * seconds)).astype(np.int16)
    return Recording(samples=samples, source_sample_rate_hertz=8000)


async def events(line: FileLine) -> list[LineEvent]:
    return [event async for event in line.events()]


async def test_a_recording_is_a_call_that_ends_by_hang_up() -> None:
    *heard, ended = await events(FileLine(recording(0.5), paced=False))
    assert ended == CallEnded(position=4000, reason="hangup", heard=4000)
    pieces = [event for event in heard if isinstance(event, Heard)]
    assert [piece.position for piece in pieces] == list(range(0, 4000, 160))
    assert np.concatenate([piece.samples for piece in pieces]).tolist() == recording(0.5).samples.tolist()


async def test_a_paced_recording_takes_as_long_as_it_is_and_not_longer() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    arrivals = [loop.time() - began async for _ in FileLine(recording(0.4), paced=True).events()]
    assert arrivals[0] >= 0.019
    assert 0.399 <= arrivals[-1] < 0.5


async def test_hanging_up_ends_a_recording() -> None:
    line = FileLine(recording(10.0), paced=False)
    seen: list[LineEvent] = []
    async for event in line.events():
        seen.append(event)
        await line.hang_up()
    assert seen[-1] == CallEnded(position=160, reason="gateway", heard=160)


async def test_what_the_caller_would_hear_is_kept() -> None:
    line = FileLine(recording(0.1), paced=False)
    said = linear16_from_samples(recording(0.1).samples)
    await line.send_audio(said)
    assert bytes(line.played) == said
