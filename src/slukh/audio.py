"""Audio arithmetic: G.711, linear 16-bit PCM, loudness, and one streaming resampler.

Two forms travel through Slukh: `linear16`, which is little-endian int16 bytes, on wires and in files, and
`samples`, which is an int16 array, inside. No audioop: Python 3.13 removed it.
"""

import io
import math
import wave
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from slukh.types import SAMPLE_RATE_HERTZ

Samples = npt.NDArray[np.int16]
_Floats = npt.NDArray[np.float64]

_INT16: Final = np.dtype("<i2")
_FULL_SCALE: Final = 32768.0

# --- G.711 --------------------------------------------------------------------------------------------


def _mulaw_levels() -> Samples:
    """Output level of each mu-law byte. G.711 (11/88) 3.2: bits inverted, bias 33 of 14 bits, here of 16."""
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    chord, step = (code >> 4) & 7, code & 15
    magnitude = (((step << 3) + 0x84) << chord) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(_INT16)


def _alaw_levels() -> Samples:
    """Output level of each A-law byte. G.711 (11/88) 3.1: even bits inverted, sign bit set = positive."""
    code = np.arange(256, dtype=np.int32) ^ 0x55
    chord, step = (code >> 4) & 7, code & 15
    magnitude = np.where(chord == 0, (step << 4) + 8, ((step << 4) + 0x108) << np.maximum(chord - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(_INT16)


def _all_samples() -> npt.NDArray[np.int32]:
    """Every int16 value, in the order of its bit pattern, so that a table of it is indexed by uint16."""
    return np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)


def _mulaw_codes() -> npt.NDArray[np.uint8]:
    """Mu-law byte of each sample, by G.711's decision values: chords start at 132, 264, 528 ... 16896."""
    sample = _all_samples()
    biased = np.minimum(np.abs(sample), 32635) + 0x84
    chord = np.floor(np.log2(biased)).astype(np.int32) - 7
    code = (chord << 4) | ((biased >> (chord + 3)) & 15)
    codes: npt.NDArray[np.int32] = np.where(sample < 0, code ^ 0x7F, code ^ 0xFF)
    return codes.astype(np.uint8)


def _alaw_codes() -> npt.NDArray[np.uint8]:
    """A-law byte of each sample; the two lowest chords share one step.

    A negative sample is inverted, not negated, as ITU's own program does (G.191, g711.c).
    """
    sample = _all_samples()
    magnitude = np.where(sample < 0, ~sample, sample)
    chord = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 7, 0)
    code = (chord << 4) | ((magnitude >> np.where(chord == 0, 4, chord + 3)) & 15)
    return (np.where(sample < 0, code, code | 0x80) ^ 0x55).astype(np.uint8)


_MULAW_LEVELS: Final = _mulaw_levels()
_ALAW_LEVELS: Final = _alaw_levels()
_MULAW_CODES: Final = _mulaw_codes()
_ALAW_CODES: Final = _alaw_codes()


def linear16_from_mulaw(data: bytes) -> bytes:
    """Linear 16-bit PCM from G.711 mu-law.

    Args: data: one byte per sample.
    Returns: little-endian int16, twice as many bytes.
    Source: ITU-T G.711 (11/88), tables 2a and 2b, scaled from 14 to 16 bits.
    """
    return _MULAW_LEVELS.take(np.frombuffer(data, np.uint8)).tobytes()


def linear16_from_alaw(data: bytes) -> bytes:
    """Linear 16-bit PCM from G.711 A-law; as `linear16_from_mulaw`, tables 1a and 1b, from 13 bits."""
    return _ALAW_LEVELS.take(np.frombuffer(data, np.uint8)).tobytes()


def mulaw_from_linear16(pcm: bytes) -> bytes:
    """G.711 mu-law, one byte per sample, from little-endian int16. Raises ValueError on an odd length."""
    return _MULAW_CODES.take(samples_from_linear16(pcm).view(np.uint16)).tobytes()


def alaw_from_linear16(pcm: bytes) -> bytes:
    """G.711 A-law, one byte per sample, from little-endian int16. Raises ValueError on an odd length."""
    return _ALAW_CODES.take(samples_from_linear16(pcm).view(np.uint16)).tobytes()


# --- Linear PCM ---------------------------------------------------------------------------------------


def samples_from_linear16(pcm: bytes) -> Samples:
    """The int16 samples in little-endian bytes; read-only, nothing is copied. ValueError on an odd length."""
    return np.frombuffer(pcm, _INT16)


def linear16_from_samples(samples: Samples) -> bytes:
    """Little-endian bytes of int16 samples."""
    return samples.astype(_INT16, copy=False).tobytes()


