"""Text that people hand to an experiment: read whole, by line, and refused in their words."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from slukh.errors import ExperimentError


def read_text(path: Path, *, wanted: str) -> str:
    """What stands in a file, with or without a byte order mark.

    Args:
        path: UTF-8.
        wanted: what to name instead of a file that is not there.

    Raises:
        ExperimentError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExperimentError(
            f"{path} is not UTF-8 (byte {error.start})", remedy="save it as UTF-8, as with `iconv -t UTF-8`"
        ) from error
    except OSError as error:
        raise ExperimentError(f"{path} cannot be read ({error.strerror})", remedy=f"name {wanted}") from error


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers from 1.

    Only a newline ends one: `splitlines` would cut a text in JSON at U+2028 and its like.
    """
    return ((number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip())


def first_fault(error: ValidationError, *, whole: str) -> str:
    """Pydantic's first complaint, without what was given: it may be a caller's words.

    Args:
        error: its complaints.
        whole: what the fault is in when no field is to blame.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or whole
    return f"{where}: {first['msg']}"
