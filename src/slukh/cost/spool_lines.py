"""What a line of the spool says: a ledger row as JSON, or the reason why it is none.

    {"kind":"usage","row":{"call_id":"...","leg":1,"component":"stt",...}}
    {"kind":"call","row":{"call_id":"...","leg":1,"state":"ended",...}}

Whatever passes here a ledger can hold, so that one bad line never holds up the ones behind it.
"""

import json
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from slukh.cost.meter import CallFacts, Row, row_json
from slukh.types import Usage

_INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _UsageLine:
    kind: Literal["usage"]
    row: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class _CallLine:
    kind: Literal["call"]
    row: CallFacts


_LINE: TypeAdapter[_UsageLine | _CallLine] = TypeAdapter(
    Annotated[_UsageLine | _CallLine, Field(discriminator="kind")]
)


def line_from_row(row: Row) -> bytes:
    """A row as one line of a segment, newline included."""
    kind = "usage" if isinstance(row, Usage) else "call"
    return json.dumps({"kind": kind, "row": row_json(row)}, separators=(",", ":")).encode() + b"\n"


def row_from_line(line: bytes) -> Row:
    """The row of one line.

    Raises:
        ValueError: it is not a row that a ledger can hold; the message says why.
    """
    try:
        row = _LINE.validate_json(line, strict=True).row
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from error
    unknown = json.loads(line)["row"].keys() - {field.name for field in fields(row)}
    if unknown:
        raise ValueError(f"unknown field {min(unknown)}, written by a newer version")
    for field in fields(row):
        match getattr(row, field.name):
            case int() as number if not 0 <= number <= _INT64_MAX:
                raise ValueError(f"{field.name}: not between 0 and 2^63 - 1")
            case str() as text if "\0" in text:
                raise ValueError(f"{field.name}: contains a zero byte")
            case datetime() as moment if moment.tzinfo is None:
                raise ValueError(f"{field.name}: has no time zone")
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A line that is no row.

    Attributes:
        file: its segment.
        line: counted from 1.
        reason: why it was refused.
        text: the line, undecodable bytes escaped.
    """

    file: str
    line: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one sealed segment holds."""

    path: Path
    rows: tuple[Row, ...]
    rejected: tuple[Rejected, ...]


def read_batch(path: Path) -> Batch:
    """A segment, read. Raises OSError."""
    data = path.read_bytes()
    rows: list[Row] = []
    rejected: list[Rejected] = []
    lines = lines_of(data)
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(row_from_line(line))
        except ValueError as error:
            torn = number == len(lines) and not data.endswith(b"\n")
            reason = f"half-written: {error}" if torn else str(error)
            text = line.decode("utf-8", "backslashreplace")
            rejected.append(Rejected(file=path.name, line=number, reason=reason, text=text))
    return Batch(path=path, rows=tuple(rows), rejected=tuple(rejected))


def lines_of(data: bytes) -> list[bytes]:
    """Lines of a segment; what follows the last newline, if anything, is one too."""
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]