def wav_from_linear16(pcm: bytes) -> bytes:
    """A WAV file of mono at 8 kHz."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HERTZ)
        file.writeframes(pcm)
    return buffer.getvalue()


def float32_from_linear16(pcm: bytes) -> npt.NDArray[np.float32]:
    """Samples in -1.0 .. 1.0, as voice detectors and Whisper want them."""
    return samples_from_linear16(pcm).astype(np.float32) / np.float32(_FULL_SCALE)


def rms_dbfs(samples: Samples) -> float:
    """Loudness in dB relative to a full-scale square wave; -inf for digital silence or no samples."""
    values = samples.astype(np.float32)
    power = float(np.dot(values, values))
    return 10.0 * math.log10(power / len(values) / _FULL_SCALE**2) if power else -math.inf


# --- Resampling ---------------------------------------------------------------------------------------

# A Kaiser-windowed sinc with its whole transition below the Nyquist frequency of the slower side: flat to
# 0.85 of it (3.4 kHz of 4 kHz, a telephone's upper edge), at least 70 dB down from 1.0 of it. No image and
# no alias, and a delay of HALF_WIDTH samples of the slower rate, 3.6 ms at 8 kHz.
_HALF_WIDTH: Final = 29
_CUTOFF: Final = 0.925
_BETA: Final = 0.1102 * (70.0 - 8.7)  # Kaiser's formula for 70 dB
# Coefficients are multiples of 2**-22 in float64. Their products and sums with int16 need fewer than 53 bits,
# so they are exact in any order of addition, and the output cannot depend on how the input was split.
_SCALE: Final = float(1 << 22)
_ROW_OUTPUTS: Final = 32
_MAX_MATRIX: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bank:
    """A polyphase filter laid out for one matrix product.

    Attributes:
        up: input samples are thought of as spread by this factor ...
        down: ... and every `down`-th of the filtered ones is kept; no common divisor.
        history: earlier input samples that an output may need.
        row_inputs: new input samples per row.
        row_outputs: output samples per row.
        matrix: (history + row_inputs) x row_outputs.
    """

    up: int
    down: int
    history: int
    row_inputs: int
    row_outputs: int
    matrix: _Floats


@lru_cache(maxsize=32)
def _bank(up: int, down: int) -> _Bank:
    centre = _HALF_WIDTH * max(up, down)  # in spread samples, of which max(up, down) make one slow sample
    taps = -(-(2 * centre + 1) // up)  # per phase
    cycles = -(-_ROW_OUTPUTS // up)
    row_inputs, row_outputs = cycles * down, cycles * up
    if (taps + row_inputs) * row_outputs > _MAX_MATRIX:
        raise ValueError(f"{down}:{up} is not a ratio of usual sample rates")

    offsets = (np.arange(taps * up) - centre) / max(up, down)
    window = np.i0(_BETA * np.sqrt(np.maximum(0.0, 1.0 - (offsets / _HALF_WIDTH) ** 2))) / np.i0(_BETA)
    prototype = np.where(np.abs(offsets) <= _HALF_WIDTH, np.sinc(_CUTOFF * offsets) * window, 0.0)
    phases = prototype.reshape(taps, up).T  # phases[p][k] weighs the input k samples back
    phases = np.rint(phases / phases.sum(axis=1, keepdims=True) * _SCALE) / _SCALE

    matrix = np.zeros((taps - 1 + row_inputs, row_outputs))
    for output in range(row_outputs):
        newest, phase = divmod(output * down, up)
        matrix[newest : newest + taps, output] = phases[phase][::-1]
    return _Bank(
        up=up, down=down, history=taps - 1, row_inputs=row_inputs, row_outputs=row_outputs, matrix=matrix
    )


class Resampler:
    """Changes the sample rate of one stream, chunk by chunk, with a small constant delay.

    Every chunk gives at once all the output it can (a 20 ms frame never gives nothing); the output of a
    stream is the same however its input was split. Equal rates pass samples through untouched.

    Attributes:
        delay_seconds: how much later a sound stands in the output than in the input.

    Raises:
        ValueError: a rate that is not positive, or a ratio such as 44101:8000 that no device uses.
    """

    def __init__(self, from_hertz: int, to_hertz: int) -> None:
        if from_hertz <= 0 or to_hertz <= 0:
            raise ValueError(f"sample rates are positive, not {from_hertz} and {to_hertz}")
        self.from_hertz = from_hertz
        self.to_hertz = to_hertz
        self._identity = from_hertz == to_hertz
        self.delay_seconds = 0.0 if self._identity else _HALF_WIDTH / min(from_hertz, to_hertz)
        divisor = math.gcd(from_hertz, to_hertz)
        self._bank = _bank(to_hertz // divisor, from_hertz // divisor)
        self._reset()

    def _reset(self) -> None:
        self._pending: _Floats = np.zeros(
            self._bank.history
        )  # history, then the inputs of the unfinished row
        self._given = 0  # outputs of the unfinished row that were given out already

    def resample(self, samples: Samples) -> Samples:
        """All output that these further samples make possible."""
        if self._identity:
            return samples
        bank = self._bank
        pending: _Floats = np.concatenate((self._pending, samples))
        arrived = len(pending) - bank.history
        # Output n needs input n * down // up, so this many exist since the row began.
        possible = -(-arrived * bank.up // bank.down)
        rows = -(-possible // bank.row_outputs)
        done = arrived // bank.row_inputs
        missing = bank.history + rows * bank.row_inputs - len(pending)
        padded = pending if missing <= 0 else np.pad(pending, (0, missing))
        # Overlapping windows, one per row, without a copy (as_strided does the same, five times slower).
        windows: _Floats = np.ndarray(
            (rows, len(bank.matrix)), np.float64, buffer=padded, strides=(bank.row_inputs * 8, 8)
        )
        out = np.rint((windows @ bank.matrix).reshape(-1)[self._given : possible])
        self._pending = pending[done * bank.row_inputs :]
        self._given = possible - done * bank.row_outputs
        np.minimum(out, 32767.0, out=out)
        np.maximum(out, -32768.0, out=out)
        return out.astype(np.int16)

    def flush(self) -> Samples:
        """The last `delay_seconds` of sound; afterwards it is as new."""
        if self._identity:
            return np.zeros(0, np.int16)
        tail = self.resample(np.zeros(math.ceil(self.delay_seconds * self.from_hertz), np.int16))
        self._reset()
        return tail
