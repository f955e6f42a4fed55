"""A caller for tests that comes through Asterisk's chan_websocket."""

import base64
import json

from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import Protocol, Side

from slukh.telephony.asterisk_websocket import USER
from slukh.telephony.base import CodecEvent, MediaReceived, PeerHungUp


class WebSocketPeer:
    """Asterisk's side of a chan_websocket connection (`slukh.telephony.peer.Peer`).

    Args: password: of HTTP Basic, or None.

    Attributes:
        flushes: times that the gateway took back what was not played.
    """

    def __init__(self, *, password: str | None = None) -> None:
        self._password = password
        self._protocol = Protocol(Side.CLIENT)
        self._answer: bytes | None = b""
        self.flushes = 0

    def greeting(self, call_id: str) -> bytes:
        """Handshake and MEDIA_START, without waiting for an answer."""
        return self.handshake(call_id) + self.start()

    def handshake(self, call_id: str | None) -> bytes:
        """The HTTP request."""
        query = "" if call_id is None else f"?call={call_id}"
        lines = [
            f"GET /media{query} HTTP/1.1",
            "Host: gateway",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: media",
        ]
        if self._password is not None:
            credentials = base64.b64encode(f"{USER}:{self._password}".encode()).decode()
            lines.append(f"Authorization: Basic {credentials}")
        return "\r\n".join([*lines, "", ""]).encode()

    def event(self, name: str, **fields: object) -> bytes:
        """A control event."""
        return _masked(Opcode.TEXT, json.dumps({"event": name, **fields}).encode())

    def start(self, audio_format: str = "slin") -> bytes:
        """The first event."""
        return self.event(
            "MEDIA_START", connection_id="gw", format=audio_format, optimal_frame_size=320, ptime=20
        )

    def audio(self, linear16: bytes) -> bytes:
        """A binary message."""
        return _masked(Opcode.BINARY, linear16)

    def digit(self, digit: str) -> bytes:
        """A control event."""
        return self.event("DTMF_END", digit=digit)

    def goodbye(self) -> bytes:
        """A close frame."""
        return _masked(Opcode.CLOSE, Close(CloseCode.NORMAL_CLOSURE, "").serialize())

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """What the gateway said, behind its answer to the handshake."""
        if self._answer is not None:
            self._answer += data
            _, end, data = self._answer.partition(b"\r\n\r\n")
            if not end:
                return []
            self._answer = None
        self._protocol.receive_data(data)
        events: list[CodecEvent] = []
        for frame in self._protocol.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode is Opcode.BINARY:
                events.append(MediaReceived(linear16=bytes(frame.data), sample_rate_hertz=8000))
            elif frame.opcode is Opcode.TEXT and json.loads(bytes(frame.data)) == {"command": "FLUSH_MEDIA"}:
                self.flushes += 1
            elif frame.opcode is Opcode.CLOSE or json.loads(bytes(frame.data)) == {"command": "HANGUP"}:
                events.append(PeerHungUp())
        return events

    @property
    def close_reason(self) -> str | None:
        """Why the gateway closed, when it said so."""
        closed = self._protocol.close_rcvd
        return None if closed is None else closed.reason


def _masked(opcode: Opcode, data: bytes) -> bytes:
    return Frame(opcode, data).serialize(mask=True)
