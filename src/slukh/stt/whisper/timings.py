"""Word timings as servers write them, in seconds, to `Word`s in samples of the utterance. Pure.

OpenAI's `verbose_json` has `words` beside the text, WhisperLive and whisper.cpp have them inside segments,
Deepgram inside its results. whisper.cpp writes pieces of words, of which a new word begins with a space.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from slukh.types import SAMPLE_RATE_HERTZ, Word


def words_of_answer(answer: Mapping[str, Any], segments: Sequence[Mapping[str, Any]]) -> tuple[Word, ...]:
    """The words of a transcription, beside its text or else inside its segments; none is no error."""
    beside = answer.get("words")
    inside = [segment["words"] for segment in segments if isinstance(segment.get("words"), list)]
    return words_from(beside or list(chain.from_iterable(inside)))


def words_from(items: object) -> tuple[Word, ...]:
    """Words with what a server calls `start` and `end`; all of them, or none when one cannot be read."""
    if not isinstance(items, list):
        return ()
    try:
        return tuple(_joined([_word(item) for item in items]))
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return ()


def _word(item: Mapping[str, Any]) -> Word:
    score = item.get("probability") or item.get("confidence")  # 0.0 is "not said"
    return Word(
        text=str(item.get("punctuated_word") or item["word"]),
        start=round(float(item["start"]) * SAMPLE_RATE_HERTZ),
        end=round(float(item["end"]) * SAMPLE_RATE_HERTZ),
        confidence=None if score is None else float(score) or None,
    )


def _joined(pieces: Sequence[Word]) -> Iterator[Word]:
    """Pieces as words, where spaces tell which is which; the confidence of a word is that of its first."""
    are_pieces = any(piece.text.startswith(" ") for piece in pieces)
    word: Word | None = None
    for piece in pieces:
        if word is not None and are_pieces and not piece.text.startswith(" "):
            word = replace(word, text=word.text + piece.text.rstrip(), end=piece.end)
            continue
        if word is not None and word.text:
            yield word
        word = replace(piece, text=piece.text.strip())
    if word is not None and word.text:
        yield word
