"""Which shadowed utterances to label: by lot, the more probably the more the two recognisers differ.

A recogniser that serves few calls gets more labels than its share of them, because whether the difference is
the same whoever serves (`paired.direction_gate`) takes labels of enough callers of both.

Everybody's lot is their own: what is forgotten changes nobody else's, and a larger draw of a window holds the
smaller one.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from slukh.experiment.evidence import ARMS, ShadowRow

# Of the labels, for whoever serves less. At a share of 10 % all labels together tell a fifth less by it.
_LEAST_OF_A_DIRECTION = 0.3


def drawn(shadows: Iterable[ShadowRow], *, labels: int, seed: int) -> list[tuple[ShadowRow, float]]:
    """Utterances to label, with the probability each was drawn with.

    Each is drawn on its own, so about `labels` come out, in the order in which to label them: whoever stops
    early has labelled a smaller draw. A window is to be drawn with one seed: who was in two draws had another
    probability than either says.

    Source: permanent random numbers and their order, Ohlsson, "Sequential Poisson sampling", Journal of
    Official Statistics 14 (1998).

    Args:
        shadows: of a window; equal texts and incomplete ones are left out.
        labels: how many are wanted.
        seed: of the draw.
    """
    rows = [row for row in shadows if row.is_contested]
    weights = _weights(rows)
    probability = np.zeros(len(rows))
    free = np.ones(len(rows), bool)
    while free.any():  # those that are certain leave their share to the others
        probability[free] = (labels - (~free).sum()) * weights[free] / weights[free].sum()
        certain = free & (probability >= 1)
        if not certain.any():
            break
        probability[certain] = 1.0
        free &= ~certain
    found = [
        (lot(seed, row.call_id, row.utterance_id) / p, row, round(float(p), 6))
        for row, p in zip(rows, probability.clip(0, 1), strict=True)
    ]
    return [(row, p) for turn, row, p in sorted(found, key=lambda each: each[0]) if turn < 1]


def _weights(rows: list[ShadowRow]) -> NDArray[np.float64]:
    """What the probabilities of rows are in proportion to; the same for a draw of any size."""
    weights = np.array([row.differing_words for row in rows], np.float64)
    for arm in ARMS:
        served = np.array([row.live == arm for row in rows], bool)
        own, others = weights[served].sum(), weights[~served].sum()
        if 0 < own < _LEAST_OF_A_DIRECTION * (own + others):
            weights[served] *= others / own * _LEAST_OF_A_DIRECTION / (1 - _LEAST_OF_A_DIRECTION)
    return weights


def lot(seed: int, *names: str | int) -> float:
    """The number from 0 to 1, without it, that a seed gives to a name."""
    digest = hashlib.sha256("\x1f".join(map(str, (seed, *names))).encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / (1 << 53)  # as many bits as a float has
