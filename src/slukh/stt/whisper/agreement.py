"""Local agreement: words that two successive hypotheses share are stable, and are never taken back.

Each interim decode reads the whole utterance anew and may change its mind anywhere. What two in a row agree
on is committed, word for word as it was then written; a later hypothesis only says what comes after it.
Source: Machacek et al., "Turning Whisper into Real-Time Transcription System", arXiv 2307.14743, section 3.
"""

from collections.abc import Sequence


class LocalAgreement:
    """The interims of one utterance."""

    def __init__(self) -> None:
        self._committed: list[str] = []
        self._tail: list[str] = []

    def update(self, hypothesis: str) -> tuple[str, int]:
        """Take the next hypothesis of the whole utterance.

        Returns:
            The text to show, and how many of its first characters no later update will change. That number
            never shrinks.
        """
        words = hypothesis.split()
        tail = words[_boundary(self._committed, words) :]
        agreed = _common_prefix(self._tail, tail)
        self._committed += tail[:agreed]
        self._tail = tail[agreed:]
        return " ".join(self._committed + self._tail), len(" ".join(self._committed))


def _key(word: str) -> str:
    """A word as it is compared: commas and capitals move between hypotheses, and mean nothing."""
    return "".join(c for c in word.casefold() if c.isalnum()) or word


def _common_prefix(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if _key(mine) != _key(theirs):
            break
        count += 1
    return count


def _boundary(committed: Sequence[str], words: Sequence[str]) -> int:
    """How many of a hypothesis' first words retell the committed ones.

    Usually as many as are committed. When the hypothesis changed its mind about one of those (split a word in
    two, dropped one), the number whose word edit distance to the committed words is least, so that the tail
    neither repeats nor loses a word. Of equals, one that ends in the last committed word, then the nearest
    to as many.
    """
    distances = list(range(len(words) + 1))  # from no committed word to words[:j]
    for row, word in enumerate(committed, start=1):
        diagonal, distances[0] = distances[0], row
        for column, candidate in enumerate(words, start=1):
            replaced = diagonal + (_key(word) != _key(candidate))
            diagonal = distances[column]
            distances[column] = min(replaced, diagonal + 1, distances[column - 1] + 1)

    def preference(count: int) -> tuple[int, bool, int]:
        ends_alike = bool(committed and count) and _key(words[count - 1]) == _key(committed[-1])
        return distances[count], not ends_alike, abs(count - len(committed))

    return min(range(len(words) + 1), key=preference)
