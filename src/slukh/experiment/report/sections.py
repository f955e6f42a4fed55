"""A verdict from its first line to the last of what it was made of, as blocks."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

from slukh.experiment.evidence import ARMS, Evidence, Outside
from slukh.experiment.gates import GATES_VERSION, Gate, Status, drawn_calls
from slukh.experiment.statistics.estimates import FEWEST_CLUSTERS
from slukh.experiment.strata import Stratum, strata
from slukh.experiment.units import between, plain, with_sign
from slukh.experiment.verdict import Verdict
from slukh.report.blocks import Block, Figure, Heading, Paragraph, Table

INTERVALS = "intervals"
_CAPTION = (
    "Whisper less Google, in multiples of each margin: a difference that lies left of the line at 1 with its "
    "whole interval is within the margin (circle), right of it beyond (square), across it not known yet "
    "(diamond). An arrow goes on. pp are percentage points."
)
_BOUNDS = (
    "Bounds are of 95 % and hold at every look, however often this page is made: of words in silence for any "
    "number of recordings, of the others from a hundred calls of each arm on. Capacity, and a cost that was "
    "handed in, have none: they are held against their margin as they are."
)
_STRATA = (
    "Secondary: nothing passes, fails or waits by these rows. Each interval is of 95 % for one look and "
    "knows nothing of the other rows nor of daily looks, so of twenty rows one is off by chance. Lengths are "
    "those of both texts in the mean, days and hours UTC; differing words are known of all shadowed "
    "utterances, the difference in errors of those with labels. There is no interval for labels of fewer "
    f"than {FEWEST_CLUSTERS} callers."
)
_STANDS: Mapping[Status, str] = {"pass": "passes", "wait": "open", "fail": "**fails**"}
_EMPTY = "nothing yet"


def document(found: Verdict, *, command: str) -> tuple[Block, ...]:
    """All blocks.

    Args:
        found: the verdict.
        command: that makes the report again.
    """
    sections = (
        _summary(found), _missing(found), _measures(found), _strata(found), _validity(found), _arms(found),
    )  # fmt: skip
    return (*(block for section in sections for block in section), *_inputs(found, command))


def with_bounds(found: Verdict) -> list[Gate]:
    """The measures that a picture can be drawn of."""
    return [gate for gate in found.gates if gate.low is not None and gate.margin]


def bounds(gate: Gate) -> str:
    """From where to where, in the units of `margin`; empty when it is not known."""
    if gate.low is None or gate.high is None:
        return ""
    return between(gate.low, gate.high, gate.unit)


def value(gate: Gate) -> str:
    """The difference, likewise."""
    return "" if gate.value is None else plain(gate.value, gate.unit)


def margin(gate: Gate) -> str:
    """What it is held against, with its unit."""
    return "" if gate.margin is None else with_sign(gate.margin, gate.unit)


def _named(margins: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in margins.items())


def _summary(found: Verdict) -> Iterator[Block]:
    yield Heading(1, f"{found.decision}: {found.why}")
    evidence = found.evidence
    yield Paragraph(f"**{found.answer}**")
    yield Paragraph(
        f"Google against Whisper on {len(evidence.calls)} live calls, "
        f"{_minute(evidence.since)} to {_minute(evidence.until)} UTC."
    )


def _missing(found: Verdict) -> Iterator[Block]:
    open_ = [gate for gate in found.gates if gate.status != "pass"]
    if not open_:
        return
    yield Heading(2, "What is missing" if found.decision == "HOLD" else "What does not pass")
    yield Paragraph("Dates are at the present pace; where there is none, time alone will not settle it.")
    yield Table(
        head=("gate", "what would settle it", "expected"),
        rows=tuple((gate.name, gate.reason, _day(gate.expected)) for gate in open_),
        texts=2,
    )


def _measures(found: Verdict) -> Iterator[Block]:
    yield Heading(2, "What Whisper does to calls")
    if with_bounds(found):
        yield Figure(name=INTERVALS, caption=_CAPTION)
    else:
        yield Paragraph("No difference is known yet.")
    yield Paragraph(_BOUNDS)
    if own := found.own_margins:
        yield Paragraph(f"Margins of your own, in place of the defaults: {_named(own)}.")
    yield Table(
        head=("measure", "stands", "value", "bounds", "margin", "seen"),
        rows=tuple(
            (gate.name, _STANDS[gate.status], value(gate), bounds(gate), margin(gate), gate.detail)
            for gate in found.gates
            if gate.kind == "measure"
        ),
        texts=2,
        notes=1,
    )


def _strata(found: Verdict) -> Iterator[Block]:
    if not (rows := strata(found.evidence)):
        return
    yield Heading(2, "Where the two differ")
    yield Paragraph(_STRATA)
    yield Table(
        head=(
            "part",
            "by",
            "utterances",
            "words that differ",
            "labels",
            "Whisper less Google",
            "95 %",
        ),
        rows=tuple(
            (
                row.name,
                row.grouping,
                str(row.utterances),
                "" if row.disagreement is None else f"{row.disagreement:.1%}",
                str(row.labels),
                "" if row.value is None else f"{plain(row.value, 'share')} pp",
                _interval(row),
            )
            for row in rows
        ),
        texts=2,
    )


def _interval(row: Stratum) -> str:
    if row.low is None or row.high is None:
        return f"too few callers ({row.callers:.0f})" if row.labels else ""
    return between(row.low, row.high, "share")


def _validity(found: Verdict) -> Iterator[Block]:
    yield Heading(2, "Whether the numbers mean anything")
    yield Paragraph(
        "What fails here holds, whatever the measures say. One that has nothing to look at yet keeps nobody "
        "back, and vouches for nothing."
    )
    yield Table(
        head=("gate", "stands", "seen"),
        rows=tuple(
            (gate.name, _EMPTY if gate.is_empty else _STANDS[gate.status], gate.detail)
            for gate in found.gates
            if gate.kind != "measure"
        ),
        texts=3,
    )


def _arms(found: Verdict) -> Iterator[Block]:
    evidence, drawn = found.evidence, drawn_calls(found.evidence)
    language = {call.call_id: call.language_code for call in evidence.calls}
    counts = {
        **{
            arm: Counter(call.language_code for call in drawn if call.arm == arm) for arm in ARMS
        },
        "not drawn by lot": Counter(call.language_code for call in evidence.calls) - Counter(
            call.language_code for call in drawn
        ),
        "shadowed": Counter(language[row.call_id] for row in evidence.shadows),
        "labels": Counter(language[label.call_id] for label in evidence.labels),
    }  # fmt: skip
    languages = sorted({*language.values()})
    rows = [(code, *(str(count[code]) for count in counts.values())) for code in languages]
    rows.append(("all", *(str(count.total()) for count in counts.values())))
    yield Heading(2, "Arms and counts")
    yield Table(head=("calls by language", *counts), rows=tuple(rows), totals=frozenset({len(rows) - 1}))
    moved = sum(call.serving != call.arm for call in drawn)
    yield Paragraph(
        "Calls count in the arm they were given, whoever served them; shadowed and labelled are utterances. "
        f"{moved} of the drawn calls were served by another in the end. {len(evidence.turns)} turns, "
        f"{len(evidence.outcomes)} calls of which the dialogue told how they went."
    )


def _inputs(found: Verdict, command: str) -> Iterator[Block]:
    evidence, outside = found.evidence, found.evidence.outside
    models: dict[str, set[str]] = {}
    for call in evidence.calls:
        for provider, model in call.models.items():
            models.setdefault(provider, set()).add(model)
    rows = [
        ("window", f"{evidence.since.isoformat()} to {evidence.until.isoformat()}"),
        ("its begin", _begin(evidence)),
        ("flags", f"{evidence.flag_version or 'none'}, Whisper has {evidence.whisper_share:.0%}"),
        *((f"model of {provider}", ", ".join(sorted(seen))) for provider, seen in sorted(models.items())),
        *((f"canonical text, {code}", version) for code, version in evidence.canonical_version.items()),
        ("gates", f"version {GATES_VERSION}"),
        ("seed", str(found.seed)),
        ("load test, queue p95", _told(outside.queue_p95_seconds, " s")),
        ("price book", outside.price_book or "none"),
        ("recordings without speech", _silence(outside)),
        *((f"cost of a call, {arm}", _told(outside.cost_per_call.get(arm))) for arm in ARMS),
    ]
    yield Heading(2, "Frozen inputs")
    yield Paragraph(f"The same window, flags, texts and seed give the same verdict: `{command}`")
    yield Table(head=("input", "value"), rows=tuple(rows), texts=2)


def _begin(evidence: Evidence) -> str:
    if evidence.begins_at is None:
        return "no calls drawn by lot"
    if not evidence.is_chosen:
        return evidence.begins_why
    return (
        f"chosen, so `slukh ab ramp` takes no PROMOTE of it; by what happened it is "
        f"{evidence.begins_at.isoformat()} ({evidence.begins_why})"
    )


def _silence(outside: Outside) -> str:
    minutes = sum(call.seconds for call in outside.silent_calls) / 60
    return f"{len(outside.silent_calls)}, {minutes:.1f} minutes" if minutes else "not given"


def _told(number: float | None, sign: str = "") -> str:
    return "not given" if number is None else f"{number:g}{sign}"


def _day(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d}"


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
