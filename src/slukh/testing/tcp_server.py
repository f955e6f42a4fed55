"""What every TCP server of the tests does: listens on loopback, and lets go of its connections at the end."""

import asyncio
from abc import ABC, abstractmethod
from functools import partial
from types import TracebackType
from typing import Self


class TcpServer(ABC):
    """Serves while its block runs.

    Attributes:
        port: on 127.0.0.1.
    """

    def __init__(self) -> None:
        self.port = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for connection in tuple(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(partial(self._let_go, writer))

    def _let_go(self, writer: asyncio.StreamWriter, connection: "asyncio.Task[None]") -> None:
        """Who is cancelled before they have begun have closed nothing."""
        self._connections.discard(connection)
        writer.close()

    @abstractmethod
    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
