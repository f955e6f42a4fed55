"""Twilio Media Streams: a WebSocket per call, JSON messages, audio as base64 mu-law at 8 kHz.

    message    content                                                            sent by
    handshake  `X-Twilio-Signature`: HMAC-SHA1 of the stream's URL                Twilio
    connected  {"event": "connected", "protocol": "Call"}                         Twilio, first of all
    start      streamSid, callSid, tracks, mediaFormat, customParameters          Twilio
    media      {"media": {"payload": base64, "chunk": "1", "timestamp": "0"}}     either side
    dtmf       {"dtmf": {"digit": "5"}}                                           Twilio
    mark       {"mark": {"name": "1"}}: tell me when all before it was played     gateway
    mark       the same name: it was played, or cleared                           Twilio
    clear      {"event": "clear", "streamSid"}: forget what was not played        gateway
    stop       the call is over                                                   Twilio
    close      the call is over; with `<Connect><Stream>` TwiML goes on           gateway

TwiML names the call, `<Stream url="wss://HOST/"><Parameter name="call" value="UUID"/></Stream>`, after
`POST /v1/calls` with that UUID. Without it the UUID is made of Twilio's own call id, the same for every
stream of the call.

TLS is a reverse proxy's; what Twilio signed is the URL that it was given, hence the setting.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages and .../usage/security.
"""

import base64
import binascii
import hashlib
import hmac
import json
import uuid
from http import HTTPStatus
from typing import Any, Final

from slukh.audio import linear16_from_mulaw, mulaw_from_linear16
from slukh.errors import RefusalReason, TelephonyError
from slukh.telephony.base import (
    DIGITS,
    CodecEvent,
    DigitPressed,
    Identified,
    MarkReturned,
    MediaReceived,
    PeerHungUp,
)
from slukh.telephony.websocket import Handshake, Message, WebSocketServerSide, goodbye, text_message

SAMPLE_RATE_HERTZ: Final = 8_000
MAX_MESSAGE_BYTES: Final = 64 * 1024
CALLS: Final = uuid.UUID("f0a3b4a6-6b0e-5c0a-9d36-7a3f3c1d2e55")  # the namespace of Twilio's call ids


def signature(url: str, auth_token: str) -> str:
    """What Twilio puts into `X-Twilio-Signature` for a stream to this URL."""
    return base64.b64encode(hmac.new(auth_token.encode(), url.encode(), hashlib.sha1).digest()).decode()


class TwilioCodec:
    """A gateway's side of a Media Streams connection (`slukh.telephony.base.Codec`).

    Args:
        url: of the stream, as TwiML names it.
        auth_token: of the account; None lets everybody in, which only loopback may.
    """

    def __init__(self, *, url: str, auth_token: str | None) -> None:
        self._signature = None if auth_token is None else signature(url, auth_token)
        self._side = WebSocketServerSide(max_message_bytes=MAX_MESSAGE_BYTES, admit=self._admit)
        self._stream_sid: str | None = None

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Events of all messages that these bytes complete.

        Raises:
            TelephonyError: `unauthorized`, `no_id`, `bad_id`, `second_id`, `audio_before_id` or `malformed`.
        """
        events: list[CodecEvent] = []
        for taken in self._side.receive_data(data):
            if isinstance(taken, Message):
                events += self._message_events(_parsed(taken))
            else:
                events.append(taken)
        return events

    def _admit(self, handshake: Handshake) -> None:
        if self._signature is not None and not handshake.proves(
            "X-Twilio-Signature", self._signature.encode()
        ):
            raise TelephonyError(
                "unauthorized", "wrong or missing signature: is SLUKH_TWILIO_URL the stream's?"
            )

    def _message_events(self, message: Any) -> list[CodecEvent]:  # noqa: ANN401  # whatever a peer sends
        match message:
            case {"event": "start", "streamSid": str(stream_sid), "start": dict(start)}:
                return [self._started(stream_sid, start)]
            case {"event": "media" | "dtmf"} if self._stream_sid is None:
                raise TelephonyError("audio_before_id", "audio or a key came before the start of the stream")
            case {"event": "media", "media": {"payload": str(payload)}}:
                return self._audio_events(payload)
            case {"event": "dtmf", "dtmf": {"digit": str(digit)}} if digit in DIGITS:
                return [DigitPressed(digit=digit)]
            case {"event": "mark", "mark": {"name": str(name)}}:
                return [MarkReturned(name=name)]
            case {"event": "media" | "dtmf" | "start" | "mark"}:
                raise TelephonyError("malformed", "a message without what it is for")
            case {"event": "stop"}:
                return [PeerHungUp()]
            case {"event": str()}:
                return []  # of a newer peer
            case _:
                raise TelephonyError("malformed", "a message that names no event")

    def _started(self, stream_sid: str, start: dict[str, Any]) -> CodecEvent:
        if self._stream_sid is not None:
            raise TelephonyError("second_id", "a second start of the stream")
        match start:
            case {"mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000 | "8000"}}:
                pass
            case _:
                raise TelephonyError("malformed", "audio that is not mu-law at 8 kHz")
        match start:
            case {"customParameters": {"call": str(named)}}:
                try:
                    call_id = str(uuid.UUID(named))
                except ValueError as error:
                    raise TelephonyError("bad_id", "the parameter call is no UUID") from error
            case {"callSid": str(call_sid)} if call_sid:
                call_id = str(uuid.uuid5(CALLS, call_sid))
            case _:
                raise TelephonyError("no_id", "the stream names no call")
        self._stream_sid = stream_sid
        return Identified(call_id=call_id)

    def _audio_events(self, payload: str) -> list[CodecEvent]:
        try:
            mulaw = base64.b64decode(payload, validate=True)
        except (ValueError, binascii.Error) as error:
            raise TelephonyError("malformed", "audio that is not base64") from error
        if not mulaw:
            return []
        return [MediaReceived(linear16=linear16_from_mulaw(mulaw), sample_rate_hertz=SAMPLE_RATE_HERTZ)]

    def encode_audio(self, linear16_8k: bytes) -> bytes:
        """One message of audio. ValueError on an odd length."""
        if len(linear16_8k) % 2:
            raise ValueError("linear16 has two bytes per sample")
        payload = base64.b64encode(mulaw_from_linear16(linear16_8k)).decode()
        return self._say({"event": "media", "streamSid": self._stream_sid, "media": {"payload": payload}})

    def encode_mark(self, name: str, /) -> bytes:
        """The message that comes back once everything before it was played, or at once after a clear."""
        return self._say({"event": "mark", "streamSid": self._stream_sid, "mark": {"name": name}})

    def encode_flush(self) -> bytes:
        """The message after which nothing that waits is played."""
        return self._say({"event": "clear", "streamSid": self._stream_sid})

    def encode_hangup(self) -> bytes:
        """The close frame after which TwiML goes on."""
        return goodbye()

    def encode_refusal(self, reason: RefusalReason, /) -> bytes:
        """An HTTP answer before the handshake, a close frame after it; both name the reason."""
        return self._side.encode_refusal(reason, unauthorized=HTTPStatus.FORBIDDEN)

    @staticmethod
    def _say(message: dict[str, object]) -> bytes:
        return text_message(json.dumps(message, separators=(",", ":")))


def _parsed(message: Message) -> Any:  # noqa: ANN401  # whatever a peer sends
    if not message.is_text:
        raise TelephonyError("malformed", "a binary message")
    try:
        return json.loads(message.data)
    except (ValueError, RecursionError) as error:
        raise TelephonyError("malformed", "a message that is not JSON") from error
