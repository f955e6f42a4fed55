"""What callers say to a Whisper server that is measured: utterances, cut as those of a call."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from slukh.audio import linear16_from_samples, samples_from_linear16
from slukh.routing.health import Clip, stored_clips
from slukh.speech.listener import Listener
from slukh.speech.segmenter import Endpointing, UtteranceEnded
from slukh.speech.vad import SileroModel, VoiceDetector
from slukh.testing.numbered import silence
from slukh.testing.recorded_speech import LANGUAGES, recorded_clips
from slukh.types import seconds

_SECONDS = 3.0  # of voice at least: shorter ones are over before an interim


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a caller says: a clip, and how long its voice takes to begin."""

    clip: Clip
    lead_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sayings:
    """What is said to a server; the plain client says every so many of them."""

    clips: Sequence[Said]
    plain_every: int = 1


def _cut(clip: Clip, detector: VoiceDetector) -> list[Said]:
    """A recording as utterances of a call, from the pre-roll to the endpoint."""
    listener = Listener(detector, Endpointing())
    samples = np.concatenate([samples_from_linear16(clip.pcm), silence(1.0)])
    utterances = [event.utterance for event in listener.hear(samples, 0) if isinstance(event, UtteranceEnded)]
    return [
        Said(
            clip=replace(clip, pcm=b"".join(chunk.pcm for chunk in utterance.chunks)),
            lead_seconds=seconds(utterance.speech_start - utterance.start),
        )
        for utterance in utterances
        if seconds(utterance.speech_end - utterance.speech_start) >= _SECONDS
    ]


def recorded(silero: SileroModel, root: Path, each: int, *, plain_every: int) -> Sayings:
    """So many of each language, evenly spread over those that are one utterance; the languages take turns."""
    chosen = []
    for language, code in LANGUAGES.items():
        wholes = []
        for one in recorded_clips(root, every=True):
            if one.set == f"{language} prompts":
                pcm = linear16_from_samples(one.samples)
                said = _cut(Clip(language_code=code, pcm=pcm, text=one.text), silero.detector())
                wholes += said if len(said) == 1 else []
        chosen.append([wholes[number * len(wholes) // each] for number in range(each)])
    clips = [said for pair in zip(*chosen, strict=True) for said in pair]
    return Sayings(clips=clips, plain_every=plain_every)


def stored(silero: SileroModel, rounds: int) -> Sayings:
    """The stored Ukrainian clip again and again."""
    (said,) = _cut(stored_clips()[0], silero.detector())
    return Sayings(clips=[said] * rounds)
