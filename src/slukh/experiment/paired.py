"""The gates of errors of both recognisers on the same words, from shadowed utterances and labels."""

import math
from collections.abc import Sequence
from dataclasses import replace

from slukh.experiment.evidence import ARMS, Evidence, ShadowRow
from slukh.experiment.gates import Gate, Margins, decided, drawn_calls
from slukh.experiment.pairing import (
    Against,
    Count,
    Pair,
    difference,
    entity_errors,
    labelled_callers,
    paired,
    with_one_label_more,
    word_errors,
)
from slukh.experiment.statistics.estimates import Estimate
from slukh.experiment.statistics.planning import POWER, labels_needed
from slukh.experiment.statistics.sequential import Bounds, confidence_sequence
from slukh.experiment.units import plain

_FAR_APART = 3.3  # standard errors: 1 in 1000


def paired_gates(evidence: Evidence, margins: Margins) -> list[Gate]:
    """Words and entities that Whisper gets wrong and Google does not."""
    pairs = paired(evidence)
    languages = sorted({call.language_code for call in drawn_calls(evidence)})
    return [
        _gate("word error rate", pairs, word_errors, margins.wer, evidence, margins),
        *(
            _gate(
                f"word error rate in {code}",
                [pair for pair in pairs if pair.language_code == code],
                word_errors,
                margins.wer_of_language,
                evidence,
                margins,
            )
            for code in languages
        ),
        _gate("entity errors", pairs, entity_errors, margins.entity_errors, evidence, margins),
    ]


def direction_gate(evidence: Evidence, margins: Margins) -> Gate:
    """Whether the difference is the same whoever serves.

    Callers repeat what the one who serves has misheard, so what is said depends on who serves; when the
    errors do as well, one number for both directions is none. Labels of a few callers differ by who they are,
    however many they are, so each direction needs as many callers as a difference does.
    """
    pairs = paired(evidence)
    served = {arm: [pair for pair in pairs if pair.row.live == arm] for arm in ARMS}
    callers = {arm: labelled_callers(members) for arm, members in served.items()}
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
    estimates = {arm: difference(members, word_errors) for arm, members in served.items()}
    apart = estimates["whisper"] - estimates["google"]
    distance = abs(apart.value) / apart.standard_error if apart.standard_error else 0.0
    is_same = distance < _FAR_APART
    return Gate(
        name="same in both directions",
        kind="validity",
        status="pass" if is_same else "fail",
        detail=", ".join(
            f"{arm} serves: {plain(found.value, 'share')} pp" for arm, found in estimates.items()
        ),
        missing="" if is_same else "look at both directions apart: the dialogue follows who serves",
    )


def _gate(  # noqa: PLR0917  # a gate is what it is made of
    name: str,
    pairs: Sequence[Pair],
    count: Count,
    margin: float,
    evidence: Evidence,
    margins: Margins,
) -> Gate:
    estimate = difference(pairs, count)
    calls = len({pair.row.call_id for pair in pairs})
    callers = labelled_callers(pairs)

    def careful(missing: Against) -> Estimate:
        found = difference(pairs, count, missing=missing)
        found = with_one_label_more(found, pairs, count)
        is_of_few = callers < margins.labelled_callers  # what they have in common is no spread
        return replace(found, standard_error=math.inf) if is_of_few else found

    def bounded(found: Estimate) -> Bounds:
        return confidence_sequence(found, observations=calls, planned=margins.planned_shadowed)

    worst = careful(1)
    bounds = bounded(worst)
    if any(pair.missing is not None for pair in pairs):  # it must not take any back either
        bounds = replace(bounds, low=bounded(careful(-1)).low)
    labelled = sum(pair.label is not None for pair in pairs)
    of_few = f", as if of {callers:.0f} callers" if labelled and callers < margins.labelled_callers else ""
    waiting = [pair.row for pair in pairs if pair.label is None and pair.row.differing_words]
    missing = "shadowed calls (FF_SHADOW_PERCENT), then labels"
    if of_few:
        missing = f"labels of {margins.labelled_callers} callers and more (`slukh ab label`)"
    elif pairs:
        centred = replace(worst, value=estimate.value)
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
