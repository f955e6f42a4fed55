"""Word and character error rate: how many edits turn what was said into what was heard.

Errors are pooled, never averaged over utterances: `sum(per_utterance, WordErrors())` weighs each word alike,
so that a one-word "так" does not count as much as an address.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

# Engines and people each write their own apostrophe, to the ear it is one: right and left quotation mark,
# modifier letter, grave and acute accent, prime, fullwidth.
_APOSTROPHES = "\u2019\u2018\u02bc`\u00b4\u2032\uff07"
_UNIFIED = str.maketrans(dict.fromkeys(_APOSTROPHES, "'") | {"\N{CYRILLIC SMALL LETTER IO}": "\u0435"})
_STRESS_MARKS = re.compile("[\u0300\u0301]")
_QUOTING_APOSTROPHE = re.compile(r"(?<![^\W_])'|'(?![^\W_])")


@dataclass(frozen=True, slots=True, kw_only=True)
class WordErrors:
    """Edits between a reference and a hypothesis, in words.

    Attributes:
        substitutions: words heard as another.
        deletions: words of the reference that were not heard.
        insertions: words that nobody said.
        reference_words: words of the reference.
    """

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference_words: int = 0

    @property
    def errors(self) -> int:
        """All edits."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def wer(self) -> float | None:
        """Edits per word of the reference; above 1 when more was invented than said.

        None for an empty reference, where a rate means nothing: count `insertions` there.
        """
        return self.errors / self.reference_words if self.reference_words else None

    def __add__(self, other: "WordErrors") -> "WordErrors":
        """Both together, as if they were one text."""
        return WordErrors(
            substitutions=self.substitutions + other.substitutions,
            deletions=self.deletions + other.deletions,
            insertions=self.insertions + other.insertions,
            reference_words=self.reference_words + other.reference_words,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CharacterErrors:
    """Edits between a reference and a hypothesis, in characters, single spaces counted.

    Attributes:
        substitutions: characters heard as another.
        deletions: characters of the reference that are missing.
        insertions: characters too many.
        reference_characters: characters of the reference.
    """

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference_characters: int = 0

    @property
    def errors(self) -> int:
        """All edits."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def cer(self) -> float | None:
        """Edits per character of the reference, or None for an empty reference."""
        return self.errors / self.reference_characters if self.reference_characters else None

    def __add__(self, other: "CharacterErrors") -> "CharacterErrors":
        """Both together, as if they were one text."""
        return CharacterErrors(
            substitutions=self.substitutions + other.substitutions,
            deletions=self.deletions + other.deletions,
            insertions=self.insertions + other.insertions,
            reference_characters=self.reference_characters + other.reference_characters,
        )


def word_errors(reference: str, hypothesis: str) -> WordErrors:
    """Fewest word edits from a reference to a hypothesis.

    Args:
        reference: what was said; normalise both the same way first, as with `plain_text`.
        hypothesis: what was heard.
    """
    said, heard = reference.split(), hypothesis.split()
    substitutions, deletions, insertions = _edits(said, heard)
    return WordErrors(
        substitutions=substitutions, deletions=deletions, insertions=insertions, reference_words=len(said)
    )


def character_errors(reference: str, hypothesis: str) -> CharacterErrors:
    """Fewest character edits from a reference to a hypothesis; runs of white space are one space.

    Args:
        reference: what was said; normalise both the same way first, as with `plain_text`.
        hypothesis: what was heard.
    """
    said, heard = " ".join(reference.split()), " ".join(hypothesis.split())
    substitutions, deletions, insertions = _edits(said, heard)
    return CharacterErrors(
        substitutions=substitutions,
        deletions=deletions,
        insertions=insertions,
        reference_characters=len(said),
    )


def plain_text(text: str) -> str:
    """Text as the ear has it: no case, no punctuation, no stress marks; digits stay digits.

    "П`ять, будь ласка!" and "п'ять будь ласка" both become the latter. Russian yo is ye, hyphens part
    words, anything that is neither letter nor number is a space. It is its own fixed point.
    """
    decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
    # Only acute and grave: the breve of й and the dots of ї are letters, not stress.
    letters = unicodedata.normalize("NFC", _STRESS_MARKS.sub("", decomposed)).translate(_UNIFIED)
    spaced = "".join(c if c == "'" or unicodedata.category(c)[0] in "LMN" else " " for c in letters)
    return " ".join(_QUOTING_APOSTROPHE.sub(" ", spaced).split())


def _edits(reference: Sequence[str], hypothesis: Sequence[str]) -> tuple[int, int, int]:
    """Substitutions, deletions, insertions of one shortest way."""
    if reference == hypothesis:
        return 0, 0, 0
    deletions = insertions = errors = 0
    for edit in Levenshtein.editops(reference, hypothesis):
        errors += 1
        tag = edit.tag
        if tag == "delete":
            deletions += 1
        elif tag == "insert":
            insertions += 1
    return errors - deletions - insertions, deletions, insertions
