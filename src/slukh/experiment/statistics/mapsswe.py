"""NIST's matched-pair sentence-segment word error test (F4), a second opinion beside the paired difference.

Segments of two systems' errors, kept apart by words that both got right, count as independent. Inside a call
they are not quite, and the normal approximation holds for many segments only: it never decides alone.

Source: Gillick & Cox, "Some statistical issues in the comparison of speech recognition algorithms", 1989.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from rapidfuzz.distance import Levenshtein

MIN_SEGMENTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTest:
    """What the test found.

    Attributes:
        segments: with an error of either system.
        mean: errors of the first less errors of the second, per segment.
        deviation: its standard deviation.
        z: how many standard errors from none; 0 when nothing can be said.
        p: two-sided; 1 when nothing can be said.
    """

    segments: int
    mean: float
    deviation: float
    z: float
    p: float

    @property
    def is_enough(self) -> bool:
        """Whether there are segments enough for the normal approximation."""
        return self.segments >= MIN_SEGMENTS


def segment_test(
    utterances: Iterable[tuple[Sequence[str], Sequence[str], Sequence[str]]], *, min_good: int = 2
) -> SegmentTest:
    """Compare two systems.

    Args:
        utterances: words of reference, first and second hypothesis.
        min_good: words that both must get right between two segments.
    """
    differences = [
        first - second
        for reference, one, other in utterances
        for first, second in segments(reference, one, other, min_good=min_good)
    ]
    count = len(differences)
    mean = sum(differences) / count if count else 0.0
    deviation = math.sqrt(sum((d - mean) ** 2 for d in differences) / (count - 1)) if count > 1 else 0.0
    z = mean / (deviation / math.sqrt(count)) if deviation else 0.0
    return SegmentTest(
        segments=count, mean=mean, deviation=deviation, z=z, p=2 * (1 - NormalDist().cdf(abs(z)))
    )


def segments(
    reference: Sequence[str], first: Sequence[str], second: Sequence[str], *, min_good: int
) -> list[tuple[int, int]]:
    """Errors of both systems, segment by segment of one utterance."""
    one, other = _errors_by_place(reference, first), _errors_by_place(reference, second)
    found: list[tuple[int, int]] = []
    errors, good, is_open = (0, 0), 0, False
    for place, here in enumerate(zip(one, other, strict=True)):
        if any(here):
            errors, good, is_open = (errors[0] + here[0], errors[1] + here[1]), 0, True
        elif is_open and place % 2:  # a word that both have right; even places are gaps between words
            good += 1
            if good == min_good:
                found.append(errors)
                errors, is_open = (0, 0), False
    return [*found, errors] if is_open else found


def _errors_by_place(reference: Sequence[str], hypothesis: Sequence[str]) -> list[int]:
    """Errors at every place of the reference: gap, word, gap, ..., word, gap."""
    places = [0] * (2 * len(reference) + 1)
    for edit in Levenshtein.editops(reference, hypothesis):
        places[2 * edit.src_pos + (edit.tag != "insert")] += 1
    return places
