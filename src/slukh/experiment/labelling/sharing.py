"""Who labels what of a draw: everyone a part, a tenth everybody, and one settles where others disagree."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from slukh.errors import ExperimentError
from slukh.experiment.drawing import drawn, lot
from slukh.experiment.evidence import DrawRow, LabelRow, ShadowRow
from slukh.experiment.gates import ADJUDICATED

_LABELLED_BY_ALL = 0.1
Key = tuple[str, int]
Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What is to be labelled of a window, by whomever.

    Attributes:
        utterances: with the probability each was drawn with, in the order to label them.
        by_utterance: labels of them, by labeller.
        restated: those of a smaller draw of the window, with the probability of this one.
        rows: to be kept, so that labels made elsewhere can be held against it; in the same order.
    """

    utterances: tuple[tuple[ShadowRow, float], ...]
    by_utterance: Mapping[Key, Mapping[str, LabelRow]]
    restated: tuple[LabelRow, ...]
    rows: tuple[DrawRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one person labels of a draw.

    Attributes:
        waiting: utterances to label, with the probability each was drawn with, in the order to label them.
        done: utterances the person has labelled.
    """

    waiting: tuple[tuple[ShadowRow, float], ...]
    done: tuple[ShadowRow, ...]


def draw(
    shadows: Iterable[ShadowRow],
    labels: Iterable[LabelRow],
    languages: Mapping[str, str],
    *,
    window: Window,
    wanted: int,
    seed: int,
    before: Iterable[DrawRow] = (),
) -> Draw:
    """Draw a window, or draw it again with as many utterances or more.

    Args:
        shadows: of the window.
        labels: of the same window.
        languages: of its calls, BCP-47 by call.
        window: its begin and its end.
        wanted: how many utterances the draw is to have, about.
        seed: of the draw.
        before: what was drawn of it before.

    Raises:
        ExperimentError: there are labels that this draw has not drawn, or it was drawn with another seed: who
            may choose among draws chooses the labels.
    """
    shadows = tuple(shadows)
    if others := sorted({row.seed for row in before} - {seed}):
        raise ExperimentError(
            f"calls of this window were drawn with the seed {others[0]}, not {seed}",
            remedy=f"draw with --seed {others[0]}, or a window without those calls",
        )
    found = drawn(shadows, labels=wanted, seed=seed)
    probability = {row.key: p for row, p in found}
    contested = {row.key for row in shadows if row.is_contested}
    by_utterance: dict[Key, dict[str, LabelRow]] = defaultdict(dict)
    for label in labels:
        if label.key in contested:
            by_utterance[label.key][label.labeller] = label
    if strangers := by_utterance.keys() - probability.keys():
        raise ExperimentError(
            f"{len(strangers)} utterances of this window are labelled and are not in this draw",
            remedy="draw with the --seed of the first draw, and as many --labels at least",
        )
    return Draw(
        utterances=tuple(found),
        by_utterance=by_utterance,
        restated=tuple(
            replace(label, probability=probability[key])
            for key, labels_of_it in by_utterance.items()
            for label in labels_of_it.values()
            if label.probability != probability[key]
        ),
        rows=tuple(
            DrawRow(
                call_id=row.call_id,
                utterance_id=row.utterance_id,
                language_code=languages[row.call_id],
                probability=p,
                position=position,
                seed=seed,
                since=window[0],
                until=window[1],
            )
            for position, (row, p) in enumerate(found, start=1)
        ),
    )


def share(of: Draw, *, seed: int, labeller: str) -> Share:
    """What somebody labels: what nobody has labelled yet, and of the rest a tenth, to see who agrees.

    Args:
        of: what is shared.
        seed: of the draw.
        labeller: who; `adjudicated` gets what two others disagree on, and only that.
    """
    return Share(
        waiting=tuple(
            (row, p)
            for row, p in of.utterances
            if _is_theirs(row, of.by_utterance.get(row.key, {}), labeller, seed)
        ),
        done=tuple(row for row, _ in of.utterances if labeller in of.by_utterance.get(row.key, {})),
    )


def _is_theirs(row: ShadowRow, labels: Mapping[str, LabelRow], labeller: str, seed: int) -> bool:
    """Whether a person is to label it now."""
    if labeller in labels:
        return False
    if labeller == ADJUDICATED:
        return len({label.reference for label in labels.values()}) > 1
    return not labels or lot(seed, "all", row.call_id, row.utterance_id) < _LABELLED_BY_ALL
