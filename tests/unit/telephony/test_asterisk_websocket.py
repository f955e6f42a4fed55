"""chan_websocket's messages as Asterisk 22 sends them, and everything that is refused."""

import logging
from collections.abc import Iterator
from itertools import count

import pytest
from websockets.frames import Frame, Opcode

from slukh.errors import RefusalReason, TelephonyError
from slukh.telephony.asterisk_websocket import MAX_MESSAGE_BYTES, AsteriskWebSocketCodec
from slukh.telephony.base import (
    CodecEvent,
    DigitPressed,
    FlowChanged,
    Identified,
    MarkReturned,
    MediaReceived,
    PeerHungUp,
    Reply,
)
from slukh.telephony.websocket import MAX_REQUEST_BYTES
from slukh.testing.websocket_calls import WebSocketPeer

CALL_ID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
PCM = bytes(range(160)) * 2
PEER = WebSocketPeer()


def started(*, password: str | None = None) -> AsteriskWebSocketCodec:
    codec = AsteriskWebSocketCodec(password=password)
    assert isinstance(codec.receive_data(WebSocketPeer(password=password).greeting(CALL_ID))[0], Reply)
    return codec


def refusal(wire: bytes, codec: AsteriskWebSocketCodec | None = None) -> str:
    with pytest.raises(TelephonyError) as refused:
        (codec or AsteriskWebSocketCodec(password=None)).receive_data(wire)
    return refused.value.reason


def text(message: bytes) -> bytes:
    return Frame(Opcode.TEXT, message).serialize(mask=True)


def test_a_handshake_is_answered_and_the_first_event_names_the_call() -> None:
    codec = AsteriskWebSocketCodec(password=None)
    [reply] = codec.receive_data(PEER.handshake(CALL_ID.upper()))
    assert isinstance(reply, Reply)
    assert reply.data.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Protocol: media\r\n" in reply.data
    assert b"permessage-deflate" not in reply.data
    assert codec.receive_data(PEER.start()) == [Identified(call_id=CALL_ID)]


@pytest.mark.parametrize("given", [None, "", "wrong", "secret ", "пароль"])
def test_a_wrong_password_is_refused_before_anything_else_is_looked_at(given: str | None) -> None:
    codec = AsteriskWebSocketCodec(password="secret")
    assert refusal(WebSocketPeer(password=given).handshake(None) + b"\xff" * 100, codec) == "unauthorized"
    answer = codec.encode_refusal("unauthorized")
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b'WWW-Authenticate: Basic realm="slukh"\r\n' in answer


def test_two_authorizations_are_not_one_good_one() -> None:
    wire = WebSocketPeer(password="secret").handshake(CALL_ID)
    header = next(line for line in wire.split(b"\r\n") if line.startswith(b"Authorization"))
    twice = wire.replace(header, header + b"\r\n" + header)
    assert refusal(twice, AsteriskWebSocketCodec(password="secret")) == "unauthorized"


def test_the_right_password_is_let_in() -> None:
    assert started(password="secret").receive_data(PEER.audio(PCM))


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (PEER.handshake(None), "no_id"),
        (PEER.handshake(f"{CALL_ID}&call={CALL_ID}"), "no_id"),
        (PEER.handshake("1700000000.1"), "bad_id"),
        (PEER.handshake(CALL_ID).replace(b"media\r\n", b"chat\r\n"), "malformed"),
        (PEER.handshake(CALL_ID).replace(b"Version: 13", b"Version: 8"), "malformed"),
        (PEER.handshake(CALL_ID).replace(b"HTTP/1.1", b"HTTP/0.9"), "malformed"),
        (b"\x01\x00\x10" + bytes(16), "malformed"),
        (b"POST / HTTP/1.1\r\n\r\n", "malformed"),
        (b"GET / HTTP/1.1\r\nbroken\r\n\r\n", "malformed"),
        (b"GET /" + b"a" * MAX_REQUEST_BYTES, "malformed"),
    ],
    ids=count(),
)
def test_a_handshake_that_is_none_is_refused_over_http(wire: bytes, reason: RefusalReason) -> None:
    codec = AsteriskWebSocketCodec(password=None)
    assert refusal(wire, codec) == reason
    assert codec.encode_refusal(reason).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (PEER.event("DTMF_END", digit="5"), "no_id"),
        (PEER.event("MEDIA_XOFF"), "no_id"),
        (PEER.event("STATUS"), "no_id"),
        (PEER.start("slin16"), "malformed"),
        (PEER.start("ulaw"), "malformed"),
        (PEER.event("MEDIA_START"), "malformed"),
        (text(b"MEDIA_START connection_id:gw format:slin"), "malformed"),
    ],
    ids=count(),
)
def test_a_call_that_begins_otherwise_is_refused(message: bytes, reason: str) -> None:
    assert refusal(PEER.handshake(CALL_ID) + message) == reason


