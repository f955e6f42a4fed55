"""What Whisper does to calls, against what Google does: the gates that are measured.

Errors are paired, from shadowed calls and labels; everything else is between the arms as they were assigned,
whoever served a call in the end.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slukh.experiment.evidence import ARMS, Evidence, LabelRow, ShadowRow
from slukh.experiment.gates import ADJUDICATED, Gate, Margins, Status, drawn_calls, later
from slukh.experiment.statistics.estimates import Estimate, by_cluster, rate
from slukh.experiment.statistics.labelled import Shadowed, labelled_difference
from slukh.experiment.statistics.planning import labels_needed
from slukh.experiment.statistics.quantiles import quantile_difference
from slukh.experiment.statistics.sequential import Bounds, confidence_sequence


def measure_gates(evidence: Evidence, margins: Margins, *, seed: int) -> list[Gate]:
    """What Whisper does to calls, against what Google does."""
    languages = sorted({call.language_code for call in drawn_calls(evidence)})
    return [
        _labelled(evidence, margins, "word error rate", _word_errors, margins.wer),
        *(
            _labelled(
                evidence,
                margins,
                f"word error rate in {code}",
                _word_errors,
                margins.wer_of_language,
                language_code=code,
            )
            for code in languages
        ),
        _labelled(evidence, margins, "entity errors", _entity_errors, margins.entity_errors),
        _task_success(evidence, margins),
        _repairs(evidence, margins),
        _ttfs(evidence, margins, seed),
        _unheard(evidence, margins),
        _outside(
            "words in silence",
            evidence.outside.silent_words_per_minute,
            margins.silent_words_per_minute,
            "words per minute of recordings without speech: `slukh evaluate`, then --evidence",
        ),
        _capacity(evidence, margins),
        _cost(evidence, margins),
    ]


def _decide(
    name: str,
    estimate: Estimate,
    bounds: Bounds,
    margin: float,
    evidence: Evidence,
    *,
    detail: str,
    missing: str,
) -> Gate:
    """Within the margin, beyond it, or not known yet; a margin is how much more is too much."""
    known = math.isfinite(bounds.low) and math.isfinite(bounds.high)
    status: Status = "pass" if bounds.high < margin else "fail" if bounds.low > margin else "wait"
    expected = None
    if status == "wait" and known and estimate.value < margin:
        times = ((bounds.high - estimate.value) / (margin - estimate.value)) ** 2
        expected = later(evidence, times)
    return Gate(
        name=name,
        status=status,
        detail=detail,
        missing=missing if status == "wait" else "",
        expected=expected,
        value=estimate.value if math.isfinite(estimate.value) else None,
        low=bounds.low if known else None,
        high=bounds.high if known else None,
        margin=margin,
    )


def _bounds(estimate: Estimate, observations: int, margins: Margins) -> Bounds:
    return confidence_sequence(estimate, observations=observations, planned=margins.planned_calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """Of one utterance: what is compared, in both hypotheses and, where it is labelled, in the reference."""

    length: float
    difference: float = 0.0
    said: float = 0.0


def _word_errors(row: ShadowRow, label: LabelRow | None) -> _Counts:
    length = (row.live_words + row.shadow_words) / 2
    if label is None:
        return _Counts(length=length)
    return _Counts(length=length, difference=label.whisper_errors - label.google_errors, said=label.words)


def _entity_errors(row: ShadowRow, label: LabelRow | None) -> _Counts:
    length = (row.live_entities + row.shadow_entities) / 2
    if label is None:
        return _Counts(length=length)
    difference = label.whisper_entity_errors - label.google_entity_errors
    return _Counts(length=length, difference=difference, said=label.entities)


def _labelled(  # a gate is what it is made of
    evidence: Evidence,
    margins: Margins,
    name: str,
    count: Callable[[ShadowRow, LabelRow | None], _Counts],
    margin: float,
    *,
    language_code: str | None = None,
) -> Gate:
    """A paired difference from shadowed utterances, labelled where the two differ (F8 in F5)."""
    calls = {call.call_id: call for call in evidence.calls if language_code in (None, call.language_code)}
    labels: dict[tuple[str, int], LabelRow] = {}
    for label in sorted(evidence.labels, key=lambda each: each.labeller == ADJUDICATED):
        labels[label.call_id, label.utterance_id] = label
    rows = [row for row in evidence.shadows if row.is_complete and row.call_id in calls]
    found = [labels.get((row.call_id, row.utterance_id)) for row in rows]
    counts = [count(row, label) for row, label in zip(rows, found, strict=True)]
    # Equal texts make equal errors, whatever was said; as many words were said as both wrote.
    known = [label is None and row.differing_words == 0 for row, label in zip(rows, found, strict=True)]
    shadowed = Shadowed(
        calls=[calls[row.call_id].cluster for row in rows],
        difference=np.array([c.difference for c in counts]),
        words=np.array([c.length if k else c.said for c, k in zip(counts, known, strict=True)]),
        proxy=np.zeros(len(rows)),
        length=np.array([c.length for c in counts]),
        probability=np.array([1.0 if label is None else label.probability for label in found]),
        is_labelled=np.array([k or label is not None for k, label in zip(known, found, strict=True)], bool),
    )
    labelled = sum(label is not None for label in found)
    estimate = Estimate(value=math.nan, standard_error=math.inf, clusters=0)
    if labelled > 1:
        estimate = labelled_difference(shadowed)
    bounds = _bounds(estimate, len({row.call_id for row in rows}), margins)
    waiting = [row for row, label in zip(rows, found, strict=True) if label is None and row.differing_words]
    return _decide(
        name, estimate, bounds, margin, evidence,
        detail=f"{labelled} labels on {len(rows)} shadowed utterances",
        missing=_missing_labels(estimate, bounds, margin, labelled, waiting)
        if rows else "shadowed calls (FF_SHADOW_PERCENT), then labels",
    )  # fmt: skip


def _missing_labels(
    estimate: Estimate, bounds: Bounds, margin: float, labelled: int, waiting: Sequence[ShadowRow]
) -> str:
    """What labels would settle a difference, and how much listening they are."""
    if not labelled or not math.isfinite(estimate.standard_error) or not estimate.standard_error:
        return "labels of shadowed utterances in which the two differ (`slukh ab labels`)"
    plan = labels_needed(
        estimate,
        labels=labelled,
        margin=margin,
        reach=(bounds.high - estimate.value) / estimate.standard_error,
        seconds_per_label=sum(row.audio_ms for row in waiting) / 1000 / max(1, len(waiting)),
    )
    if plan is None:
        return "the difference is at the margin itself: more shadowed calls and labels may part them"
    if plan.labels > len(waiting):
        return f"{plan.labels} labels more, of {len(waiting)} that differ: more shadowed calls first"
    minutes = max(1, round(plan.audio_seconds / 60))
    return f"{plan.labels} labels more, about {minutes} minutes of audio, to decide with {plan.power:.0%}"


def _by_arm(evidence: Evidence, values: dict[str, tuple[float, float]]) -> tuple[Estimate, int]:
    """The difference of the arms, as assigned, of a ratio by call, and the calls behind it."""
    estimates = {}
    for arm in ARMS:
        members = [call for call in drawn_calls(evidence) if call.arm == arm and call.call_id in values]
        tops = [values[call.call_id][0] for call in members]
        bottoms = [values[call.call_id][1] for call in members]
        estimates[arm] = rate(*by_cluster([call.cluster for call in members], tops, bottoms))
    return estimates["whisper"] - estimates["google"], len(values)


def _task_success(evidence: Evidence, margins: Margins) -> Gate:
    """Held from below: the failures' difference is the successes' with the sign turned."""
    failures = {
        row.call_id: (float(not row.task_success), 1.0)
        for row in evidence.outcomes if row.task_success is not None
    }  # fmt: skip
    estimate, calls = _by_arm(evidence, failures)
    return _decide(
        "failed tasks", estimate, _bounds(estimate, calls, margins), margins.task_success, evidence,
        detail=f"{calls} calls report it",
        missing="`task_success` of calls: POST /v1/calls/{id}/outcome",
    )  # fmt: skip


def _repairs(evidence: Evidence, margins: Margins) -> Gate:
    repaired = {
        row.call_id: (float(row.repairs > 0), 1.0) for row in evidence.outcomes if row.repairs is not None
    }
    estimate, calls = _by_arm(evidence, repaired)
    return _decide(
        "calls with repairs", estimate, _bounds(estimate, calls, margins), margins.repairs, evidence,
        detail=f"{calls} calls report it", missing="`repairs` of calls: POST /v1/calls/{id}/outcome",
    )  # fmt: skip


def _ttfs(evidence: Evidence, margins: Margins, seed: int) -> Gate:
    """From the end of speech to the final; one that never came counts at the deadline."""
    arms: dict[str, tuple[list[str], list[float]]] = {arm: ([], []) for arm in ARMS}
    calls = {call.call_id: call for call in drawn_calls(evidence)}
    for turn in evidence.turns:
        if (call := calls.get(turn.call_id)) is not None:
            late = turn.final_ms if turn.final_ms is not None else margins.deadline_seconds * 1000
            arms[call.arm][0].append(call.cluster)
            arms[call.arm][1].append((turn.endpointing_ms + late) / 1000)
    name, margin = "time to final, p95", margins.ttfs_p95_seconds
    if any(len(set(clusters)) < 2 for clusters, _ in arms.values()):  # noqa: PLR2004  # one call has no spread
        return Gate(
            name=name, status="wait", detail="no turns in an arm", missing="live calls", margin=margin
        )
    # 99 % where the others are always-valid: for daily looks over some weeks it errs about as seldom.
    found = quantile_difference(
        *((clusters, np.array(values)) for clusters, values in arms.values()), seed=seed, confidence=0.99
    )
    estimate = Estimate(value=found.value, standard_error=0.0, clusters=len(calls))
    bounds = Bounds(low=found.low, high=found.high, p=math.nan)
    return _decide(
        name, estimate, bounds, margin, evidence,
        detail=f"seconds over {sum(len(values) for _, values in arms.values())} turns",
        missing="more live calls",
    )  # fmt: skip


def _unheard(evidence: Evidence, margins: Margins) -> Gate:
    values: dict[str, tuple[float, float]] = {}
    for turn in evidence.turns:
        unheard, turns = values.get(turn.call_id, (0.0, 0.0))
        values[turn.call_id] = (
            unheard + (turn.is_empty or turn.is_salvage or turn.final_ms is None),
            turns + 1,
        )
    estimate, calls = _by_arm(evidence, values)
    return _decide(
        "turns unheard", estimate, _bounds(estimate, calls, margins), margins.unheard, evidence,
        detail=f"over {len(evidence.turns)} turns", missing="more live calls",
    )  # fmt: skip


def _outside(name: str, values: Mapping[str, float], margin: float, missing: str) -> Gate:
    if not all(arm in values for arm in ARMS):
        return Gate(name=name, status="wait", detail="not measured", missing=missing, margin=margin)
    difference = values["whisper"] - values["google"]
    detail = f"whisper {values['whisper']:g}, google {values['google']:g}"
    status: Status = "pass" if difference <= margin else "fail"
    return Gate(name=name, status=status, detail=detail, value=difference, margin=margin)


def _capacity(evidence: Evidence, margins: Margins) -> Gate:
    name, margin, found = "capacity", margins.queue_p95_seconds, evidence.outside.queue_p95_seconds
    if found is None:
        return Gate(
            name=name, status="wait", detail="not measured", margin=margin,
            missing="Whisper's queue (p95) under the traffic it would get: a load test, then --evidence",
        )  # fmt: skip
    # Too little room is no harm done yet: it forbids more calls, it does not take any back.
    status: Status = "pass" if found < margin else "wait"
    missing = "" if status == "pass" else "more workers, or another GPU; then a load test again"
    detail = f"{found:g} s in the queue"
    return Gate(name=name, status=status, detail=detail, missing=missing, value=found, margin=margin)


def _cost(evidence: Evidence, margins: Margins) -> Gate:
    name, costs = "cost per call", evidence.outside.cost_per_call
    if not all(costs.get(arm) for arm in ARMS):
        return Gate(
            name=name, status="wait", detail="not known", margin=margins.cost_per_call,
            missing="the cost of a call on either provider, by --evidence",
        )  # fmt: skip
    ratio = costs["whisper"] / costs["google"]
    status: Status = "pass" if ratio <= margins.cost_per_call else "wait"
    return Gate(
        name=name, status=status, detail=f"whisper {costs['whisper']:g}, google {costs['google']:g}",
        missing="" if status == "pass" else "a cheaper Whisper, or an owner who wants it all the same",
        value=ratio, margin=margins.cost_per_call,
    )  # fmt: skip
