"""Whether labels are to be trusted: who gave them, how sure people were, whether the lot asked for them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from slukh.experiment.answered import answered, window_of
from slukh.experiment.evidence import Evidence, LabelRow, ShadowRow
from slukh.experiment.gates import ADJUDICATED, Gate, Margins, validity_gate

_A_WEEK = timedelta(days=7)
_NAMED = 3  # of what is missing


def label_gates(evidence: Evidence, margins: Margins) -> list[Gate]:
    """Validity gates of labels; those of which there are too few wait, and never keep a ROLL BACK back."""
    return [
        _labellers(evidence.labels),
        _understood(evidence.labels, margins),
        *_draws(evidence, margins),
        _labelled_weeks(evidence, margins),
    ]


def _labellers(labels: Iterable[LabelRow]) -> Gate:
    by_utterance: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for label in labels:
        by_utterance[label.call_id, label.utterance_id][label.labeller] = label.reference
    twice = [who for who in by_utterance.values() if len(who) > 1]
    open_ = sum(len(set(who.values())) > 1 and ADJUDICATED not in who for who in twice)
    return validity_gate(
        "labellers agree", not open_, f"{open_} of {len(twice)} doubly labelled utterances differ",
        f"settle them with a label by {ADJUDICATED!r}", seen=twice,
    )  # fmt: skip


def _understood(labels: Sequence[LabelRow], margins: Margins) -> Gate:
    """What nobody can tell is left out of both sides, so the rest must be most of it."""
    unclear = sum(label.is_unclear for label in labels)
    return validity_gate(
        "labels clear", unclear <= margins.unclear_labels * len(labels),
        f"{unclear} of {len(labels)} labels leave something out that nobody could tell",
        "what people cannot understand is not measured: look for the lines it comes from", seen=labels,
    )  # fmt: skip


def _labelled_weeks(evidence: Evidence, margins: Margins) -> Gate:
    """Labels stand for all that was shadowed, so they are of all its weeks; one under way may lack."""
    ended = {row.key: at for row, at in _contested(evidence)}
    labelled = ended.keys() & {label.key for label in answered(evidence).counted}
    first, weeks = _full_weeks(list(ended.values()), evidence)

    def by_week(utterances: Iterable[tuple[str, int]]) -> Counter[int]:
        return Counter((ended[key] - first) // _A_WEEK for key in utterances)

    there, done = by_week(ended), by_week(labelled)
    lacking = [week for week in weeks if done[week] < min(margins.labels_a_week, there[week])]
    begins = ", ".join(f"{first + week * _A_WEEK:%Y-%m-%d}" for week in lacking)
    return validity_gate(
        "labels of all weeks", not lacking, f"{len(weeks) - len(lacking)} of {len(weeks)} full weeks",
        f"labels of the weeks from {begins}: {margins.labels_a_week} of each (`slukh ab label`)",
        kind="enough", seen=weeks,
    )  # fmt: skip


def _draws(evidence: Evidence, margins: Margins) -> list[Gate]:
    """Whether labels are those that the lot asked for, and the lot was everything's."""
    found = answered(evidence)
    lost, reached = len(found.missing), len(found.reached)
    named = ", ".join(f"{row.call_id}/{row.utterance_id}" for row in found.missing[:_NAMED])
    more = f" and {lost - _NAMED} more" if lost > _NAMED else ""
    contested = _contested(evidence)
    first, weeks = _full_weeks([ended for _, ended in contested], evidence)
    of_full_weeks = [each for each in contested if each[1] < first + len(weeks) * _A_WEEK]
    drawn, windows = {row.key for row in evidence.draws}, {row.window for row in evidence.draws}
    without = sum(row.key not in drawn and window_of(ended, windows) is None for row, ended in of_full_weeks)
    return [
        validity_gate(
            "labels drawn", not found.strangers,
            f"{len(found.strangers)} of {len(evidence.labels)} labels are of no draw that is kept",
            "`slukh ab draw` with the window and seed they were drawn with, and as many --labels; till then "
            "they are no evidence",
            kind="enough", seen=evidence.labels,
        ),
        validity_gate(
            "labels in order", lost <= margins.unanswered_labels * reached,
            f"{lost} of the first {reached} drawn utterances without an answer"
            + (f", each counted as the worst it can be: {named}{more}" if lost else ""),
            "answer them (`slukh ab label`; in a file `null` is the reference of what nobody can tell)",
            kind="enough", seen=found.reached,
        ),
        validity_gate(
            "all drawn from", without <= margins.unanswered_labels * len(of_full_weeks),
            f"{without} of {len(of_full_weeks)} utterances that differ, in full weeks, were in no draw",
            "draw the rest of the window as well (`slukh ab draw`): who chooses when to look, chooses",
            kind="enough", seen=of_full_weeks,
        ),
    ]  # fmt: skip


def _contested(evidence: Evidence) -> list[tuple[ShadowRow, datetime]]:
    """Utterances that can be labelled, with the end of their call."""
    ended = {call.call_id: call.ended_at for call in evidence.calls}
    return [
        (row, ended[row.call_id]) for row in evidence.shadows if row.is_contested and row.call_id in ended
    ]


def _full_weeks(moments: Sequence[datetime], evidence: Evidence) -> tuple[datetime, range]:
    """When the first week begins, and the numbers of those that are over."""
    first = min(moments, default=evidence.since)
    return first, range((max(moments, default=first) - first) // _A_WEEK)
