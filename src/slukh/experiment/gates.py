"""The gates of a rollout: what must hold before Whisper gets more calls. Each is a function of the evidence.

validity   calls, days and languages enough; arms of the right size; nothing changed under way; clocks,
           labellers and shadows to be trusted. One that fails makes the rest meaningless: HOLD.
measures   a difference, Whisper less Google, with bounds that hold at every look. Certainly beyond its
           margin is ROLL BACK, certainly within it passes, between is HOLD.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from slukh.experiment.evidence import ARMS, CallRow, Evidence, LabelRow
from slukh.experiment.statistics.estimates import Estimate
from slukh.experiment.statistics.planning import times_needed
from slukh.experiment.statistics.sequential import Bounds, is_not_worse, is_worse
from slukh.experiment.units import Unit, with_sign

Status = Literal["pass", "wait", "fail"]
Kind = Literal["validity", "enough", "measure"]
_YEARS = timedelta(days=730)
# Part of what a verdict was made of. Another one whenever the same evidence may get another status, bound or
# margin; tests/unit/experiment/test_gates_version.py holds it against verdicts of before.
GATES_VERSION = "1"
ADJUDICATED = "adjudicated"  # the labeller that settles what others disagree on


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """What is asked of the experiment; differences are Whisper less Google.

    Attributes:
        days: full days at least.
        calls_per_language: of Whisper's, at least.
        first_look: callers in the smaller arm before anything is decided.
        sample_ratio_p: below it the arms are not what the flags say.
        shadow_loss: share of shadowed utterances that may be incomplete.
        canary_wer: by which a day's word error rate of a stored clip may differ from that of days before.
        unclear_labels: share of labels that may leave something out.
        unanswered_labels: share of what is to be labelled that may have no answer.
        labels_a_week: of each full week of shadowed calls, at least, as far as there are utterances to label.
        labelled_callers: whom labels must be of, at least, to speak of others.
        wer: more words wrong, of all languages together.
        wer_of_language: of one language.
        entity_errors: more entity errors per entity.
        task_success: fewer calls that succeed.
        repairs: more calls with a repair.
        untold: more calls of which the dialogue does not tell how they went.
        ttfs_p95_seconds: later, from the end of speech to the final.
        unheard: more turns with no final, or an empty one.
        left_to_another: more turns whose final another than the arm's provider gave, or nobody.
        words_in_silence: more words per minute without speech, one of each started minute at most.
        queue_p95_seconds: of Whisper at the traffic it would get.
        cost_per_call: dearer, as a ratio of Google's.
        deadline_seconds: at which a final that never came is counted.
        planned_calls: at which the decision is expected; the bounds are tightest there.
        planned_shadowed: the same of shadowed calls.
    """

    days: int = 14
    calls_per_language: int = 200
    first_look: int = 100
    sample_ratio_p: float = 0.001
    shadow_loss: float = 0.02
    canary_wer: float = 0.1
    unclear_labels: float = 0.2
    unanswered_labels: float = 0.05
    labels_a_week: int = 10
    labelled_callers: int = 30
    wer: float = 0.02
    wer_of_language: float = 0.04
    entity_errors: float = 0.01
    task_success: float = 0.02
    repairs: float = 0.02
    untold: float = 0.02
    ttfs_p95_seconds: float = 0.150
    unheard: float = 0.005
    left_to_another: float = 0.01
    words_in_silence: float = 0.02
    queue_p95_seconds: float = 0.8
    cost_per_call: float = 1.0
    deadline_seconds: float = 8.0
    planned_calls: int = 11_200
    planned_shadowed: int = 2_240


# Those that measures are held against: what is too much is the owner's to say.
OwnMargin = Literal[
    "wer", "wer_of_language", "entity_errors", "task_success", "repairs", "untold", "ttfs_p95_seconds",
    "unheard", "left_to_another", "words_in_silence", "queue_p95_seconds", "cost_per_call",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate, as it stands.

    Attributes:
        name: which.
        status: `fail` of a measure is ROLL BACK; anything else that is not `pass` is HOLD.
        kind: what it is about.
        detail: what was seen, one clause.
        missing: what would settle it; empty when it is settled.
        expected: when that is, at the present pace, or None.
        value: the difference, or None.
        low: lower bound of it.
        high: upper bound.
        margin: what it is held against.
        unit: of value, bounds and margin.
        is_empty: it passes because there was nothing to look at yet, and says nothing.
    """

    name: str
    status: Status
    kind: Kind = "measure"
    detail: str
    missing: str = ""
    expected: datetime | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    unit: Unit = "share"
    is_empty: bool = False

    @property
    def reason(self) -> str:
        """Why it does not pass, for one that does not."""
        if self.missing or self.margin is None:
            return self.missing or self.detail
        return f"beyond the margin of {with_sign(self.margin, self.unit)} ({self.detail})"


