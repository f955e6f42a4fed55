"""Many callers at the pace of speech, and what each of them saw of one fault."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from slukh.testing.calls import Caller
from slukh.testing.numbered import numbered_speech
from slukh.types import (
    AttemptEnded,
    CallEnded,
    CallEvent,
    Event,
    SpeechEnded,
    SpeechStarted,
    Transcript,
    samples_from_ms,
)

FRAME = samples_from_ms(20)
_FRAME_SECONDS = 0.02
_SILENCE = np.zeros(FRAME, dtype=np.int16)

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class PacedCall:
    """One call: what it still has to say, and what the gateway said of it.

    Attributes:
        id: its UUID.
        said: numbers it said so far.
        pending: audio not sent yet; silence is sent when there is none.
        events: with the monotonic seconds they came at.
    """

    id: str
    said: list[int] = field(default_factory=list)
    pending: NDArray[np.int16] = field(default_factory=lambda: _SILENCE)
    events: list[tuple[float, Event]] = field(default_factory=list)

    def say(self, numbers: Sequence[int]) -> None:
        """From the next frame on."""
        self.said += numbers
        speech = numbered_speech(numbers)
        self.pending = np.concatenate([speech, np.zeros(-len(speech) % FRAME, dtype=np.int16)])

    def frame(self) -> NDArray[np.int16]:
        """The next 20 ms."""
        if not len(self.pending):
            return _SILENCE
        frame, self.pending = self.pending[:FRAME], self.pending[FRAME:]
        return frame

    def all(self, kind: type[T]) -> list[tuple[float, T]]:
        """Events of a kind with their moments."""
        return [(at, event) for at, event in self.events if isinstance(event, kind)]

    @property
    def finals(self) -> list[Transcript]:
        """Published for good."""
        return [transcript for _, transcript in self.all(Transcript) if transcript.is_final]

    @property
    def has_ended(self) -> bool:
        """Whether the gateway let go of it."""
        return bool(self.all(CallEnded))

    def is_quiet(self, utterances: int) -> bool:
        """Whether it has said everything, at least so many utterances, and each has its final."""
        started = len(self.all(SpeechStarted))
        is_settled = started == len(self.all(SpeechEnded)) == len(self.finals)
        return self.has_ended or (not len(self.pending) and is_settled and started >= utterances)

    def speech_started(self, utterance_id: int) -> float:
        """When an utterance began."""
        return next(at for at, event in self.all(SpeechStarted) if event.utterance_id == utterance_id)

    def endpoint(self, utterance_id: int) -> float:
        """When an utterance was over."""
        return next(at for at, event in self.all(SpeechEnded) if event.utterance_id == utterance_id)

    def transcripts(self, utterance_id: int) -> list[tuple[float, Transcript]]:
        """Words that were published of an utterance."""
        published = self.all(Transcript)
        return [(at, event) for at, event in published if event.utterance_id == utterance_id and event.text]

    def words(self) -> tuple[int, int]:
        """Words lost, and words that are there too often or were never said."""
        heard = Counter(word for final in self.finals for word in final.text.split())
        said = Counter(map(str, self.said))
        return (said - heard).total(), (heard - said).total()

    def failure(self, since: float, provider: str) -> tuple[float, AttemptEnded] | None:
        """The end of a provider's first Attempt that was not published, of an utterance begun since then."""
        fresh = {event.utterance_id for at, event in self.all(SpeechStarted) if at >= since}
        for at, ended in self.all(AttemptEnded):
            if ended.utterance_id in fresh and ended.provider == provider and ended.outcome != "published":
                return at, ended
        return None


class PacedCalls:
    """A sink, and the callers whose events it keeps."""

    def __init__(self, calls: int) -> None:
        self.calls = {call.id: call for call in (PacedCall(str(uuid4())) for _ in range(calls))}
        self._news = asyncio.Event()

    def observe(self, event: CallEvent) -> None:
        """Keep it."""
        self.calls[event.call_id].events.append((time.monotonic(), event.event))
        self._news.set()

    async def until_quiet(self, utterances: int, deadline_seconds: float) -> None:
        """Wait for the last of them, at most so long."""
        with contextlib.suppress(TimeoutError):  # whatever is missing then counts as lost
            async with asyncio.timeout(deadline_seconds):
                while not all(call.is_quiet(utterances) for call in self.calls.values()):
                    self._news.clear()
                    await self._news.wait()

    @contextlib.asynccontextmanager
    async def on_the_line(self, port: int) -> AsyncIterator[None]:
        """All of them call, send a frame every 20 ms, and hang up at the end."""
        async with contextlib.AsyncExitStack() as stack:
            callers = {
                call: await stack.enter_async_context(Caller(port, call.id)) for call in self.calls.values()
            }
            talking = asyncio.create_task(self._talk(callers))
            try:
                yield
            finally:
                talking.cancel()
                await asyncio.gather(talking, return_exceptions=True)
                await asyncio.gather(*(caller.hang_up() for caller in callers.values()))

    async def _talk(self, callers: dict[PacedCall, Caller]) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            for call, caller in callers.items():
                if not call.has_ended:
                    await caller.say([call.frame()])
            due += _FRAME_SECONDS
            await asyncio.sleep(due - loop.time())
