"""Silero and our endpointing on recorded callers, and on everything a line carries when nobody speaks."""

import os
import wave
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from slukh.audio import samples_from_linear16
from slukh.errors import WeightsError
from slukh.speech.listener import Listener
from slukh.speech.segmenter import Endpointing, Utterance, UtteranceEnded
from slukh.speech.vad import FRAME_SAMPLES, SileroModel
from slukh.testing.line_sounds import hold_melody, line_sounds, samples_of
from slukh.weights import find_silero, weights_dir

REPOSITORY = Path(__file__).parents[2]
WEIGHTS = Path(os.environ.get("SLUKH_WEIGHTS_DIR", weights_dir()))
SECOND = np.zeros(8000, dtype=np.int16)
EVERY_OTHER = 2  # clip: seconds instead of minutes, and still 50 of each language


@pytest.fixture(scope="module")
def silero() -> SileroModel:
    try:
        return SileroModel(find_silero(WEIGHTS))
    except WeightsError as error:
        pytest.skip(f"SILERO IS NOT TESTED: {error}")


@pytest.fixture(scope="module")
def calls() -> Path:
    folder = Path(os.environ.get("SLUKH_TEST_CALLS", REPOSITORY.parent / "shared" / "calls"))
    if not folder.is_dir():
        pytest.skip(f"RECORDED SPEECH IS NOT TESTED: no folder {folder}, set SLUKH_TEST_CALLS")
    return folder


@pytest.fixture(scope="module")
def sounds() -> Mapping[str, NDArray[np.int16]]:
    return line_sounds(60)


def clips(calls: Path, language: str) -> list[tuple[str, NDArray[np.int16]]]:
    found = []
    for path in sorted((calls / language).glob("real-*tel8k.wav"))[::EVERY_OTHER]:
        with wave.open(str(path)) as clip:
            found.append((path.stem, samples_from_linear16(clip.readframes(clip.getnframes()))))
    assert len(found) > 40
    return found


def heard(
    silero: SileroModel, samples: NDArray[np.int16], options: Endpointing | None = None
) -> list[Utterance]:
    listener = Listener(silero.detector(), options or Endpointing())
    events = [
        event
        for position in range(0, samples.size, 160)
        for event in listener.hear(samples[position : position + 160], position)
    ]
    return [event.utterance for event in events + listener.finish() if isinstance(event, UtteranceEnded)]


def loud_frames(samples: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Frames within 30 dB of the clip's loud ones: what a listener would call its speech."""
    frames = samples[: samples.size // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    level = np.sqrt((frames.astype(float) ** 2).mean(axis=1))
    return np.asarray(level > np.percentile(level[level > 0], 95) / 10 ** (30 / 20))


def covered(samples: NDArray[np.int16], utterances: Sequence[Utterance]) -> float:
    """Share of the loud frames that lie inside utterances."""
    loud = loud_frames(samples)
    inside = np.zeros(loud.size, dtype=bool)
    for u in utterances:
        inside[u.start // FRAME_SAMPLES : -(-u.end // FRAME_SAMPLES)] = True
    return float((loud & inside).sum() / loud.sum())


@pytest.mark.parametrize("language", ["uk", "ru"])
@pytest.mark.parametrize(("softer_by_db", "worst"), [(0, 0.96), (12, 0.9)])
def test_recorded_speech_is_inside_utterances(
    language: str, softer_by_db: int, worst: float, silero: SileroModel, calls: Path
) -> None:
    shares, counts = {}, {}
    for name, clip in clips(calls, language):
        call = np.concatenate([SECOND, samples_of(clip / 32768 / 10 ** (softer_by_db / 20)), SECOND])
        utterances = heard(silero, call)
        shares[name], counts[name] = covered(call, utterances), len(utterances)
    assert min(counts.values()) >= 1
    assert min(shares.values()) > worst, min(shares, key=lambda name: shares[name])
    assert np.mean(list(shares.values())) > 0.998
    # A sentence is one utterance, unless its speaker pauses for half a second.
    assert np.mean(list(counts.values())) < 1.15


@pytest.mark.parametrize("language", ["uk", "ru"])
def test_the_energy_floor_saves_the_detector_work_and_costs_no_speech(
    language: str, silero: SileroModel, calls: Path
) -> None:
    for _, clip in clips(calls, language)[::5]:
        call = np.concatenate([SECOND, clip, SECOND])
        with_floor = covered(call, heard(silero, call))
        without = covered(call, heard(silero, call, Endpointing(energy_floor_dbfs=-200.0)))
        assert with_floor >= without - 0.03


def test_sentences_in_one_call_become_utterances_in_order_with_the_calls_audio(
    silero: SileroModel, calls: Path
) -> None:
    spoken = [clip for _, clip in clips(calls, "ru")[:6]]
    call = np.concatenate([part for clip in spoken for part in (SECOND, clip)] + [SECOND])
    utterances = heard(silero, call)
    assert len(utterances) >= 6
    for u in utterances:
        assert b"".join(chunk.pcm for chunk in u.chunks) == call[u.start : u.end].astype("<i2").tobytes()
    assert all(a.end <= b.start for a, b in pairwise(utterances))


@pytest.mark.parametrize("sound", sorted(line_sounds(1)))
def test_a_line_without_a_caller_opens_no_utterance(
    sound: str, silero: SileroModel, sounds: Mapping[str, NDArray[np.int16]]
) -> None:
    assert heard(silero, sounds[sound]) == []


def test_hold_music_opens_an_utterance_a_minute_at_most(silero: SileroModel) -> None:
    opened = [len(heard(silero, hold_melody(60, seed=seed))) for seed in range(6)]
    assert sum(opened) <= 6


def test_detectors_of_one_model_do_not_hear_each_other(silero: SileroModel) -> None:
    rng = np.random.default_rng(0)
    frames = rng.normal(0, 3000, (40, FRAME_SAMPLES)).astype(np.int16)
    alone = silero.detector()
    expected = [alone.speech_probability(frame) for frame in frames]
    one, other = silero.detector(), silero.detector()
    mixed = []
    for frame in frames:
        mixed.append(one.speech_probability(frame))
        other.speech_probability(frame[::-1])
    assert mixed == expected


def test_the_bound_arrays_say_what_a_plain_run_of_the_network_says(silero: SileroModel) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(find_silero(WEIGHTS), providers=["CPUExecutionProvider"])
    state = np.zeros((2, 1, 128), dtype=np.float32)
    window = np.zeros(32 + FRAME_SAMPLES, dtype=np.float32)
    detector = silero.detector()
    for frame in hold_melody(3.2).reshape(-1, FRAME_SAMPLES):
        window = np.concatenate([window[-32:], frame.astype(np.float32) / 32768])
        said, state = session.run(
            None, {"input": window[None], "state": state, "sr": np.array(8000, dtype=np.int64)}
        )
        assert detector.speech_probability(frame) == pytest.approx(float(said[0, 0]), abs=1e-5)
