"""Asterisk's chan_websocket: a WebSocket per call, audio as binary messages, control as JSON text.

    message      content                                              sent by
    handshake    HTTP Basic, `?call=UUID`, sub-protocol `media`       Asterisk
    text         {"event": "MEDIA_START", "format": "slin", ...}      Asterisk, first of all
    binary       int16 little-endian at 8 kHz, any length             either side
    text         {"event": "DTMF_END", "digit": "5", ...}             Asterisk
    text         {"event": "MEDIA_XOFF"}, later MEDIA_XON             Asterisk: its queue is full
    text         {"command": "HANGUP"}                                gateway
    text         {"command": "FLUSH_MEDIA"}: forget what was not played   gateway
    close        the call is over                                     either side

The dial plan says `Dial(WebSocket/NAME/c(slin)f(json)v(call=${ID}),,g)`: `v` adds the call's UUID to the URI,
because the connection's own id is NAME for every call. Events we do not know are skipped, because a newer
Asterisk may have some.

Framing, masks and the handshake are the `websockets` library's, which does no I/O here either.

Source: asterisk/asterisk at 0607f2c, channels/chan_websocket.c; RFC 6455; RFC 7617.
"""

import base64
import hmac
import json
import logging
import uuid
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from slukh.errors import RefusalReason, TelephonyError
from slukh.telephony.base import (
    DIGITS,
    CodecEvent,
    DigitPressed,
    FlowChanged,
    Identified,
    MediaReceived,
    PeerHungUp,
    Reply,
)

USER: Final = "asterisk"
FORMAT: Final = "slin"
SAMPLE_RATE_HERTZ: Final = 8_000
# Asterisk discards what does not fill one: process_binary_message, unless it buffers.
FRAME_BYTES: Final = 320
# Of one message, either way: Asterisk closes with 1009 above it.
MAX_MESSAGE_BYTES: Final = 65_500
MAX_REQUEST_BYTES: Final = 8 * 1024

_END_OF_REQUEST: Final = b"\r\n\r\n"
_FLUSH: Final = Frame(Opcode.TEXT, b'{"command":"FLUSH_MEDIA"}').serialize(mask=False)
_HANGUP: Final = Frame(Opcode.TEXT, b'{"command":"HANGUP"}').serialize(mask=False)
# The library logs headers and messages at DEBUG: a password, and digits of callers.
# Outside the tree of loggers, so that no level given to them reaches it.
_NO_LOG: Final = logging.Logger("websockets", logging.CRITICAL + 1)  # noqa: LOG001


