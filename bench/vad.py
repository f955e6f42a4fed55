"""What hearing costs, and what it takes for speech: `python bench/vad.py [MINUTES] [CLIPS_FOLDER]`.

Prints microseconds per 32 ms frame of the detector alone; then, of the whole Listener fed 20 ms at a time,
its cost and how many utterances each generated sound opens; then, with a folder of clips, the share of a call
that the detector is asked about. Weights: `slukh weights get silero`.
"""

import sys
import wave
from pathlib import Path
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from slukh.audio import samples_from_linear16
from slukh.speech.listener import Listener
from slukh.speech.segmenter import Endpointing, UtteranceStarted
from slukh.speech.vad import FRAME_SAMPLES, SileroModel, VoiceDetector, energy_at, frame_energy
from slukh.testing.line_sounds import hold_melody, line_sounds
from slukh.weights import find_silero, weights_dir

LINE_FRAME = 160


def detector_microseconds(detector: VoiceDetector, samples: NDArray[np.int16]) -> NDArray[np.float64]:
    times = []
    for frame in samples[: samples.size // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES):
        start = perf_counter_ns()
        detector.speech_probability(frame)
        times.append(perf_counter_ns() - start)
    return np.array(times) / 1000


def hear(detector: VoiceDetector, samples: NDArray[np.int16]) -> tuple[int, float]:
    """Utterances opened, and mean microseconds per 32 ms of call."""
    listener, opened = Listener(detector, Endpointing()), 0
    start = perf_counter_ns()
    for position in range(0, samples.size, LINE_FRAME):
        events = listener.hear(samples[position : position + LINE_FRAME], position)
        opened += sum(isinstance(event, UtteranceStarted) for event in events)
    return opened, (perf_counter_ns() - start) / 1000 / (samples.size / FRAME_SAMPLES)


def clips(folder: Path) -> list[NDArray[np.int16]]:
    found = []
    for path in sorted(folder.glob("*/real-*tel8k.wav")):
        with wave.open(str(path)) as clip:
            found.append(samples_from_linear16(clip.readframes(clip.getnframes())))
    return found


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    model = SileroModel(find_silero(weights_dir()))
    sounds = dict(line_sounds(minutes * 60)) | {
        f"hold melody {seed}": hold_melody(minutes * 60, seed=seed) for seed in range(3)
    }
    times = detector_microseconds(model.detector(), sounds["hiss"])
    print(f"Silero, us per frame: p50 {np.percentile(times, 50):.0f}, p95 {np.percentile(times, 95):.0f}")
    print(f"\n{'sound':24} {'utterances':>10} {'us/32 ms':>9}   in {minutes:g} minutes")
    for name, samples in sounds.items():
        opened, cost = hear(model.detector(), samples)
        print(f"{name:24} {opened:10} {cost:9.1f}")
    if len(sys.argv) > 2:
        pause = np.zeros(8000, np.int16)
        speech = np.concatenate([part for clip in clips(Path(sys.argv[2])) for part in (clip, pause)])
        frames = speech[: speech.size // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
        floor = energy_at(Endpointing().energy_floor_dbfs)
        asked = np.mean([frame_energy(frame) >= floor for frame in frames])
        opened, cost = hear(model.detector(), speech)
        print(f"{'recorded clips':24} {opened:10} {cost:9.1f}   detector asked about {asked:.0%}")


if __name__ == "__main__":
    main()
