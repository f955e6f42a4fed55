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

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from slukh.testing.socket_server import Peer, Script
from slukh.testing.whisper_server import Status


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

    @property
    def answer(self) -> Status:
        """What an HTTP server said last, as an answer of `FakeWhisperServer`."""
        said = "".join(line["text"] for line in self.lines if line["from"] == "server")
        head, _, body = said.rpartition("\r\n\r\n")
        content_type = head.lower().rpartition("content-type: ")[2].partition("\r\n")[0]
        return Status(200, body, content_type)


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
