"""Recordings: a strict reader of wav and raw G.711 files, and a writer.

Strict, because a recording that is quietly played wrong (stereo as mono, a cut file as a short one) becomes a
wrong transcript that nobody can explain. Everything refused comes with the `sox` command that mends it.

Source: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0" (RIFF, WAVE);
mmreg.h for the format tags and WAVE_FORMAT_EXTENSIBLE.
"""

import shlex
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Literal

import numpy as np

from slukh.audio import (
    Resampler,
    Samples,
    linear16_from_alaw,
    linear16_from_mulaw,
    linear16_from_samples,
    samples_from_linear16,
)
from slukh.errors import AudioFileError
from slukh.types import SAMPLE_RATE_HERTZ, seconds

Encoding = Literal["mulaw", "alaw", "linear16"]

MAX_SECONDS: Final = 2 * 3600
RAW_SUFFIXES: Final[dict[str, Encoding]] = {
    ".ul": "mulaw", ".ulaw": "mulaw", ".mulaw": "mulaw", ".pcmu": "mulaw",
    ".al": "alaw", ".alaw": "alaw", ".pcma": "alaw",
    ".sln": "linear16", ".raw": "linear16",
}  # fmt: skip
SAMPLE_BYTES: Final[dict[Encoding, int]] = {"mulaw": 1, "alaw": 1, "linear16": 2}

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE
_WAV_ENCODINGS: Final[dict[tuple[int, int], Encoding]] = {
    (_PCM, 16): "linear16",
    (_ALAW, 8): "alaw",
    (_MULAW, 8): "mulaw",
}
_LINEAR16_FROM: Final[dict[Encoding, Callable[[bytes], bytes]]] = {
    "mulaw": linear16_from_mulaw,
    "alaw": linear16_from_alaw,
    "linear16": bytes,
}
# Written by programs that could not know the length and never came back to fill it in. sox writes a little
# less than 2**31, ffmpeg 2**32 - 1, others 0.
_UNFINISHED_FROM: Final = 0x7FFF0000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """A recording, ready to be played into a call.

    Attributes:
        samples: int16 mono at 8 kHz.
        source_sample_rate_hertz: the file's own rate.
    """

    samples: Samples = field(repr=False)
    source_sample_rate_hertz: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return seconds(len(self.samples))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where a file's audio is, and how it is written."""

    start: int
    length: int
    encoding: Encoding
    sample_rate_hertz: int


