"""Is somebody speaking in these 32 milliseconds? Silero's network for calls, plain loudness for tests.

Source of the network's signature: Silero VAD 6, ONNX file; at 8 kHz a window of 256 samples with the 32
before it as context, and a recurrent state of shape (2, 1, 128) that goes from one window to the next.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from slukh.errors import WeightsError
from slukh.types import SAMPLE_RATE_HERTZ

if TYPE_CHECKING:
    import onnxruntime

FRAME_SAMPLES = 256  # 32 ms: the only window that Silero takes at 8 kHz

_CONTEXT_SAMPLES = 32
_STATE_SHAPE = (2, 1, 128)
_INPUTS = {"input", "state", "sr"}
_OUTPUTS = {"output", "stateN"}
_FULL_SCALE = 32768.0


class VoiceDetector(Protocol):
    """Hears one call; it may remember what came before."""

    def speech_probability(self, frame: NDArray[np.int16]) -> float:
        """Probability 0..1 that the next `FRAME_SAMPLES` samples of the call hold a voice."""


def frame_energy(frame: NDArray[np.int16]) -> float:
    """Sum of the squared samples of a frame, to be compared with `energy_at`."""
    samples = frame.astype(np.float32)
    return float(samples.dot(samples))


def energy_at(dbfs: float) -> float:
    """Energy of a frame whose root mean square is this far from full scale (32768), in dB."""
    return FRAME_SAMPLES * (_FULL_SCALE * 10 ** (dbfs / 20)) ** 2


class EnergyDetector:
    """Certain of every frame above a loudness and of none below: exact and instantaneous, for tests.

    Args:
        threshold_dbfs: root mean square of the softest voiced frame, in dB of full scale.
    """

    def __init__(self, threshold_dbfs: float = -40.0) -> None:
        self._threshold = energy_at(threshold_dbfs)

    def speech_probability(self, frame: NDArray[np.int16]) -> float:
        """1.0 or 0.0."""
        return 1.0 if frame_energy(frame) >= self._threshold else 0.0


class SileroModel:
    """Silero's network, loaded once and shared by all calls.

    Args:
        path: the ONNX file.

    Raises:
        WeightsError: the file is missing, corrupt, or another model.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # A frame takes 0.1 ms: handing it to other threads costs more than it saves.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        remedy = "run `slukh weights get silero`"
        if not path.is_file():
            raise WeightsError(f"no voice detector at {path}", remedy=remedy)
        try:
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors share no public base class
            raise WeightsError(f"the voice detector {path} is corrupt", remedy=remedy) from error
        inputs = {tensor.name for tensor in session.get_inputs()}
        outputs = {tensor.name for tensor in session.get_outputs()}
        if inputs != _INPUTS or outputs != _OUTPUTS:
            raise WeightsError(f"{path} is not Silero's voice detector", remedy=remedy)
        self._session = session

    def detector(self) -> VoiceDetector:
        """A detector for one call."""
        return _SileroDetector(self._session)


class _SileroDetector:
    """One call's context and state.

    The arrays are bound to the session once: a dictionary of inputs built for every frame costs 15 % of it.
    The state is written to a second array and the two change places, hence two bindings.
    """

    def __init__(self, session: "onnxruntime.InferenceSession") -> None:
        self._session = session
        self._rate = np.array(SAMPLE_RATE_HERTZ, dtype=np.int64)
        self._window = np.zeros((1, _CONTEXT_SAMPLES + FRAME_SAMPLES), dtype=np.float32)
        self._context = self._window[0, :_CONTEXT_SAMPLES]
        self._frame = self._window[0, _CONTEXT_SAMPLES:]
        self._frame_tail = self._window[0, FRAME_SAMPLES:]
        self._probability = np.zeros((1, 1), dtype=np.float32)
        self._states = (np.zeros(_STATE_SHAPE, np.float32), np.zeros(_STATE_SHAPE, np.float32))
        self._binding = self._bind(*self._states)
        self._next_binding = self._bind(*self._states[::-1])

    def speech_probability(self, frame: NDArray[np.int16]) -> float:
        self._context[:] = self._frame_tail
        np.multiply(frame, 1 / _FULL_SCALE, out=self._frame, dtype=np.float32)
        self._session.run_with_iobinding(self._binding)
        self._binding, self._next_binding = self._next_binding, self._binding
        return self._probability.item()

    def _bind(self, state: NDArray[np.float32], next_state: NDArray[np.float32]) -> "onnxruntime.IOBinding":
        binding = self._session.io_binding()
        for name, array in (("input", self._window), ("state", state), ("sr", self._rate)):
            binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        for name, array in (("output", self._probability), ("stateN", next_state)):
            binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        return binding
