"""What every telephony codec promises, held against each of them: add a `Transport` to TRANSPORTS."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.errors import REFUSAL_REASONS, TelephonyError
from slukh.telephony import audiosocket
from slukh.telephony.asterisk_websocket import AsteriskWebSocketCodec
from slukh.telephony.base import (
    Codec,
    CodecEvent,
    DigitPressed,
    Identified,
    MediaReceived,
    PeerHungUp,
    Reply,
)
from slukh.telephony.peer import AudioSocketPeer, Peer
from slukh.testing.websocket_calls import WebSocketPeer

CALL_ID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
PCM = bytes(range(256)) + bytes(64)  # 160 samples


@dataclass(frozen=True, kw_only=True)
class Transport:
    """A codec, and its peer's side written down by hand."""

    name: str
    gateway: Callable[[], Codec]
    caller: Callable[[], Peer]
    reasons: frozenset[str]
    opening: bytes  # what the protocol wants before the peer can say anything
    greeting: Callable[[str], bytes]
    audio: Callable[[bytes], bytes]
    digit: Callable[[str], bytes]
    hangup: bytes


HANDSHAKE = (
    b"GET /?call=%s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: media\r\n\r\n"
)


def websocket_frame(opcode: int, data: bytes) -> bytes:
    """A whole message under a mask of zeros."""
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return bytes([opcode]) + length + bytes(4) + data


def opened_websocket() -> WebSocketPeer:
    peer = WebSocketPeer()
    peer.receive_data(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    return peer


TRANSPORTS = [
    Transport(
        name="audiosocket",
        gateway=audiosocket.AudioSocketCodec,
        caller=AudioSocketPeer,
        reasons=frozenset(REFUSAL_REASONS),
        opening=b"",
        greeting=lambda call_id: b"\x01\x00\x10" + bytes.fromhex(call_id.replace("-", "")),
        audio=lambda pcm: b"\x10" + len(pcm).to_bytes(2, "big") + pcm,
        digit=lambda digit: b"\x03\x00\x01" + digit.encode(),
        hangup=b"\x00\x00\x00",
    ),
    Transport(
        name="asterisk_websocket",
        gateway=lambda: AsteriskWebSocketCodec(password=None),
        caller=opened_websocket,
        reasons=frozenset(REFUSAL_REASONS),
        opening=HANDSHAKE % CALL_ID.encode(),
        greeting=lambda call_id: (
            HANDSHAKE % call_id.encode()
            + websocket_frame(0x81, b'{"event": "MEDIA_START", "format": "slin"}')
        ),
        audio=lambda pcm: websocket_frame(0x82, pcm),
        digit=lambda digit: websocket_frame(0x81, b'{"event": "DTMF_END", "digit": "%s"}' % digit.encode()),
        hangup=b"\x88\x82\0\0\0\0\x03\xe8",
    ),
]

every_transport = pytest.mark.parametrize("transport", TRANSPORTS, ids=lambda transport: transport.name)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def received(codec: Codec, chunks: list[bytes]) -> tuple[list[CodecEvent], str | None]:
    """All events but replies, and the reason of the error that ended them."""
    events: list[CodecEvent] = []
    for chunk in chunks:
        try:
            events += [event for event in codec.receive_data(chunk) if not isinstance(event, Reply)]
        except TelephonyError as error:
            return events, error.reason
    return events, None


pieces = st.lists(
    st.one_of(
        st.tuples(st.just("audio"), st.binary(min_size=1, max_size=400).map(lambda half: half + half)),
        st.tuples(st.just("digit"), st.sampled_from("0123456789*#")),
    ),
    max_size=12,
)
cut_points = st.lists(st.integers(0, 10_000), max_size=30)


@every_transport
@given(pieces=pieces, cuts=cut_points)
def test_any_split_gives_the_same_events(
    transport: Transport, pieces: list[tuple[str, bytes | str]], cuts: list[int]
) -> None:
    wire = transport.greeting(CALL_ID)
    expected: list[CodecEvent] = [Identified(call_id=CALL_ID)]
    for _, value in pieces:
        if isinstance(value, bytes):
            wire += transport.audio(value)
            expected.append(MediaReceived(linear16=value, sample_rate_hertz=8000))
        else:
            wire += transport.digit(value)
            expected.append(DigitPressed(digit=value))
    wire += transport.hangup
    expected.append(PeerHungUp())
    assert received(transport.gateway(), split(wire, cuts)) == (expected, None)


@every_transport
@given(garbage=st.binary(max_size=300), cuts=cut_points)
def test_garbage_is_refused_with_a_known_reason_or_ignored_whatever_the_split(
    transport: Transport, garbage: bytes, cuts: list[int]
) -> None:
    wire = transport.greeting(CALL_ID) + garbage
    _, reason = received(transport.gateway(), split(wire, cuts))
    assert reason is None or reason in transport.reasons
    assert received(transport.gateway(), [wire])[1] == reason
    assert received(transport.gateway(), [wire[at : at + 1] for at in range(len(wire))])[1] == reason


@every_transport
def test_the_peer_hears_what_is_sent(transport: Transport) -> None:
    gateway, caller = transport.gateway(), transport.caller()
    heard = caller.receive_data(gateway.encode_audio(PCM) + gateway.encode_hangup())
    assert heard == [MediaReceived(linear16=PCM, sample_rate_hertz=8000), PeerHungUp()]


@every_transport
def test_half_a_sample_is_not_sent(transport: Transport) -> None:
    with pytest.raises(ValueError, match="two bytes"):
        transport.gateway().encode_audio(b"\0\0\0")


@every_transport
def test_an_incomplete_frame_gives_nothing_yet(transport: Transport) -> None:
    codec = transport.gateway()
    codec.receive_data(transport.greeting(CALL_ID))
    frame = transport.audio(PCM)
    assert codec.receive_data(frame[:-1]) == []
    assert codec.receive_data(frame[-1:]) == [MediaReceived(linear16=PCM, sample_rate_hertz=8000)]


@every_transport
def test_no_repr_shows_a_digit(transport: Transport) -> None:
    codec = transport.gateway()
    events = codec.receive_data(transport.greeting(CALL_ID) + transport.digit("7"))
    assert events[-1] == DigitPressed(digit="7")
    assert "7" not in repr(events[-1])


@every_transport
def test_audio_before_the_call_id_is_refused(transport: Transport) -> None:
    with pytest.raises(TelephonyError) as refused:
        transport.gateway().receive_data(transport.opening + transport.audio(PCM))
    assert refused.value.reason == "audio_before_id"


@every_transport
@given(cuts=cut_points)
def test_replies_are_whole_and_the_same_whatever_the_split(transport: Transport, cuts: list[int]) -> None:
    wire = transport.greeting(CALL_ID) + transport.audio(PCM) + transport.hangup

    def replies(chunks: list[bytes]) -> list[CodecEvent]:
        codec = transport.gateway()
        return [event for chunk in chunks for event in codec.receive_data(chunk) if isinstance(event, Reply)]

    assert replies(split(wire, cuts)) == replies([wire])
