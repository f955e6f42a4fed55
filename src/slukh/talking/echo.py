"""Is it the caller, or our own voice that the line brings back? Pure but for its memory of what was sent.

What came is echo when it is both
    like something sent in the last LOOK_BACK_SECONDS their normalised cross-correlation peaks at LIKENESS
    quieter than that by LOSS_DB                      a line that sent us back louder would howl

Everything else is the caller: a voice that speaks over the echo is louder than it, and like nothing we sent.
The delay need not be known, since every one of them is tried.
"""

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from slukh.audio import Samples
from slukh.types import SAMPLE_RATE_HERTZ

LOOK_BACK_SECONDS: Final = 0.9
HEARD_SAMPLES: Final = SAMPLE_RATE_HERTZ * 16 // 100
LIKENESS: Final = 0.6
LOSS_DB: Final = 6.0
_QUIETEST: Final = 30.0  # root mean square below which a reference is no reference
_SLACK: Final = SAMPLE_RATE_HERTZ // 25  # frames stand where they left or a little later
_LEAST: Final = 256  # samples of anything that can be compared

_Floats = NDArray[np.float64]


class EchoGuard:
    """What one call has been sent of late."""

    def __init__(self) -> None:
        self._sent: deque[tuple[float, Samples]] = deque()

    def sent(self, samples: Samples, now: float) -> None:
        """A frame left for the caller."""
        self._sent.append((now, samples))
        self._forget(now)

    def is_speaking(self, now: float) -> bool:
        """Whether something was sent so lately that its echo may still come."""
        self._forget(now)
        return bool(self._sent)

    def is_echo(self, heard: Samples, now: float) -> bool:
        """Whether what was heard last, 160 ms at most are looked at, is what was sent."""
        self._forget(now)
        ours = heard[-HEARD_SAMPLES:].astype(np.float64)
        if not self._sent or len(ours) < _LEAST:
            return False
        reference = self._reference(now)
        correlation, energy = _correlated(ours, reference)
        own_energy = float(ours @ ours)
        loud = energy > len(ours) * _QUIETEST**2
        if not own_energy or not loud.any():
            return False
        likeness = np.where(loud, correlation / np.sqrt(np.maximum(energy, 1.0) * own_energy), 0.0)
        at = int(np.abs(likeness).argmax())  # a hybrid may turn the phase
        loss_db = 10 * np.log10(energy[at] / own_energy)
        return bool(abs(likeness[at]) >= LIKENESS and loss_db >= LOSS_DB)

    def _reference(self, now: float) -> _Floats:
        """What was sent up to now, on a time line."""
        length = round(LOOK_BACK_SECONDS * SAMPLE_RATE_HERTZ)
        reference = np.zeros(length + _SLACK)
        end = 0
        for at, samples in self._sent:
            start = length - round((now - at) * SAMPLE_RATE_HERTZ)
            # Frames leave a little early or late and are heard one behind the other.
            if end and start < end + _SLACK:
                start = end
            start = max(start, 0)
            room = reference[start : start + len(samples)]
            room[:] = samples[: len(room)]
            end = start + len(samples)
        return reference

    def _forget(self, now: float) -> None:
        while self._sent and now - self._sent[0][0] > LOOK_BACK_SECONDS:
            self._sent.popleft()


def _correlated(heard: _Floats, reference: _Floats) -> tuple[_Floats, _Floats]:
    """For every lag, the product of what was heard with the reference, and the reference's energy there."""
    size = 1 << (len(reference) + len(heard) - 1).bit_length()
    spectrum = np.fft.rfft(reference, size) * np.conj(np.fft.rfft(heard, size))
    lags = len(reference) - len(heard) + 1
    products = np.fft.irfft(spectrum, size)[:lags]
    sums = np.concatenate(([0.0], np.cumsum(reference * reference)))
    return products, sums[len(heard) :][:lags] - sums[:lags]
