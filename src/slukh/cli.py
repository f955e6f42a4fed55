"""The command line. Exit codes: 0 done, 1 the doctor found something, 2 an error, in one line."""

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

from slukh import __version__
from slukh.config import AllSettings, Settings, load, load_all
from slukh.errors import ServiceError, SlukhError, UserError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The hearing of a telephone voice agent. `slukh doctor` says whether this machine is ready; "
    "settings are environment variables, listed in doc/configuration.md.",
)
weights_app = typer.Typer(no_args_is_help=True, help="Model files in the user's cache.")
calls_app = typer.Typer(no_args_is_help=True, help="Calls and their usage, from the ledger.")
bench_app = typer.Typer(no_args_is_help=True, help="Measured on this machine, over loopback.")
app.add_typer(weights_app, name="weights")
app.add_typer(calls_app, name="calls")
app.add_typer(bench_app, name="bench")

Json = Annotated[bool, typer.Option("--json", help="One JSON value per line, for scripts.")]
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
RecordingFile = Annotated[Path, typer.Argument(metavar="FILE", help="A mono wav, or raw G.711.")]


@app.callback()
def _main() -> None:
    """The hearing of a telephone voice agent."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def serve(with_local_google: LocalGoogle = False) -> None:
    """Take calls: AudioSocket on 9092, HTTP on 8080, until SIGTERM has drained them.

    Asterisk: AudioSocket(${UUID},HOST:9092), after announcing the call with POST /v1/calls.
    """
    from slukh.monitoring.logs import configure_logging
    from slukh.server import serve as serve_calls

    given = load_all()
    configure_logging(given.settings.slukh_log_level)

    async def run() -> None:
        async with _google_of(given, local=with_local_google) as ours:
            await serve_calls(ours)

    _run(run())


@app.command()
def call(
    file: RecordingFile,
    to: Annotated[str, typer.Option("--to", help="AudioSocket of the gateway.")] = "127.0.0.1:9092",
    api: Annotated[str | None, typer.Option("--api", help="Its HTTP address.")] = None,
    language: Language = None,
    caller: Annotated[str | None, typer.Option("--caller", help="The caller's number.")] = None,
    encoding: Encoding = None,
    fast: Fast = False,
    with_server: Annotated[
        bool, typer.Option("--with-server", help="Start a gateway for this one call, on free ports.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Place a call: play a recording into a gateway and print what it hears.

    slukh call examples/calls/tyre-shop-uk.wav --language uk-UA --with-server

    slukh call caller.ulaw --to 10.0.0.5:9092 --caller +380671234567
    """
    from slukh.caller import FAST, CallPlan, place_call, running_gateway
    from slukh.telephony.wavfile import read_recording
    from slukh.terminal import EventPrinter

    recording = read_recording(file, encoding=_encoding(encoding))
    settings = load(Settings, slukh_language=language)
    host, port = _host_and_port(to)
    token = settings.slukh_api_token

    async def place() -> None:
        async with AsyncExitStack() as stack:
            printer = stack.enter_context(EventPrinter(as_json=as_json))
            plan = CallPlan(
                recording=recording,
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

    _run(place())


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
    from slukh.monitoring.logs import configure_logging
    from slukh.telephony.wavfile import read_recording
    from slukh.terminal import EventPrinter
    from slukh.transcribe import transcribe_recording

    recording = read_recording(file, encoding=_encoding(encoding))
    given = load_all(provider=provider, language=language)
    configure_logging("ERROR")
    with EventPrinter(as_json=as_json) as printer:

        async def run() -> None:
            async with _google_of(given, local=with_local_google) as ours:
                await transcribe_recording(ours, recording, printer.show, paced=not fast)

        _run(run())
        _refuse_silence(printer.unheard)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check settings, weights, disk, ports and the recogniser within 10 s, and say what to do.

    Exit code 1 when something is wrong.
    """
    from slukh.doctor import examine

    findings = asyncio.run(examine())
    if as_json:
        typer.echo(json.dumps([finding.as_json() for finding in findings], ensure_ascii=False))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for finding in findings:
            mark = "[green]ok  [/]" if finding.ok else "[red]WRONG[/]"
            console.print(f"{mark:<6} {finding.check:<12} {finding.detail}", markup=True)
            if not finding.ok:
                console.print(f"       -> {finding.remedy}")
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@weights_app.command("get")
def weights_get(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="silero|base|SIZE|PATH",
            help="silero: the voice detector. base, small, large-v3 ...: a Whisper. PATH: a folder with a "
            "CTranslate2 conversion.",
        ),
    ],
) -> None:
    """Fetch model files, check their sha256 and keep them in the user's cache.

    Example: slukh weights get silero base
    """
    from slukh.weights import get_silero, get_whisper

    root = load(Settings).slukh_weights_dir
    for name in names:
        path = (
            get_silero(root, progress=typer.echo)
            if name == "silero"
            else get_whisper(root, name, progress=typer.echo)
        )
        typer.echo(f"{name}: ready in {path}")


@calls_app.command("list")
def calls_list(
    limit: Annotated[int, typer.Option(min=1, help="Newest calls to show.")] = 20, as_json: Json = False
) -> None:
    """The newest calls."""
    from slukh.cost.meter import row_json
    from slukh.terminal import calls_table

    calls = [row_json(row) for row in _ledger().calls(limit=limit)]
    if as_json:
        for row in calls:
            typer.echo(json.dumps(row, ensure_ascii=False))
    else:
        Console().print(calls_table(calls))


@calls_app.command("show")
def calls_show(call_id: str, as_json: Json = False) -> None:
    """One call and every usage row of it."""
    from slukh.terminal import call_tables

    found = _ledger().call(call_id)
    if found is None:
        raise UserError(
            f"no call {call_id} in the ledger", remedy="`slukh calls list` shows the ones there are"
        )
    if as_json:
        typer.echo(json.dumps({"call_id": call_id, **found.as_json()}, ensure_ascii=False))
    else:
        Console().print(*call_tables(found.as_json()))


@bench_app.command("failover")
def bench_failover(
    trials: Annotated[int, typer.Option(min=1, help="Calls that each fault hits, in each direction.")] = 50,
    fault: Annotated[
        list[str] | None, typer.Option("--fault", help="Only those whose names begin so; may be repeated.")
    ] = None,
    rivals: Annotated[
        bool,
        typer.Option("--rivals", help="LiveKit's and Pipecat's as well, in environments made for them."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """What callers lose when a recogniser fails, fault by fault, in both directions.

    The real gateway and clients on real sockets, 25 calls at a time at the pace of speech; 50 trials take ten
    minutes, the rivals twenty. Exit code 1 when a word was lost or doubled, or a call ended.

    Example: slukh bench failover --trials 2 --fault refused --fault GOAWAY
    """
    # Before gRPC is loaded: it writes about every goodbye and every child process to standard error.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    from slukh.monitoring.logs import configure_logging
    from slukh.testing.failover_report import fault_tables, faults_named, measure_visibly

    configure_logging("CRITICAL")  # failures are what is measured here
    if not (faults := faults_named(fault or [])):
        raise UserError(f"no fault begins with {' or '.join(fault or [])}", remedy="leave out --fault")
    report = _run(measure_visibly(trials, faults, rivals=rivals))
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        Console().print(*fault_tables(report))
    raise typer.Exit(0 if report.is_whole else 1)


@asynccontextmanager
async def _google_of(given: AllSettings, *, local: bool) -> AsyncIterator[AllSettings]:
    """The settings, with a Google of this process's own if that is wanted."""
    if local:
        from slukh.testing.local_google import local_google

        async with local_google(given) as ours:
            yield ours
    else:
        yield given


def _ledger() -> Any:  # noqa: ANN401  # imported lazily: SQLAlchemy costs 0.2 s that other commands save
    from slukh.cost.ledger import Ledger

    return Ledger(load(Settings).ledger_url)


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
    if not host or not port.isdecimal():
        raise UserError(f"{text!r} is no address", remedy="write HOST:PORT, such as 127.0.0.1:9092")
    return host, int(port)


def _run(main: Any) -> Any:  # noqa: ANN401  # a coroutine and what it returns
    """Run a coroutine on uvloop, where it exists."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


def main() -> NoReturn:
    """Entry point: an error of ours is one line that names the remedy, never a traceback."""
    try:
        app(standalone_mode=True)
    except SlukhError as error:
        print(f"slukh: {error}", file=sys.stderr)  # noqa: T201  # a person in distress, not a log
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)
