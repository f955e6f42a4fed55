"""`slukh ab`: Google against Whisper on live calls, and whether Whisper may have more of them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from slukh.config import AllSettings, Settings, load, load_all
from slukh.errors import UserError

app = typer.Typer(no_args_is_help=True, help="Google against Whisper on live calls.")

_CANARY_LANGUAGES = ("uk-UA", "ru-RU")


@app.command("report")
def ab_report(
    since: Annotated[
        str | None, typer.Option("--since", help="Begin of the window, ISO 8601; default 28 days back.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Its end; default now.")] = None,
    evidence: Annotated[
        Path | None,
        typer.Option("--evidence", help="JSON: queue_p95_seconds, silent_words_per_minute, cost_per_call."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the resampling of latencies.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """PROMOTE, HOLD or ROLL BACK, with every gate, what is missing and when it is expected.

    Only calls that were drawn by lot are compared, by the arm they were given, whoever served them.

    Example: slukh ab report --since 2026-11-01 --json
    """
    from slukh.experiment.canonical import canonical_version
    from slukh.experiment.evidence import Evidence, Outside
    from slukh.experiment.gates import Margins
    from slukh.experiment.grammar import load_grammar
    from slukh.experiment.handed_in import read_outside
    from slukh.experiment.store import ExperimentStore
    from slukh.experiment.verdict import verdict

    given = load_all()
    end = datetime.now(UTC) if until is None else _moment(until, "--until")
    begin = end - timedelta(days=28) if since is None else _moment(since, "--since")
    outside = Outside() if evidence is None else read_outside(evidence)
    with ExperimentStore(given.settings.experiment_url) as store:
        rows = store.window(begin, end)
    newest = max(rows.calls, key=lambda call: call.ended_at, default=None)
    languages = {*_CANARY_LANGUAGES, *(call.language_code for call in rows.calls)}
    found = verdict(
        Evidence(
            since=begin,
            until=end,
            calls=rows.calls,
            turns=rows.turns,
            outcomes=rows.outcomes,
            shadows=rows.shadows,
            labels=rows.labels,
            outside=outside,
            whisper_share=_whisper_share(given),
            flag_version="" if newest is None else newest.flag_version,
            canonical_version={code: canonical_version(load_grammar(code)) for code in sorted(languages)},
        ),
        Margins(),
        seed=seed,
    )
    report = found.as_json()
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
    else:
        from slukh.terminal import verdict_lines

        Console(highlight=False, soft_wrap=True).print(*verdict_lines(report), sep="\n")


@app.command("labels")
def ab_labels(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines, one label each.")],
) -> None:
    """Take labels of shadowed utterances: what was said, and what each provider wrote. Only counts are kept.

    A label by `adjudicated` settles what two others disagree on.
    """
    from slukh.experiment.handed_in import read_labels
    from slukh.experiment.store import ExperimentStore

    rows = read_labels(file)
    with ExperimentStore(load(Settings).experiment_url) as store:
        store.record(rows)
    typer.echo(f"{len(rows)} labels taken")


def _whisper_share(given: AllSettings) -> float:
    """What the flags in force give Whisper, 0 to 1."""
    from slukh.routing.flag_file import FlagFile
    from slukh.routing.flag_values import flags_from_environment

    flags = given.flags
    if flags.slukh_flag_file is not None:
        return FlagFile(flags.slukh_flag_file, caller_hash=lambda _number: None).flags.share / 100
    return flags_from_environment(flags.as_environment(), caller_hash=lambda _number: "0" * 16).share / 100


def _moment(text: str, option: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"{option} {text!r} is no moment", remedy="write 2026-11-01 or 2026-11-01T08:00+02:00"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
