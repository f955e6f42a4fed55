"""A caller for tests: a real TCP connection that speaks AudioSocket into a gateway."""

import asyncio
import socket
import struct
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from slukh.telephony.audiosocket import AUDIO_8K, DTMF, encode_frame, encode_id
from slukh.types import samples_from_ms

_FRAME = samples_from_ms(20)


class Caller:
    """One connection to a gateway's AudioSocket.

    Args:
        port: on loopback.
        call_id: the UUID it names first; None names nothing.
    """

    def __init__(self, port: int, call_id: str | None) -> None:
        self._port = port
        self._call_id = call_id

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        if self._call_id is not None:
            self.writer.write(encode_id(self._call_id))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()

    async def say(self, samples: Iterable[NDArray[np.int16]]) -> None:
        """Send audio in 20 ms frames, as fast as it is taken."""
        for part in samples:
            for at in range(0, len(part), _FRAME):
                self.writer.write(encode_frame(AUDIO_8K, part[at : at + _FRAME].tobytes()))
                await self.writer.drain()

    def press(self, digit: str) -> None:
        """Press a key."""
        self.writer.write(encode_frame(DTMF, digit.encode()))

    async def hang_up(self) -> None:
        """End as Asterisk does, by closing, and wait until the gateway has closed as well."""
        if self.writer.can_write_eof():
            self.writer.write_eof()
        await self.until_closed()

    def reset(self) -> None:
        """Break the connection without a goodbye: the peer sees a reset."""
        own_socket = self.writer.get_extra_info("socket")
        own_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def until_closed(self) -> bytes:
        """What the gateway still sends, to its end of the connection."""
        try:
            return await self.reader.read(-1)
        except ConnectionError:
            return b""
