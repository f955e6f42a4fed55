"""A relay on loopback that remembers when bytes passed: what of a wait was the server's, what the client's.

async with Tap(server_port) as tap:
    ...                                        # point a client at tap.port
    tap.server_seconds(until)                  # from the last byte to the server to its last one back
"""

import asyncio
from bisect import bisect_right
from types import TracebackType
from typing import Self

from slukh.stt.whisper.tcp import acknowledge


class Tap:
    """See the module.

    Args:
        target_port: on 127.0.0.1, of the server.

    Attributes:
        port: on 127.0.0.1, where clients connect.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._up: list[float] = []
        self._down: list[float] = []
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    def server_seconds(self, until: float) -> float:
        """The server's last byte before a moment of the loop's clock, less the last one to it.

        Raises:
            ValueError: one of the two sides said nothing before that moment.
        """
        up, down = bisect_right(self._up, until), bisect_right(self._down, until)
        if not up or not down:
            raise ValueError("nothing passed")
        return self._down[down - 1] - self._up[up - 1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._relays.add(task)
        task.add_done_callback(self._relays.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.close()
            return
        async with asyncio.TaskGroup() as relays:
            relays.create_task(_relay(reader, writer, server_writer, self._up))
            relays.create_task(_relay(server_reader, server_writer, writer, self._down))


async def _relay(
    reader: asyncio.StreamReader,
    back: asyncio.StreamWriter,
    writer: asyncio.StreamWriter,
    passed: list[float],
) -> None:
    loop = asyncio.get_running_loop()
    connection = back.get_extra_info("socket")
    try:
        while data := await reader.read(65536):
            passed.append(loop.time())
            acknowledge(connection)  # who holds data back until then is to hold it as little as without a tap
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