def read_recording(path: Path | str, *, encoding: Encoding | None = None) -> Recording:
    """A mono recording of at most two hours: wav (16-bit PCM at any usual rate, mu-law, A-law) or raw.

    Args:
        path: the file. Raw files are recognised by their suffix (`RAW_SUFFIXES`) and are 8 kHz.
        encoding: of a raw file with another suffix.

    Raises:
        AudioFileError: it cannot be read, or is not exactly that.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            layout = _layout(path, file, size, encoding)
            samples = _read_samples(path, file, layout)
    except FileNotFoundError:
        raise AudioFileError(
            f"{path} does not exist", remedy="name a recording, or `ls` its folder"
        ) from None
    except IsADirectoryError:
        raise AudioFileError(f"{path} is a folder", remedy=f"name one file of `ls {_quoted(path)}`") from None
    except OSError as error:
        raise AudioFileError(
            f"{path} cannot be read ({error.strerror})", remedy=f"check it with `ls -l {_quoted(path)}`"
        ) from error
    return Recording(samples=samples, source_sample_rate_hertz=layout.sample_rate_hertz)


def write_wav(path: Path | str, samples: Samples, sample_rate_hertz: int = SAMPLE_RATE_HERTZ) -> None:
    """Write 16-bit mono PCM. Raises OSError."""
    data = linear16_from_samples(samples)
    form = struct.pack("<HHIIHH", _PCM, 1, sample_rate_hertz, 2 * sample_rate_hertz, 2, 16)
    header = struct.pack(
        "<4sI4s4sI16s4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, form, b"data", len(data)
    )
    Path(path).write_bytes(header + data)


def _layout(path: Path, file: BinaryIO, size: int, encoding: Encoding | None) -> _Layout:
    if size == 0:
        raise AudioFileError(
            f"{path} is empty (0 bytes)", remedy="record it again, or copy it again with `cp`"
        )
    head = file.read(12)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        if encoding is not None:
            raise AudioFileError(
                f"{path} is a wav file, which names its encoding itself",
                remedy=f"leave `{encoding}` out, or strip the header with `sox {_quoted(path)} OUT.raw`",
            )
        layout = _wav_layout(path, file, size)
    else:
        encoding = encoding or RAW_SUFFIXES.get(path.suffix.lower())
        if encoding is None:
            raise AudioFileError(
                f"{path} is not a wav file",
                remedy=f"convert it with {_sox(path)}; raw G.711 is named .ul or .al",
            )
        layout = _Layout(start=0, length=size, encoding=encoding, sample_rate_hertz=SAMPLE_RATE_HERTZ)
    width = SAMPLE_BYTES[layout.encoding]
    if layout.length % width:
        raise AudioFileError(f"{path} ends in the middle of a sample", remedy=_repair(path))
    if layout.length > MAX_SECONDS * layout.sample_rate_hertz * width:
        raise AudioFileError(
            f"{path} is longer than {MAX_SECONDS // 3600} hours",
            remedy=f"cut it with `sox {_quoted(path)} OUT.wav trim 0 {MAX_SECONDS}`",
        )
    return layout


def _wav_layout(path: Path, file: BinaryIO, size: int) -> _Layout:
    """Walk the chunks up to `data`; nothing is read of a chunk but its header and 40 bytes."""
    form: tuple[Encoding, int] | None = None
    for name, start, length in _chunks(file, size):
        if name == b"fmt ":
            form = _format(path, file.read(min(length, 40)))
        elif name == b"data":
            if form is None:
                break
            present = size - start
            if (length >= _UNFINISHED_FROM and length > present) or (length == 0 and present):
                raise AudioFileError(
                    f"{path} was never finished: its header has no length", remedy=_repair(path)
                )
            if length > present:
                raise AudioFileError(
                    f"{path} is truncated: its header promises {length} bytes of audio, {present} are there",
                    remedy=_repair(path),
                )
            if length == 0:
                raise AudioFileError(
                    f"{path} holds no audio",
                    remedy=f"record it again; `soxi {_quoted(path)}` shows its length",
                )
            return _Layout(start=start, length=length, encoding=form[0], sample_rate_hertz=form[1])
    raise AudioFileError(f"{path} is a wav file without audio, or cut before it", remedy=_repair(path))


def _chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    at = 12
    while at + 8 <= size:
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        yield name, at + 8, length
        at += 8 + length + length % 2  # chunks begin at even offsets


def _format(path: Path, form: bytes) -> tuple[Encoding, int]:
    if len(form) < 16:  # noqa: PLR2004  # PCMWAVEFORMAT has 16 bytes
        raise AudioFileError(f"{path} has a broken wav header", remedy=_repair(path))
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", form)
    if tag == _EXTENSIBLE and len(form) >= 26:  # noqa: PLR2004  # its sub-format begins with the real tag
        (tag,) = struct.unpack_from("<H", form, 24)
    if channels != 1:
        problem = f"{path} has {channels} channels; a call has one"
        raise AudioFileError(problem, remedy=f"take the caller's with {_sox(path, effect=' remix 1')}")
    encoding = _WAV_ENCODINGS.get((tag, bits))
    if encoding is None:
        names = {_PCM: f"{bits}-bit samples", _FLOAT: "float samples"}
        holds = names.get(tag, f"compressed audio (format 0x{tag:04x})")
        raise AudioFileError(
            f"{path} holds {holds}, not 16-bit PCM or G.711", remedy=f"convert it with {_sox(path)}"
        )
    try:
        Resampler(rate, SAMPLE_RATE_HERTZ)
    except ValueError:
        problem = f"{path} has a sample rate of {rate} Hz, which no device uses"
        raise AudioFileError(problem, remedy=f"convert it with {_sox(path)}") from None
    return encoding, rate


def _read_samples(path: Path, file: BinaryIO, layout: _Layout) -> Samples:
    """The audio at 8 kHz, read in pieces of a second, the resampler's delay cut off."""
    resampler = Resampler(layout.sample_rate_hertz, SAMPLE_RATE_HERTZ)
    linear16_from = _LINEAR16_FROM[layout.encoding]
    second = layout.sample_rate_hertz * SAMPLE_BYTES[layout.encoding]
    file.seek(layout.start)
    pieces = []
    for start in range(0, layout.length, second):
        wanted = min(second, layout.length - start)
        data = file.read(wanted)
        if len(data) < wanted:
            raise AudioFileError(
                f"{path} became shorter while it was read", remedy="wait until it is written"
            )
        pieces.append(resampler.resample(samples_from_linear16(linear16_from(data))))
    pieces.append(resampler.flush())
    return np.concatenate(pieces)[round(resampler.delay_seconds * SAMPLE_RATE_HERTZ) :]


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _sox(path: Path, *, effect: str = "") -> str:
    return f"`sox {_quoted(path)} -r 8000 -b 16 -e signed{'' if effect else ' -c 1'} OUT.wav{effect}`"


def _repair(path: Path) -> str:
    return f"copy it again, or keep what is there with `sox --ignore-length {_quoted(path)} OUT.wav`"
