"""A Wyoming server on loopback that says what it hears, for tests; wire form of wyoming-faster-whisper 3.8.1.

async with WyomingServer(heard_words) as server:
...                        # point a recogniser at wyoming+tcp://127.0.0.1:PORT
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

from slukh.stt.whisper.wyoming_events import Event, Events, encoded
from slukh.testing.tcp_server import TcpServer

Fault = Literal["none", "closes", "hangs", "error", "garbage", "language"]


class WyomingServer(TcpServer):
    """See the module.

    Args:
        hear: words in linear 16-bit 8 kHz audio.
        fault: what it does instead of answering.

    Attributes:
        received: every event of every connection.
        port: on 127.0.0.1.
    """

    def __init__(self, hear: Callable[[bytes], Sequence[str]], *, fault: Fault = "none") -> None:
        super().__init__()
        self.fault = fault
        self.received: list[Event] = []
        self._hear = hear
        self._audio: asyncio.Queue[bytes] = asyncio.Queue()

    async def next_audio(self) -> bytes:
        """The next piece of anybody's, once it is here."""
        return await self._audio.get()

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
            case "language":
                writer.write(encoded(Event(type="transcript", data={"text": "to make", "language": "en"})))
            case "hangs":
                await asyncio.Event().wait()
            case "error":
                writer.write(encoded(Event(type="error", data={"text": "no model", "code": "x"})))
            case "garbage":
                writer.write(b"<html>\n")
