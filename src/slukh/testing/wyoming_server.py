"""A Wyoming server on loopback that says what it hears, for tests; wire form of wyoming-faster-whisper 3.8.1.

async with WyomingServer(heard_words) as server:
...                        # point a recogniser at wyoming+tcp://127.0.0.1:PORT
"""

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Literal, Self

from slukh.stt.whisper.wyoming_events import Event, Events, encoded

Fault = Literal["none", "closes", "hangs", "error", "garbage"]


class WyomingServer:
    """See the module.

    Args:
        hear: words in linear 16-bit 8 kHz audio.
        fault: what it does instead of answering.

    Attributes:
        received: every event of every connection.
        port: on 127.0.0.1.
    """

    def __init__(self, hear: Callable[[bytes], Sequence[str]], *, fault: Fault = "none") -> None:
        self.fault = fault
        self.received: list[Event] = []
        self.port = 0
        self._hear = hear
        self._audio: asyncio.Queue[bytes] = asyncio.Queue()
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

    async def next_audio(self) -> bytes:
        """The next piece of anybody's, once it is here."""
        return await self._audio.get()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        events, pcm = Events(), bytearray()
        try:
            while data := await reader.read(65536):
                for event in events.receive(data):
                    self.received.append(event)
                    if event.type == "audio-chunk":
                        pcm += event.payload
                        self._audio.put_nowait(event.payload)
                    if event.type == "describe":
                        writer.write(encoded(Event(type="info", data={"asr": [{"name": "faster-whisper"}]})))
                    elif event.type == "audio-stop":
                        await self._answer(writer, bytes(pcm))
                        return  # one connection per utterance
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, pcm: bytes) -> None:
        match self.fault:
            case "none":
                writer.write(
                    encoded(Event(type="transcript", data={"text": f" {' '.join(self._hear(pcm))}"}))
                )
            case "hangs":
                await asyncio.Event().wait()
            case "error":
                writer.write(encoded(Event(type="error", data={"text": "no model", "code": "x"})))
            case "garbage":
                writer.write(b"<html>\n")
