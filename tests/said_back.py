"""What the caller of a whole call heard, beside what they should have: the phrases that the cache kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slukh.audio import Samples, samples_from_linear16
from slukh.tts.base import SpeechRequest, TtsProvider
from slukh.tts.disk_cache import DiskStore
from slukh.tts.phrases import phrase_key


async def kept_phrases(folder: Path, voice: TtsProvider, code: str, texts: Iterable[str]) -> dict[str, bytes]:
    """The audio of phrases, as a gateway with this folder has said them."""
    store, found = DiskStore(folder, max_bytes=10**9), {}
    for text in texts:
        kept = await store.get(phrase_key(SpeechRequest(text=text, language_code=code), voice.voice(code)))
        assert kept is not None, f"{text!r} was never made"
        found[text] = kept
    return found


@dataclass(frozen=True, kw_only=True)
class Match:
    """A phrase in what was heard.

    Attributes:
        likeness: normalised cross-correlation at its place, 0 to 1.
        exact: share of its samples that are the same there.
        at: its place, in samples.
    """

    likeness: float
    exact: float
    at: int


def match(heard: Samples, phrase: bytes) -> Match:
    """Where a phrase is most like what was heard."""
    wanted, own = samples_from_linear16(phrase).astype(np.float64), heard.astype(np.float64)
    size = 1 << (len(own) + len(wanted)).bit_length()
    products = np.fft.irfft(np.fft.rfft(own, size) * np.conj(np.fft.rfft(wanted, size)), size)
    lags = len(own) - len(wanted) + 1
    sums = np.concatenate(([0.0], np.cumsum(own * own)))
    energies = sums[len(wanted) :][:lags] - sums[:lags]
    likeness = products[:lags] / np.sqrt(np.maximum(energies, 1.0) * float(wanted @ wanted))
    at = int(likeness.argmax())
    same = heard[at : at + len(wanted)] == samples_from_linear16(phrase)
    return Match(likeness=float(likeness[at]), exact=float(same.mean()), at=at)
