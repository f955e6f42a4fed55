"""What a caller said in a shadowed utterance, for people who label: audio and what both recognisers wrote.

Made only where recording is on. Packed it is a line of JSON, then the audio.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenAudio:
    """The audio of an utterance: the fields of `RecordedUtterance` by the same names."""

    start: int
    end: int
    speech_start: int
    speech_end: int
    pcm: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedUtterance:
    """An utterance that two recognisers heard differently, with its audio and both texts.

    Attributes:
        call_id: in which call.
        utterance_id: which utterance.
        caller: keyed hash of the caller's number, or None when it is withheld.
        language_code: BCP-47, of the call.
        recorded_at: wall clock, UTC, when its final was published.
        start: sample of the call's clock at which `pcm` begins, pre-roll included.
        end: sample after its last.
        speech_start: first voiced sample, between both.
        speech_end: end of the last voiced one.
        pcm: little-endian int16, 8 kHz, mono; 2 * (end - start) bytes.
        texts: provider -> what it wrote, as it wrote it; perhaps empty.
        live: the provider the dialogue heard; the other is the shadow.
        arm: whom the rollout chose for the call.
    """

    call_id: str
    utterance_id: int
    caller: str | None
    language_code: str
    recorded_at: datetime
    start: int
    end: int
    speech_start: int
    speech_end: int
    pcm: bytes
    texts: Mapping[str, str]
    live: str
    arm: str


_BESIDE = ("call_id", "utterance_id", "caller", "recorded_at")  # kept in columns, to be found by


def packed(utterance: RecordedUtterance) -> bytes:
    """Everything that is not kept beside it."""
    told = {
        field.name: getattr(utterance, field.name)
        for field in fields(utterance)
        if field.name not in (*_BESIDE, "pcm")
    }
    return json.dumps(told, ensure_ascii=False).encode() + b"\n" + utterance.pcm


def unpacked(
    told: bytes, *, call_id: str, utterance_id: int, caller: str | None, recorded_at: datetime
) -> RecordedUtterance:
    """An utterance from what was packed and what is kept beside it."""
    line, _, pcm = told.partition(b"\n")
    return RecordedUtterance(
        call_id=call_id,
        utterance_id=utterance_id,
        caller=caller,
        recorded_at=recorded_at,
        pcm=pcm,
        **json.loads(line),
    )
