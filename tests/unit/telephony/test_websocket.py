"""A WebSocket's server side by itself: who comes in, and frames as whole messages."""

import pytest
from websockets.frames import Frame, Opcode

from slukh.errors import TelephonyError
from slukh.telephony.base import PeerHungUp, Reply
from slukh.telephony.websocket import Handshake, Message, WebSocketServerSide, goodbye

GREETING = (
    b"GET /path?call=1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nX-Secret: s3cret\r\n\r\n"
)


def frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin=fin).serialize(mask=True)


def everybody(_: Handshake) -> None:
    """Let them in."""


def test_the_handshake_is_shown_to_who_admits_without_its_secrets_in_a_repr() -> None:
    seen: list[Handshake] = []
    (answer,) = WebSocketServerSide(max_message_bytes=100, admit=seen.append).receive_data(GREETING)
    assert isinstance(answer, Reply)
    assert answer.data.startswith(b"HTTP/1.1 101 ")
    (handshake,) = seen
    assert handshake.path == "/path?call=1"
    assert handshake.proves("X-Secret", b"s3cret")
    assert not handshake.proves("X-Secret", b"other")
    assert not handshake.proves("X-Missing", b"s3cret")
    assert "s3cret" not in repr(handshake)


def test_who_is_not_admitted_gets_no_answer_to_the_handshake() -> None:
    def nobody(_: Handshake) -> None:
        raise TelephonyError("unauthorized", "no")

    side = WebSocketServerSide(max_message_bytes=100, admit=nobody)
    taken: list[object] = []
    with pytest.raises(TelephonyError, match="no"):
        taken.extend(side.receive_data(GREETING))
    assert not taken


def test_fragments_become_one_message_and_a_ping_between_them_is_answered_first() -> None:
    side = WebSocketServerSide(max_message_bytes=100, admit=everybody)
    wire = (
        GREETING
        + frame(Opcode.TEXT, b"one ", fin=False)
        + frame(Opcode.PING, b"there?")
        + frame(Opcode.CONT, b"two")
        + frame(Opcode.BINARY, b"\0\1")
        + frame(Opcode.CLOSE, b"\x03\xe8")
    )
    taken = [each for at in range(len(wire)) for each in side.receive_data(wire[at : at + 1])]
    assert taken[1:] == [
        Reply(data=b"\x8a\x06there?"),
        Message(data=b"one two", is_text=True),
        Message(data=b"\0\1", is_text=False),
        Reply(data=goodbye()),
        PeerHungUp(),
    ]


def test_what_came_whole_before_an_offence_is_still_given() -> None:
    side = WebSocketServerSide(max_message_bytes=4, admit=everybody)
    taken: list[object] = []
    wire = GREETING + frame(Opcode.TEXT, b"good") + frame(Opcode.TEXT, b"worse")
    with pytest.raises(TelephonyError) as refused:
        taken.extend(side.receive_data(wire))
    assert refused.value.reason == "malformed"
    assert taken[1:] == [Message(data=b"good", is_text=True)]
