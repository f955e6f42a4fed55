"""What is told of a text: whether an interim may be shown, and the results that end an utterance."""

import math
from dataclasses import replace

from slukh.stt.base import Hypothesis, Rejection, Result
from slukh.stt.whisper.decoding import Decoding
from slukh.stt.whisper.guard import drop_reason, loop_reason, phrase_kind
from slukh.types import AudioChunk, seconds


class Voice:
    """Where in an utterance somebody spoke; counted in samples.

    Attributes:
        samples: of the utterance so far.
        voiced: of them, heard as voice.
        last: where the last voiced one ends.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.voiced = 0
        self.last = 0
        self._first: int | None = None

    def add(self, chunk: AudioChunk) -> bool:
        """Count a chunk; True when it is voiced."""
        is_voiced = chunk.voiced and chunk.samples > 0
        if is_voiced:
            self._first = self.samples if self._first is None else self._first
            self.voiced += chunk.samples
        self.samples += chunk.samples
        if is_voiced:
            self.last = self.samples
        return is_voiced

    @property
    def seconds(self) -> float:
        """How much voice there is."""
        return seconds(self.voiced)

    @property
    def share(self) -> float:
        """Voice, as a share of the time between the first and the last of it."""
        return 0.0 if self._first is None else self.voiced / (self.last - self._first)


def is_shown(decoding: Decoding) -> bool:
    """Whether a text may be an interim; one that nobody said is better not shown at all."""
    return bool(decoding.text) and not loop_reason(decoding) and not phrase_kind(decoding.text)


def final_results(decoding: Decoding, voice: Voice) -> list[Result]:
    """Perhaps a rejection, then the final."""
    results: list[Result] = []
    reason = drop_reason(decoding, voiced_seconds=voice.seconds, voiced_share=voice.share)
    if reason is not None:
        results.append(Rejection(reason=reason))
        decoding = replace(decoding, text="", avg_logprob=None, words=())
    results.append(
        Hypothesis(
            text=decoding.text,
            is_final=True,
            stable_length=len(decoding.text),
            confidence=confidence(decoding) if decoding.text else None,
            language_code=decoding.language_code,
            language_probabilities=decoding.language_probabilities,
            words=decoding.words,
            reported_ms=decoding.reported_ms,
        )
    )
    return results


def interim(decoding: Decoding, text: str, stable_length: int) -> Hypothesis:
    """What is shown of a decoding once its words were compared with those before it."""
    return Hypothesis(
        text=text,
        is_final=False,
        stable_length=stable_length,
        confidence=confidence(decoding),
        language_code=decoding.language_code,
        language_probabilities=decoding.language_probabilities,
    )


def confidence(decoding: Decoding) -> float | None:
    """exp(mean log probability), which is at most 0: it ranks texts of one model, and is not accuracy."""
    return None if decoding.avg_logprob is None else math.exp(min(0.0, decoding.avg_logprob))
