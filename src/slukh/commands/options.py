"""Options that several commands share, and how a command runs a coroutine."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON value per line, for scripts.")]
Prices = Annotated[
    str | None, typer.Option("--prices", help="A price book or its YAML file; else SLUKH_PRICES.")
]
Language = Annotated[str | None, typer.Option("--language", help="BCP-47, such as uk-UA or ru-RU.")]
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
RecordingFile = Annotated[Path, typer.Argument(metavar="FILE", help="A mono wav, or raw G.711.")]


def run(main: Any) -> Any:  # noqa: ANN401  # a coroutine and what it returns
    """Run a coroutine on uvloop, where it exists."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)
