"""Wyoming's framing, without I/O.

An event is a line of JSON, which may announce further JSON and a payload of bytes behind it:

    {"type": "audio-chunk", "data_length": 40, "payload_length": 1600}, newline, {"rate": 8000, ...}, bytes
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_MAX_BYTES: Final = 1 << 20  # of a line, its data or its payload


class WyomingFormatError(Exception):
    """What came is not this protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event.

    Attributes:
        type: such as `transcript`.
        data: its fields.
        payload: bytes that follow it.
    """

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""


def encoded(event: Event) -> bytes:
    """An event as it stands on the wire."""
    data = json.dumps(event.data, ensure_ascii=False).encode() if event.data else b""
    header: dict[str, Any] = {"type": event.type}
    if data:
        header["data_length"] = len(data)
    if event.payload:
        header["payload_length"] = len(event.payload)
    return json.dumps(header).encode() + b"\n" + data + event.payload


class Events:
    """Bytes in, events out; any split of the bytes gives the same events."""

    def __init__(self) -> None:
        self._buffer = b""

    def receive(self, data: bytes) -> list[Event]:
        """The events that are complete now.

        Raises:
            WyomingFormatError: what came is not this protocol.
        """
        self._buffer += data
        events = []
        while (event := self._next()) is not None:
            events.append(event)
        return events

    def _next(self) -> Event | None:
        line, newline, rest = self._buffer.partition(b"\n")
        if len(line) > _MAX_BYTES:
            raise WyomingFormatError("a line that does not end")
        if not newline:
            return None
        header = _object(line)
        kind = header.get("type")
        sizes = [header.get(name) or 0 for name in ("data_length", "payload_length")]
        if not isinstance(kind, str) or not all(isinstance(size, int) for size in sizes):
            raise WyomingFormatError("a line that is no event")
        if not all(0 <= size <= _MAX_BYTES for size in sizes):
            raise WyomingFormatError(f"an event of {sum(sizes)} bytes")
        if len(rest) < sum(sizes):
            return None
        further, payload = rest[: sizes[0]], rest[sizes[0] : sum(sizes)]
        self._buffer = rest[sum(sizes) :]
        data = {**(header.get("data") or {}), **(_object(further) if further else {})}
        return Event(type=kind, data=data, payload=payload)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise WyomingFormatError("a line that is no JSON object")
    return value
