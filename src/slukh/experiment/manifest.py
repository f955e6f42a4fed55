"""A manifest: recordings, what is said in them, and whose they are. JSON lines or CSV, UTF-8.

    {"audio": "a.wav", "text": "...", "language_code": "uk-UA", "call_id": "7", "turn_type": "size"}

`audio` is a path from the manifest's folder. `text` is what was said; empty where nothing was. `call_id`
names what belongs together (a call, a caller, a speaker), by default every recording stands alone. A row that
cannot be used is named and left out, a manifest that is none is refused.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slukh.errors import ExperimentError
from slukh.experiment.files import first_fault, numbered_lines, read_text


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")

    audio: str = Field(min_length=1)
    text: str
    language_code: str | None = None
    call_id: str | None = None
    turn_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One recording.

    Attributes:
        line: of the manifest, from 1.
        audio: its path.
        text: what is said in it; empty when nothing is.
        language_code: BCP-47 of the caller.
        call_id: what it belongs to.
        turn_type: such as `greeting`; empty when nobody said.
    """

    line: int
    audio: Path
    text: str
    language_code: str
    call_id: str
    turn_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A row that was left out, and why.

    Attributes:
        line: of the manifest.
        problem: what is wrong with it.
    """

    line: int
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What can be heard, and what cannot."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]


def read_manifest(path: Path, *, language_code: str) -> Manifest:
    """Read a manifest.

    Args:
        path: `*.csv` has a line of column names; everything else is JSON lines.
        language_code: of rows that name none.

    Raises:
        ExperimentError: it cannot be read, or holds no row.
    """
    content = read_text(path, wanted="a manifest, in JSON lines or CSV")
    rows: list[Row] = []
    problems: list[Problem] = []
    for number, values in (_csv if path.suffix.lower() == ".csv" else numbered_lines)(content):
        line = _line(values)
        if isinstance(line, str):
            problems.append(Problem(line=number, problem=line))
            continue
        audio = path.parent / line.audio
        if audio.is_file():
            row = Row(
                line=number,
                audio=audio,
                text=line.text,
                language_code=line.language_code or language_code,
                call_id=line.call_id or line.audio,
                turn_type=line.turn_type,
            )
            rows.append(row)
        else:
            problems.append(Problem(line=number, problem=f"{audio} does not exist"))
    if not rows and not problems:
        raise ExperimentError(
            f"{path} holds no row", remedy='write lines such as {"audio": "a.wav", "text": "..."}'
        )
    return Manifest(rows=tuple(rows), problems=tuple(problems))


def _line(values: object) -> _Line | str:
    """A row's values, or what is wrong with them."""
    try:
        return _Line.model_validate(json.loads(values) if isinstance(values, str) else values)
    except json.JSONDecodeError as error:
        return f"not JSON ({error.msg})"
    except ValidationError as error:
        return first_fault(error, whole="row")


def _csv(content: str) -> Iterator[tuple[int, object]]:
    reader = csv.DictReader(io.StringIO(content, newline=""))
    for values in reader:
        # Missing cells are None, surplus ones stand under None. Only a text may be empty.
        yield (
            reader.line_num,
            {name or "surplus": value for name, value in values.items() if value or name == "text"},
        )
