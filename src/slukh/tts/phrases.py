"""Text as it is spoken and kept: written as it is read out, cut into sentences, sentences into pieces.

A piece is what the phrase cache keeps. It is a sentence, unless a template takes it apart:

    template   Ваше замовлення {n} готове.
    sentence   Ваше замовлення 4512 готове.
    pieces     Ваше замовлення | 4512 | готове.

so that one changed number does not spoil the rest. All of this is pure.
"""

# ruff: noqa: RUF001  # Cyrillic letters that look Latin are meant

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from json import dumps

from slukh.tts.base import SpeechRequest, Voice
from slukh.tts.markup import without_markup
from slukh.tts.shapes import head_of, shape_of
from slukh.tts.units import words_of
from slukh.tts.verbalizing import verbalized

# Google refuses requests over 5,000 bytes; a sentence this long takes a minute to say.
LONGEST_SENTENCE = 400
# A dialogue that goes on and on is cut: ten sentences of this are a minute and a half.
LONGEST_REPLY = 1500

_SPACE_BEFORE = re.compile(r" (?=[,.;:!?…])")
# A sentence ends at its mark; a dot inside a number or before a small letter is none.
_END = re.compile(r"(?<=[.!?…])[\"»)]*\s+(?=[^\sа-яіїєґa-z])|\n+")
_BREATH = re.compile(r"(?<=[,;:\u2013\u2014])\s+")
_HOLE = re.compile(r"\{[a-z_]+\}")


def speakable(text: str, language_code: str) -> str:
    """Text as a voice is given it; empty when nothing is left to say.

    Without markup, links, emoji and control characters, and with its numbers, units and signs as they are
    read out in that language (`verbalizing.py`).
    """
    words = words_of(language_code)
    text = without_markup(text)
    lines = (" ".join(line.split()) for line in (verbalized(text, words) if words else text).splitlines())
    cleaned = "\n".join(_SPACE_BEFORE.sub("", line) for line in lines if any(c.isalnum() for c in line))
    return cleaned[:LONGEST_REPLY]


def sentences(text: str) -> list[str]:
    """The sentences of a speakable text, none longer than `LONGEST_SENTENCE`."""
    found = (piece.strip() for piece in _END.split(text))
    return [short for sentence in found if sentence for short in _shortened(sentence)]


def _shortened(sentence: str) -> Iterator[str]:
    if len(sentence) <= LONGEST_SENTENCE:
        yield sentence
        return
    line = ""
    for part in (word for breath in _BREATH.split(sentence) for word in _parts(breath)):
        if line and len(line) + 1 + len(part) > LONGEST_SENTENCE:
            yield line
            line = part
        else:
            line = f"{line} {part}".strip()
    yield line


def _parts(breath: str) -> list[str]:
    if len(breath) <= LONGEST_SENTENCE:
        return [breath]
    return [
        word[at : at + LONGEST_SENTENCE]
        for word in breath.split()
        for at in range(0, len(word), LONGEST_SENTENCE)
    ]


class SentenceCutter:
    """Sentences out of text that comes in pieces of any length, as soon as each is whole."""

    def __init__(self) -> None:
        self._rest = ""

    def push(self, text: str) -> list[str]:
        """The sentences that this further text completes."""
        self._rest += text
        *whole, rest = _END.split(self._rest)
        if len(rest) > LONGEST_SENTENCE:
            *more, rest = _shortened(rest)
            whole += more
        self._rest = rest
        return [piece.strip() for piece in whole if piece.strip()]

    def finish(self) -> list[str]:
        """What is left when no more comes."""
        rest, self._rest = self._rest.strip(), ""
        return [rest] if rest else []


@dataclass(frozen=True, slots=True)
class Templates:
    """Sentences with holes; pieces of the ones that match are kept apart.

    Attributes:
        patterns: of whole sentences, the pieces as their groups.
        shapes: of sentences whose head is kept; see `shapes.py`.
    """

    patterns: tuple[re.Pattern[str], ...] = ()
    shapes: frozenset[str] = frozenset()

    @classmethod
    def declared(cls, texts: Iterable[str], shapes: Iterable[str] = ()) -> "Templates":
        """Templates such as `Ваше замовлення {n} готове.`, cut into sentences; others have no hole.

        Args:
            texts: what a dialogue declares.
            shapes: that somebody said yes to.
        """
        own = (sentence for text in texts for sentence in sentences(text))
        patterns = tuple(_pattern(sentence) for sentence in own if _HOLE.search(sentence))
        return cls(patterns, frozenset(shapes))

    def pieces(self, sentence: str) -> list[str]:
        """What a sentence is kept as: its fixed parts and what fills the holes, or itself."""
        for pattern in self.patterns:
            if found := pattern.fullmatch(sentence):
                # What is a mark alone nobody can say, and with a mark no piece begins.
                return [piece for group in found.groups() if (piece := group.strip().lstrip(" ,.;:!?"))]
        shape = shape_of(sentence) if self.shapes else None
        head = None if shape is None or shape not in self.shapes else head_of(shape)
        return [sentence] if head is None else [head, sentence[len(head) :].strip()]


def _pattern(template: str) -> re.Pattern[str]:
    fixed = _HOLE.split(template)
    parts = "(.+?)".join(f"({re.escape(part)})" for part in fixed)
    return re.compile(parts)


def normalised(text: str) -> str:
    """A text by its words alone: case, spaces and most punctuation do not change a recording's identity."""
    words = "".join(c if c.isalnum() or c in "'-+/%" else " " for c in text.casefold().replace("\u2019", "'"))
    return " ".join(words.split())


def phrase_key(request: SpeechRequest, voice: Voice) -> str:
    """The content address of a phrase: 64 hex digits of its text and everything that changes its sound.

    Unlike a recording's, the marks stay: a question is not said as a statement.
    """
    text = " ".join(unicodedata.normalize("NFC", request.text).split())
    parts = [text, request.language_code, request.is_ssml]
    parts += [voice.provider, voice.name, voice.language_code, voice.speaking_rate, voice.edition]
    return sha256(dumps(parts, ensure_ascii=False).encode()).hexdigest()
