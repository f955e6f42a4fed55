"""`slukh bench`: measured on this machine, over loopback."""

import json
import os
from typing import Annotated

import typer
from rich.console import Console

from slukh.commands.options import run
from slukh.errors import UserError

app = typer.Typer(no_args_is_help=True, help="Measured on this machine, over loopback.")


@app.command("failover")
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
    report = run(measure_visibly(trials, faults, rivals=rivals))
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        Console().print(*fault_tables(report))
    raise typer.Exit(0 if report.is_whole else 1)
