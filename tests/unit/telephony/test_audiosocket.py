"""AudioSocket frame by frame, as res_audiosocket.c of Asterisk 22 has it."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.errors import REFUSAL_REASONS, TelephonyError
from slukh.telephony.audiosocket import (
    AudioSocketCodec,
    encode_dtmf,
    encode_frame,
    encode_id,
)
from slukh.telephony.base import DigitPressed, Identified, MediaReceived, PeerHungUp

CALL_ID = "0f0e0d0c-0b0a-4908-8706-050403020100"
NAMED = encode_id(CALL_ID)


def refusal(data: bytes, *, side: str = "gateway") -> str:
    codec = AudioSocketCodec() if side == "gateway" else AudioSocketCodec(side="caller")
    with pytest.raises(TelephonyError) as refused:
        codec.receive_data(data)
    assert refused.value.reason in REFUSAL_REASONS
    return refused.value.reason


@pytest.mark.parametrize(
    ("kind", "rate"),
    [
        (0x10, 8_000), (0x11, 12_000), (0x12, 16_000), (0x13, 24_000), (0x14, 32_000),
        (0x15, 44_100), (0x16, 48_000), (0x17, 96_000), (0x18, 192_000),
    ],
)  # fmt: skip
def test_the_kind_of_audio_is_its_rate(kind: int, rate: int) -> None:
    frame = bytes([kind, 0, 4]) + b"\1\0\2\0"
    assert AudioSocketCodec(side="caller").receive_data(frame) == [
        MediaReceived(linear16=b"\1\0\2\0", sample_rate_hertz=rate)
    ]


def test_20_ms_of_8_khz_are_323_bytes_on_the_wire() -> None:
    assert AudioSocketCodec().encode_audio(bytes(320)) == b"\x10\x01\x40" + bytes(320)


def test_the_hang_up_is_three_zero_bytes() -> None:
    assert AudioSocketCodec().encode_hangup() == b"\0\0\0"
    assert AudioSocketCodec().receive_data(NAMED + b"\0\0\0")[1:] == [PeerHungUp()]


@given(st.uuids())
def test_a_call_id_is_the_lower_case_uuid(call_id: uuid.UUID) -> None:
    wire = encode_id(str(call_id).upper())
    assert wire == b"\x01\x00\x10" + call_id.bytes
    assert AudioSocketCodec().receive_data(wire) == [Identified(call_id=str(call_id))]


@pytest.mark.parametrize("digit", "0123456789*#ABCD")
def test_every_key_of_a_telephone_is_a_digit(digit: str) -> None:
    assert AudioSocketCodec().receive_data(NAMED + encode_dtmf(digit))[1:] == [DigitPressed(digit=digit)]


@pytest.mark.parametrize("kind", [0x02, 0x04, 0x0F, 0x19, 0x20, 0xFE])
def test_an_unknown_kind_is_skipped(kind: int) -> None:
    codec = AudioSocketCodec()
    data = NAMED + encode_frame(kind, b"whatever it is") + encode_frame(0x10, b"\1\0")
    assert codec.receive_data(data)[1:] == [MediaReceived(linear16=b"\1\0", sample_rate_hertz=8000)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x10\x01\x40", "audio_before_id"),
        (b"\x18\x00\x02", "audio_before_id"),
        (b"\x01\x00\x0f", "bad_id"),
        (b"\x01\x00\x11", "bad_id"),
        (b"\x01\x00\x24" + CALL_ID.encode(), "bad_id"),
        (NAMED + b"\x01\x00\x10", "second_id"),
        (NAMED + b"\x10\x00\x03", "malformed"),
        (NAMED + b"\x12\xff\xff", "malformed"),
        (NAMED + b"\x03\x00\x02", "malformed"),
        (NAMED + b"\x03\x00\x00", "malformed"),
        (NAMED + b"\x03\x00\x01\n", "malformed"),
        (NAMED + b"\x03\x00\x01\xb2", "malformed"),
        (NAMED + b"\xff\x00\x01\x04", "peer_error"),
        (b"\xff\x00\x00", "peer_error"),
    ],
)
def test_a_broken_protocol_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    assert refusal(data) == reason


def test_an_offence_is_raised_at_the_header_before_its_payload_is_waited_for() -> None:
    codec = AudioSocketCodec()
    assert codec.receive_data(b"\x10\xff") == []
    with pytest.raises(TelephonyError):
        codec.receive_data(b"\xfe")


def test_a_gateway_that_sends_a_uuid_is_refused_by_the_caller() -> None:
    assert refusal(NAMED, side="caller") == "second_id"


def test_a_refused_digit_is_not_in_the_error() -> None:
    with pytest.raises(TelephonyError) as refused:
        AudioSocketCodec().receive_data(NAMED + b"\x03\x00\x01?")
    assert "?" not in str(refused.value)


def test_audio_without_samples_says_nothing() -> None:
    assert AudioSocketCodec().receive_data(NAMED + b"\x10\x00\x00")[1:] == []


def test_the_longest_frame_fits_and_one_byte_more_does_not() -> None:
    frame = AudioSocketCodec().encode_audio(bytes(65_534))
    assert AudioSocketCodec(side="caller").receive_data(frame) == [
        MediaReceived(linear16=bytes(65_534), sample_rate_hertz=8000)
    ]
    with pytest.raises(ValueError, match="65535"):
        AudioSocketCodec().encode_audio(bytes(65_536))


@pytest.mark.parametrize("digit", ["", "12", "x", "²"])
def test_the_caller_cannot_press_a_key_that_no_telephone_has(digit: str) -> None:
    with pytest.raises(ValueError, match="key"):
        encode_dtmf(digit)
