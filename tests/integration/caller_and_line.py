"""Asterisk's side of a connection and our line at its other end, for the tests of lines."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import numpy as np

from slukh.audio import Samples
from slukh.errors import TelephonyError
from slukh.telephony.audiosocket import AudioSocketCodec, encode_frame
from slukh.telephony.base import CodecEvent
from slukh.telephony.clock import CallClock, Heard
from slukh.telephony.identifying import identify
from slukh.telephony.line import LineEvent
from slukh.telephony.rounds import Rounds
from slukh.telephony.socket_line import SocketLine
from slukh.types import CallEnded

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

    async def listened_to(self) -> asyncio.Task[None]:
        """Listen to a line that nobody listens to, until it has heard a frame; to be cancelled."""
        heard = asyncio.Event()

        async def listen() -> None:
            async for _ in self.line.events():
                heard.set()

        listening = asyncio.create_task(listen())
        await self.sends(frame(1))
        async with asyncio.timeout(PATIENCE):
            await heard.wait()
        return listening

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
