"""Whisper itself, on CTranslate2: 8 kHz PCM in, text with its scores out. Runs in the child only.

Against `faster_whisper.WhisperModel.transcribe` it encodes once for language and text, takes windows shorter
than 30 s, and never decodes a piece of audio a second time on its own account.
"""

import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import tokenizers
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

from slukh.audio import Resampler, float32_from_linear16, linear16_from_samples, samples_from_linear16
from slukh.types import SAMPLE_RATE_HERTZ

_WHISPER_HERTZ = 16000
_FRAMES_PER_SECOND = 100  # one log-mel frame every 10 ms
_WINDOW_FRAMES = 3000
_MAX_POSITIONS = 448
_MAX_HINT_TOKENS = 200


class RequestRefusedError(Exception):
    """The model cannot do what was asked, and will not be able to later."""


class ComputeTypeError(Exception):
    """This machine has no such arithmetic.

    Attributes:
        supported: what it has.
    """

    def __init__(self, compute_type: str, supported: Collection[str]) -> None:
        super().__init__(f"this machine does not compute in {compute_type}")
        self.supported = tuple(sorted(supported))


class WhisperModel:
    """A model in memory; `decode` may be called from several threads."""

    def __init__(self, folder: str, *, compute_type: str, threads: int, workers: int) -> None:
        """Load it from a folder, never from a hub.

        Raises:
            ComputeTypeError: the machine does not have it.
            Exception: whatever CTranslate2 or the tokenizer say about a folder they cannot read.
        """
        tokenizer_file = Path(folder) / "tokenizer.json"
        if not tokenizer_file.is_file():
            raise FileNotFoundError(f"{tokenizer_file} is missing")
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        if compute_type not in (supported := ctranslate2.get_supported_compute_types(device)):
            raise ComputeTypeError(compute_type, supported)
        self._model = ctranslate2.models.Whisper(
            folder, device=device, compute_type=compute_type, intra_threads=threads, inter_threads=workers
        )
        self._tokenizer = tokenizers.Tokenizer.from_file(str(tokenizer_file))
        self._features = FeatureExtractor(feature_size=self._model.n_mels)
        self.is_multilingual = bool(self._model.is_multilingual)

    def decode(self, asked: Mapping[str, Any], pcm: bytes) -> dict[str, Any]:
        """One request, as child.py writes it, to the answer it reads.

        Args:
            asked: `languages` (ISO-639-1 -> prior), `beam_size`, `window_seconds`, `max_new_tokens`,
                `no_repeat_ngram_size`, `prompt`.
            pcm: linear 16-bit little-endian mono at 8 kHz.

        Raises:
            RequestRefusedError: the model does not speak the language.
        """
        began = time.perf_counter()
        encoded = self._encode(pcm, float(asked["window_seconds"]))
        heard = self._heard(encoded, asked["languages"])
        language = max(heard, key=lambda code: heard[code] * asked["languages"][code])
        prompt = self._prompt(language, asked["prompt"])
        max_new_tokens = int(asked["max_new_tokens"])
        result = self._model.generate(
            encoded,
            [prompt],
            beam_size=int(asked["beam_size"]),
            no_repeat_ngram_size=int(asked["no_repeat_ngram_size"]),
            # CTranslate2 stops at half of max_length, or at max_length less the prompt, whichever is less.
            max_length=min(_MAX_POSITIONS, max(2 * max_new_tokens, len(prompt) + max_new_tokens)),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=[-1],  # what the model's own config names: music signs, brackets, control tokens
        )[0]
        tokens = result.sequences_ids[0]
        return {
            "text": self._tokenizer.decode(tokens).strip(),
            # The score is the mean over the text's tokens; Whisper's own mean counts the end token too.
            "avg_logprob": result.scores[0] * len(tokens) / (len(tokens) + 1),
            "no_speech_probability": result.no_speech_prob,
            "language": language,
            "heard": heard if len(heard) > 1 else {},
            "token_limit_hit": len(tokens) >= max_new_tokens,
            "decode_seconds": time.perf_counter() - began,
        }

    def _encode(self, pcm: bytes, window_seconds: float) -> ctranslate2.StorageView:
        frames = min(_WINDOW_FRAMES, round(window_seconds * _FRAMES_PER_SECOND))
        features = self._features(_wide(pcm))[:, :-1][:, :frames]
        padded = np.pad(features, ((0, 0), (0, frames - features.shape[1])))
        return self._model.encode(
            ctranslate2.StorageView.from_array(np.ascontiguousarray(padded[np.newaxis]))
        )

    def _heard(self, encoded: ctranslate2.StorageView, languages: Mapping[str, float]) -> dict[str, float]:
        """Probability of each allowed language as heard, without the prior; 1.0 for the only one."""
        if len(languages) == 1:
            return dict.fromkeys(languages, 1.0)
        if not self.is_multilingual:
            raise RequestRefusedError("an English-only model cannot choose a language")
        said = {token.strip("<|>"): p for token, p in self._model.detect_language(encoded)[0]}
        heard = {code: float(said.get(code, 0.0)) for code in languages}
        total = sum(heard.values()) or 1.0
        return {code: probability / total for code, probability in heard.items()}

    def _prompt(self, language: str, hint: str) -> list[int]:
        start = self._control("startoftranscript")
        if self.is_multilingual:
            start += self._control(language) + self._control("transcribe")
        elif language != "en":
            raise RequestRefusedError(f"an English-only model does not speak {language!r}")
        start += self._control("notimestamps")
        if not hint:
            return start
        hints = self._tokenizer.encode(" " + hint, add_special_tokens=False).ids
        return self._control("startofprev") + hints[-_MAX_HINT_TOKENS:] + start

    def _control(self, name: str) -> list[int]:
        token = self._tokenizer.token_to_id(f"<|{name}|>")
        if token is None:
            raise RequestRefusedError(f"the model knows no token <|{name}|>")
        return [token]


def _wide(pcm: bytes) -> NDArray[np.float32]:
    """16 kHz floats from 8 kHz linear 16-bit, its last samples included."""
    resampler = Resampler(SAMPLE_RATE_HERTZ, _WHISPER_HERTZ)
    samples = np.concatenate([resampler.resample(samples_from_linear16(pcm)), resampler.flush()])
    return float32_from_linear16(linear16_from_samples(samples))
