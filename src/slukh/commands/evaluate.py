"""`slukh evaluate`: recognisers on a manifest of recordings, before any of them hears a caller."""

import hashlib
import json
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from slukh.commands.options import Language, run
from slukh.errors import UserError
from slukh.settings.config import AllSettings, load_all

_NAMES = ("google", "whisper")
_STAND_IN = "a local Google that hears with Whisper, for there is no account: it says nothing of Google"


def evaluate(  # noqa: PLR0917  # a command's parameters are its options
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="JSON lines or CSV: audio, text.")],
    providers: Annotated[
        str, typer.Option("--providers", help="Whom to try, comma separated; the first is compared with.")
    ] = "whisper",
    language: Language = None,
    results: Annotated[
        Path | None, typer.Option("--results", help="Where texts are kept; a run goes on from there.")
    ] = None,
    grammar: Annotated[
        list[Path] | None,
        typer.Option(
            "--grammar", help="Words of your own trade, in YAML, besides SLUKH_GRAMMARS; may repeat."
        ),
    ] = None,
    paced: Annotated[
        bool, typer.Option("--paced", help="At the pace of speech, to measure latency.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Hear a manifest of recordings with one recogniser after the other, and say how well and for how much.

    WER is of canonical text, pooled, with 95 % intervals clustered by call. Without an account Google is a
    local one that hears with Whisper. Dollars are by SLUKH_PRICES, today. Exit code 1 when a row was left
    out.

    Example: slukh evaluate examples/calls/manifest.jsonl --providers whisper,google --json
    """
    from slukh.commands.evaluate_cost import OWN_MACHINE, hearing_cost
    from slukh.cost.pricing.price_book import PriceBook
    from slukh.evaluation import Provider, hear_manifest
    from slukh.experiment.evaluation import Evaluated, Results, report
    from slukh.experiment.grammar import load_grammar
    from slukh.experiment.manifest import read_manifest
    from slukh.monitoring.logs import configure_logging

    names = _names(providers)
    loaded = load_all(language=language)
    settings = loaded.settings
    book = PriceBook.load(loaded.cost.slukh_prices)
    found = read_manifest(manifest, language_code=settings.slukh_language)
    if not found.rows:
        first = f" ({found.problems[0]})" if found.problems else ""
        raise UserError(
            f"{manifest} has no row that can be heard{first}", remedy="see examples/calls/manifest.jsonl"
        )
    grammars = (*settings.slukh_grammars, *(grammar or ()))
    load_grammar(settings.slukh_language, grammars)  # a fault in one is told now, not after an hour
    if results is None:
        name = f"{manifest.stem}-{hashlib.sha256(str(manifest.resolve()).encode()).hexdigest()[:8]}.jsonl"
        results = settings.slukh_data_dir / "evaluations" / name
    configure_logging("ERROR")
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    kept = Results(results)
    heard, problems, stand_ins = {}, list(found.problems), {}
    for name in names:
        given, stand_in = _given(name, language)
        if stand_in:
            stand_ins[name] = stand_in
            notes.print(f"{name} is {stand_in}")
        with Progress(console=notes, transient=True) as progress:
            task = progress.add_task(name, total=len(found.rows))
            heard[name], more = run(
                hear_manifest(
                    Provider(name=name, given=given), found.rows, kept, paced=paced,
                    on_row=partial(progress.advance, task),
                )
            )  # fmt: skip
        problems += [problem for problem in more if problem not in problems]
    costs = {
        name: hearing_cost(
            lines.values(),
            payee=loaded.whisper.payee if name == OWN_MACHINE else name,
            book=book,
            on=datetime.now(UTC).date(),
            is_stand_in=name in stand_ins or (name == "google" and bool(loaded.google.google_stt_endpoint)),
        )
        for name, lines in heard.items()
    }
    table = report(
        Evaluated(
            manifest=found,
            heard=heard,
            problems=problems,
            stand_ins=stand_ins,
            grammars=grammars,
            costs=costs,
        )
    )
    if as_json:
        typer.echo(json.dumps(table | {"results": str(results)}, ensure_ascii=False))
    else:
        from slukh.terminal import evaluation_tables

        Console(highlight=False).print(*evaluation_tables(table), sep="\n")
        notes.print(f"texts are kept in {results}")
    raise typer.Exit(1 if problems else 0)


def _names(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names or [""]:
        if name not in _NAMES:
            raise UserError(f"unknown provider {name!r}", remedy=f"allowed: {', '.join(_NAMES)}")
    return names


def _given(name: str, language: str | None) -> tuple[AbstractAsyncContextManager[AllSettings], str | None]:
    """Settings with which a provider hears everything, and what it is when it is not itself."""
    given = load_all(provider=name, language=language)
    if name == "google" and not given.google.is_configured:
        from slukh.testing.local_google import local_google

        return local_google(given), _STAND_IN
    return nullcontext(given), None
