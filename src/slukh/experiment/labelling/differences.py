"""Where two texts of one utterance differ: runs of words, each a question of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

# Less than this between two differences, a word like "на", is gone before an ear has parted them.
_PARTING_CHARACTERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Words of each of two texts that stand for each other; either may have none.

    Attributes:
        starts: the first of them, in each text.
        stops: after the last of them.
    """

    starts: tuple[int, int]
    stops: tuple[int, int]

    def words(self, texts: tuple[Sequence[str], Sequence[str]]) -> tuple[str, str]:
        """What each text has here."""
        one, other = (
            " ".join(text[start:stop])
            for text, start, stop in zip(texts, self.starts, self.stops, strict=True)
        )
        return one, other


def differences(one: Sequence[str], other: Sequence[str]) -> tuple[Difference, ...]:
    """All differences of two texts, in order; between two of them stand words that both have.

    Args:
        one: words in canonical text, so that only what counts as an error is asked.
        other: likewise.
    """
    found: list[Difference] = []
    for edit in Levenshtein.opcodes(one, other):
        if edit.tag == "equal":
            continue
        here = Difference(
            starts=(edit.src_start, edit.dest_start),
            stops=(edit.src_end, edit.dest_end),
        )
        if found and sum(map(len, one[found[-1].stops[0] : here.starts[0]])) < _PARTING_CHARACTERS:
            here = Difference(starts=found.pop().starts, stops=here.stops)
        found.append(here)
    return tuple(found)
