"""Shadowed utterances with their labels, and what those say of the difference between the two recognisers.

Where both canonical texts are equal, so are the errors, whatever was said, and as many words were said as
both wrote. Where they differ, labels tell, drawn with known probabilities.

What was drawn and left unanswered is known all the same within limits: nobody can make more errors than the
other by more words than the two texts differ in (the edit distance is a metric).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import numpy as np

from slukh.experiment.answered import Window, answered, window_of
from slukh.experiment.evidence import Evidence, LabelRow, ShadowRow
from slukh.experiment.gates import drawn_calls, settled_labels
from slukh.experiment.statistics.estimates import Estimate
from slukh.experiment.statistics.labelled import Shadowed, labelled_difference

Against = Literal[-1, 0, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A shadowed utterance, and its label where there is one.

    Attributes:
        row: the utterance.
        label: what a person says of it.
        cluster: what is independent of others.
        language_code: BCP-47, of the call.
        ended_at: of the call.
        window: of the draw in which it had its lot, or None.
        missing: with which probability it was drawn, where it is missing among the answers; else None.
    """

    row: ShadowRow
    label: LabelRow | None
    cluster: str
    language_code: str
    ended_at: datetime
    window: Window | None
    missing: float | None = None


def paired(evidence: Evidence) -> list[Pair]:
    """The utterances of calls that were drawn by lot; not of those on a list, such as staff."""
    calls = {call.call_id: call for call in drawn_calls(evidence)}
    found = answered(evidence)
    labels = {label.key: label for label in settled_labels(found.counted)}
    missing = {row.key: row.probability for row in found.missing}
    drawn = {row.key: row.window for row in evidence.draws}
    windows = set(drawn.values())
    return [
        Pair(
            row=row,
            label=labels.get(row.key),
            cluster=call.cluster,
            language_code=call.language_code,
            ended_at=call.ended_at,
            window=drawn.get(row.key) or window_of(call.ended_at, windows),
            missing=missing.get(row.key),
        )
        for row in evidence.shadows
        if row.is_complete and (call := calls.get(row.call_id)) is not None
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Of one utterance, what is compared.

    Attributes:
        length: of both hypotheses, in the mean.
        most: by how much the two can differ in errors.
        difference: in errors, where it is labelled.
        said: of the reference, likewise.
    """

    length: float
    most: float
    difference: float = 0.0
    said: float = 0.0


Count = Callable[[ShadowRow, LabelRow | None], Counts]


def word_errors(row: ShadowRow, label: LabelRow | None) -> Counts:
    """Words of Whisper's that are wrong, less those of Google's."""
    length, most = (row.live_words + row.shadow_words) / 2, row.differing_words
    if label is None:
        return Counts(length=length, most=most)
    difference = label.whisper_errors - label.google_errors
    return Counts(length=length, most=most, difference=difference, said=label.words)


def entity_errors(row: ShadowRow, label: LabelRow | None) -> Counts:
    """Entities that Whisper missed or invented, less those of Google's."""
    both = row.live_entities + row.shadow_entities
    if label is None:
        return Counts(length=both / 2, most=both)
    difference = label.whisper_entity_errors - label.google_entity_errors
    return Counts(length=both / 2, most=both, difference=difference, said=label.entities)


def difference(pairs: Sequence[Pair], count: Count, *, missing: Against = 0) -> Estimate:
    """The difference of the rates (F8); nothing is known without two labels.

    Args:
        pairs: utterances.
        count: what is compared.
        missing: what is taken for what was left out: 0, that it is like the rest; 1, the worst for Whisper
            that it can be; -1, the best.
    """
    if sum(pair.label is not None for pair in pairs) < 2:  # noqa: PLR2004  # one has no spread
        return Estimate(value=math.nan, standard_error=math.inf, clusters=0)
    weights = _Weights(pairs)
    columns = [_column(pair, count(pair.row, pair.label), weights, missing) for pair in pairs]
    return labelled_difference(
        Shadowed(
            calls=[pair.cluster for pair in pairs],
            difference=np.array([each.difference for each in columns]),
            words=np.array([each.words for each in columns]),
            proxy=np.zeros(len(pairs)),
            length=np.array([each.length for each in columns]),
            probability=np.array([each.probability for each in columns]),
            is_labelled=np.array([each.is_known for each in columns], bool),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    difference: float
    words: float
    length: float
    probability: float
    is_known: bool


def _column(pair: Pair, counts: Counts, weights: "_Weights", missing: Against) -> _Column:
    """What F8 takes of an utterance."""
    known = _Column(
        difference=counts.difference, words=counts.length if pair.label is None else counts.said,
        length=counts.length, probability=1.0, is_known=True,
    )  # fmt: skip
    if not pair.row.is_contested:  # all that are equal are known, labelled or not: none stands for others
        return known
    if pair.label is not None:
        return replace(known, probability=weights.probability(pair, pair.label.probability, missing))
    if missing and pair.missing is not None:
        return replace(
            known, difference=missing * counts.most,
            probability=weights.probability(pair, pair.missing, missing),
        )  # fmt: skip
    return replace(known, is_known=False)


class _Weights:
    """With which probability what is answered came to be so.

    Of each draw as much as its answers stand for, by the words that differ, which are known of all. Without
    it what is drawn and not labelled yet would count as no difference, and a draw of which much is labelled
    for more than its share. What had its lot in no draw, or in one without an answer, others stand for.

    Args:
        pairs: that are compared.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        known: defaultdict[Window | None, float] = defaultdict(float)
        labelled: defaultdict[Window | None, float] = defaultdict(float)
        missing: defaultdict[Window | None, float] = defaultdict(float)
        for pair in pairs:
            known[pair.window] += pair.row.differing_words
            if pair.label is not None and pair.row.is_contested:
                labelled[pair.window] += pair.row.differing_words / pair.label.probability
            elif pair.missing is not None:
                missing[pair.window] += pair.row.differing_words / pair.missing
        there, everything = sum(known[window] for window in labelled), sum(known.values())
        self._shares: dict[bool, dict[Window | None, float]] = {
            with_missing: {
                window: (labelled[window] + with_missing * missing[window])
                / known[window]
                * there
                / everything
                for window in labelled
            }
            for with_missing in (False, True)
        }

    def probability(self, pair: Pair, drawn: float, missing: Against = 0) -> float:
        """Of an utterance that is answered, or taken to be, from the probability it was drawn with."""
        return drawn * self._shares[bool(missing)][pair.window]


def with_one_label_more(estimate: Estimate, pairs: Sequence[Pair], count: Count) -> Estimate:
    """What bounds are made of: as if the next label spoke against Whisper by one.

    A few labels that happen to find no difference have no spread, and would count as certain.
    """
    length, weights = sum(count(pair.row, None).length for pair in pairs), _Weights(pairs)
    stand_for = [
        1 / weights.probability(pair, pair.label.probability)
        for pair in pairs
        if pair.label and pair.row.is_contested
    ]
    if not stand_for or not length:
        return replace(estimate, standard_error=math.inf)
    one = sum(stand_for) / len(stand_for) / length
    return replace(
        estimate,
        value=estimate.value + one,
        standard_error=math.hypot(estimate.standard_error, one),
    )


def labelled_callers(pairs: Sequence[Pair]) -> float:
    """Of how many callers the labels are, as if each had as many of them.

    Bounds by caller are of large numbers of callers: with all labels of one they would be as narrow as that
    one's errors are few. Source: Kish, "Survey Sampling" (1965), the effective sample size.
    """
    labels = Counter(pair.cluster for pair in pairs if pair.label and pair.row.is_contested)
    return labels.total() ** 2 / sum(count**2 for count in labels.values()) if labels else 0.0
