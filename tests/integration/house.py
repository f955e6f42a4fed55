"""A gateway on loopback for the tests of gateways: numbered audio, fakes, and a sink that remembers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from slukh.assembly.parts import Parts
from slukh.serving.callbook import CallBook, CallRecord
from slukh.serving.gateway import Admission, Gateway, WhenDown
from slukh.stt.fake import Script
from slukh.testing.calls import Caller
from slukh.testing.numbered import numbered_speech, silence
from slukh.testing.parts import fake_parts
from slukh.types import CallCost, CallEnded, CallEvent, Event, Transcript


@dataclass
class Events:
    """A sink that remembers, and tells when a call has ended."""

    seen: list[CallEvent] = field(default_factory=list)
    ended: asyncio.Queue[CallEnded] = field(default_factory=asyncio.Queue)
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def observe(self, event: CallEvent) -> None:
        self.seen.append(event)
        self.bell.set()
        if isinstance(event.event, CallEnded):
            self.ended.put_nowait(event.event)

    async def until(self, is_true: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not is_true():
                self.bell.clear()
                await self.bell.wait()

    def of(self, kind: type[Event]) -> list[Event]:
        return [e.event for e in self.seen if isinstance(e.event, kind)]

    def finals(self, call_id: str) -> list[tuple[int, str]]:
        return [
            (e.event.utterance_id, e.event.text)
            for e in self.seen
            if e.call_id == call_id and isinstance(e.event, Transcript) and e.event.is_final
        ]


class Broken:
    """A sink that fails on everything."""

    def observe(self, event: CallEvent) -> None:
        raise ZeroDivisionError(event.call_id)


@dataclass
class House:
    gateway: Gateway
    book: CallBook
    events: Events
    refused: list[str]
    port: int

    def caller(self, call_id: str | None = None) -> Caller:
        return Caller(self.port, call_id or str(uuid4()))

    def record(self, call_id: str) -> CallRecord:
        record = self.book.get(call_id)
        assert record is not None
        return record

    async def until_live(self) -> None:
        await self.events.until(lambda: self.book.live)

    async def ended(self) -> CallEnded:
        async with asyncio.timeout(10):
            return await self.events.ended.get()


@asynccontextmanager
async def house(
    scripts: Iterable[Script] = (),
    *,
    max_calls: int = 10,
    require_announced: bool = False,
    when_down: WhenDown = "continue",
    parts: Parts | None = None,
    admission: Admission | None = None,
    costs_of: Callable[[CallEvent], Sequence[CallCost]] = lambda _event: (),
) -> AsyncIterator[House]:
    book, events, refused = CallBook(transcript_seconds=600), Events(), list[str]()
    gateway = Gateway(
        parts or fake_parts(scripts),
        book,
        (Broken(), events),
        admission or Admission(max_calls=max_calls, require_announced=require_announced, when_down=when_down),
        refused.append,
        costs_of=costs_of,
    )
    server = await asyncio.start_server(gateway.handle, "127.0.0.1", 0)
    try:
        yield House(gateway, book, events, refused, server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await gateway.drain(0)


def speech(*utterances: Iterable[int]) -> list[NDArray[np.int16]]:
    return [part for numbers in utterances for part in (silence(0.4), numbered_speech(numbers), silence(0.8))]
