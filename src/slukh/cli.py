"""The command line. Exit codes: 0 done, 1 something is amiss (what, is said), 2 an error, in one line."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from slukh import __version__
from slukh.commands import ab, bench, calls, cost, evaluate, forget, phrases, weights, whisper
from slukh.commands.options import (
    Encoding,
    Fast,
    Json,
    Language,
    LocalGoogle,
    RecordingFile,
    RecordingFiles,
    run,
)
from slukh.errors import ServiceError, SlukhError, SttError, UserError
from slukh.settings.config import AllSettings, Settings, load, load_all
from slukh.settings.voices import VoiceSettings
from slukh.stt.remedies import sentence

_LAST_PORT = 65535

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The hearing of a telephone voice agent. `slukh doctor` says whether this machine is ready; "
    "settings are environment variables, listed in doc/configuration.md.",
)
app.add_typer(weights.app, name="weights")
app.add_typer(calls.app, name="calls")
app.add_typer(cost.app, name="cost")
app.add_typer(phrases.app, name="phrases")
app.add_typer(bench.app, name="bench")
app.add_typer(ab.app, name="ab")
app.command()(evaluate.evaluate)
app.command()(forget.forget)
app.add_typer(whisper.app, name="whisper")


@app.callback()
def _main() -> None:
    """The hearing of a telephone voice agent."""


@app.command()
def version() -> None:
    """Print the version.

    Example: slukh version
    """
    typer.echo(__version__)


@app.command()
def serve(with_local_google: LocalGoogle = False) -> None:
    """Take calls: AudioSocket on 9092, HTTP on 8080, until SIGTERM has drained them.

    Asterisk: AudioSocket(${UUID},HOST:9092), after announcing the call with POST /v1/calls.

    Example: FF_STT_PROVIDER=whisper slukh serve
    """
    from slukh.monitoring.logs import configure_logging
    from slukh.server import serve as serve_calls

    given = load_all()
    configure_logging(given.settings.slukh_log_level)

    async def work() -> None:
        async with _google_of(given, local=with_local_google) as ours:
            await serve_calls(ours)

    run(work())


@app.command()
def call(
    files: RecordingFiles,
    to: Annotated[str, typer.Option("--to", help="AudioSocket of the gateway.")] = "127.0.0.1:9092",
    api: Annotated[
        str | None,
        typer.Option("--api", help="Its HTTP address; by default the host of --to, and SLUKH_HTTP_PORT."),
    ] = None,
    language: Language = None,
    caller: Annotated[str | None, typer.Option("--caller", help="The caller's number.")] = None,
    encoding: Encoding = None,
    fast: Fast = False,
    interactive: Annotated[
        bool,
        typer.Option("--interactive", help="Say a sentence at a time, and wait for what is said to each."),
    ] = False,
    save: Annotated[
        Path | None, typer.Option("--save", help="With --interactive: a wav for what the gateway says.")
    ] = None,
    with_server: Annotated[
        bool, typer.Option("--with-server", help="Start a gateway for this one call, on free ports.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Place a call: play a recording into a gateway and print what it hears.

    slukh call examples/calls/tyre-shop-uk.wav --language uk-UA --with-server

    FF_STT_PROVIDER=whisper slukh call examples/calls/tyre-shop-uk.wav --language uk-UA --with-server

    slukh call caller.ulaw --to 10.0.0.5:9092 --caller +380671234567

    FF_STT_PROVIDER=whisper SLUKH_DIALOG=examples/dialog/tyre-shop.yaml slukh call
    examples/calls/tyre-order-ru.wav --language ru-RU --interactive --with-server

    The first needs Google's credentials (Google is the default); the second and the last need no account.
    """
    from slukh.audio_files import read_recording
    from slukh.caller import FAST, CallPlan, place_call, running_gateway
    from slukh.terminal import EventPrinter

    recordings = [read_recording(file, encoding=_encoding(encoding)) for file in files]
    _refuse_waiting_in_vain(
        len(files), fast=fast, interactive=interactive, with_server=with_server, save=save
    )
    settings = load(Settings, slukh_language=language)
    host, port = _host_and_port(to)
    token = settings.slukh_api_token

    async def place() -> None:
        async with AsyncExitStack() as stack:
            printer = stack.enter_context(EventPrinter(as_json=as_json))
            plan = CallPlan(
                recording=recordings[0],
                further=tuple(recordings[1:]),
                waits=interactive,
                save=save,
                host=host,
                port=port,
                api=api or f"http://{host}:{settings.slukh_http_port}",
                token=None if token is None else token.get_secret_value(),
                language_code=language,
                caller=caller,
                pace=FAST if fast else 1.0,
            )
            if with_server:
                plan = await stack.enter_async_context(running_gateway(plan, printer.note))
            printer.summary(await place_call(plan, printer.show))
            _refuse_silence(printer.unheard)

    run(place())


