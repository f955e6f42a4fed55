"""Which shadowed utterances to label: by lot, the more probably the more the two recognisers differ."""

from collections.abc import Iterable

import numpy as np

from slukh.experiment.evidence import ShadowRow


def drawn(shadows: Iterable[ShadowRow], *, labels: int, seed: int) -> list[tuple[ShadowRow, float]]:
    """Utterances to label, with the probability each was drawn with.

    Each is drawn on its own, so about `labels` come out. A window is to be drawn once: who was in two draws
    had another probability than either says.

    Args:
        shadows: of a window; equal texts and incomplete ones are left out.
        labels: how many are wanted.
        seed: of the draw.
    """
    rows = [row for row in shadows if row.is_complete and row.differing_words]
    weights = np.array([row.differing_words for row in rows], np.float64)
    probability = np.zeros(len(rows))
    free = np.ones(len(rows), bool)
    while free.any():  # those that are certain leave their share to the others
        probability[free] = (labels - (~free).sum()) * weights[free] / weights[free].sum()
        certain = free & (probability >= 1)
        if not certain.any():
            break
        probability[certain] = 1.0
        free &= ~certain
    lots = np.random.default_rng(seed).random(len(rows))
    return [
        (row, round(float(p), 6))
        for row, p, lot in zip(rows, probability.clip(0, 1), lots, strict=True)
        if lot < p
    ]
