"""What holds for any call, however the line cuts it: properties over arbitrary loud and soft stretches."""

from dataclasses import dataclass
from itertools import cycle, groupby, pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from slukh.speech.listener import Listener
from slukh.speech.segmenter import (
    Endpointing,
    SegmentEvent,
    Utterance,
    UtteranceEnded,
    UtteranceGrew,
    UtteranceStarted,
)
from slukh.speech.vad import FRAME_SAMPLES, EnergyDetector

THRESHOLD_DBFS = -40.0
# Short enough that a few seconds see every cut.
OPTIONS = Endpointing(
    endpoint_ms=300,
    pre_roll_ms=250,
    min_voiced_ms=120,
    soften_after_seconds=1.0,
    max_utterance_seconds=1.5,
)
MIN_VOICED_SAMPLES = 960
MAX_SAMPLES = 12000
SPLITS = st.lists(st.integers(1, 700), min_size=1, max_size=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Samples that differ from their neighbours, and where the call's clock stood at the first."""

    samples: NDArray[np.int16]
    start: int

    def audio(self, start: int, end: int) -> bytes:
        return self.samples[start - self.start : end - self.start].astype("<i2").tobytes()

    def long_voices(self) -> list[tuple[int, int]]:
        """Runs of voiced frames that are long enough, as positions; counted without the code under test."""
        padded = np.append(self.samples, np.zeros(-self.samples.size % FRAME_SAMPLES, np.int16))
        frames = padded.reshape(-1, FRAME_SAMPLES).astype(float)
        loud = np.sqrt((frames**2).mean(axis=1)) >= 32768 * 10 ** (THRESHOLD_DBFS / 20)
        runs, frame = [], 0
        for voiced, group in groupby(loud):
            length = len(list(group))
            end = min((frame + length) * FRAME_SAMPLES, self.samples.size)
            if voiced and end - frame * FRAME_SAMPLES >= MIN_VOICED_SAMPLES:
                runs.append((self.start + frame * FRAME_SAMPLES, self.start + end))
            frame += length
        return runs


@st.composite
def calls(draw: st.DrawFn) -> Call:
    stretches = draw(
        st.lists(st.tuples(st.booleans(), st.integers(1, 20) | st.integers(1, 9000)), min_size=1, max_size=8)
    )
    number = np.arange(sum(length for _, length in stretches))
    level = np.concatenate([np.full(length, 9000 if loud else 50) for loud, length in stretches])
    return Call(
        samples=(np.where(number % 2, 1, -1) * (level + number % 97)).astype(np.int16),
        start=draw(st.sampled_from([0, 1, 123_457])),
    )


class Heard:
    """A call heard in pieces: its events, and the rules every list of events keeps."""

    def __init__(self, call: Call, splits: list[int], first_id: int = 1) -> None:
        self.listener = Listener(EnergyDetector(THRESHOLD_DBFS), OPTIONS, first_utterance_id=first_id)
        self.events: list[SegmentEvent] = []
        done = 0
        for split in cycle(splits):
            piece = call.samples[done : done + split]
            if not piece.size:
                break
            self.events += self.listener.hear(piece, call.start + done)
            done += piece.size
        self.events += self.listener.finish()
        self.ended = [event.utterance for event in self.events if isinstance(event, UtteranceEnded)]

    def outline(self) -> list[tuple[object, ...]]:
        return [(u.id, u.start, u.speech_start, u.speech_end, u.end, u.voiced_samples) for u in self.ended]


@given(calls(), SPLITS)
def test_utterances_are_in_order_and_share_no_sample(call: Call, splits: list[int]) -> None:
    for before, after in pairwise(Heard(call, splits).ended):
        assert before.end <= after.start
        assert before.id + 1 == after.id


@given(calls(), SPLITS)
def test_an_utterances_audio_is_exactly_the_calls(call: Call, splits: list[int]) -> None:
    for u in Heard(call, splits).ended:
        assert b"".join(chunk.pcm for chunk in u.chunks) == call.audio(u.start, u.end)
        assert call.start <= u.start <= u.speech_start < u.speech_end <= u.end == u.endpoint


@given(calls(), SPLITS)
def test_every_voice_that_is_long_enough_is_inside_utterances_whole(call: Call, splits: list[int]) -> None:
    owned = np.zeros(call.samples.size, dtype=int)
    for u in Heard(call, splits).ended:
        owned[u.start - call.start : u.end - call.start] += 1
    for start, end in call.long_voices():
        assert (owned[start - call.start : end - call.start] == 1).all()


@given(calls(), SPLITS)
def test_no_utterance_is_longer_than_allowed(call: Call, splits: list[int]) -> None:
    assert all(u.samples <= MAX_SAMPLES for u in Heard(call, splits).ended)


@given(calls(), SPLITS)
def test_every_utterance_starts_once_grows_and_ends_once(call: Call, splits: list[int]) -> None:
    open_utterance: Utterance | None = None
    for event in Heard(call, splits).events:
        match event:
            case UtteranceStarted(utterance):
                assert open_utterance is None
                open_utterance = utterance
            case UtteranceGrew(utterance):
                assert utterance is open_utterance
            case UtteranceEnded(utterance):
                assert utterance is open_utterance
                assert utterance.closed
                open_utterance = None
    assert open_utterance is None


@given(calls(), SPLITS)
@settings(max_examples=60)
def test_it_does_not_matter_how_the_line_cuts_the_audio(call: Call, splits: list[int]) -> None:
    assert Heard(call, splits).outline() == Heard(call, [call.samples.size]).outline()


@given(calls(), SPLITS)
@settings(max_examples=60)
def test_a_later_leg_counts_on(call: Call, splits: list[int]) -> None:
    heard = Heard(call, splits, first_id=5)
    assert [u.id for u in heard.ended] == list(range(5, heard.listener.next_utterance_id))


def loud(samples: int) -> NDArray[np.int16]:
    return np.resize(np.array([9000, -9000], dtype=np.int16), samples)


def test_speech_in_the_last_unfinished_frame_is_kept() -> None:
    call = Call(samples=loud(5 * FRAME_SAMPLES + 100), start=0)
    (utterance,) = Heard(call, [160]).ended
    assert utterance.speech_end == utterance.end == 5 * FRAME_SAMPLES + 100
    assert utterance.chunks[-1].samples == 100


def test_the_last_unfinished_frame_is_padded_with_silence() -> None:
    silence = np.zeros(10, dtype=np.int16)
    (utterance,) = Heard(Call(samples=np.append(loud(5 * FRAME_SAMPLES), silence), start=0), [160]).ended
    assert (utterance.speech_end, utterance.end) == (5 * FRAME_SAMPLES, 5 * FRAME_SAMPLES + 10)


def test_voiced_samples_count_frames_that_opened_nothing_too() -> None:
    silence = np.zeros(31 * FRAME_SAMPLES, dtype=np.int16)
    call = Call(samples=np.concatenate([silence, loud(512), silence, loud(2560)]), start=0)
    heard = Heard(call, [160])
    assert len(heard.ended) == 1
    assert heard.listener.voiced_samples == 512 + 2560


def test_the_callers_buffer_may_be_reused() -> None:
    listener = Listener(EnergyDetector(THRESHOLD_DBFS), OPTIONS)
    for frame in range(20):
        buffer = loud(160)
        listener.hear(buffer, frame * 160)
        buffer[:] = 0
    utterance = listener.finish()[-1].utterance
    assert utterance.samples == 3200
    assert np.abs(np.frombuffer(b"".join(chunk.pcm for chunk in utterance.chunks), "<i2")).min() == 9000


class Asked:
    """A detector that hears a voice in everything and counts how often it is asked."""

    def __init__(self) -> None:
        self.times = 0

    def speech_probability(self, frame: NDArray[np.int16]) -> float:
        self.times += 1
        return 1.0


def test_below_the_energy_floor_nothing_is_voiced_and_the_detector_is_not_asked() -> None:
    detector = Asked()
    listener = Listener(detector, Endpointing(energy_floor_dbfs=-40.0))
    assert listener.hear(loud(FRAME_SAMPLES * 50) // 100, 0) == []
    assert (detector.times, listener.voiced_samples) == (0, 0)
    assert listener.hear(loud(FRAME_SAMPLES * 5), FRAME_SAMPLES * 50) != []
    assert detector.times == 5
