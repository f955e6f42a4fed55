"""A relay on loopback that remembers when bytes passed: what of a wait was the server's, what the client's.

async with Tap(server_port) as tap:
    ...                                        # point a client at tap.port
    tap.server_seconds(until)                  # from the last byte to the server to its last one back
"""

import asyncio
from bisect import bisect_right

from slukh.stt.whisper.tcp import acknowledge
from slukh.testing.tcp_server import TcpServer


class Tap(TcpServer):
    """See the module.

    Args:
        target_port: of the server.
        target_host: where it is.

    Attributes:
        port: on 127.0.0.1, where clients connect.
    """

    def __init__(self, target_port: int, target_host: str = "127.0.0.1") -> None:
        super().__init__()
        self._target = (target_host, target_port)
        self._up: list[float] = []
        self._down: list[float] = []

    def server_seconds(self, until: float) -> float:
        """The server's last byte before a moment of the loop's clock, less the last one to it.

        Raises:
            ValueError: one of the two sides said nothing before that moment.
        """
        up, down = bisect_right(self._up, until), bisect_right(self._down, until)
        if not up or not down:
            raise ValueError("nothing passed")
        return self._down[down - 1] - self._up[up - 1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
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
