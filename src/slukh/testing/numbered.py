"""Numbered audio: word k is 300 ms of two tones that say k, so a fake recogniser can truly hear it.

What was lost, doubled or cut at a switch is then a comparison of two lists of numbers, without any
speech recognition and its errors.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from slukh.types import SAMPLE_RATE_HERTZ, samples_from_ms

WORD_MS = 300
PAUSE_MS = 60
_LOW = np.arange(10) * 100 + 500  # Hz, says the tens
_HIGH = np.arange(10) * 150 + 1800  # Hz, says the ones
_RUN = samples_from_ms(10)
_LOUD = 1000  # mean absolute level of a run that holds a word
_SHORTEST = samples_from_ms(WORD_MS * 2 // 3)  # less of a word than this is not heard as the word


def numbered_word(number: int) -> NDArray[np.int16]:
    """The 300 ms that say a number from 0 to 99, int16 at 8 kHz."""
    t = np.arange(samples_from_ms(WORD_MS)) / SAMPLE_RATE_HERTZ
    tones = np.sin(2 * np.pi * _LOW[number // 10] * t) + np.sin(2 * np.pi * _HIGH[number % 10] * t)
    return np.asarray(tones * 6000, dtype=np.int16)


def numbered_speech(numbers: Iterable[int]) -> NDArray[np.int16]:
    """Words with the short pauses that lie inside an utterance, int16 at 8 kHz."""
    pause = np.zeros(samples_from_ms(PAUSE_MS), dtype=np.int16)
    return np.concatenate([part for n in numbers for part in (numbered_word(n), pause)])


def silence(seconds: float) -> NDArray[np.int16]:
    """Digital silence, int16 at 8 kHz."""
    return np.zeros(round(seconds * SAMPLE_RATE_HERTZ), dtype=np.int16)


def heard_numbers(pcm: bytes) -> list[int]:
    """The whole words in linear 16-bit 8 kHz audio; a word cut by more than a third is not heard."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    runs = samples[: samples.size // _RUN * _RUN].reshape(-1, _RUN)
    loud = np.concatenate([[False], np.abs(runs).mean(axis=1) > _LOUD, [False]])
    edges = np.flatnonzero(np.diff(loud.astype(np.int8))) * _RUN
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [_number(samples[a:b]) for a, b in pairs if b - a >= _SHORTEST]


def heard_words(pcm: bytes) -> list[str]:
    """`heard_numbers` as a recogniser's words."""
    return [str(n) for n in heard_numbers(pcm)]


def _number(word: NDArray[np.float64]) -> int:
    spectrum = np.abs(np.fft.rfft(word * np.hanning(word.size)))

    def power(hertz: NDArray[np.int_]) -> NDArray[np.float64]:
        return np.asarray(spectrum[np.round(hertz * word.size / SAMPLE_RATE_HERTZ).astype(int)])

    return int(power(_LOW).argmax()) * 10 + int(power(_HIGH).argmax())
