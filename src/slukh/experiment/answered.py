"""What of a draw is answered: who hands in only the labels that suit is found out.

A draw has an order, by lot, in which it is labelled. Whoever stops has labelled a smaller draw, so where
labels end says nothing against them. An utterance that has no answer before another one that has is missing:
somebody, or a lost recording, left it out after the lot had taken it.

    1 label   2 label   3 -        4 label   5 -   6 -
                        missing              not reached: no evidence, and none is missing

"Nobody can tell" is an answer. Labels of utterances that no kept draw holds are none: whoever chose them
knew what they would say.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from slukh.experiment.evidence import DrawRow, Evidence, LabelRow

Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What labels there are of the draws of a window.

    Attributes:
        counted: labels that are evidence; of texts that are equal as well, which need no draw.
        strangers: labels of utterances that were not drawn, as far as it is kept.
        reached: drawn utterances up to the last answered one of each draw.
        missing: those of them that have no label.
    """

    counted: tuple[LabelRow, ...]
    strangers: tuple[LabelRow, ...]
    reached: tuple[DrawRow, ...]
    missing: tuple[DrawRow, ...]


def answered(evidence: Evidence) -> Answered:
    """What labels a window has, held against its draws."""
    contested = {row.key for row in evidence.shadows if row.is_contested}
    drawn = {row.key for row in evidence.draws}
    labelled = {label.key for label in evidence.labels}
    strangers = labelled & contested - drawn
    last: defaultdict[Window, int] = defaultdict(int)
    for row in evidence.draws:
        if row.key in labelled:
            last[row.window] = max(last[row.window], row.position)
    reached = tuple(
        row for row in evidence.draws if row.key in contested and row.position <= last[row.window]
    )
    return Answered(
        counted=tuple(label for label in evidence.labels if label.key not in strangers),
        strangers=tuple(label for label in evidence.labels if label.key in strangers),
        reached=reached,
        missing=tuple(row for row in reached if row.key not in labelled),
    )


def window_of(ended_at: datetime, windows: Iterable[Window]) -> Window | None:
    """The draw in which an utterance that was not drawn had its lot, or None: the last of its moment.

    Args:
        ended_at: of its call.
        windows: of all draws.
    """
    return max(
        (each for each in windows if each[0] <= ended_at <= each[1]),
        key=lambda window: window[::-1],
        default=None,
    )