class AsteriskWebSocketCodec:
    """A gateway's side of a chan_websocket connection (`slukh.telephony.base.Codec`).

    Attributes:
        unknown_events: control events that were skipped.

    Args: password: of HTTP Basic, with the user `asterisk`; None lets everybody in.
    """

    def __init__(self, *, password: str | None) -> None:
        self.unknown_events = 0
        credentials = base64.b64encode(f"{USER}:{password}".encode())
        self._authorization = None if password is None else b"Basic " + credentials
        self._protocol = ServerProtocol(
            subprotocols=[Subprotocol("media")], max_size=MAX_MESSAGE_BYTES, logger=_NO_LOG
        )
        self._request = b""
        self._call_id: str | None = None  # named by a handshake that was good
        self._has_started = False
        self._message = b""  # the fragments so far
        self._is_text = False

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Events of all messages that these bytes complete.

        Raises:
            TelephonyError: `unauthorized`, `no_id`, `bad_id`, `audio_before_id` or `malformed`.
        """
        events: list[CodecEvent] = []
        if self._call_id is None:
            self._request += data
            if not self._request.startswith(b"GET "[: len(self._request)]):
                raise TelephonyError("malformed", "not a WebSocket handshake")
            head, end, data = self._request.partition(_END_OF_REQUEST)
            if len(head) > MAX_REQUEST_BYTES:
                raise TelephonyError("malformed", f"a handshake of more than {MAX_REQUEST_BYTES} bytes")
            if not end:
                return []
            events.append(Reply(data=self._shake_hands(head + end)))
        self._protocol.receive_data(data)
        for frame in self._protocol.events_received():
            assert isinstance(frame, Frame)
            events += self._frame_events(frame)
        if self._protocol.parser_exc is not None:
            raise TelephonyError("malformed", str(self._protocol.parser_exc))
        return events

    def _shake_hands(self, request_bytes: bytes) -> bytes:
        """The answer to a handshake; whoever may not come in learns nothing but that."""
        self._protocol.receive_data(request_bytes)
        requests = self._protocol.events_received()
        if not requests:
            raise TelephonyError("malformed", str(self._protocol.handshake_exc))
        request = requests[0]
        assert isinstance(request, Request)
        if self._authorization is not None:
            given = "".join(request.headers.get_all("Authorization"))
            if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._authorization):
                raise TelephonyError("unauthorized", "wrong or missing password")
        calls = parse_qs(request.path.partition("?")[2]).get("call", [])
        if len(calls) != 1:
            raise TelephonyError("no_id", "the handshake names no call: v(call=${ID})")
        try:
            call_id = str(uuid.UUID(calls[0]))
        except ValueError as error:
            raise TelephonyError("bad_id", "the call of the handshake is no UUID") from error
        response = self._protocol.accept(request)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            raise TelephonyError("malformed", response.body.decode())
        self._protocol.send_response(response)
        self._call_id = call_id
        return b"".join(self._protocol.data_to_send())

    def _frame_events(self, frame: Frame) -> list[CodecEvent]:
        match frame.opcode:
            case Opcode.PING:
                return [Reply(data=Frame(Opcode.PONG, frame.data).serialize(mask=False))]
            case Opcode.PONG:
                return []
            case Opcode.CLOSE:
                return [Reply(data=frame.serialize(mask=False)), PeerHungUp()]
            case Opcode.TEXT | Opcode.BINARY:
                self._is_text = frame.opcode is Opcode.TEXT
                self._message = bytes(frame.data)
            case _:
                self._message += frame.data
        if not frame.fin:
            return []
        return self._control_events() if self._is_text else self._audio_events()

    def _audio_events(self) -> list[CodecEvent]:
        if not self._has_started:
            raise TelephonyError("audio_before_id", "audio came before MEDIA_START")
        if len(self._message) % 2:
            raise TelephonyError(
                "malformed", f"{len(self._message)} bytes are no whole number of 16-bit samples"
            )
        if not self._message:
            return []
        return [MediaReceived(linear16=self._message, sample_rate_hertz=SAMPLE_RATE_HERTZ)]

    def _control_events(self) -> list[CodecEvent]:
        try:
            control = json.loads(self._message)
        except (ValueError, RecursionError) as error:
            raise TelephonyError("malformed", "a control message that is not JSON: f(json)") from error
        match control:
            case {"event": "MEDIA_START", "format": str(name)} if not self._has_started:
                if name != FORMAT:
                    raise TelephonyError("malformed", f"audio as {name[:20]!r} instead of c({FORMAT})")
                self._has_started = True
                assert self._call_id is not None
                return [Identified(call_id=self._call_id)]
            case {"event": "MEDIA_START"}:
                raise TelephonyError("malformed", "a second MEDIA_START, or one that names no format")
            case {"event": str()} if not self._has_started:
                raise TelephonyError("no_id", "another event came before MEDIA_START")
            case {"event": "DTMF_END", "digit": str(digit)} if digit in DIGITS:
                return [DigitPressed(digit=digit)]
            case {"event": "MEDIA_XOFF" | "MEDIA_XON" as event}:
                return [FlowChanged(is_open=event == "MEDIA_XON")]
            case {"event": "DTMF_END"}:
                raise TelephonyError("malformed", "a DTMF_END without a telephone's key")
            case {"event": str()}:
                self.unknown_events += 1
                return []
            case _:
                raise TelephonyError("malformed", "a control message that names no event")

    def encode_audio(self, linear16_8k: bytes) -> bytes:
        """One message of 8 kHz audio, the last frame of 20 ms filled with silence.

        Raises:
            ValueError: an odd length, or more than 65,500 bytes.
        """
        if len(linear16_8k) % 2:
            raise ValueError("linear16 has two bytes per sample")
        if len(linear16_8k) > MAX_MESSAGE_BYTES:
            raise ValueError(f"a message holds {MAX_MESSAGE_BYTES} bytes, not {len(linear16_8k)}")
        padding = bytes(-len(linear16_8k) % FRAME_BYTES)
        return Frame(Opcode.BINARY, linear16_8k + padding).serialize(mask=False)

    def encode_flush(self) -> bytes:
        """The command after which nothing of Asterisk's queue is played."""
        return _FLUSH

    def encode_hangup(self) -> bytes:
        """The command after which Asterisk closes, and goes on with its dial plan."""
        return _HANGUP

    def encode_refusal(self, reason: RefusalReason, /) -> bytes:
        """An HTTP answer before the handshake, a close frame after it; both name the reason."""
        if self._call_id is not None:
            is_busy = reason in {"draining", "full", "over_budget"}
            code = CloseCode.TRY_AGAIN_LATER if is_busy else CloseCode.POLICY_VIOLATION
            return Frame(Opcode.CLOSE, Close(code, reason).serialize()).serialize(mask=False)
        status = HTTPStatus.UNAUTHORIZED if reason == "unauthorized" else HTTPStatus.BAD_REQUEST
        response = self._protocol.reject(status, f"{reason}\n")
        if status is HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Basic realm="slukh"'
        return response.serialize()
