"""Callers who call again: what is theirs alone counts once, however often they call."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tests.unit.experiment.test_verdict import EQUAL
from tests.unit.experiment.windows import MARGINS, drawn, evidence

from slukh.experiment.evidence import CallRow, Evidence
from slukh.experiment.gates import Gate, Margins
from slukh.experiment.measures import measure_gates
from slukh.experiment.validity import validity_gates
from slukh.routing.rollout import bucket, threshold


def validity(evidence: Evidence, margins: Margins = MARGINS) -> dict[str, Gate]:
    return {gate.name: gate for gate in validity_gates(evidence, margins)}


def drawn_by_bucket(salt: int, percent: int) -> tuple[CallRow, ...]:
    """Calls of 500 callers as the rollout draws them; some call daily, most once or twice."""
    found = []
    for caller, count in enumerate(1 + np.random.default_rng(salt).pareto(1.3, 500).astype(int)):
        name = f"caller-{caller}"
        arm = "whisper" if bucket(f"stt-{salt}", name) < threshold(percent) else "google"
        found += [
            replace(EQUAL.calls[0], call_id=f"{name}-{n}", caller=name, arm=arm)
            for n in range(min(count, 100))
        ]
    return tuple(found)


def test_a_lot_that_is_drawn_by_caller_is_right_however_often_some_call() -> None:
    for salt in range(20):
        calls = drawn_by_bucket(salt, percent=10)
        window = Evidence(
            since=EQUAL.since, until=EQUAL.until, calls=calls, whisper_share=0.1, flag_version="3-abc"
        )
        gates = validity(window)
        assert gates["sample ratio"].status == "pass"
        assert gates["sample ratio in uk-UA"].status == "pass"
        assert " of 500 callers, should have 10%" in gates["sample ratio"].detail


def test_calls_of_withheld_numbers_have_a_lot_each() -> None:
    whispers = [call for call in EQUAL.calls if call.arm == "whisper"][:200]
    for caller, status in (("one", "pass"), (None, "fail")):
        again = tuple(replace(call, call_id=f"{call.call_id}-2", caller=caller) for call in whispers)
        gates = validity(replace(EQUAL, calls=(*EQUAL.calls, *again)))
        assert gates["sample ratio"].status == status


def of_callers(evidence: Evidence, count: int, arm: str) -> Evidence:
    """All calls of an arm, which has every other one, are of so many callers."""
    return replace(
        evidence,
        calls=tuple(
            replace(call, caller=f"{arm}-{n // 2 % count}") if call.arm == arm else call
            for n, call in enumerate(evidence.calls)
        ),
    )


def test_directions_are_not_compared_by_labels_of_a_few_callers() -> None:
    """Those of two are as far apart as the two are unlike, in one window of fourteen."""
    lives = {row.utterance_id: row.live for row in EQUAL.shadows}
    biased = replace(
        EQUAL,
        labels=tuple(
            replace(label, whisper_errors=label.whisper_errors + (lives[label.utterance_id] == "google"))
            for label in EQUAL.labels
        ),
    )
    name = "same in both directions"
    assert validity(biased)[name].status == "fail"
    found = validity(of_callers(biased, 5, "whisper"))[name]
    assert (found.status, found.kind) == ("wait", "enough")
    assert found.detail.endswith("whisper serves: labels as if of 5 callers")
    assert found.missing == "labels of 30 callers and more whom whisper served (`slukh ab label`)"
    nobody = validity(replace(EQUAL, labels=()))[name]
    assert nobody.missing.count("labels of 30 callers and more whom") == 2


def test_a_hundred_calls_of_fewer_callers_are_no_first_look() -> None:
    found = validity(of_callers(EQUAL, 99, "whisper"))["a first look"]
    assert (found.status, found.detail) == ("fail", "99 callers in the smaller arm")
    assert validity(of_callers(EQUAL, 100, "whisper"))["a first look"].status == "pass"


TIMES = 4


def repeated(found: Evidence, *, by_others: bool) -> Evidence:
    """Every call once more, and once more, and again, all alike: by the same callers, or by others."""
    calls, turns, outcomes, shadows, labels = [], [], [], [], []
    for time in range(TIMES):
        calls += [
            replace(
                call, call_id=f"{call.call_id}-{time}",
                caller=f"{call.caller}-{time}" if by_others else call.caller,
            )
            for call in found.calls
        ]  # fmt: skip
        turns += [replace(row, call_id=f"{row.call_id}-{time}") for row in found.turns]
        outcomes += [replace(row, call_id=f"{row.call_id}-{time}") for row in found.outcomes]
        shadows += [replace(row, call_id=f"{row.call_id}-{time}") for row in found.shadows]
        labels += [replace(row, call_id=f"{row.call_id}-{time}") for row in found.labels]
    return replace(
        found, calls=tuple(calls), turns=tuple(turns), outcomes=tuple(outcomes), shadows=tuple(shadows),
        labels=tuple(labels), draws=drawn(labels),
    )  # fmt: skip


@cache
def measured(*, by_others: bool) -> dict[str, Gate]:
    window = repeated(evidence(calls=200), by_others=by_others)
    margins = replace(MARGINS, unheard=0.008)  # too small for so few
    return {gate.name: gate for gate in measure_gates(window, margins, seed=1)}


@pytest.mark.parametrize(
    "name",
    [
        "word error rate", "word error rate in uk-UA", "entity errors", "failed tasks", "calls with repairs",
        "calls without an outcome", "time to final, p95", "turns unheard", "turns left to another",
    ],
)  # fmt: skip
def test_calls_of_the_same_callers_tell_less_than_those_of_others(name: str) -> None:
    """Four times the calls are half of the width, when they are of four times the callers."""
    same, others = measured(by_others=False)[name], measured(by_others=True)[name]
    assert same.value == pytest.approx(others.value, abs=1e-3)
    widths = []
    for gate in (same, others):
        assert gate.low is not None
        assert gate.high is not None
        widths.append(gate.high - gate.low)
    assert widths[0] > 1.4 * widths[1]


def test_of_the_same_callers_more_calls_are_wanted() -> None:
    wanted = []
    for by_others in (True, False):
        told = re.match(
            r"about (\d+) more live calls", measured(by_others=by_others)["turns unheard"].missing
        )
        assert told is not None
        wanted.append(int(told[1]))
    assert wanted[1] > 2 * wanted[0]
