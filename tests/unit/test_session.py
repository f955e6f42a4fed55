"""A call is ended and booked whatever goes wrong in it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from slukh.routing.attempts import AttemptPolicy
from slukh.routing.choosing import Assignment
from slukh.routing.router import CallRouter
from slukh.routing.upstreams import Limits, Upstreams
from slukh.session import run_call
from slukh.speech.listener import Listener
from slukh.speech.segmenter import Endpointing
from slukh.speech.vad import EnergyDetector
from slukh.stt.fake import FakeProvider, Script
from slukh.telephony.clock import Heard
from slukh.telephony.line import LineEvent
from slukh.testing.numbered import heard_words, numbered_speech
from slukh.types import CallEnded, CallStarted, Event, Transcript

IN_MID_WORD = numbered_speech([1, 2, 3])[:8000]  # its last frame is not whole


class Detector(EnergyDetector):
    """Works until it is broken."""

    is_broken = False

    def speech_probability(self, frame: NDArray[np.int16]) -> float:
        if self.is_broken:
            raise ValueError("a bug of ours")
        return super().speech_probability(frame)


class OneBreathLine:
    """The caller says all at once and hangs up, or stays."""

    def __init__(self, detector: Detector, *, stays: bool = False, breaks: bool = False) -> None:
        self.has_spoken = asyncio.Event()
        self._detector = detector
        self._stays, self._breaks = stays, breaks

    async def events(self, hear: Callable[[Heard], None] | None = None) -> AsyncIterator[LineEvent]:
        assert hear is not None
        hear(Heard(IN_MID_WORD, 0))
        self.has_spoken.set()
        await asyncio.sleep(0.05)  # the recogniser has heard it as well
        self._detector.is_broken = self._breaks
        if self._stays:
            await asyncio.Event().wait()
        yield CallEnded(position=len(IN_MID_WORD), reason="hangup", heard=len(IN_MID_WORD))

    async def send_audio(self, linear16: bytes) -> None:
        pass

    def mark(self) -> None:
        pass

    async def until_played(self, within: float) -> None:
        pass

    def flush(self) -> int:
        return 0

    async def hang_up(self, reason: Literal["gateway", "drained"] = "gateway") -> None:
        pass


class OneCall:
    """A call for which the only recogniser has room, and what was told of it."""

    def __init__(self, *scripts: Script, stays: bool = False, breaks: bool = False) -> None:
        detector = Detector()
        self.events: list[Event] = []
        self.upstreams = Upstreams(
            {"fake": FakeProvider(heard_words, iter(scripts))}, limits=Limits(capacity={"fake": 1})
        )
        self.line = OneBreathLine(detector, stays=stays, breaks=breaks)
        self.listener = Listener(detector, Endpointing())
        self.router = CallRouter(
            CallStarted(call_id="c", language_code="uk-UA"),
            Assignment(arm="fake", chain=("fake",)),
            self.upstreams,
            self.events.append,
            policy=AttemptPolicy(),
        )

    async def run(self) -> None:
        await run_call(self.line, self.listener, self.router)

    def is_ended(self) -> bool:
        """It was published whole, its end comes last, and its room is free."""
        finals = [event.text for event in self.events if isinstance(event, Transcript) and event.is_final]
        assert len(finals) == 1
        assert isinstance(self.events[-1], CallEnded)
        return self.upstreams.has_room("fake")


async def test_a_call_is_ended_when_its_caller_hangs_up() -> None:
    call = OneCall()
    await call.run()
    assert call.is_ended()


async def test_a_defect_in_the_last_frame_leaves_no_call_behind(caplog: pytest.LogCaptureFixture) -> None:
    call = OneCall(breaks=True)
    await call.run()
    assert call.is_ended()
    assert "call_defect" in caplog.messages


async def test_a_call_that_is_cancelled_is_ended_first() -> None:
    call = OneCall(stays=True)
    running = asyncio.create_task(call.run())
    await call.line.has_spoken.wait()
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    assert call.is_ended()


async def test_a_call_that_is_cancelled_while_its_last_final_is_awaited_is_ended_first() -> None:
    call = OneCall(Script(final_after_seconds=3600.0))
    running = asyncio.create_task(call.run())
    await asyncio.wait({running}, timeout=0.2)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    assert call.is_ended()
