"""A provider's CSV as rows that know their line, whole or refused.

What was cut off on its way would book a difference that does not exist, so a file must end with a newline and
every row must have the header's columns.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NoReturn

from slukh.errors import StatementError

_PREAMBLE_LINES = 20
_AGAIN = "download it again"


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One row.

    Attributes:
        file: its file's name.
        line: counted from 1.
        values: by column name in lower case.
    """

    file: str
    line: int
    values: Mapping[str, str]

    def refuse(self, problem: str, remedy: str) -> NoReturn:
        """Raise a StatementError that names this line."""
        raise StatementError(f"{self.file}, line {self.line}: {problem}", remedy=remedy)

    def text(self, *names: str) -> str:
        """The first of these columns that is there and not empty."""
        return next((value for name in names if (value := self.values.get(name, "").strip())), "")

    def number(self, *names: str) -> Decimal:
        """A number, `1,234.5` and `$3` among them; nothing is 0. Raises StatementError."""
        text = self.text(*names).replace(",", "").replace("$", "").replace(" ", "")
        try:
            number = Decimal(text or 0)
        except InvalidOperation:
            self.refuse(f"{text!r} is no number", _AGAIN)
        if not number.is_finite():
            self.refuse(f"{text!r} is no amount", _AGAIN)
        return number

    def quantity(self, *names: str) -> int:
        """A whole number that is not negative. Raises StatementError."""
        number = self.number(*names)
        if number != int(number) or number < 0:
            self.refuse(f"{number} is no count", _AGAIN)
        return int(number)

    def moment(self, *names: str, zone: tzinfo | None) -> datetime:
        """A day or a moment in ISO 8601; without an offset it is in `zone`, or this machine's if None."""
        text = self.text(*names)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.refuse(f"{text!r} is no date", "write it as 2026-11-22")
        if moment.tzinfo is not None:
            return moment
        return moment.astimezone() if zone is None else moment.replace(tzinfo=zone)


@dataclass(frozen=True, slots=True)
class StatementFile:
    """A CSV.

    Attributes:
        name: the file's.
        columns: in lower case, in order.
        preamble: what stands before the header, as `name -> value`.
        rows: all of them.
    """

    name: str
    columns: tuple[str, ...]
    preamble: Mapping[str, str]
    rows: tuple[StatementRow, ...]


def read_statement_file(path: Path, is_header: Callable[[frozenset[str]], bool]) -> StatementFile:
    """A CSV with a known header, perhaps after some lines of preamble.

    Args:
        path: UTF-8.
        is_header: whether these columns, in lower case, are those of a known format.

    Raises:
        StatementError: it cannot be read, is of no known format or was cut off.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise StatementError(
            f"cannot read {path} ({error.strerror})", remedy="name a readable file"
        ) from error
    except UnicodeDecodeError as error:
        raise StatementError(f"{path.name} is no text", remedy="export it as CSV, in UTF-8") from error
    lines = _lines(path.name, text)
    header_at = next(
        (at for at, (_, row) in enumerate(lines[:_PREAMBLE_LINES]) if is_header(_names(row))), None
    )
    if header_at is None:
        first = ", ".join(lines[0][1])[:80] if lines else "nothing"
        raise StatementError(
            f"{path.name}, line 1: no header that is known ({first})",
            remedy="give Google's cost table, Anthropic's cost or usage, FOCUS, or call records: name their "
            "columns date, billsec, cost, currency",
        )
    header_line, header = lines[header_at]
    columns = tuple(name.strip().lower() for name in header)
    if twice := [name for name in columns if name and columns.count(name) > 1]:
        raise StatementError(f"{path.name}, line {header_line}: column {twice[0]} twice", remedy=_AGAIN)
    rows = []
    for line, cells in lines[header_at + 1 :]:
        if len(cells) != len(columns):
            raise StatementError(
                f"{path.name}, line {line}: {len(cells)} columns where the header has {len(columns)}",
                remedy=f"the file was cut off or changed: {_AGAIN}",
            )
        rows.append(StatementRow(path.name, line, dict(zip(columns, cells, strict=True))))
    preamble = {row[0].strip().lower(): row[1].strip() for _, row in lines[:header_at] if len(row) > 1}
    return StatementFile(path.name, columns, preamble, tuple(rows))


def _names(row: Sequence[str]) -> frozenset[str]:
    return frozenset(cell.strip().lower() for cell in row)


def _lines(name: str, text: str) -> list[tuple[int, list[str]]]:
    """Rows that are not empty, with the lines they end on."""
    count = text.count("\n") + 1
    if not text.endswith("\n"):
        raise StatementError(
            f"{name}, line {count}: the file ends inside a line",
            remedy=f"{_AGAIN}, or add a newline if it is whole",
        )
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        numbered = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise StatementError(f"{name}, line {reader.line_num}: {error}", remedy=_AGAIN) from error
    return [(line, row) for line, row in numbered if any(cell.strip() for cell in row)]
