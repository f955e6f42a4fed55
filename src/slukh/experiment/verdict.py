"""May Whisper get more calls? PROMOTE, HOLD or ROLL BACK, with every gate, and what it was made of.

    ROLL BACK   valid, and some measure is certainly beyond its margin, however few the days
    PROMOTE     valid, days and calls enough, and every measure is certainly within its margin
    HOLD        anything else: not valid, or not known yet

All gates must pass to promote, so none needs a stricter bound for the others' sake. The same evidence,
margins and seed give the same verdict: they are all in it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from slukh.experiment.evidence import Evidence
from slukh.experiment.gates import GATES_VERSION, Gate, Margins, drawn_calls
from slukh.experiment.measures import measure_gates
from slukh.experiment.ramps import recorded_gate
from slukh.experiment.strata import strata
from slukh.experiment.validity import validity_gates

Decision = Literal["PROMOTE", "HOLD", "ROLL BACK"]
_ANSWERS: Mapping[Decision, str] = {
    "PROMOTE": "Yes.",
    "HOLD": "Not yet.",
    "ROLL BACK": "No, and it should have fewer.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was decided, and why.

    Attributes:
        decision: what to do.
        reasons: why it is not PROMOTE, gate by gate.
        gates: all of them.
        expected: when the last gate that waits for time is expected, or None when some wait for people.
        evidence: what it was decided on.
        margins: what it was held against.
        seed: of the resampling.
    """

    decision: Decision
    reasons: tuple[str, ...]
    gates: tuple[Gate, ...]
    expected: datetime | None
    evidence: Evidence
    margins: Margins
    seed: int

    @property
    def why(self) -> str:
        """Why it was decided so, in one clause."""
        open_ = [gate for gate in self.gates if gate.status != "pass"]
        empty = sum(gate.is_empty for gate in self.gates)
        if not open_:
            unseen = f", {empty} with nothing to look at" if empty else ""
            return f"all {len(self.gates)} gates pass{unseen}"
        if self.decision == "ROLL BACK":
            first, *more = (gate.name for gate in open_ if gate.status == "fail")
            if not more:
                return f"{first} is certainly beyond its margin"
            return f"{first} and {len(more)} more are certainly beyond their margins"
        undated = sum(gate.expected is None for gate in open_)
        when = "" if self.expected is None else f", not before {self.expected:%Y-%m-%d}"
        when = f", {undated} of them without a date" if undated else when
        unseen = f"; {empty} pass with nothing to look at yet" if empty else ""
        return f"{len(open_)} of {len(self.gates)} gates are open{when}{unseen}"

    @property
    def answer(self) -> str:
        """The owner's question, and the answer to it."""
        now, asked = self.evidence.whisper_share, self.evidence.asked_share
        if asked is None or asked <= now:
            question = f"May Whisper have more than {now:.0%} of the calls?"
        else:
            question = f"May Whisper go from {now:.0%} to {asked:.0%} of the calls?"
        if self.decision == "PROMOTE" and self.evidence.is_chosen:
            return f"{question} Not by this window: somebody chose where it begins."
        return f"{question} {_ANSWERS[self.decision]}"

    @property
    def own_margins(self) -> dict[str, float]:
        """The margins that are not the defaults."""
        defaults = asdict(Margins())
        return {name: value for name, value in asdict(self.margins).items() if value != defaults[name]}

    def as_json(self) -> dict[str, object]:
        """Plain JSON values, moments in ISO 8601."""
        return {
            "decision": self.decision,
            "answer": self.answer,
            "why": self.why,
            "reasons": list(self.reasons),
            "expected": _iso(self.expected),
            "own_margins": self.own_margins,
            "gates": [asdict(gate) | {"expected": _iso(gate.expected)} for gate in self.gates],
            "strata": [asdict(stratum) for stratum in strata(self.evidence)],
            "inputs": self.inputs(),
        }

    def inputs(self) -> dict[str, object]:
        """What it was made of, likewise: the rows of the window stay in the store, and are counted here."""
        return frozen_inputs(self.evidence, self.margins, self.seed)


def verdict(
    evidence: Evidence, margins: Margins, *, seed: int = 1, recorded: Mapping[str, object] | None = None
) -> Verdict:
    """Decide.

    Args:
        evidence: a window.
        margins: what is asked.
        seed: of the resampling of latencies.
        recorded: inputs of the same window's verdict when a ramp stood on it; nothing where none did.
    """
    now = frozen_inputs(evidence, margins, seed)
    validity = [*validity_gates(evidence, margins), recorded_gate(recorded or {}, now)]
    measures = measure_gates(evidence, margins, seed=seed)
    is_valid = all(gate.status == "pass" for gate in validity if gate.kind == "validity")
    gates = (*validity, *measures)
    open_ = [gate for gate in gates if gate.status != "pass"]
    decision: Decision = "HOLD"
    if is_valid and any(gate.status == "fail" for gate in measures):
        decision = "ROLL BACK"
    elif not open_:
        decision = "PROMOTE"
    dates = [gate.expected for gate in open_]
    return Verdict(
        decision=decision,
        reasons=tuple(f"{gate.name}: {gate.reason}" for gate in open_),
        gates=gates,
        expected=max((date for date in dates if date), default=None) if all(dates) else None,
        evidence=evidence,
        margins=margins,
        seed=seed,
    )


def frozen_inputs(evidence: Evidence, margins: Margins, seed: int) -> dict[str, object]:
    """Everything that a verdict depends on, as plain JSON values."""
    drawn = drawn_calls(evidence)
    outside = asdict(evidence.outside)
    return {
        "since": _iso(evidence.since),
        "until": _iso(evidence.until),
        "begin": {
            "at": _iso(evidence.begins_at),
            "why": evidence.begins_why,
            "is_chosen": evidence.is_chosen,
        },
        "flag_version": evidence.flag_version,
        "whisper_share": evidence.whisper_share,
        "asked_share": evidence.asked_share,
        "rolled_back": evidence.rolled_back,
        "gates_version": GATES_VERSION,
        "canonical_version": dict(evidence.canonical_version),
        "models": {
            provider: sorted({call.models[provider] for call in drawn if provider in call.models})
            for provider in sorted({provider for call in drawn for provider in call.models})
        },
        "seed": seed,
        "margins": asdict(margins),
        "outside": outside | {"silent_calls": list(outside["silent_calls"])},
        "calls": len(evidence.calls),
        "calls_by_arm": dict(sorted(Counter(call.arm for call in drawn).items())),
        "served_by_another": sum(call.serving != call.arm for call in drawn),
        "turns": len(evidence.turns),
        "outcomes": len(evidence.outcomes),
        "shadows": len(evidence.shadows),
        "labels": len(evidence.labels),
        "draws": len(evidence.draws),
        "canaries": len(evidence.canaries),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
