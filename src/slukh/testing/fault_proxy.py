"""A TCP proxy on loopback that breaks connections in every way a network does, without being root.

    async with FaultProxy(server_port) as proxy:
        ...                                        # point a client at proxy.port
        proxy.down = Wire(delay_seconds=0.15)      # server to client, for every piece from now on
        proxy.reset()                              # every connection, now

A wire acts on pieces that pass, `reset`, `half_close` and `vanish` on connections that are open, `refuse`,
`never_answer` and `black_hole` on those to come.

A peer that has vanished does not even acknowledge. The kernel of a proxy would, so its sockets get a packet
filter that lets nothing in (socket(7), SO_ATTACH_FILTER; a filter's verdict is how many bytes to keep).
"""

import asyncio
import contextlib
import ctypes
import math
import random
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; the socket module does not name it
_KEEP_NOTHING = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: ret #0
_DROP_ALL = struct.pack("HL", 1, ctypes.addressof(_KEEP_NOTHING))
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, zero seconds
_RECEIVE_BUFFER = 4096  # so that a client soon feels that nobody reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What happens to bytes in one direction.

    Attributes:
        delay_seconds: before a piece is passed on; what comes meanwhile travels in the next one.
        jitter_seconds: up to so much more, drawn for each piece.
        slice_bytes: longest piece.
        bytes_per_second: how fast it is read; 0 stops reading for good.
        limit_bytes: of one connection that pass; 0 is a black hole.
        at_limit: the rest is taken and forgotten, or the connection is reset, or its peer vanishes.
        corrupts: every bit of what passes is turned over.
    """

    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    slice_bytes: int = 65536
    bytes_per_second: float = math.inf
    limit_bytes: float = math.inf
    at_limit: Literal["swallow", "reset", "vanish"] = "swallow"
    corrupts: bool = False


BLACK_HOLE = Wire(limit_bytes=0)


class FaultProxy:
    """See the module. It relays faithfully until told otherwise.

    Args:
        target_port: on loopback, of the server behind it.
        seed: of jitter.

    Attributes:
        up: the wire from client to server; may be replaced at any time.
        down: the wire back.
        port: on 127.0.0.1, where clients connect.
    """

    def __init__(self, target_port: int, *, seed: int = 0) -> None:
        self.up = self.down = Wire()
        self._target_port = target_port
        self._random = random.Random(seed)  # noqa: S311  # jitter is no secret
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)  # of those accepted
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._answers = True
        self._accepting: asyncio.Task[None] | None = None
        self._connections: dict[asyncio.Task[None], _Connection] = {}

    async def __aenter__(self) -> Self:
        self._accepting = asyncio.create_task(self._accept())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        self._listener.close()
        connections = tuple(self._connections)
        self.reset()
        await asyncio.gather(*connections, return_exceptions=True)

    @property
    def open_connections(self) -> int:
        """Connections that the proxy holds."""
        return len(self._connections)

    async def refuse(self) -> None:
        """New connections are refused. The port stays ours: a bound socket that does not listen."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        self._listener.close()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))

    def never_answer(self) -> None:
        """New connections are accepted, and nothing is read from them or written to them."""
        self._answers = False

    def black_hole(self) -> None:
        """New connections get no answer at all."""
        _let_nothing_in(self._listener)

    def reset(self) -> None:
        """Every open connection is reset, on both sides."""
        for task, connection in tuple(self._connections.items()):
            connection.reset()
            task.cancel()

    def half_close(self) -> None:
        """Every client hears the end of the stream, while what it writes is still read."""
        for connection in self._connections.values():
            connection.client.shutdown(socket.SHUT_WR)

    def vanish(self) -> None:
        """The peer is gone without a goodbye: nothing of open or new connections is even acknowledged."""
        for connection in self._connections.values():
            _let_nothing_in(connection.client)
        self.down = BLACK_HOLE
        self.black_hole()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(self._listener)
            client.setblocking(False)
            connection = _Connection(client)
            task = asyncio.create_task(self._serve(connection))
            self._connections[task] = connection
            task.add_done_callback(self._connections.pop)

    async def _serve(self, connection: "_Connection") -> None:
        try:
            if not self._answers:
                await asyncio.Event().wait()
            await asyncio.get_running_loop().sock_connect(connection.server, ("127.0.0.1", self._target_port))
            async with asyncio.TaskGroup() as relays:
                relays.create_task(self._relay(connection.client, connection.server, lambda: self.up))
                relays.create_task(self._relay(connection.server, connection.client, lambda: self.down))
        except* OSError:  # one side broke: so does the other
            connection.reset()
        finally:
            connection.close()

    async def _relay(self, source: socket.socket, sink: socket.socket, wire_now: Callable[[], Wire]) -> None:
        loop = asyncio.get_running_loop()
        passed = 0
        while data := await loop.sock_recv(source, wire_now().slice_bytes):
            wire = wire_now()
            if not wire.bytes_per_second:
                await asyncio.Event().wait()
            delay = wire.delay_seconds + self._random.uniform(0, wire.jitter_seconds)
            if delay := delay + len(data) / wire.bytes_per_second:
                await asyncio.sleep(delay)
            passed += len(data)
            if (beyond := passed - wire.limit_bytes) > 0:
                data = data[: max(0, len(data) - math.ceil(beyond))]
            if data:
                await loop.sock_sendall(sink, bytes(b ^ 0xFF for b in data) if wire.corrupts else data)
            if beyond > 0 and wire.at_limit == "reset":
                raise ConnectionResetError
            if beyond > 0 and wire.at_limit == "vanish":
                _let_nothing_in(source)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


class _Connection:
    """A client's socket and the one to the server in its name."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.server = socket.socket()
        self.server.setblocking(False)
        for own in (client, self.server):
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def reset(self) -> None:
        """Closing resets from now on."""
        for own in (self.client, self.server):
            with contextlib.suppress(OSError):
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

    def close(self) -> None:
        """Both sockets."""
        self.client.close()
        self.server.close()


def _let_nothing_in(own: socket.socket) -> None:
    own.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _DROP_ALL)
