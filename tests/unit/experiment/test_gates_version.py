"""Verdicts of one version of the gates: another number takes another `GATES_VERSION`."""

import hashlib
import json
from dataclasses import asdict, replace
from datetime import timedelta

from tests.unit.experiment.windows import BEGAN, MARGINS, evidence

from slukh.experiment.evidence import Evidence
from slukh.experiment.gates import GATES_VERSION, Gate, Margins
from slukh.experiment.verdict import Verdict, verdict

# Digest of the verdicts below under each version. It does not fit any more? A status, a bound, a margin or
# the set of gates is another: give GATES_VERSION the next number, and add it here with the digest you get.
KNOWN = {"1": "421545062d83548a"}


def windows() -> list[Evidence]:
    """As good, worse, late and failing; with some labels missing; of a few days."""
    equal = evidence(calls=160)
    third = {row.key for row in equal.draws if row.position % 3 == 0}
    return [
        equal,
        evidence(worse=0.15, calls=160),
        evidence(later=0.8, failing=0.5, calls=160),
        replace(equal, labels=tuple(label for label in equal.labels if label.key not in third)),
        replace(equal, calls=equal.calls[:30], until=BEGAN + timedelta(days=3)),
    ]


def numbers(gate: Gate) -> list[object]:
    """All that is decided by; six digits, as the order of a sum may be another on another machine."""
    values = (gate.value, gate.low, gate.high, gate.margin)
    return [gate.name, gate.kind, gate.status, gate.unit, *(v if v is None else f"{v:.6g}" for v in values)]


def digest(verdicts: list[Verdict]) -> str:
    told = [[found.decision, *map(numbers, found.gates)] for found in verdicts]
    return hashlib.sha256(json.dumps([asdict(Margins()), told]).encode()).hexdigest()[:16]


def test_gates_that_decide_otherwise_are_another_version() -> None:
    found = digest([verdict(each, MARGINS) for each in windows()])
    assert KNOWN.get(GATES_VERSION) == found


def test_a_version_is_of_one_set_of_numbers() -> None:
    assert len({*KNOWN.values()}) == len(KNOWN)


def test_another_margin_is_another_digest() -> None:
    (found,) = (verdict(each, MARGINS) for each in windows()[:1])
    worse = replace(found.gates[-3], high=1.0)
    assert digest([found]) != digest([replace(found, gates=(*found.gates[:-3], worse))])
