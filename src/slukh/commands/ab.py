"""`slukh ab`: Google against Whisper on live calls, and whether Whisper may have more of them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from slukh.commands.options import check_window, made, moment_of
from slukh.errors import UserError
from slukh.settings.config import AllSettings, Settings, load, load_all

if TYPE_CHECKING:
    from slukh.commands.ab_evidence import Sources
    from slukh.experiment.verdict import Verdict

app = typer.Typer(no_args_is_help=True, help="Google against Whisper on live calls.")

Since = Annotated[
    str | None, typer.Option("--since", help="Begin of the window, ISO 8601; default 28 days back.")
]
Begin = Annotated[
    str | None,
    typer.Option(
        "--since",
        help="Begin of the window, ISO 8601; default after the last change of flags, models or canonical "
        "text. A PROMOTE of another one is for looking only.",
    ),
]
Until = Annotated[str | None, typer.Option("--until", help="Its end; default now.")]
EvidenceFile = Annotated[
    Path | None,
    typer.Option("--evidence", help="JSON: what only you know, such as whisper_month_usd."),
]
CapacityFile = Annotated[
    Path | None, typer.Option("--capacity", help="What `slukh whisper check --capacity` wrote.")
]
EvaluationFile = Annotated[
    Path | None, typer.Option("--evaluation", help="What `slukh evaluate --json` said of both.")
]
MarginsFile = Annotated[
    Path | None,
    typer.Option("--margins", help="JSON: how much worse is too much, such as entity_errors; your own."),
]
Seed = Annotated[int, typer.Option("--seed", help="Of what is drawn by lot.")]

_CANARY_LANGUAGES = ("uk-UA", "ru-RU")
_PRINTED = ("call_id", "utterance_id", "language_code", "probability")  # of a draw, what a label repeats


@app.command("report")
def ab_report(  # noqa: PLR0917  # a command's parameters are its options
    since: Begin = None,
    until: Until = None,
    evidence: EvidenceFile = None,
    capacity: CapacityFile = None,
    evaluation: EvaluationFile = None,
    margins: MarginsFile = None,
    to: Annotated[int, typer.Option("--to", min=0, max=100, help="The share that is asked for.")] = 50,
    seed: Seed = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="As one page with all in it, besides.")
    ] = None,
) -> None:
    """PROMOTE, HOLD or ROLL BACK, with every gate, what is missing and when it is expected.

    Only calls that were drawn by lot are compared, by the arm they were given, whoever served them.
    The exit code is 0 whatever the verdict; `decision` of --json is for scripts.

    Example: slukh ab report --html verdict.html
    """
    from slukh.commands.ab_evidence import Sources

    if html is not None:
        from slukh.report.files import check_folder, check_plots

        check_plots()
        check_folder(html)
    sources = Sources(margins=margins, evidence=evidence, capacity=capacity, evaluation=evaluation, to=to)
    found = _verdict(load_all(), since, until, sources, seed)
    if html is not None:
        from slukh.experiment.report.make import html_text
        from slukh.report.files import write_files

        write_files(html, {html.name: html_text(found, command=_report_again(found, sources, html))})
    report = found.as_json()
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
    else:
        from slukh.terminal import strata_table, verdict_lines

        console = Console(highlight=False, soft_wrap=True)
        console.print(*verdict_lines(report), sep="\n")
        if report["strata"]:
            console.print(strata_table(report))


@app.command("labels")
def ab_labels(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines, one label each.")],
) -> None:
    """Take labels of shadowed utterances: what was said, and what each provider wrote. Only counts are kept.

    A label by `adjudicated` settles what two others disagree on.

    Example: slukh ab labels labels.jsonl
    """
    from slukh.experiment.handed_in import read_labels
    from slukh.experiment.store import ExperimentStore

    settings = load(Settings)
    with ExperimentStore(settings.experiment_url) as store:
        rows = read_labels(file, store.draws(), settings.slukh_grammars)
        store.record(rows)
    typer.echo(f"{len(rows)} labels taken")


@app.command("draw")
def ab_draw(
    labels: Annotated[int, typer.Option("--labels", min=1, help="About how many to label.")],
    since: Since = None,
    until: Until = None,
    seed: Seed = 1,
) -> None:
    """Draw shadowed utterances to label, one JSON object a line. Each window with one seed.

    What is drawn is kept: `slukh ab labels` takes labels of it, with the
    probability and the language that are printed, in this order: what is left
    out before the last label is known. More --labels add to the draw.

    Example: slukh ab draw --labels 140 --since 2026-11-01 --until 2026-11-08
    """
    from slukh.commands.ab_label import drawn_window
    from slukh.experiment.store import ExperimentStore

    begin, end = _window(since, until)
    with ExperimentStore(load(Settings).experiment_url) as store:
        found = drawn_window(store, begin, end, labels=labels, seed=seed)
    if not found.rows:
        typer.echo("nothing to label: no two recognisers differ in this window", err=True)
    for row in found.rows:
        typer.echo(json.dumps({name: getattr(row, name) for name in _PRINTED}))


@app.command("label")
def ab_label(  # noqa: PLR0917  # a command's parameters are its options
    labeller: Annotated[
        str,
        typer.Option(
            "--labeller",
            help="Who labels; `adjudicated` is asked what two others disagree on, and only that.",
        ),
    ],
    since: Annotated[str, typer.Option("--since", help="Begin of the window, ISO 8601.")],
    until: Annotated[str, typer.Option("--until", help="Its end, in the past: what grows cannot be drawn.")],
    labels: Annotated[int, typer.Option("--labels", min=1, help="About how many utterances to draw.")] = 140,
    seed: Seed = 1,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
) -> None:
    """Label by ear, in the browser: hear the second that differs, say who is right.

    Keys suffice, and who wrote what is not shown. The same command goes on
    where it stopped; more --labels add to the draw. Two people share the work:
    each is asked what nobody has labelled, and a tenth is asked of both, to
    see whether they agree. `slukh ab report` has labels at once, as counts.

    What is heard was recorded with SLUKH_RECORDING_DAYS. The page is on this
    machine only, and for nobody who has not the address that is printed.

    Example: slukh ab label --labeller olena --since 2026-11-01 --until 2026-11-08

    On a server: ssh -L 8090:127.0.0.1:8090 SERVER, there with --port 8090
    --no-browser, and the printed address in a browser here.
    """
    from slukh.commands.ab_label import serve

    begin, end = _window(since, until)
    if end > datetime.now(UTC):
        raise UserError(f"--until {until} is not over", remedy="name a moment in the past")
    serve(begin, end, labeller=labeller, labels=labels, seed=seed, port=port, opens_browser=browser)


@app.command("ramp")
def ab_ramp(  # noqa: PLR0917  # a command's parameters are its options
    to: Annotated[int, typer.Option("--to", min=0, max=100, help="Per cent of the calls for Whisper.")],
    override: Annotated[
        str | None, typer.Option("--override", help="Why it gets more without a PROMOTE; it is recorded.")
    ] = None,
    since: Begin = None,
    until: Until = None,
    evidence: EvidenceFile = None,
    capacity: CapacityFile = None,
    evaluation: EvaluationFile = None,
    margins: MarginsFile = None,
    seed: Seed = 1,
) -> None:
    """Give Whisper another share, in the flag file. More takes a PROMOTE or a reason, less takes neither.

    The verdict of that moment is recorded with all that it was made of, and
    the command that makes it again is printed; gates, models or canonical
    text that are others than at the last ramp are named.

    Without SLUKH_FLAG_FILE it can only end a rollback; FF_WHISPER_KILL=true and a restart take all calls
    from Whisper then.

    Example: slukh ab ramp --to 50 --evidence measured.json
    """
    from slukh.commands.ab_evidence import Sources
    from slukh.commands.ab_ramp import changed_code, flags_in_force, ramp, take_back
    from slukh.errors import ExperimentError

    given = load_all()
    rolled_back = flags_in_force(given).flags.rolled_back
    if rolled_back is not None:
        typer.echo(str(rolled_back))
    sources = Sources(margins=margins, evidence=evidence, capacity=capacity, evaluation=evaluation, to=to)
    try:
        found = _verdict(given, since, until, sources, seed)
    except ExperimentError as error:
        taken_from = take_back(given, to=to)
        if taken_from is None:
            raise
        typer.echo(f"Whisper: {taken_from} to {to} %, without a verdict and not recorded: {error}")
        return
    for change in changed_code(given, found):
        typer.echo(f"not as at the last ramp: {change}")
    row = ramp(given, found, to=to, override=override)
    why = f", because {row.override}" if row.override else ""
    typer.echo(f"Whisper: {row.from_percent} to {row.to_percent} % ({row.decision}{why})")
    typer.echo(f"its verdict again: {_report_again(found, sources)}")


def _report_again(found: "Verdict", sources: "Sources", html: Path | None = None) -> str:
    """The command that makes a verdict again."""
    options = {
        "--since": found.evidence.since.isoformat(),
        "--until": found.evidence.until.isoformat(),
        "--to": sources.to,
        "--evidence": sources.evidence,
        "--capacity": sources.capacity,
        "--evaluation": sources.evaluation,
        "--margins": sources.margins,
        "--seed": found.seed,
        "--html": html,
    }
    return made("slukh ab report", options)


def _verdict(
    given: AllSettings, since: str | None, until: str | None, sources: "Sources", seed: int
) -> "Verdict":
    """The verdict on a window of the store."""
    from slukh.commands.ab_evidence import begin_of, gathered
    from slukh.commands.ab_ramp import flags_in_force, rolled_back_at
    from slukh.experiment.canonical import canonical_version
    from slukh.experiment.evidence import WINDOW, Evidence
    from slukh.experiment.gates import Margins
    from slukh.experiment.grammar import load_grammar
    from slukh.experiment.handed_in import read_margins
    from slukh.experiment.ramps import recorded_inputs, share_at
    from slukh.experiment.store import ExperimentStore
    from slukh.experiment.verdict import verdict

    end, chosen = _end(until), None if since is None else moment_of(since, "--since")
    own = Margins() if sources.margins is None else read_margins(sources.margins)
    flags = flags_in_force(given).flags
    with ExperimentStore(given.settings.experiment_url) as store:
        natural = begin_of(store, end, given.settings.slukh_grammars, wer_bound=own.canary_wer)
        begins_at = None if natural is None else natural.at
        # What was changed by the last call that there is leaves no call yet.
        begin = chosen or min(begins_at or end - WINDOW, end - timedelta(seconds=1))
        check_window(begin, end)
        is_chosen = (
            begins_at is not None and store.drawn_calls(min(begin, begins_at), max(begin, begins_at)) > 0
        )
        rows = store.window(begin, end)
        ramps = store.ramps()
    newest = max(rows.calls, key=lambda call: call.ended_at, default=None)
    languages = {*_CANARY_LANGUAGES, *(call.language_code for call in rows.calls)}
    return verdict(
        Evidence(
            since=begin,
            begins_at=begins_at,
            begins_why="" if natural is None else natural.why,
            is_chosen=is_chosen,
            until=end,
            calls=rows.calls,
            turns=rows.turns,
            outcomes=rows.outcomes,
            shadows=rows.shadows,
            labels=rows.labels,
            draws=rows.draws,
            canaries=rows.canaries,
            outside=gathered(sources, given, rows.calls, end),
            whisper_share=share_at(end, ramps, now=flags.share) / 100,
            asked_share=sources.to / 100,
            rolled_back=rolled_back_at(end, ramps, flags.rolled_back),
            flag_version="" if newest is None else newest.flag_version,
            canonical_version={
                code: canonical_version(load_grammar(code, given.settings.slukh_grammars))
                for code in sorted(languages)
            },
        ),
        own,
        seed=seed,
        recorded=recorded_inputs(begin, end, ramps),
    )


def _end(until: str | None) -> datetime:
    return datetime.now(UTC) if until is None else moment_of(until, "--until")


def _window(since: str | None, until: str | None) -> tuple[datetime, datetime]:
    from slukh.experiment.evidence import WINDOW

    end = _end(until)
    begin = end - WINDOW if since is None else moment_of(since, "--since")
    check_window(begin, end)
    return begin, end
