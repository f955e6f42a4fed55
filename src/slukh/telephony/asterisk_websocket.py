"""Asterisk's chan_websocket: a WebSocket per call, audio as binary messages, control as JSON text.

    message      content                                              sent by
    handshake    HTTP Basic, `?call=UUID`, sub-protocol `media`       Asterisk
    text         {"event": "MEDIA_START", "format": "slin", ...}      Asterisk, first of all
    binary       int16 little-endian at 8 kHz, any length             either side
    text         {"event": "DTMF_END", "digit": "5", ...}             Asterisk
    text         {"event": "MEDIA_XOFF"}, later MEDIA_XON             Asterisk: its queue is full
    text         {"command": "HANGUP"}                                gateway
    text         {"command": "FLUSH_MEDIA"}: forget what was not played   gateway
    text         {"command": "MARK_MEDIA", "correlation_id": "7"}     gateway, behind a phrase
    text         {"event": "MEDIA_MARK_PROCESSED", "correlation_id": "7"}  Asterisk, when it has played that
    close        the call is over                                     either side

The dial plan says `Dial(WebSocket/NAME/c(slin)f(json)v(call=${ID}),,g)`: `v` adds the call's UUID to the URI,
because the connection's own id is NAME for every call. Events we do not know are skipped, because a newer
Asterisk may have some. A mark stands in Asterisk's queue among the frames; one that is flushed never comes
back. An Asterisk from before 2025-11-12 knows no MARK_MEDIA, says so in its log, and returns none.

Sources: asterisk/asterisk at f0c1c1a, channels/chan_websocket.c, and 4fa3142, which added marks; RFC 7617.
"""

import base64
import json
import uuid
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

from slukh.errors import RefusalReason, TelephonyError
from slukh.telephony.base import (
    DIGITS,
    CodecEvent,
    DigitPressed,
    FlowChanged,
    Identified,
    MarkReturned,
    MediaReceived,
)
from slukh.telephony.websocket import Handshake, Message, WebSocketServerSide, binary_message, text_message

USER: Final = "asterisk"
FORMAT: Final = "slin"
SAMPLE_RATE_HERTZ: Final = 8_000
# Asterisk discards what does not fill one: process_binary_message, unless it buffers.
FRAME_BYTES: Final = 320
# Of one message, either way: Asterisk closes with 1009 above it.
MAX_MESSAGE_BYTES: Final = 65_500

_FLUSH: Final = text_message('{"command":"FLUSH_MEDIA"}')
_HANGUP: Final = text_message('{"command":"HANGUP"}')


class AsteriskWebSocketCodec:
    """A gateway's side of a chan_websocket connection (`slukh.telephony.base.Codec`).

    Args: password: of HTTP Basic, with the user `asterisk`; None lets everybody in.
    """

    def __init__(self, *, password: str | None) -> None:
        credentials = base64.b64encode(f"{USER}:{password}".encode())
        self._authorization = None if password is None else b"Basic " + credentials
        self._side = WebSocketServerSide(
            max_message_bytes=MAX_MESSAGE_BYTES, admit=self._admit, subprotocols=["media"]
        )
        self._call_id: str | None = None  # named by the handshake
        self._has_started = False

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Events of all messages that these bytes complete.

        Raises:
            TelephonyError: `unauthorized`, `no_id`, `bad_id`, `audio_before_id` or `malformed`.
        """
        events: list[CodecEvent] = []
        for taken in self._side.receive_data(data):
            if not isinstance(taken, Message):
                events.append(taken)
            elif taken.is_text:
                events += self._control_events(taken.data)
            else:
                events += self._audio_events(taken.data)
        return events

    def _admit(self, handshake: Handshake) -> None:
        if self._authorization is not None and not handshake.proves("Authorization", self._authorization):
            raise TelephonyError("unauthorized", "wrong or missing password")
        calls = parse_qs(handshake.path.partition("?")[2]).get("call", [])
        if len(calls) != 1:
            raise TelephonyError("no_id", "the handshake names no call: v(call=${ID})")
        try:
            self._call_id = str(uuid.UUID(calls[0]))
        except ValueError as error:
            raise TelephonyError("bad_id", "the call of the handshake is no UUID") from error

    def _audio_events(self, linear16: bytes) -> list[CodecEvent]:
        if not self._has_started:
            raise TelephonyError("audio_before_id", "audio came before MEDIA_START")
        if len(linear16) % 2:
            raise TelephonyError("malformed", f"{len(linear16)} bytes are no whole number of 16-bit samples")
        if not linear16:
            return []
        return [MediaReceived(linear16=linear16, sample_rate_hertz=SAMPLE_RATE_HERTZ)]

    def _control_events(self, message: bytes) -> list[CodecEvent]:
        match _parsed(message):
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
            case {"event": "MEDIA_MARK_PROCESSED", "correlation_id": str(name)}:
                return [MarkReturned(name=name)]
            case {"event": "DTMF_END"}:
                raise TelephonyError("malformed", "a DTMF_END without a telephone's key")
            case {"event": str()}:
                return []  # of a newer peer
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
        return binary_message(linear16_8k + padding)

    def encode_mark(self, name: str, /) -> bytes:
        """The command that is answered once every frame before it has left Asterisk's queue."""
        mark = {"command": "MARK_MEDIA", "correlation_id": name}
        return text_message(json.dumps(mark, separators=(",", ":")))

    def encode_flush(self) -> bytes:
        """The command after which nothing of Asterisk's queue is played."""
        return _FLUSH

    def encode_hangup(self) -> bytes:
        """The command after which Asterisk closes, and goes on with its dial plan."""
        return _HANGUP

    def encode_refusal(self, reason: RefusalReason, /) -> bytes:
        """An HTTP answer before the handshake, a close frame after it; both name the reason."""
        return self._side.encode_refusal(
            reason,
            unauthorized=HTTPStatus.UNAUTHORIZED,
            challenge={"WWW-Authenticate": 'Basic realm="slukh"'},
        )


def _parsed(message: bytes) -> Any:  # noqa: ANN401  # whatever a peer sends
    try:
        return json.loads(message)
    except (ValueError, RecursionError) as error:
        raise TelephonyError("malformed", "a control message that is not JSON: f(json)") from error
