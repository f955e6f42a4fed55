"""What sentences have in common that differ in a number, a month or a size only: their shape. Pure.

    Ваше замовлення 4512 готове.          Ваше замовлення {n} готове.
    Ціна 3 200 грн до 5 березня.          Ціна {n} грн до {n} {month}.

A sentence of a known shape is spoken as its head, which is kept, and the rest, made anew with whatever fills
the holes. There is one join, in front of the first hole: behind it a voice lets the sentence fall as it
should, and before it nothing hangs on the number. A question or an exclamation is one melody from its first
word to its last, and is not taken apart; nor is a head of a word or two, which a join would cost more than
it saves.
"""

# ruff: noqa: SIM905  # Cyrillic letters that look Latin are meant; lists of words as words

import re
from typing import Final

LEAST_HEAD_WORDS: Final = 2
LEAST_HEAD_CHARACTERS: Final = 10

_MONTHS: Final = frozenset(
    "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня "
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря".split()
)
_SIZES: Final = frozenset("XS S M L XL XXL XXXL".split())
_HOLE: Final = re.compile(r"\{[a-z_]+\}")
_TOKEN: Final = re.compile(r"([\"«(]*)(.*?)([\"»),.;:!?…]*)", re.DOTALL)


def shape_of(sentence: str) -> str | None:
    """A sentence with holes for what varies; None when nothing of it does, or it has holes of its own."""
    if "{" in sentence:
        return None
    shape: list[str] = []
    for token in sentence.split():
        found = _TOKEN.fullmatch(token)
        assert found is not None  # every part of it may be empty
        before, word, after = found.groups()
        hole = _hole_for(word)
        if hole and not before and shape and shape[-1] == hole:
            shape.pop()  # "3 200" is one number
        shape.append(f"{before}{hole or word}{after}")
    made = " ".join(shape)
    return made if _HOLE.search(made) else None


def _hole_for(word: str) -> str:
    if any(c.isdigit() for c in word):
        return "{n}"
    if word.casefold() in _MONTHS:
        return "{month}"
    return "{size}" if word in _SIZES else ""


def head_of(shape: str) -> str | None:
    """What stands before the first hole, where the sentence may be taken apart there; else None."""
    head, hole, _ = shape.partition("{")
    head = head.strip().rstrip('"«(').strip()
    if not hole or shape.rstrip('"»)')[-1:] in {"?", "!"}:
        return None
    is_long = len(head) >= LEAST_HEAD_CHARACTERS and len(head.split()) >= LEAST_HEAD_WORDS
    return head if is_long else None


def shape_with_head(sentence: str) -> str | None:
    """The shape of a sentence that may be taken apart; None for any other."""
    shape = shape_of(sentence)
    return None if shape is None or head_of(shape) is None else shape
