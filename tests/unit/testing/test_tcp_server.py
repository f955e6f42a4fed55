"""Servers of the tests leave nothing open."""

import asyncio

from slukh.testing.tcp_server import TcpServer


class Patient(TcpServer):
    async def _serve(self, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()


async def test_a_connection_that_came_when_the_server_left_is_closed_as_well() -> None:
    async with Patient() as server:
        server._accept(*(pair := await asyncio.open_connection("127.0.0.1", server.port)))
    assert pair[1].is_closing()
