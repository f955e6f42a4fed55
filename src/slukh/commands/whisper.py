"""`slukh whisper`: Whisper servers of one's own."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from slukh.commands.options import Json, run
from slukh.settings.config import load
from slukh.settings.recognisers import WhisperSettings

app = typer.Typer(no_args_is_help=True, help="Whisper servers of one's own.")


@app.command("check")
def whisper_check(  # noqa: PLR0917  # a command's parameters are its options
    url: Annotated[str, typer.Argument(metavar="URL", help="One server, as WHISPER_API_URL would have it.")],
    language: Annotated[str, typer.Option("--language", help="uk-UA or ru-RU: which clips.")] = "uk-UA",
    model: Annotated[
        str | None, typer.Option("--model", help="As the server names it; else WHISPER_MODEL_SIZE.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="Clips that one caller plays.")] = 5,
    streams: Annotated[int, typer.Option(min=1, max=256, help="Most callers at once.")] = 16,
    capacity: Annotated[
        Path | None,
        typer.Option("--capacity", help="Write how many callers it carries to this file, for `slukh cost`."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Whether a Whisper server is fit for calls, and how many it carries.

    Plays five sentences at the pace of speech, one caller first, then more: dialect, interims, how late
    finals are, at how many callers that doubles, word errors, silence, hang-ups. Takes about two minutes, and
    longer the slower the server. WHISPER_API_KEY is its key; one that bills each request bills this too.
    Exit code 1 when callers would feel something; the file of --capacity then says that it carries none.

    Example: slukh whisper check http://10.0.0.5:8000 --language uk-UA --capacity whisper.json
    """
    from slukh.conformance.check import Wanted, check, refuse_unwritable, write_capacity
    from slukh.conformance.report import findings
    from slukh.monitoring.logs import configure_logging
    from slukh.stt.whisper.address import only_address
    from slukh.terminal import whisper_tables

    configure_logging("ERROR")
    if capacity is not None:
        refuse_unwritable(capacity)
    settings = load(WhisperSettings)
    key = settings.whisper_api_key
    wanted = Wanted(
        where=only_address(url),
        api_key="" if key is None else key.get_secret_value(),
        model=model or settings.whisper_model_size,
        metered=settings.slukh_whisper_metered,
        asks_again=settings.slukh_whisper_interims,
        language_code=language,
        rounds=rounds,
        max_streams=streams,
    )
    console = Console(stderr=True, highlight=False)
    report = run(check(wanted, lambda doing: console.print(f"... {doing}", style="dim")))
    found = findings(report)
    if capacity is not None:
        write_capacity(report, capacity)
        if found:
            console.print(f"... {capacity} says that it carries nobody until that is mended")
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        Console(highlight=False).print(*whisper_tables(report.as_json()))
    raise typer.Exit(1 if found else 0)
