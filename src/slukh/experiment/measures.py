"""What Whisper does to calls, against what Google does: the gates that are measured.

Errors are paired, from shadowed calls and labels; everything else is between the arms as they were assigned,
whoever served a call in the end.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from slukh.experiment.evidence import ARMS, Evidence, TurnRow
from slukh.experiment.gates import Gate, Margins, Status, decided, drawn_calls
from slukh.experiment.paired import paired_gates
from slukh.experiment.silence import silence_gate
from slukh.experiment.statistics.estimates import (
    FEWEST_CLUSTERS,
    Estimate,
    by_cluster,
    rate,
    with_one_of_each,
)
from slukh.experiment.statistics.quantiles import quantile_difference
from slukh.experiment.statistics.sequential import Bounds, confidence_sequence

_QUANTILE = 0.95


def measure_gates(evidence: Evidence, margins: Margins, *, seed: int) -> list[Gate]:
    """What Whisper does to calls, against what Google does."""
    gates = [
        *paired_gates(evidence, margins),
        _task_success(evidence, margins),
        _repairs(evidence, margins),
        _untold(evidence, margins),
        _ttfs(evidence, margins, seed),
        _unheard(evidence, margins),
        _left_to_another(evidence, margins),
        silence_gate(evidence.outside, margins),
        _capacity(evidence, margins),
        _cost(evidence, margins),
    ]
    origins = evidence.outside.origins
    return [
        replace(gate, detail=f"{gate.detail}; {origins[gate.name]}") if gate.name in origins else gate
        for gate in gates
    ]


def _by_arm(
    evidence: Evidence, values: dict[str, tuple[float, float]], margins: Margins
) -> tuple[Estimate, Bounds, int]:
    """The difference of the arms, as assigned, of a share by call, its bounds, and the calls behind it."""
    estimates, careful, calls = {}, {}, 0
    for arm in ARMS:
        members = [call for call in drawn_calls(evidence) if call.arm == arm and call.call_id in values]
        tops = [values[call.call_id][0] for call in members]
        bottoms = [values[call.call_id][1] for call in members]
        clusters = by_cluster([call.cluster for call in members], tops, bottoms)
        estimates[arm], careful[arm] = rate(*clusters), rate(*with_one_of_each(*clusters))
        if len(clusters[0]) < FEWEST_CLUSTERS:  # one more of each makes no more of them
            careful[arm] = replace(careful[arm], standard_error=math.inf)
        calls += len(members)
    bounds = confidence_sequence(
        careful["whisper"] - careful["google"], observations=calls, planned=margins.planned_calls
    )
    return estimates["whisper"] - estimates["google"], bounds, calls


def _task_success(evidence: Evidence, margins: Margins) -> Gate:
    """Held from below: the failures' difference is the successes' with the sign turned."""
    failures = {
        row.call_id: (float(not row.task_success), 1.0)
        for row in evidence.outcomes if row.task_success is not None
    }  # fmt: skip
    estimate, bounds, calls = _by_arm(evidence, failures, margins)
    return decided(
        "failed tasks", estimate, bounds, margins.task_success, evidence,
        detail=f"{calls} calls report it", calls=calls,
        missing="more calls that report `task_success`: POST /v1/calls/{id}/outcome",
    )  # fmt: skip


def _repairs(evidence: Evidence, margins: Margins) -> Gate:
    repaired = {
        row.call_id: (float(row.repairs > 0), 1.0) for row in evidence.outcomes if row.repairs is not None
    }
    estimate, bounds, calls = _by_arm(evidence, repaired, margins)
    return decided(
        "calls with repairs", estimate, bounds, margins.repairs, evidence,
        detail=f"{calls} calls report it", calls=calls,
        missing="more calls that report `repairs`: POST /v1/calls/{id}/outcome",
    )  # fmt: skip


def _untold(evidence: Evidence, margins: Margins) -> Gate:
    """Whether silence hides failures: a dialogue that tells successes only has none, whoever is worse."""
    told = {row.call_id for row in evidence.outcomes if None not in (row.task_success, row.repairs)}
    untold = {call.call_id: (float(call.call_id not in told), 1.0) for call in drawn_calls(evidence)}
    estimate, bounds, calls = _by_arm(evidence, untold, margins)
    missing = "the outcome of every call, of a failed one too: POST /v1/calls/{id}/outcome"
    gate = decided(
        "calls without an outcome", estimate, bounds, margins.untold, evidence,
        detail=f"{calls - len(told & untold.keys())} of {calls} calls", missing=missing,
    )  # fmt: skip
    # Not told is no harm done to callers: it forbids more calls, it does not take any back.
    return replace(gate, status="wait", missing=missing) if gate.status == "fail" else gate


def _ttfs(evidence: Evidence, margins: Margins, seed: int) -> Gate:
    """From the end of speech to the final; one that never came counts at the deadline."""
    arms: dict[str, tuple[list[str], list[float]]] = {arm: ([], []) for arm in ARMS}
    lost = dict.fromkeys(ARMS, 0)
    calls = {call.call_id: call for call in drawn_calls(evidence)}
    for turn in evidence.turns:
        if (call := calls.get(turn.call_id)) is not None:
            late = turn.final_ms if turn.final_ms is not None else margins.deadline_seconds * 1000
            arms[call.arm][0].append(call.cluster)
            arms[call.arm][1].append((turn.endpointing_ms + late) / 1000)
            lost[call.arm] += turn.final_ms is None
    name, margin = "time to final, p95", margins.ttfs_p95_seconds
    fewest = min(len(set(clusters)) for clusters, _ in arms.values())
    if fewest < FEWEST_CLUSTERS:
        return Gate(
            name=name, status="wait", detail=f"turns of {fewest} callers in an arm, too few for bounds",
            missing="live calls", margin=margin,
            unit="seconds",
        )  # fmt: skip
    if all(lost[arm] >= (1 - _QUANTILE) * len(values) for arm, (_, values) in arms.items()):
        return Gate(
            name=name, status="wait", detail="beyond the deadline in both arms", margin=margin,
            unit="seconds", missing="finals: one in twenty and more never came, whoever was asked",
        )  # fmt: skip
    estimate = quantile_difference(
        *((clusters, np.array(values)) for clusters, values in arms.values()), seed=seed, quantile=_QUANTILE
    )
    bounds = confidence_sequence(estimate, observations=len(calls), planned=margins.planned_calls)
    turns = sum(len(values) for _, values in arms.values())
    return decided(
        name, estimate, bounds, margin, evidence, detail=f"seconds over {turns} turns",
        missing="more live calls", unit="seconds", calls=len(calls),
    )  # fmt: skip


def _unheard(evidence: Evidence, margins: Margins) -> Gate:
    def is_unheard(turn: TurnRow) -> bool:
        return turn.is_empty or turn.is_salvage or turn.final_ms is None

    estimate, bounds, calls = _by_arm(evidence, _turns(evidence, is_unheard), margins)
    return decided(
        "turns unheard", estimate, bounds, margins.unheard, evidence,
        detail=f"over {len(evidence.turns)} turns", missing="more live calls", calls=calls,
    )  # fmt: skip


def _left_to_another(evidence: Evidence, margins: Margins) -> Gate:
    """What the backup hides: a caller hears nothing of it, but more calls would rest on it."""
    arms = {call.call_id: call.arm for call in drawn_calls(evidence)}

    def is_left(turn: TurnRow) -> bool:
        return turn.provider != arms.get(turn.call_id)

    estimate, bounds, calls = _by_arm(evidence, _turns(evidence, is_left), margins)
    left = dict.fromkeys(ARMS, 0)
    for turn in evidence.turns:
        if turn.call_id in arms and is_left(turn):
            left[arms[turn.call_id]] += 1
    return decided(
        "turns left to another", estimate, bounds, margins.left_to_another, evidence,
        detail=f"{left['whisper']} of Whisper's, {left['google']} of Google's", missing="more live calls",
        calls=calls,
    )  # fmt: skip


def _turns(evidence: Evidence, is_counted: Callable[[TurnRow], bool]) -> dict[str, tuple[float, float]]:
    """Of each call, how many turns are counted and how many there are."""
    values: dict[str, tuple[float, float]] = {}
    for turn in evidence.turns:
        counted, turns = values.get(turn.call_id, (0.0, 0.0))
        values[turn.call_id] = (counted + is_counted(turn), turns + 1)
    return values


def _capacity(evidence: Evidence, margins: Margins) -> Gate:
    name, margin, found = "capacity", margins.queue_p95_seconds, evidence.outside.queue_p95_seconds
    if found is None:
        return Gate(
            name=name, status="wait", detail="not measured", margin=margin, unit="seconds",
            missing="a Whisper that was tried with so many callers: `slukh whisper check`, then --capacity",
        )  # fmt: skip
    # Too little room is no harm done yet: it forbids more calls, it does not take any back.
    status: Status = "pass" if found < margin else "wait"
    missing = "" if status == "pass" else "more workers, or another GPU; then a load test again"
    detail = f"{found:g} s in the queue"
    return Gate(
        name=name, status=status, detail=detail, missing=missing, value=found, margin=margin, unit="seconds"
    )


def cost_ratio(whisper: Estimate, google: Estimate) -> Estimate:
    """How many times as dear a call is, arms that share no call; by the delta method."""
    ratio = whisper.value / google.value
    is_of_few = min(whisper.clusters, google.clusters) < FEWEST_CLUSTERS
    error = math.hypot(whisper.standard_error, ratio * google.standard_error) / google.value
    return Estimate(
        value=ratio,
        standard_error=math.inf if is_of_few else error,
        clusters=whisper.clusters + google.clusters,
    )


def _cost(evidence: Evidence, margins: Margins) -> Gate:
    name, costs, errors = "cost per call", evidence.outside.cost_per_call, evidence.outside.cost_errors
    if not all(costs.get(arm) for arm in ARMS):
        return Gate(
            name=name, status="wait", detail="not known", margin=margins.cost_per_call, unit="ratio",
            missing="the cost of a call on either provider: the ledger's, or --evidence",
        )  # fmt: skip
    calls, margin = drawn_calls(evidence), margins.cost_per_call
    whisper, google = (
        Estimate(
            value=costs[arm], standard_error=errors.get(arm, 0.0), clusters=sum(c.arm == arm for c in calls)
        )
        for arm in ("whisper", "google")
    )
    ratio, detail = cost_ratio(whisper, google), f"whisper {whisper.value:g}, google {google.value:g}"
    if errors:
        gate = decided(
            name, ratio,
            confidence_sequence(ratio, observations=len(calls), planned=margins.planned_calls),
            margin, evidence, detail=detail, missing="more live calls", unit="ratio", calls=len(calls),
        )  # fmt: skip
    else:  # somebody's word
        status: Status = "pass" if ratio.value <= margin else "fail"
        gate = Gate(name=name, status=status, detail=detail, value=ratio.value, margin=margin, unit="ratio")
    # Dear is no harm done to callers: it forbids more calls, it does not take any back.
    dear = "a cheaper Whisper, or an owner who wants it all the same"
    return replace(gate, status="wait", missing=dear) if gate.status == "fail" else gate
