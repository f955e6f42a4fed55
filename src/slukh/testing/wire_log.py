"""What a real server said, replayed: for servers that are too large to be installed with the tests.

A log is lines of JSON. The first one names the server, the scheme, the clip that was said to it and what we
heard; then each
is a message or a piece, in the order in which it passed:

    {"at": 1.002, "from": "server", "text": "..."}      at: seconds from the client's first move
    {"at": 1.060, "from": "client", "audio": 3200}      that many bytes of the clip
    {"at": 7.204, "from": "client", "close": 1000}      a WebSocket's close code

A replay gives the server's messages when as much has been heard as the server had then, however fast the
client is. `tests/wires/record.py` makes logs.
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h11

from slukh.testing.socket_server import Peer, Script


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLog:
    """One utterance with a real server.

    Attributes:
        server: its name and version.
        scheme: before `://` in its address.
        clip: BCP-47 of the stored clip that was said.
        heard: our final, or the error.
        lines: see the module.
    """

    server: str
    scheme: str
    clip: str
    heard: str
    lines: tuple[dict[str, Any], ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """The log in a file."""
        head, *lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        return cls(
            server=head["server"],
            scheme=head["scheme"],
            clip=head["clip"],
            heard=head["heard"],
            lines=tuple(lines),
        )


def replayed(log: WireLog) -> Script:
    """A log of a WebSocket, as a script of `SocketServer`."""

    async def script(peer: Peer) -> None:
        audio = words = 0  # bytes and other messages that the server had heard when it said what comes next
        for line in log.lines:
            if line["from"] == "client":
                audio += line.get("audio", 0)
                words += "text" in line
                if line.get("audio") == 0:  # WhisperLiveKit's end
                    await peer.hear_until(lambda message: message == b"")
                continue
            while len(peer.audio) < audio or _words(peer) < words:
                await peer.hear()
            if "close" in line:
                await peer.connection.close(line["close"])
                return
            await peer.connection.send(line["text"])
        await peer.connection.wait_closed()

    return script


def _words(peer: Peer) -> int:
    return sum(isinstance(m, dict) and m.get("type") != "input_audio_buffer.append" for m in peer.messages)


class ReplayedHttp:
    """A server of HTTP on loopback that answers each request as the log's server answered one of its path.

    Attributes:
        url: where it listens.
    """

    def __init__(self, log: WireLog) -> None:
        self._answers = _answers(log)
        self._server: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target: bytes | None = None
        peer = h11.Connection(h11.SERVER)
        try:
            while data := await reader.read(65536):
                peer.receive_data(data)
                while (event := peer.next_event()) is not h11.NEED_DATA:
                    if isinstance(event, h11.Request):
                        target = event.target
                    elif isinstance(event, h11.EndOfMessage):
                        writer.write(self._answers.get(target or b"", _NOT_FOUND))
                        peer = h11.Connection(h11.SERVER)
                        break
        finally:
            writer.close()


_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def _answers(log: WireLog) -> dict[bytes, bytes]:
    """What was answered, by the target of the request before it."""
    answers: dict[bytes, bytes] = {}
    target = b""
    for line in log.lines:
        text = line.get("text", "").encode(errors="surrogateescape")
        if line["from"] == "client":
            if text.startswith((b"GET ", b"POST ")):
                target = text.split()[1]
        else:
            answers[target] = answers.get(target, b"") + text
    return answers
