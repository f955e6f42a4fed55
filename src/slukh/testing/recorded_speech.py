"""Recordings of people who speak to a telephone, and their words: SLUKH_TEST_CALLS names the folder."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from slukh.audio import Samples
from slukh.audio_files import read_recording

LANGUAGES: Final = {"uk": "uk-UA", "ru": "ru-RU"}
# set -> (folder of the recorded speech, pattern, clips of a short run)
RECORDED: Final = {
    "uk prompts": ("uk", "real-vikdon_*_tel8k.wav", 30),
    "ru prompts": ("ru", "real-debian_*_tel8k.wav", 30),
    "ru sentences": ("ru", "real-festvox_*_tel8k.wav", 15),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A recording of one sentence or a few, and what is said in it."""

    set: str
    language: str
    samples: Samples
    text: str


def recorded_clips(root: Path, *, every: bool) -> list[Clip]:
    """Evenly spread over the sorted names, so that another run takes the same ones.

    Args:
        root: of the checkout; the default folder lies beside it.
        every: all of them.
    """
    folder = Path(os.environ.get("SLUKH_TEST_CALLS", root.parent / "shared" / "calls"))
    clips = []
    for name, (language, pattern, count) in RECORDED.items():
        paths = sorted((folder / language).glob(pattern))
        step = 1 if every else max(1.0, len(paths) / count)
        taken = [paths[int(i * step)] for i in range(round(len(paths) / step))]
        clips += [
            Clip(set=name, language=language, samples=read_recording(path).samples,
                 text=path.with_suffix(".txt").read_text("utf-8"))
            for path in taken
        ]  # fmt: skip
    return clips
