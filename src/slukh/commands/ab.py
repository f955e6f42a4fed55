"""`slukh ab`: Google against Whisper on live calls, and whether Whisper may have more of them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from slukh.commands.options import made
from slukh.config import AllSettings, Settings, load, load_all
from slukh.errors import UserError

if TYPE_CHECKING:
    from slukh.experiment.verdict import Verdict

app = typer.Typer(no_args_is_help=True, help="Google against Whisper on live calls.")

Since = Annotated[
    str | None, typer.Option("--since", help="Begin of the window, ISO 8601; default 28 days back.")
]
Until = Annotated[str | None, typer.Option("--until", help="Its end; default now.")]
EvidenceFile = Annotated[
    Path | None,
    typer.Option("--evidence", help="JSON: queue_p95_seconds, silent_words_per_minute, cost_per_call."),
]
Seed = Annotated[int, typer.Option("--seed", help="Of what is drawn by lot.")]

_CANARY_LANGUAGES = ("uk-UA", "ru-RU")


@app.command("report")
def ab_report(  # noqa: PLR0917  # a command's parameters are its options
    since: Since = None,
    until: Until = None,
    evidence: EvidenceFile = None,
    seed: Seed = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="As one page with all in it, besides.")
    ] = None,
) -> None:
    """PROMOTE, HOLD or ROLL BACK, with every gate, what is missing and when it is expected.

    Only calls that were drawn by lot are compared, by the arm they were given, whoever served them.

    Example: slukh ab report --since 2026-11-01 --html verdict.html
    """
    if html is not None:
        from slukh.report.files import check_folder, check_plots

        check_plots()
        check_folder(html)
    found = _verdict(load_all(), since, until, evidence, seed)
    if html is not None:
        _write_page(found, evidence, html)
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

    settings = load(Settings)
    rows = read_labels(file, settings.slukh_grammars)
    with ExperimentStore(settings.experiment_url) as store:
        store.record(rows)
    typer.echo(f"{len(rows)} labels taken")


@app.command("draw")
def ab_draw(
    labels: Annotated[int, typer.Option("--labels", min=1, help="About how many to label.")],
    since: Since = None,
    until: Until = None,
    seed: Seed = 1,
) -> None:
    """Draw shadowed utterances to label, one JSON object a line. Draw each window once.

    Example: slukh ab draw --labels 140 --since 2026-11-01 --until 2026-11-08
    """
    from slukh.experiment.drawing import drawn
    from slukh.experiment.store import ExperimentStore

    begin, end = _window(since, until)
    with ExperimentStore(load(Settings).experiment_url) as store:
        rows = store.window(begin, end)
    languages = {call.call_id: call.language_code for call in rows.calls}
    for row, probability in drawn(rows.shadows, labels=labels, seed=seed):
        line = {
            "call_id": row.call_id, "utterance_id": row.utterance_id,
            "language_code": languages[row.call_id], "probability": probability,
        }  # fmt: skip
        typer.echo(json.dumps(line))


@app.command("ramp")
def ab_ramp(
    to: Annotated[int, typer.Option("--to", min=0, max=100, help="Per cent of the calls for Whisper.")],
    override: Annotated[
        str | None, typer.Option("--override", help="Why it gets more without a PROMOTE; it is recorded.")
    ] = None,
    since: Since = None,
    evidence: EvidenceFile = None,
) -> None:
    """Give Whisper another share, in the flag file. More takes a PROMOTE or a reason, less is always allowed.

    Example: slukh ab ramp --to 50 --evidence measured.json
    """
    from slukh.commands.ab_ramp import ramp

    given = load_all()
    row = ramp(given, _verdict(given, since, None, evidence, 1), to=to, override=override)
    why = f", because {row.override}" if row.override else ""
    typer.echo(f"Whisper: {row.from_percent} to {row.to_percent} % ({row.decision}{why})")


def _write_page(found: "Verdict", evidence: Path | None, html: Path) -> None:
    from slukh.experiment.report.make import html_text
    from slukh.report.files import write_files

    options = {
        "--since": found.evidence.since.isoformat(),
        "--until": found.evidence.until.isoformat(),
        "--evidence": evidence,
        "--seed": found.seed,
        "--html": html,
    }
    write_files(html, {html.name: html_text(found, command=made("slukh ab report", options))})


def _verdict(
    given: AllSettings, since: str | None, until: str | None, evidence: Path | None, seed: int
) -> "Verdict":
    """The verdict on a window of the store."""
    from slukh.experiment.canonical import canonical_version
    from slukh.experiment.evidence import Evidence, Outside
    from slukh.experiment.gates import Margins
    from slukh.experiment.grammar import load_grammar
    from slukh.experiment.handed_in import read_outside
    from slukh.experiment.store import ExperimentStore
    from slukh.experiment.verdict import verdict

    begin, end = _window(since, until)
    outside = Outside() if evidence is None else read_outside(evidence)
    with ExperimentStore(given.settings.experiment_url) as store:
        rows = store.window(begin, end)
    newest = max(rows.calls, key=lambda call: call.ended_at, default=None)
    languages = {*_CANARY_LANGUAGES, *(call.language_code for call in rows.calls)}
    return verdict(
        Evidence(
            since=begin,
            until=end,
            calls=rows.calls,
            turns=rows.turns,
            outcomes=rows.outcomes,
            shadows=rows.shadows,
            labels=rows.labels,
            canaries=rows.canaries,
            outside=outside,
            whisper_share=_whisper_share(given),
            flag_version="" if newest is None else newest.flag_version,
            canonical_version={
                code: canonical_version(load_grammar(code, given.settings.slukh_grammars))
                for code in sorted(languages)
            },
        ),
        Margins(),
        seed=seed,
    )


def _window(since: str | None, until: str | None) -> tuple[datetime, datetime]:
    from slukh.experiment.evidence import WINDOW

    end = datetime.now(UTC) if until is None else _moment(until, "--until")
    return end - WINDOW if since is None else _moment(since, "--since"), end


def _whisper_share(given: AllSettings) -> float:
    """What the flags in force give Whisper, 0 to 1."""
    from slukh.routing.flag_file import FlagFile
    from slukh.routing.flag_values import flags_from_environment

    flags = given.flags
    if flags.slukh_flag_file is not None:
        return FlagFile(flags.slukh_flag_file, caller_hash=lambda _number: "0" * 16).flags.share / 100
    return flags_from_environment(flags.as_environment(), caller_hash=lambda _number: "0" * 16).share / 100


def _moment(text: str, option: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"{option} {text!r} is no moment", remedy="write 2026-11-01 or 2026-11-01T08:00+02:00"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
