"""Do the clips that `slukh ab label` plays hold the word that they should? By Whisper's own alignment.

    python bench/label_clips.py ../shared/calls [/path/to/whisper/base]

The folder has telephone recordings, NAME_tel8k.wav beside NAME_tel8k.txt, in uk/ and ru/. A clip is cut for
every word of the canonical text, a number being one, as if the two recognisers differed in it, clean and in
white noise; the times are those of CTranslate2's forced alignment of what was spoken on the clean audio.
Weights: `slukh weights get base`.
"""

import sys
import wave
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path

import ctranslate2
import numpy as np
import tokenizers
from faster_whisper.feature_extractor import FeatureExtractor

from slukh.audio import Resampler, float32_from_linear16, linear16_from_samples, samples_from_linear16
from slukh.experiment.canonical import canonical_text
from slukh.experiment.labelling.clips import clip, voiced_frames
from slukh.experiment.labelling.differences import differences
from slukh.experiment.wer import plain_text
from slukh.settings.config import Settings, load
from slukh.weights import find_whisper

HERTZ = 8000
FRAME_SECONDS = 0.02  # of the encoder's output
LONGEST_SECONDS = 29
FEWEST_WORDS = 4
BEFORE, AFTER = bytes(2 * 2000), bytes(2 * 4000)  # as an utterance has: pre-roll, and silence to the endpoint
SLACK_SECONDS = 0.05


class Aligner:
    """Whisper, asked where the words of a known text are."""

    def __init__(self, folder: Path) -> None:
        self._model = ctranslate2.models.Whisper(str(folder), compute_type="int8", intra_threads=1)
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._features = FeatureExtractor(feature_size=self._model.n_mels)

    def times(self, pcm: bytes, words: list[str], language: str) -> list[tuple[float, float]]:
        """When each word begins and ends, in seconds."""
        resampler = Resampler(HERTZ, 2 * HERTZ)
        wide = np.concatenate([resampler.resample(samples_from_linear16(pcm)), resampler.flush()])
        features = self._features(float32_from_linear16(linear16_from_samples(wide)))[:, :3000]
        padded = np.pad(features, ((0, 0), (0, 3000 - features.shape[1])))
        view = ctranslate2.StorageView.from_array(np.ascontiguousarray(padded[np.newaxis]))
        tokens = [self._tokenizer.encode(f" {word}", add_special_tokens=False).ids for word in words]
        start = [
            self._tokenizer.token_to_id(f"<|{name}|>")
            for name in ("startoftranscript", language, "transcribe", "notimestamps")
        ]
        (found,) = self._model.align(view, start, [list(chain.from_iterable(tokens))], features.shape[1])
        first_frame: dict[int, int] = {}
        for token, frame in found.alignments:
            first_frame.setdefault(token, frame)
        begins = np.cumsum([0, *(len(each) for each in tokens)])
        end = max(frame for _, frame in found.alignments) + 1
        frames = [first_frame.get(int(at), end) for at in begins]
        return [(a * FRAME_SECONDS, b * FRAME_SECONDS) for a, b in pairwise(frames)]


def recordings(folder: Path) -> Iterator[tuple[str, bytes, list[str]]]:
    for language in ("uk", "ru"):
        for path in sorted((folder / language).glob("*_tel8k.wav")):
            with wave.open(str(path)) as file:
                pcm = file.readframes(file.getnframes())
            words = plain_text(path.with_suffix(".txt").read_text(encoding="utf-8")).split()
            if len(words) >= FEWEST_WORDS and len(pcm) <= 2 * HERTZ * LONGEST_SECONDS:
                yield language, pcm, words


def places(spoken: list[str], canonical: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """Words as spoken that became words of canonical text: from, to in the one, from, to in the other."""
    at, other = 0, 0
    found = [(each.starts, each.stops) for each in differences(spoken, canonical)]
    for starts, stops in [*found, ((len(spoken), len(canonical)),) * 2]:
        for step in range(starts[0] - at):
            yield at + step, at + step + 1, other + step, other + step + 1
        if starts[0] < stops[0] and starts[1] < stops[1]:
            yield starts[0], stops[0], starts[1], stops[1]
        at, other = stops


def noisy(pcm: bytes, decibels: float, generator: np.random.Generator) -> bytes:
    """White noise so far below the loud parts."""
    samples = samples_from_linear16(pcm).astype(np.float64)
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    power = np.percentile((frames**2).mean(axis=1), 90) / 10 ** (decibels / 10)
    return linear16_from_samples(
        np.clip(samples + generator.normal(0, power**0.5, len(samples)), -32768, 32767)
    )


def main() -> None:
    folder = Path(sys.argv[1])
    weights = (
        Path(sys.argv[2]) if len(sys.argv) > 2 else find_whisper(load(Settings).slukh_weights_dir, "base")
    )
    aligner = Aligner(weights)
    aligned = [
        (pcm, words, canonical_text(" ".join(words), code).split(), aligner.times(pcm, words, code))
        for code, pcm, words in recordings(folder)
    ]
    for decibels in (None, 20, 10, 5):
        generator, whole, middle, lengths = np.random.default_rng(1), [], [], []
        for pcm, spoken, words, times in aligned:
            utterance = BEFORE + pcm + AFTER
            if decibels is not None:
                utterance = noisy(utterance, decibels, generator)
            voiced = voiced_frames(utterance, (0, len(utterance) // 2))
            for a, b, start, stop in places(spoken, words):
                begin, end = times[a][0], times[b - 1][1]
                if end - begin <= 2 * FRAME_SECONDS:  # the alignment has not found it
                    continue
                first, last = clip((words, words), (start, start), (stop, stop), voiced)
                opens, closes = ((sample - len(BEFORE) // 2) / HERTZ for sample in (first, last))
                whole.append(opens <= begin + SLACK_SECONDS and end - SLACK_SECONDS <= closes)
                middle.append(opens <= (begin + end) / 2 <= closes)
                lengths.append(closes - opens)
        print(f"{'clean' if decibels is None else f'{decibels} dB'}: {len(whole)} words, all of it in "
              f"{np.mean(whole):.1%} of the clips, its middle in {np.mean(middle):.1%}; a clip is "
              f"{np.mean(lengths):.2f} s")  # fmt: skip


if __name__ == "__main__":
    main()
