"""Whether frames drift: `python bench/pacing.py [--minutes M]`, one call in real time, both ways.

The gateway's dialogue speaks without an end, and the caller's telephone sends 20 ms every 20 ms, each on its
own schedule, in one process on uvloop. Times are the caller's:

    drift      of our last frame, against 20 ms for every frame since the first, but for what was given up
    given up   because a frame was more than 40 ms late, which is not made up for: the machine stood still
    jitter     how far a frame comes from 20 ms after the one before
    samples    what the caller sent and the gateway counted; what the gateway said and the caller got
"""

# Cyrillic letters that look Latin are meant

import argparse
import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import numpy as np
import uvloop

from slukh.assembly.answering import Answering
from slukh.dialog.base import CallerTurn, Conversation, Say, Step
from slukh.handset import handset
from slukh.serving.callbook import CallBook
from slukh.serving.gateway import Admission, Gateway
from slukh.talking.pace import LATE_SECONDS, Pace
from slukh.talking.talk import TalkRules
from slukh.testing.parts import fake_parts
from slukh.tts.base import SpeechRequest
from slukh.tts.cache import MemoryStore
from slukh.tts.chain import VoiceChain
from slukh.tts.fake import FakeTts
from slukh.tts.speaker import Speaker
from slukh.types import SAMPLE_RATE_HERTZ, CallEnded, CallEvent, CallStarted, PhraseSpoken

FRAME_SECONDS = 0.02


class Talkative:
    """A dialogue that never comes to an end; it is its own conversation."""

    name = "talkative"
    templates: Sequence[str] = ()

    async def start(self) -> None:
        """Nothing to load."""

    def phrases(self) -> list[SpeechRequest]:
        """None beforehand."""
        return []

    def converse(self, _call: CallStarted, _used: object, /) -> Conversation:
        """Itself."""
        return self

    async def greet(self) -> AsyncGenerator[Step, None]:
        """Sentences, each a whole number of frames long."""
        for number in range(1_000_000):
            yield Say(text=f"Це речення номер {number % 10}, таке саме.", language_code="uk-UA")

    def answer(self, _turn: CallerTurn) -> AsyncGenerator[Step, None]:
        """Likewise."""
        return self.greet()

    def interrupted(self, heard: str) -> None:
        """Nobody interrupts it."""

    def close(self) -> None:
        """Nothing goes on behind its answers."""

    @property
    def is_settled(self) -> bool:
        """No model is asked."""
        return True

    async def settled(self) -> None:
        """Likewise."""

    async def aclose(self) -> None:
        """Nothing to give back."""


@dataclass
class Counted:
    """A sink that counts samples of either way."""

    heard: int = 0
    said: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def observe(self, event: CallEvent) -> None:
        """Count it."""
        match event.event:
            case PhraseSpoken(played_ms=played_ms):
                self.said += played_ms * SAMPLE_RATE_HERTZ // 1000
            case CallEnded(heard=heard):
                self.heard = heard
                self.over.set()


def schedule(times: list[float]) -> tuple[float, float, int]:
    """How far the last frame is from the schedule, what was given up of that, and how often."""
    pace, given_up, stalls = Pace(), 0.0, 0
    pace.due = times[0]
    for at in times:
        if at - pace.due > LATE_SECONDS:
            given_up += at - pace.due
            stalls += 1
        pace.left(at)
    return times[-1] - (pace.due - FRAME_SECONDS), given_up, stalls


async def measure(minutes: float) -> None:
    counted = Counted()
    answering = Answering(
        dialog=Talkative(),
        speaker=Speaker(VoiceChain([FakeTts()]), MemoryStore(max_bytes=50_000_000)),
        rules=TalkRules(longest_seconds=1e6),
    )
    gateway = Gateway(
        fake_parts(),
        CallBook(transcript_seconds=600),
        (counted,),
        Admission(max_calls=1),
        lambda _reason: None,
        talks=answering.talk,
    )
    server = await asyncio.start_server(gateway.handle, "127.0.0.1", 0)
    async with handset("127.0.0.1", server.sockets[0].getsockname()[1], str(uuid4())) as phone:
        await asyncio.sleep(60 * minutes)
    await counted.over.wait()
    server.close()
    await answering.aclose()
    times = np.array([at for at, _ in phone.arrivals])
    gaps = np.diff(times)
    drift, given_up, stalls = schedule(times.tolist())
    jitter = 1000 * np.percentile(np.abs(gaps - FRAME_SECONDS), [50, 99])
    received = sum(size for _, size in phone.arrivals) // 2
    print(f"{minutes:g} minutes, {len(times)} frames")
    print(f"drift     {1000 * drift:.1f} ms at the end")
    print(f"given up  {1000 * given_up:.1f} ms in {stalls} stalls")
    print(f"jitter    p50 {jitter[0]:.2f} ms  p99 {jitter[1]:.2f} ms")
    print(f"caller    sent {phone.sent} samples, the gateway heard {counted.heard}")
    print(f"gateway   said {counted.said} samples, the caller got {received}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    uvloop.run(measure(parser.parse_args().minutes))


if __name__ == "__main__":
    main()
