"""Twilio's messages as its documentation shows them, signed, split and broken."""

import base64
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from slukh.audio import linear16_from_mulaw, mulaw_from_linear16
from slukh.errors import TelephonyError
from slukh.telephony.base import (
    CodecEvent,
    DigitPressed,
    Identified,
    MarkReturned,
    MediaReceived,
    PeerHungUp,
    Reply,
)
from slukh.telephony.twilio import TwilioCodec, signature

URL, TOKEN = "wss://voice.example.com/", "12345"
CALL_ID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
MULAW = bytes(range(160))


def handshake(signed: str | None = None) -> bytes:
    lines = [
        "GET / HTTP/1.1", "Host: voice.example.com", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13",
    ]  # fmt: skip
    if signed is not None:
        lines.append(f"X-Twilio-Signature: {signed}")
    return "\r\n".join([*lines, "", ""]).encode()


def message(**fields: object) -> bytes:
    return Frame(Opcode.TEXT, json.dumps(fields).encode()).serialize(mask=True)


def started(**changes: object) -> bytes:
    start = {
        "callSid": "CA1", "streamSid": "MZ1", "tracks": ["inbound"], "customParameters": {"call": CALL_ID},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
    }  # fmt: skip
    return message(event="start", sequenceNumber="1", streamSid="MZ1", start=start | changes)


def media(mulaw: bytes = MULAW) -> bytes:
    payload = base64.b64encode(mulaw).decode()
    return message(
        event="media", streamSid="MZ1",
        media={"track": "inbound", "chunk": "1", "timestamp": "20", "payload": payload},
    )  # fmt: skip


CONNECTED = message(event="connected", protocol="Call", version="1.0.0")
WIRE = handshake(signature(URL, TOKEN)) + CONNECTED + started()


def codec() -> TwilioCodec:
    return TwilioCodec(url=URL, auth_token=TOKEN)


def opened() -> TwilioCodec:
    own = codec()
    own.receive_data(WIRE)
    return own


def said(data: bytes) -> list[dict[str, object]]:
    peer = Protocol(Side.CLIENT)
    peer.receive_data(data)
    return [json.loads(bytes(frame.data)) for frame in peer.events_received() if isinstance(frame, Frame)]


def test_a_signature_is_twilios() -> None:
    """HMAC-SHA1 under the auth token, computed by openssl."""
    assert signature(URL, TOKEN) == "HbTtEI8pvTak61DpTS/wsLOWoMk="


@given(cuts=st.lists(st.integers(0, 3000), max_size=20))
def test_any_split_gives_the_same_events(cuts: list[int]) -> None:
    wire = WIRE + media() + message(event="dtmf", streamSid="MZ1", dtmf={"track": "inbound", "digit": "5"})
    wire += message(event="mark", streamSid="MZ1", mark={"name": "a"}) + message(
        event="stop", streamSid="MZ1"
    )
    edges = [0, *sorted(cut % len(wire) for cut in cuts), len(wire)]
    own = codec()
    events: list[CodecEvent] = [e for a, b in pairwise(edges) for e in own.receive_data(wire[a:b])]
    assert [event for event in events if not isinstance(event, Reply)] == [
        Identified(call_id=CALL_ID),
        MediaReceived(linear16=linear16_from_mulaw(MULAW), sample_rate_hertz=8000),
        DigitPressed(digit="5"),
        MarkReturned(name="a"),
        PeerHungUp(),
    ]


@pytest.mark.parametrize("signed", [None, "wrong", "ключ", signature("wss://other/", TOKEN)])
def test_a_stream_that_is_not_signed_is_refused(signed: str | None) -> None:
    own = codec()
    with pytest.raises(TelephonyError) as refused:
        own.receive_data(handshake(signed).decode("utf-8").encode("utf-8"))
    assert refused.value.reason == "unauthorized"
    assert own.encode_refusal("unauthorized").startswith(b"HTTP/1.1 403")


def test_a_call_without_a_parameter_is_known_by_twilios_own_id() -> None:
    wire = handshake(signature(URL, TOKEN)) + CONNECTED + started(customParameters={})
    events = [codec().receive_data(wire) for _ in "12"]
    assert events[0][-1] == events[1][-1]
    assert isinstance(events[0][-1], Identified)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (started(customParameters={"call": "7"}), "bad_id"),
        (started(customParameters={}, callSid=""), "no_id"),
        (started(mediaFormat={"encoding": "audio/opus", "sampleRate": 48000}), "malformed"),
        (media(), "audio_before_id"),
        (started() + started(), "second_id"),
        (started() + message(event="media", media={"payload": "%%%"}), "malformed"),
        (started() + message(event="media", media={}), "malformed"),
        (started() + message(event="dtmf", dtmf={"digit": "55"}), "malformed"),
        (started() + message(event="mark", mark={"name": 1}), "malformed"),
        (started() + message(hello=1), "malformed"),
        # Named, because a mask is random.
        pytest.param(Frame(Opcode.TEXT, b"{").serialize(mask=True), "malformed", id="no-json"),
        pytest.param(Frame(Opcode.BINARY, b"ab").serialize(mask=True), "malformed", id="binary"),
        pytest.param(Frame(Opcode.TEXT, bytes(70_000)).serialize(mask=True), "malformed", id="too-long"),
    ],
)
def test_what_breaks_the_protocol_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    own = codec()
    own.receive_data(handshake(signature(URL, TOKEN)) + CONNECTED)
    with pytest.raises(TelephonyError) as refused:
        own.receive_data(data)
    assert refused.value.reason == reason


def test_audio_leaves_as_mulaw_of_this_stream_and_is_cleared() -> None:
    own, pcm = opened(), linear16_from_mulaw(MULAW)
    audio, clear = said(own.encode_audio(pcm) + own.encode_flush())
    assert audio["streamSid"] == clear["streamSid"] == "MZ1"
    assert base64.b64decode(audio["media"]["payload"]) == mulaw_from_linear16(pcm)  # type: ignore[index]
    assert clear["event"] == "clear"
    with pytest.raises(ValueError, match="two bytes"):
        own.encode_audio(b"\0")


def test_a_mark_leaves_with_its_name_for_this_stream() -> None:
    (mark,) = said(opened().encode_mark("7"))
    assert mark == {"event": "mark", "streamSid": "MZ1", "mark": {"name": "7"}}


def test_a_refusal_after_the_handshake_closes_with_its_reason() -> None:
    assert b"draining" in opened().encode_refusal("draining")
    assert opened().encode_refusal("over_budget")[2:4] == (1013).to_bytes(2, "big")  # try again later
    assert opened().encode_hangup()[:1] == b"\x88"
