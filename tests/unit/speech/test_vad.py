from pathlib import Path

import numpy as np
import pytest

from slukh.audio import rms_dbfs
from slukh.errors import WeightsError
from slukh.speech.vad import FRAME_SAMPLES, EnergyDetector, SileroModel, energy_at, frame_energy


def square(level: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.resize(np.array([level, -level], dtype=np.int16), FRAME_SAMPLES)


def field(number: int, value: bytes | int) -> bytes:
    """One field of a protocol buffer message; lengths and numbers below 128."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def identity_model() -> bytes:
    """A valid ONNX file that is no voice detector: y = x, one float."""
    one_float = field(1, field(1, 1) + field(2, field(1, field(1, 1))))
    node = field(1, b"x") + field(2, b"y") + field(4, b"Identity")
    graph = (
        field(1, node)
        + field(2, b"g")
        + field(11, field(1, b"x") + field(2, one_float))
        + field(12, field(1, b"y") + field(2, one_float))
    )
    return field(1, 8) + field(8, field(1, b"") + field(2, 13)) + field(7, graph)


def test_a_frame_as_loud_as_the_threshold_is_voiced_and_a_softer_one_is_not() -> None:
    detector = EnergyDetector(threshold_dbfs=rms_dbfs(square(328)))
    frames = [square(level) for level in (329, 327, 20000, 0)]
    assert [detector.speech_probability(frame) for frame in frames] == [1.0, 0.0, 1.0, 0.0]


def test_the_energy_detector_remembers_nothing() -> None:
    detector = EnergyDetector()
    frames = [square(level) for level in (5000, 0, 5000, 5000, 0, 0)]
    assert [detector.speech_probability(frame) for frame in frames] == [1.0, 0.0, 1.0, 1.0, 0.0, 0.0]


def test_energy_at_speaks_the_decibels_of_rms_dbfs() -> None:
    frame = square(1234)
    assert frame_energy(frame) == pytest.approx(energy_at(rms_dbfs(frame)), rel=1e-6)


def test_the_loudest_frame_does_not_overflow() -> None:
    assert frame_energy(square(-32767)) == pytest.approx(FRAME_SAMPLES * 32767.0**2, rel=1e-6)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(None, "no voice detector", id="missing"),
        pytest.param(b"", "corrupt", id="empty"),
        pytest.param(b"<html>Not found</html>", "corrupt", id="another file"),
        pytest.param(identity_model(), "is not Silero's", id="another model"),
    ],
)
def test_a_model_that_cannot_be_used_names_the_command_that_brings_it(
    content: bytes | None, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "silero_vad.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=problem) as refused:
        SileroModel(path)
    assert refused.value.remedy == "run `slukh weights get silero`"
