"""Errors of both recognisers on the same words: from shadowed utterances, and labels where the two differ.

Where both canonical texts are equal, so are the errors, whatever was said, and as many words were said as
both wrote. Where they differ, labels tell, drawn with known probabilities.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from slukh.experiment.evidence import ARMS, Evidence, LabelRow, ShadowRow
from slukh.experiment.gates import Gate, Margins, decided, drawn_calls, settled_labels
from slukh.experiment.statistics.estimates import Estimate
from slukh.experiment.statistics.labelled import Shadowed, labelled_difference
from slukh.experiment.statistics.planning import POWER, labels_needed
from slukh.experiment.statistics.sequential import Bounds, confidence_sequence

_FAR_APART = 3.3  # standard errors: 1 in 1000


def paired_gates(evidence: Evidence, margins: Margins) -> list[Gate]:
    """Words and entities that Whisper gets wrong and Google does not."""
    pairs = _pairs(evidence)
    languages = sorted({call.language_code for call in drawn_calls(evidence)})
    return [
        _gate("word error rate", pairs, _word_errors, margins.wer, evidence, margins),
        *(
            _gate(
                f"word error rate in {code}",
                [pair for pair in pairs if pair.language_code == code],
                _word_errors,
                margins.wer_of_language,
                evidence,
                margins,
            )
            for code in languages
        ),
        _gate("entity errors", pairs, _entity_errors, margins.entity_errors, evidence, margins),
    ]


def direction_gate(evidence: Evidence, margins: Margins) -> Gate:
    """Whether the difference is the same whoever serves.

    Callers repeat what the one who serves has misheard, so what is said depends on who serves; when the
    errors do as well, one number for both directions is none. Labels of a few callers differ by who they are,
    however many they are, so each direction needs as many callers as a difference does.
    """
    pairs = _pairs(evidence)
    served = {arm: [pair for pair in pairs if pair.row.live == arm] for arm in ARMS}
    callers = {arm: _labelled_callers(members) for arm, members in served.items()}
    if few := [arm for arm in ARMS if callers[arm] < margins.labelled_callers]:
        return Gate(
            name="same in both directions",
            kind="enough",
            status="wait",
            detail=", ".join(f"{arm} serves: labels as if of {callers[arm]:.0f} callers" for arm in ARMS),
            missing=" and ".join(
                f"labels of {margins.labelled_callers} callers and more whom {arm} served" for arm in few
            )
            + " (`slukh ab label`)",
        )
    estimates = {arm: _estimate(members, _word_errors) for arm, members in served.items()}
    apart = estimates["whisper"] - estimates["google"]
    distance = abs(apart.value) / apart.standard_error if apart.standard_error else 0.0
    is_same = distance < _FAR_APART
    return Gate(
        name="same in both directions",
        kind="validity",
        status="pass" if is_same else "fail",
        detail=", ".join(f"{arm} serves: {found.value:+.3f}" for arm, found in estimates.items()),
        missing="" if is_same else "look at both directions apart: the dialogue follows who serves",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """A shadowed utterance, its cluster and language, and its label where there is one."""

    row: ShadowRow
    label: LabelRow | None
    cluster: str
    language_code: str


def _pairs(evidence: Evidence) -> list[_Pair]:
    calls = {call.call_id: call for call in drawn_calls(evidence)}  # not of those on a list, such as staff
    labels = {(label.call_id, label.utterance_id): label for label in settled_labels(evidence.labels)}
    return [
        _Pair(
            row=row,
            label=labels.get((row.call_id, row.utterance_id)),
            cluster=calls[row.call_id].cluster,
            language_code=calls[row.call_id].language_code,
        )
        for row in evidence.shadows
        if row.is_complete and row.call_id in calls
    ]


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


def _estimate(pairs: Sequence[_Pair], count: Callable[[ShadowRow, LabelRow | None], _Counts]) -> Estimate:
    """The difference of the rates (F8); nothing is known without two labels."""
    if sum(pair.label is not None for pair in pairs) < 2:  # noqa: PLR2004  # one has no spread
        return Estimate(value=math.nan, standard_error=math.inf, clusters=0)
    counts = [count(pair.row, pair.label) for pair in pairs]
    is_equal = [pair.row.differing_words == 0 for pair in pairs]
    labelled = _labelled_share(pairs)
    return labelled_difference(
        Shadowed(
            calls=[pair.cluster for pair in pairs],
            difference=np.array([c.difference for c in counts]),
            words=np.array(
                [c.length if p.label is None else c.said for c, p in zip(counts, pairs, strict=True)]
            ),
            proxy=np.zeros(len(pairs)),
            length=np.array([c.length for c in counts]),
            # All that are equal are known, labelled or not: none of them stands for others.
            probability=np.array(
                [
                    1.0 if pair.label is None or equal else pair.label.probability * labelled
                    for pair, equal in zip(pairs, is_equal, strict=True)
                ]
            ),
            is_labelled=np.array(
                [equal or pair.label is not None for pair, equal in zip(pairs, is_equal, strict=True)], bool
            ),
        )
    )


def _with_one_label_more(
    estimate: Estimate, pairs: Sequence[_Pair], count: Callable[[ShadowRow, LabelRow | None], _Counts]
) -> Estimate:
    """What bounds are made of: as if the next label spoke against Whisper by one.

    A few labels that happen to find no difference have no spread, and would count as certain.
    """
    length = sum(count(pair.row, None).length for pair in pairs)
    drawn = [pair.label.probability for pair in pairs if pair.label and pair.row.differing_words]
    if not drawn or not length:
        return replace(estimate, standard_error=math.inf)
    one = sum(1 / probability for probability in drawn) / len(drawn) / _labelled_share(pairs) / length
    return replace(
        estimate,
        value=estimate.value + one,
        standard_error=math.hypot(estimate.standard_error, one),
    )


def _labelled_callers(pairs: Sequence[_Pair]) -> float:
    """Of how many callers the labels are, as if each had as many of them.

    Bounds by caller are of large numbers of callers: with all labels of one they would be as narrow as that
    one's errors are few. Source: Kish, "Survey Sampling" (1965), the effective sample size.
    """
    labels = Counter(pair.cluster for pair in pairs if pair.label and pair.row.differing_words)
    return labels.total() ** 2 / sum(count**2 for count in labels.values()) if labels else 0.0


def _labelled_share(pairs: Sequence[_Pair]) -> float:
    """How much of what was drawn is labelled so far, by the words that differ, which are known of all.

    Without it what is drawn and not labelled yet would count as no difference.
    """
    known = sum(pair.row.differing_words for pair in pairs)
    stood_for = sum(
        pair.row.differing_words / pair.label.probability for pair in pairs if pair.label is not None
    )
    return stood_for / known if stood_for else 1.0


def _gate(  # noqa: PLR0917  # a gate is what it is made of
    name: str,
    pairs: Sequence[_Pair],
    count: Callable[[ShadowRow, LabelRow | None], _Counts],
    margin: float,
    evidence: Evidence,
    margins: Margins,
) -> Gate:
    estimate = _estimate(pairs, count)
    calls = len({pair.row.call_id for pair in pairs})
    callers = _labelled_callers(pairs)
    careful = _with_one_label_more(estimate, pairs, count)
    if callers < margins.labelled_callers:  # what they have in common is no spread
        careful = replace(careful, standard_error=math.inf)
    bounds = confidence_sequence(careful, observations=calls, planned=margins.planned_shadowed)
    labelled = sum(pair.label is not None for pair in pairs)
    of_few = f", as if of {callers:.0f} callers" if labelled and callers < margins.labelled_callers else ""
    waiting = [pair.row for pair in pairs if pair.label is None and pair.row.differing_words]
    missing = "shadowed calls (FF_SHADOW_PERCENT), then labels"
    if of_few:
        missing = f"labels of {margins.labelled_callers} callers and more (`slukh ab label`)"
    elif pairs:
        centred = replace(careful, value=estimate.value)
        missing = _missing_labels(centred, bounds, margin, labelled, waiting)
    return decided(
        name, estimate, bounds, margin, evidence, missing=missing,
        detail=f"{labelled} labels on {len(pairs)} shadowed utterances{of_few}",
    )  # fmt: skip


def _missing_labels(
    estimate: Estimate, bounds: Bounds, margin: float, labelled: int, waiting: Sequence[ShadowRow]
) -> str:
    """What labels would settle a difference, and how much listening they are."""
    if not labelled or not math.isfinite(estimate.standard_error) or not estimate.standard_error:
        return "labels of shadowed utterances in which the two differ (`slukh ab label`)"
    plan = labels_needed(
        estimate,
        labels=labelled,
        margin=margin,
        reach=bounds.high - estimate.value,
        seconds_per_label=sum(row.audio_ms for row in waiting) / 1000 / max(1, len(waiting)),
    )
    if plan is None:
        return "the difference is at the margin itself: more shadowed calls and labels may part them"
    if plan.labels > len(waiting):
        return f"{plan.labels} labels more, of {len(waiting)} that differ: more shadowed calls first"
    minutes = max(1, round(plan.audio_seconds / 60))
    return f"{plan.labels} labels more, about {minutes} minutes of audio, to decide with {POWER:.0%}"
