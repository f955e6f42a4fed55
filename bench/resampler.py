"""The resampler's cost, delay and image rejection: `python bench/resampler.py`."""

import time

import numpy as np

from slukh.audio import Resampler

RATES = [
    (8000, 16000),
    *((rate, 8000) for rate in (12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000)),
]


def microseconds_per_frame(from_hertz: int, to_hertz: int, *, rounds: int = 5, frames: int = 400) -> float:
    """The best of some rounds, 20 ms frames."""
    resampler = Resampler(from_hertz, to_hertz)
    frame = (np.random.default_rng(1).normal(0, 3000, from_hertz // 50)).astype(np.int16)
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(frames):
            resampler.resample(frame)
        best = min(best, (time.perf_counter() - began) / frames * 1e6)
    return best


def worst_image_db() -> float:
    """The loudest component above 4 kHz that any tone of 8 kHz audio leaves behind at 16 kHz."""
    worst = -np.inf
    for hertz in range(100, 4000, 100):
        tone = np.rint(16_000 * np.sin(2 * np.pi * hertz * np.arange(16_000) / 8000)).astype(np.int16)
        out = Resampler(8000, 16000).resample(tone)[1600:]
        window = np.kaiser(len(out), 14.0)
        level = 20 * np.log10(np.abs(np.fft.rfft(out * window)) / (16_000 * window.sum() / 2) + 1e-12)
        worst = max(worst, float(level[np.fft.rfftfreq(len(out), 1 / 16_000) > 4000].max()))
    return worst


def main() -> None:
    print(f"{'from':>8} {'to':>6} {'us/frame':>9} {'delay ms':>9}")
    for from_hertz, to_hertz in RATES:
        delay = Resampler(from_hertz, to_hertz).delay_seconds * 1000
        print(f"{from_hertz:8} {to_hertz:6} {microseconds_per_frame(from_hertz, to_hertz):9.1f} {delay:9.2f}")
    print(f"worst image, 8 to 16 kHz: {worst_image_db():.1f} dB")


if __name__ == "__main__":
    main()
