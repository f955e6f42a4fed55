"""The pipe between gateway and child."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.stt.whisper.framing import (
    LENGTH,
    MAX_HEADER_BYTES,
    FramingError,
    frame,
    header_length,
    parse_header,
)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(), max_size=4), st.binary())
def test_a_message_comes_out_as_it_went_in(header: Any, payload: bytes) -> None:
    header.pop("payload", None)
    data = frame(header, payload)
    length = header_length(data[: LENGTH.size])
    got, payload_length = parse_header(data[LENGTH.size : LENGTH.size + length])
    assert got == header
    assert data[LENGTH.size + length :] == payload
    assert payload_length == len(payload)


@pytest.mark.parametrize("length", [0, MAX_HEADER_BYTES + 1, 0xFFFFFFFF])
def test_an_impossible_length_is_refused_before_anything_is_read(length: int) -> None:
    with pytest.raises(FramingError):
        header_length(LENGTH.pack(length))


@pytest.mark.parametrize(
    "header",
    [
        b"Loading model...",
        b"[1]",
        b"\xff\xfe",
        b'{"payload": -1}',
        b'{"payload": "x"}',
        b'{"payload": 9999999}',
    ],
)
def test_what_a_library_printed_is_not_taken_for_a_frame(header: Any) -> None:
    with pytest.raises(FramingError):
        parse_header(header)
