"""A caller for tests: a real TCP connection into a gateway, by AudioSocket or another transport."""

import asyncio
import socket
import struct
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from slukh.telephony.base import CodecEvent
from slukh.telephony.peer import AudioSocketPeer, Peer
from slukh.types import samples_from_ms

_FRAME = samples_from_ms(20)


class Caller:
    """One connection to a gateway.

    Args:
        port: on loopback.
        call_id: the UUID it names first; None names nothing.
        peer: how it speaks; AudioSocket by default.
    """

    def __init__(self, port: int, call_id: str | None, peer: Peer | None = None) -> None:
        self.peer = peer or AudioSocketPeer()
        self._port = port
        self._call_id = call_id

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        if self._call_id is not None:
            self.writer.write(self.peer.greeting(self._call_id))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()

    async def say(self, samples: Iterable[NDArray[np.int16]]) -> None:
        """Send audio in 20 ms frames, as fast as it is taken."""
        for part in samples:
            for at in range(0, len(part), _FRAME):
                self.writer.write(self.peer.audio(part[at : at + _FRAME].tobytes()))
                await self.writer.drain()

    def press(self, digit: str) -> None:
        """Press a key."""
        self.writer.write(self.peer.digit(digit))

    async def hang_up(self) -> None:
        """End as Asterisk does, by closing, and wait until the gateway has closed as well."""
        self.leave()
        await self.until_closed()

    def leave(self) -> None:
        """End as Asterisk does."""
        self.writer.write(self.peer.goodbye())
        if self.writer.can_write_eof():
            self.writer.write_eof()

    def reset(self) -> None:
        """Break the connection without a goodbye: the peer sees a reset."""
        own_socket = self.writer.get_extra_info("socket")
        own_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def hears(self, count: int) -> list[CodecEvent]:
        """What the gateway says next, at least so much; less when it closes."""
        events: list[CodecEvent] = []
        while len(events) < count and (data := await self.reader.read(65536)):
            events += self.peer.receive_data(data)
        return events

    async def until_closed(self) -> bytes:
        """What the gateway still sends, to its end of the connection."""
        try:
            return await self.reader.read(-1)
        except ConnectionError:
            return b""
