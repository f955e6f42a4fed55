"""Callers who call again: what is theirs alone counts once, however often they call."""

from dataclasses import replace

import numpy as np
from tests.unit.experiment.test_verdict import EQUAL, MARGINS

from slukh.experiment.evidence import CallRow, Evidence
from slukh.experiment.gates import Gate, Margins
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
    """All calls of an arm are of so many callers."""
    return replace(
        evidence,
        calls=tuple(
            replace(call, caller=f"caller-{n % count}") if call.arm == arm else call
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