@pytest.mark.parametrize(
    "message",
    [
        PEER.start(),
        PEER.event("DTMF_END"),
        PEER.event("DTMF_END", digit="55"),
        PEER.event("DTMF_END", digit=5),
        PEER.audio(b"\0\0\0"),
        PEER.audio(bytes(MAX_MESSAGE_BYTES + 2)),
        text(b"not json"),
        text(b"\xff\xfe"),
        text(b"[1]"),
        text(b"{}"),
        text(b"[" * 60_000),
        Frame(Opcode.BINARY, PCM).serialize(mask=False),
        Frame(Opcode.CONT, PCM).serialize(mask=True),
    ],
    ids=count(),
)
def test_a_broken_message_is_refused(message: bytes) -> None:
    codec = started()
    assert refusal(message, codec) == "malformed"
    peer = WebSocketPeer()
    peer.receive_data(b"HTTP/1.1 101\r\n\r\n" + codec.encode_refusal("malformed"))
    assert peer.close_reason == "malformed"


def test_an_oversized_message_is_refused_before_it_is_there() -> None:
    assert refusal(PEER.audio(bytes(MAX_MESSAGE_BYTES + 2))[:14], started()) == "malformed"


def fragments(opcode: Opcode, pieces: list[bytes]) -> Iterator[bytes]:
    for number, piece in enumerate(pieces):
        is_last = number == len(pieces) - 1
        yield Frame(opcode if number == 0 else Opcode.CONT, piece, fin=is_last).serialize(mask=True)


def test_fragments_are_one_message() -> None:
    codec = started()
    ping = Frame(Opcode.PING, b"?").serialize(mask=True)
    wire = [*fragments(Opcode.BINARY, [PCM[:3], b"", PCM[3:]])]
    wire.insert(1, ping)
    events = [event for part in wire for event in codec.receive_data(part)]
    assert events == [
        Reply(data=b"\x8a\x01?"),
        MediaReceived(linear16=PCM, sample_rate_hertz=8000),
    ]


def test_fragments_that_grow_over_the_limit_are_refused() -> None:
    half = bytes(MAX_MESSAGE_BYTES // 2 + 2)
    assert refusal(b"".join(fragments(Opcode.BINARY, [half, half])), started()) == "malformed"


def test_control_events_are_told_and_unknown_ones_counted() -> None:
    codec = started()
    wire = [
        PEER.event("DTMF_END", digit="#", channel_id="1.2"),
        PEER.event("MEDIA_XOFF"),
        PEER.event("MEDIA_XON"),
        PEER.event("MEDIA_MARK_PROCESSED", channel_id="1.2", correlation_id="7"),
        PEER.event("STATUS", queue_length=3),
        PEER.event("OF_A_NEWER_ASTERISK"),
        Frame(Opcode.PONG, b"").serialize(mask=True),
        PEER.audio(b""),
    ]
    expected: list[CodecEvent] = [
        DigitPressed(digit="#"),
        FlowChanged(is_open=False),
        FlowChanged(is_open=True),
        MarkReturned(name="7"),
    ]
    assert codec.receive_data(b"".join(wire)) == expected


def test_a_mark_is_a_command_with_its_name() -> None:
    assert started().encode_mark("7")[2:] == b'{"command":"MARK_MEDIA","correlation_id":"7"}'


def test_a_close_is_answered_and_is_the_hang_up_and_nothing_behind_it_counts() -> None:
    events = started().receive_data(PEER.goodbye() + PEER.audio(PCM))
    assert events == [Reply(data=b"\x88\x02\x03\xe8"), PeerHungUp()]


def test_audio_for_the_caller_comes_in_whole_frames_of_20_ms() -> None:
    frame = started().encode_audio(PCM[:100])
    assert frame == b"\x82\x7e\x01\x40" + PCM[:100] + bytes(220)
    with pytest.raises(ValueError, match="65500"):
        started().encode_audio(bytes(MAX_MESSAGE_BYTES + 2))


def test_a_gateway_that_is_full_says_try_again_later() -> None:
    assert started().encode_refusal("full")[2:4] == (1013).to_bytes(2, "big")
    assert started().encode_refusal("duplicate")[2:4] == (1008).to_bytes(2, "big")


def test_no_log_shows_a_password_or_a_digit(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    codec = started(password="secret")
    codec.receive_data(PEER.event("DTMF_END", digit="7"))
    assert not [record for record in caplog.records if record.name != "websockets.client"]  # the peer's
