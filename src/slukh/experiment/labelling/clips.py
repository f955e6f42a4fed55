"""Where in an utterance its words are, guessed: no recogniser of ours tells word times.

Voice is where the audio is loud; along it words are spread by how long they are to say. A clip has padding,
and the whole utterance is one key away. By Whisper's own alignment of recorded prompts, clips of 1.3 s hold
all of a word in 98 of 100, and at 10 dB of noise in 94 (bench/label_clips.py).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from slukh.audio import samples_from_linear16
from slukh.types import SAMPLE_RATE_HERTZ

FRAME_SAMPLES = SAMPLE_RATE_HERTZ // 50
PADDING_SECONDS = 0.4
_SHARE_OF_RANGE = 0.25  # of the decibels between the quietest and the loudest, above which there is voice
_DIGIT_CHARACTERS = 5  # a digit is written as one character and said as a word


def voiced_frames(pcm: bytes, speech: tuple[int, int]) -> NDArray[np.bool_]:
    """Which frames of 20 ms are voice: nearer to this line's speech than to its silence.

    Args:
        pcm: linear 16-bit little-endian mono at 8 kHz; a frame that is not whole is left out.
        speech: samples between which the voice detector found any.
    """
    samples = samples_from_linear16(pcm).astype(np.float64)
    frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    if not len(frames):
        return np.zeros(0, np.bool_)
    level = 10 * np.log10((frames**2).mean(axis=1) + 1)
    quiet, loud = np.percentile(level, (5, 95))
    is_voiced = level >= quiet + _SHARE_OF_RANGE * (loud - quiet)
    is_voiced[: speech[0] // FRAME_SAMPLES] = False
    is_voiced[-(-speech[1] // FRAME_SAMPLES) :] = False
    return np.asarray(is_voiced)


def clip(
    texts: tuple[Sequence[str], Sequence[str]],
    starts: tuple[int, int],
    stops: tuple[int, int],
    voiced: NDArray[np.bool_],
) -> tuple[int, int]:
    """The samples in which some words of two texts of one utterance are, padding included.

    Args:
        texts: words of each.
        starts: the first that is wanted, in each.
        stops: after the last that is wanted; a text that has none there has a place between two words.
        voiced: frames of the utterance.
    """
    spans = [
        _spoken(words, start, stop) for words, start, stop in zip(texts, starts, stops, strict=True) if words
    ] or [(0.0, 1.0)]
    first, last = min(start for start, _ in spans), max(stop for _, stop in spans)
    frames = np.flatnonzero(voiced) if voiced.any() else np.arange(len(voiced))
    if not len(frames):
        return 0, 0
    padding = round(PADDING_SECONDS * SAMPLE_RATE_HERTZ)
    begin = frames[min(int(first * len(frames)), len(frames) - 1)]
    end = frames[max(0, int(np.ceil(last * len(frames))) - 1)] + 1
    return (
        max(0, int(begin) * FRAME_SAMPLES - padding),
        min(len(voiced) * FRAME_SAMPLES, int(end) * FRAME_SAMPLES + padding),
    )


def _spoken(words: Sequence[str], start: int, stop: int) -> tuple[float, float]:
    """The share of a text's time at which some of its words begin and end."""
    lengths = np.array([_length(word) for word in words], np.float64)
    until = np.concatenate([[0.0], np.cumsum(lengths)]) / lengths.sum()
    return float(until[start]), float(until[stop])


def _length(word: str) -> int:
    """How long a word of canonical text is to say, in characters, the space after it counted."""
    return 1 + sum(_DIGIT_CHARACTERS if letter.isdecimal() else 1 for letter in word)
