"""What a telephone line carries when nobody speaks: silence, hiss, ringback, hold music, clicks.

All are int16 samples at 8 kHz after a mu-law round trip, the same for the same seed. Loudness is the root
mean square in dB of full scale.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from slukh.audio import linear16_from_mulaw, linear16_from_samples, mulaw_from_linear16, samples_from_linear16
from slukh.types import SAMPLE_RATE_HERTZ

Wave = NDArray[np.float64]


def line_sounds(seconds: float, seed: int = 0) -> Mapping[str, NDArray[np.int16]]:
    """Every sound by its name, each of this length."""
    rng = np.random.default_rng(seed)
    hiss = _hiss(rng, seconds, -65.0)
    waves = {
        "silence": np.zeros(hiss.size),
        "faint hiss": hiss,
        "hiss": _hiss(rng, seconds, -50.0),
        "loud hiss": _hiss(rng, seconds, -35.0),
        "pink noise": _pink(rng, seconds, -40.0),
        "mains hum": _tone(seconds, -35.0, 50, 100, 150, 250),
        "ringback": hiss + _cadence(_tone(seconds, -15.0, 425), on=1.0, off=4.0),
        "faint ringback": hiss + _cadence(_tone(seconds, -28.0, 425), on=1.0, off=4.0),
        "busy": _cadence(_tone(seconds, -15.0, 425), on=0.35, off=0.35),
        "north american ringback": _cadence(_tone(seconds, -15.0, 440, 480), on=2.0, off=4.0),
        "hold tone": _tone(seconds, -15.0, 440),
        "hold chord": _tone(seconds, -15.0, 262, 330, 392, 523),
        "hold beeps": hiss + _cadence(_tone(seconds, -18.0, 1400), on=0.2, off=9.8),
        "fax": _cadence(_tone(seconds, -15.0, 1100), on=0.5, off=3.0),
        "clicks": hiss + _clicks(rng, seconds),
    }
    return {name: samples_of(wave) for name, wave in waves.items()}


def hold_melody(seconds: float, dbfs: float = -15.0, seed: int = 0) -> NDArray[np.int16]:
    """Plucked notes with harmonics, one after the other: the sound here that is most like a voice."""
    rng = np.random.default_rng(seed)
    notes: list[Wave] = []
    while sum(note.size for note in notes) < seconds * SAMPLE_RATE_HERTZ:
        t = np.arange(int(rng.choice([0.25, 0.5, 1.0]) * SAMPLE_RATE_HERTZ)) / SAMPLE_RATE_HERTZ
        hertz = float(rng.choice([262, 294, 330, 349, 392, 440, 494, 523]))
        harmonics = sum((np.sin(2 * np.pi * hertz * k * t) / k for k in range(1, 5)), np.zeros(t.size))
        notes.append(np.minimum(1, t / 0.01) * np.exp(-1.5 * t) * harmonics)
    melody = np.concatenate(notes)[: _samples(seconds)]
    return samples_of(melody / melody.std() * _factor(dbfs))


def samples_of(wave: Wave) -> NDArray[np.int16]:
    """A wave of -1..1 as it comes out of a mu-law line."""
    linear = np.clip(wave * 32767, -32768, 32767).astype(np.int16)
    return samples_from_linear16(linear16_from_mulaw(mulaw_from_linear16(linear16_from_samples(linear))))


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HERTZ)


def _factor(dbfs: float) -> float:
    return float(10 ** (dbfs / 20))


def _hiss(rng: np.random.Generator, seconds: float, dbfs: float) -> Wave:
    return rng.normal(0, _factor(dbfs), _samples(seconds))


def _pink(rng: np.random.Generator, seconds: float, dbfs: float) -> Wave:
    spectrum = np.fft.rfft(rng.normal(size=_samples(seconds)))
    wave = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(spectrum.size))), _samples(seconds))
    return np.asarray(wave / wave.std() * _factor(dbfs))


def _tone(seconds: float, dbfs: float, *hertz: float) -> Wave:
    t = np.arange(_samples(seconds)) / SAMPLE_RATE_HERTZ
    wave = sum((np.sin(2 * np.pi * f * t) for f in hertz), np.zeros(t.size))
    return np.asarray(wave / wave.std() * _factor(dbfs))


def _cadence(wave: Wave, *, on: float, off: float) -> Wave:
    return np.asarray(wave * (np.arange(wave.size) % _samples(on + off) < _samples(on)))


def _clicks(rng: np.random.Generator, seconds: float) -> Wave:
    """Bursts of at most 10 ms, two a second on the average."""
    wave = np.zeros(_samples(seconds))
    for start in rng.integers(0, wave.size - 80, int(seconds * 2)):
        length = rng.integers(2, 80)
        wave[start : start + length] += 0.5 * rng.normal(size=length) * np.exp(-np.arange(length) / 15)
    return wave