@app.command()
def transcribe(
    file: RecordingFile,
    language: Language = None,
    provider: Annotated[
        str | None, typer.Option("--provider", help="google or whisper, for this recording.")
    ] = None,
    encoding: Encoding = None,
    fast: Fast = False,
    with_local_google: LocalGoogle = False,
    as_json: Json = False,
) -> None:
    """Hear a recording as if it were a call, without a server.

    Example: slukh transcribe examples/calls/tyre-shop-ru.wav --language ru-RU --fast --json
    """
    from slukh.audio_files import read_recording
    from slukh.monitoring.logs import configure_logging
    from slukh.terminal import EventPrinter
    from slukh.transcribe import transcribe_recording

    recording = read_recording(file, encoding=_encoding(encoding))
    given = load_all(provider=provider, language=language)
    configure_logging("ERROR")
    with EventPrinter(as_json=as_json) as printer:

        async def work() -> None:
            async with _google_of(given, local=with_local_google) as ours:
                await transcribe_recording(ours, recording, printer.show, paced=not fast)

        run(work())
        _refuse_silence(printer.unheard)
        if not printer.has_heard:
            printer.note("no speech heard")


@app.command()
def doctor(
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            min=1.0,
            max=3600.0,
            help="Seconds for a recogniser that is there and may be loading its model.",
        ),
    ] = 60.0,
    as_json: Json = False,
) -> None:
    """Check settings, weights, disk, ports and the recogniser, and say what to do.

    Within 10 s, or --timeout where a Whisper is still loading its model. Exit code 1 when something is wrong,
    or still loading when that is over.

    Example: FF_STT_PROVIDER=whisper slukh doctor --json
    """
    from slukh.doctor import Look, examine
    from slukh.monitoring.logs import configure_logging

    configure_logging("CRITICAL")  # what is wrong is said below
    waiting = Console(stderr=True, highlight=False, soft_wrap=True, quiet=as_json)
    look = Look(
        timeout_seconds=timeout,
        progress=lambda doing: waiting.print(f"... {doing}", style="dim", markup=False),
    )
    findings = asyncio.run(examine(look))
    if as_json:
        typer.echo(json.dumps([finding.as_json() for finding in findings], ensure_ascii=False))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for finding in findings:
            mark = "[green]ok  [/]" if finding.ok else "[red]WRONG[/]"
            console.print(f"{mark:<6} {finding.check:<12} {escape(finding.detail)}", markup=True)
            if not finding.ok:
                console.print(f"       -> {finding.remedy}", markup=False)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@asynccontextmanager
async def _google_of(given: AllSettings, *, local: bool) -> AsyncIterator[AllSettings]:
    """The settings, with a Google of this process's own if that is wanted."""
    if local:
        from slukh.testing.local_google import local_google

        async with local_google(given) as ours:
            yield ours
    else:
        yield given


def _refuse_waiting_in_vain(
    files: int, *, fast: bool, interactive: bool, with_server: bool, save: Path | None
) -> None:
    """What makes sense only when somebody answers."""
    if not interactive and (files > 1 or save is not None):
        raise UserError("only a caller who waits says several files, or hears", remedy="add --interactive")
    if interactive and fast:
        raise UserError("a caller who waits speaks at the pace of speech", remedy="leave out --fast")
    if interactive and with_server and not load(VoiceSettings).slukh_dialog:
        raise UserError(
            "nobody would answer this caller",
            remedy="set SLUKH_DIALOG, such as examples/dialog/tyre-shop.yaml",
        )


def _encoding(name: str | None) -> Any:  # noqa: ANN401  # one of read_recording's literals
    if name not in (None, "mulaw", "alaw", "linear16"):
        raise UserError(f"unknown encoding {name!r}", remedy="use mulaw, alaw or linear16")
    return name


def _refuse_silence(unheard: str | None) -> None:
    """A recording whose recogniser failed was not transcribed, and a script must see that."""
    if unheard is not None:
        raise ServiceError(
            f"not everything was transcribed ({unheard})", remedy="`slukh doctor` looks closer"
        )


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _LAST_PORT:
        raise UserError(f"{text!r} is no address", remedy="write HOST:PORT, such as 127.0.0.1:9092")
    return host, int(port)


def main() -> NoReturn:
    """Entry point: an error of ours is one line that names the remedy, never a traceback."""
    try:
        app(standalone_mode=True)
    except SlukhError as error:
        told = sentence(error) if isinstance(error, SttError) else error
        print(f"slukh: {told}", file=sys.stderr)  # noqa: T201  # a person in distress, not a log
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)
