"""Options that several commands share, how a command is written again, and how one runs a coroutine."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from slukh.errors import UserError

Json = Annotated[bool, typer.Option("--json", help="One JSON value per line, for scripts.")]
Prices = Annotated[
    str | None, typer.Option("--prices", help="A price book or its YAML file; else SLUKH_PRICES.")
]
Language = Annotated[
    str | None, typer.Option("--language", help="BCP-47, such as uk-UA or ru-RU; else SLUKH_LANGUAGE.")
]
Encoding = Annotated[
    str | None, typer.Option("--encoding", help="Of a raw file: mulaw, alaw or linear16; else by its suffix.")
]
Fast = Annotated[bool, typer.Option("--fast", help="Faster than the pace of speech.")]
LocalGoogle = Annotated[
    bool,
    typer.Option(
        "--with-local-google",
        help="Google is one of this process that hears with Whisper: to try without an account.",
    ),
]
RecordingFiles = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Mono wav, or raw G.711.")]
CallId = Annotated[str, typer.Argument(metavar="CALL_ID", help="A UUID, as `slukh calls list` prints it.")]
RecordingFile = Annotated[Path, typer.Argument(metavar="FILE", help="A mono wav, or raw G.711.")]


def made(command: str, options: Mapping[str, object]) -> str:
    """The command line that does the same again; options that are None or False were not given."""
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    words = (name if value is True else f"{name} {_word(value)}" for name, value in given.items())
    return " ".join((command, *words))


def _word(value: object) -> str:
    match value:
        case datetime():
            return f"{value:%Y-%m-%d}"
        case float():
            return f"{value:g}"
    return quote(str(value))


def moment_of(text: str, option: str) -> datetime:
    """The moment that an option names, in UTC, which it is in unless it says otherwise. Raises UserError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"{option} {text!r} is no moment", remedy="write 2026-11-01 or 2026-11-01T08:00+02:00"
        ) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def day_of(text: str) -> datetime:
    """The day that an option names, without a time zone. Raises UserError."""
    try:
        return datetime.strptime(text, "%Y-%m-%d")  # noqa: DTZ007  # a day of the price book
    except ValueError:
        raise UserError(f"{text!r} is no day", remedy="write 2026-11-01") from None


def check_window(begin: datetime, end: datetime) -> None:
    """Refuse a window that ends before it begins. Raises UserError."""
    if begin >= end:
        raise UserError(
            f"the window ends before it begins: {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}",
            remedy="give --since before --until",
        )


def run(main: Any) -> Any:  # noqa: ANN401  # a coroutine and what it returns
    """Run a coroutine on uvloop, where it exists."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)