def validity_gate(
    name: str,
    is_valid: bool,
    detail: str,
    missing: str,
    expected: datetime | None = None,
    *,
    kind: Kind = "validity",
    seen: object = True,
) -> Gate:
    """A gate that is no measure: what is not `enough` yet waits, what is not valid fails.

    One that passes and has `seen` nothing (no labels, no calls) is empty.
    """
    return Gate(
        name=name,
        status="pass" if is_valid else "wait" if kind == "enough" else "fail",
        kind=kind,
        detail=detail,
        missing="" if is_valid else missing,
        expected=None if is_valid else expected,
        is_empty=is_valid and not seen,
    )


def drawn_calls(evidence: Evidence) -> list[CallRow]:
    """The calls that were drawn by lot: only those compare the arms."""
    return [call for call in evidence.calls if call.flag_reason == "SPLIT" and call.arm in ARMS]


def settled_labels(labels: Iterable[LabelRow]) -> list[LabelRow]:
    """One label for each utterance: the one that settles, where there is one."""
    found: dict[tuple[str, int], LabelRow] = {}
    for label in sorted(labels, key=lambda each: each.labeller == ADJUDICATED):
        found[label.key] = label
    return list(found.values())


def decided(
    name: str,
    estimate: Estimate,
    bounds: Bounds,
    margin: float,
    evidence: Evidence,
    *,
    detail: str,
    missing: str,
    unit: Unit = "share",
    calls: int | None = None,
) -> Gate:
    """Within the margin, beyond it, or not known yet; a margin is how much more is too much.

    Args:
        name: of the gate.
        estimate: of the difference.
        bounds: of it, at every look.
        margin: what it is held against.
        evidence: the window.
        detail: what was seen.
        missing: what would settle it; `more ...` where it is calls.
        unit: of the difference.
        calls: that are behind it, to be told how many more; None where it is not calls that are missing.
    """
    known = math.isfinite(bounds.low) and math.isfinite(bounds.high)
    status: Status = (
        "pass" if is_not_worse(bounds, margin) else "fail" if is_worse(bounds, margin) else "wait"
    )
    expected = None
    times = times_needed(estimate, reach=bounds.high - estimate.value, margin=margin)
    if status == "wait" and times is not None:
        expected = later(evidence, times)
        if calls is not None and expected is not None:
            missing = f"about {max(1, math.ceil(calls * (times - 1)))} {missing}"
    elif status == "wait" and known and estimate.value >= margin:
        missing = (
            f"find the cause: so far it is beyond its margin, and more only makes that certain ({missing})"
        )
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
        unit=unit,
    )


def at_this_pace(began: datetime, now: datetime, count: int, wanted: int) -> datetime | None:
    """When there will be as many as wanted."""
    if not count or now <= began:
        return None
    return _after(began, now, wanted / count)


def later(evidence: Evidence, times: float) -> datetime | None:
    """When there will be so many times the evidence."""
    first = min((call.started_at for call in evidence.calls), default=evidence.until)
    return _after(first, evidence.until, times)


def _after(began: datetime, now: datetime, times: float) -> datetime | None:
    """When so many times as long as until now are over; None where that is years away, as near a margin."""
    seconds = (now - began).total_seconds() * times
    return began + timedelta(seconds=seconds) if seconds < _YEARS.total_seconds() else None
