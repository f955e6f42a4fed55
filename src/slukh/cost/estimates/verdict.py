"""What a decision's numbers say, in sentences; none is written before its number is known."""

from collections.abc import Iterator
from decimal import Decimal

from slukh.cost.estimates.analysis import Analysis
from slukh.cost.estimates.breakdown import COLUMN_TITLES, COLUMNS
from slukh.cost.estimates.decision import WAY_TITLES, Decision, TargetSaving, VolumePoint
from slukh.cost.estimates.scenario import WhisperFleet


def headline(analysis: Analysis) -> str:
    """What a call costs, against the target and a person, in one sentence."""
    target = analysis.scenario.target
    ways = ", ".join(
        f"${analysis.per_call.total(column):.4f} with {COLUMN_TITLES[column]} ({analysis.verdict(column)})"
        for column in COLUMNS
    )
    roi = analysis.rois[analysis.cheapest]
    pays = "saves" if roi.saving_per_call > 0 else "loses"
    return (
        f"A call costs {ways}; the target is ${target.low_usd:.2f} to ${target.high_usd:.2f}. A person's "
        f"call costs ${roi.operator_call_usd:.4f}: the cheapest way {pays} ${abs(roi.saving_per_call):.4f} "
        f"a call when {roi.containment:.0%} end without a person, and breaks even at "
        f"{roi.break_even_containment:.1%}."
    )


def verdict_of(decision: Decision) -> tuple[str, ...]:
    """The sentences, the most important ones first."""
    own, *others = decision.points
    largest = max(others, key=lambda point: point.calls_per_month, default=own)
    sentences = [_at(own, decision)]
    if largest.calls_per_month > own.calls_per_month:
        sentences.append(_at(largest, decision))
    sentences += _where_whisper_wins(decision)
    sentences += (_target(found, decision) for found in decision.targets)
    whisper = decision.scenario.stt.whisper
    if isinstance(whisper, WhisperFleet):
        sentences += _left_open(whisper, is_measured=decision.scenario.has_measured_streams)
    return tuple(sentences)


def _left_open(whisper: WhisperFleet, *, is_measured: bool) -> Iterator[str]:
    if not is_measured:
        yield (
            f"{whisper.streams_per_gpu} calls at once per GPU is an assumption: `slukh whisper check` "
            "measures it, and --capacity takes what it wrote."
        )
    if not whisper.upkeep_usd_per_month:
        yield "Nobody's work on the GPU servers is counted: upkeep_usd_per_month of the scenario would be it."


def _at(point: VolumePoint, decision: Decision) -> str:
    best = point.cheapest
    text = (
        f"At {point.calls_per_month:,} calls a month of {decision.scenario.call.seconds:f} s Google is paid "
        f"{dollars(point.google)} for whole calls and {dollars(point.google_gated)} for speech only; Whisper "
        f"alone needs {gpus(point.gpus)}, {dollars(point.whisper)}. Cheapest: {WAY_TITLES[best]}"
    )
    if best.startswith("hybrid"):
        hybrid = point.hybrid if best == "hybrid" else point.hybrid_gated
        text += f" ({gpus(hybrid.gpus)}, {hybrid.overflow_share:.2%} overflow, {dollars(hybrid.month_usd)})"
    if (saving := point.google - point.ways[best]) > 0:
        text += f", {dollars(saving)} a month less than whole calls at Google"
    if best == "google_gated" and decision.gpu_month_usd > point.google_gated:
        text += f"; no GPU can beat that, one costs {dollars(decision.gpu_month_usd)}"
    return f"{text}."


def _where_whisper_wins(decision: Decision) -> Iterator[str]:
    against = {"google": "Google on whole calls", "google_gated": "Google on speech only"}
    for column, intervals in decision.intervals.items():
        if not intervals:
            yield f"Whisper alone is never cheaper than {against[column]}, as far as was looked."
            continue
        spans = [
            f"above {found.from_calls - 1:,}"
            if found.to_calls is None
            else f"from {found.from_calls:,} to {found.to_calls:,}"
            for found in intervals
        ]
        yield f"Whisper alone is cheaper than {against[column]} {' and '.join(spans)} calls a month."


def _target(found: TargetSaving, decision: Decision) -> str:
    target = f"${decision.scenario.saving_target_usd:,f} a month"
    way = {
        "google_gated": "Speech only at Google",
        "whisper": "Whisper alone",
        "hybrid": "Whisper with Google for the overflow",
    }[found.way]
    if found.calls_per_month is None:
        return f"{way} never saves {target} against whole calls at Google, as far as was looked."
    with_gpus = "" if not found.gpus else f" with {gpus(found.gpus)}"
    overflow = "" if found.way != "hybrid" else f" and {found.overflow_share:.2%} overflow"
    return (
        f"{way} saves {target} against whole calls at Google from {found.calls_per_month:,} calls a month "
        f"on{with_gpus}{overflow}."
    )


def dollars(amount: Decimal, digits: int = 2) -> str:
    """Cents, or more digits, with a sign before the dollar."""
    return f"{'-' if amount < 0 else ''}${abs(amount):,.{digits}f}"


def gpus(number: int) -> str:
    """So many GPUs."""
    return f"{number} GPU" if number == 1 else f"{number} GPUs"
