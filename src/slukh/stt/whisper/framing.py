"""How the gateway and its Whisper child talk over a pipe: one JSON header and raw bytes per message.

    uint32 big-endian   length of the header
    header              JSON object in UTF-8
    payload             as many bytes as `header["payload"]` says, none when it is absent

Both ends are ours, so a frame that breaks the rules is a bug or a library that wrote into the pipe: the child
is then not to be trusted any more.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

MAX_HEADER_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = 1 << 20  # 30 s of 8 kHz audio are 480,000

LENGTH = struct.Struct(">I")


class FramingError(Exception):
    """Bytes that are not a frame of ours."""


def frame(header: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """A message as it goes over the pipe."""
    if payload:
        header = {**header, "payload": len(payload)}
    encoded = json.dumps(header, ensure_ascii=False).encode()
    return LENGTH.pack(len(encoded)) + encoded + payload


def header_length(prefix: bytes) -> int:
    """Bytes of the header that the four bytes of a prefix announce.

    Raises:
        FramingError: more than a header can have.
    """
    length: int = LENGTH.unpack(prefix)[0]
    if not 0 < length <= MAX_HEADER_BYTES:
        raise FramingError(f"a header of {length} bytes")
    return length


def parse_header(encoded: bytes) -> tuple[dict[str, Any], int]:
    """A header, and the bytes of payload that follow it.

    Raises:
        FramingError: not a JSON object, or a payload length that cannot be.
    """
    try:
        header = json.loads(encoded)
    except ValueError:
        raise FramingError("a header that is not JSON") from None
    if not isinstance(header, dict):
        raise FramingError("a header that is not an object")
    length = header.pop("payload", 0)
    if not isinstance(length, int) or not 0 <= length <= MAX_PAYLOAD_BYTES:
        raise FramingError("a payload of impossible length")
    return header, length
