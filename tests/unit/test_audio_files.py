"""What a recording may be, and what is said about one that may not."""

import struct
from pathlib import Path

import numpy as np
import pytest

from slukh.audio import (
    Samples,
    alaw_from_linear16,
    linear16_from_alaw,
    linear16_from_mulaw,
    linear16_from_samples,
    mulaw_from_linear16,
)
from slukh.audio_files import MAX_SECONDS, Encoding, read_recording, write_wav
from slukh.errors import AudioFileError

TAG_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def tone(rate: int, seconds: float = 1.0) -> Samples:
    values: Samples = np.rint(9000 * np.sin(2 * np.pi * 700 * np.arange(int(rate * seconds)) / rate)).astype(
        np.int16
    )
    return values


def wav(
    data: bytes,
    *,
    tag: int = 1,
    channels: int = 1,
    rate: int = 8000,
    bits: int = 16,
    form_tail: bytes = b"",
    before: bytes = b"",
    length: int | None = None,
) -> bytes:
    """A wav file by hand; `length` is what its data chunk claims."""
    form = struct.pack(
        "<HHIIHH", tag, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits
    )
    form += form_tail
    body = b"WAVE" + before + b"fmt " + len(form).to_bytes(4, "little") + form
    body += b"data" + (len(data) if length is None else length).to_bytes(4, "little") + data
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def saved(folder: Path, content: bytes, name: str = "call.wav") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refusal(path: Path, encoding: Encoding | None = None) -> AudioFileError:
    with pytest.raises(AudioFileError) as refused:
        read_recording(path, encoding=encoding)
    assert "`" in refused.value.remedy  # it names a command
    assert "\n" not in str(refused.value)
    return refused.value


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    write_wav(path, tone(8000))
    recording = read_recording(path)
    assert recording.samples.tolist() == tone(8000).tolist()
    assert recording.source_sample_rate_hertz == 8000
    assert recording.seconds == 1.0


@pytest.mark.parametrize("rate", [11_025, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_any_usual_rate_becomes_8_khz_at_the_same_place(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "call.wav"
    write_wav(path, tone(rate, 2.5), rate)
    recording = read_recording(path)
    assert recording.source_sample_rate_hertz == rate
    assert abs(len(recording.samples) - 20_000) <= 1
    expected = tone(8000, 2.5)[200:19_800].astype(int)
    error = recording.samples[200:19_800].astype(int) - expected
    assert np.abs(error).max() < 0.01 * 9000


@pytest.mark.parametrize(
    ("tag", "encode", "decode"),
    [(7, mulaw_from_linear16, linear16_from_mulaw), (6, alaw_from_linear16, linear16_from_alaw)],
)
def test_g711_in_a_wav_is_decoded(tmp_path: Path, tag: int, encode: object, decode: object) -> None:
    assert callable(encode)
    assert callable(decode)
    coded = encode(linear16_from_samples(tone(8000)))
    path = saved(tmp_path, wav(coded, tag=tag, bits=8, form_tail=b"\0\0"))
    assert linear16_from_samples(read_recording(path).samples) == decode(coded)


def test_extensible_pcm_is_pcm(tmp_path: Path) -> None:
    data = linear16_from_samples(tone(8000))
    extension = struct.pack("<HHIH", 22, 16, 4, 1) + TAG_GUID_TAIL
    path = saved(tmp_path, wav(data, tag=0xFFFE, form_tail=extension))
    assert read_recording(path).samples.tolist() == tone(8000).tolist()


def test_other_chunks_are_skipped(tmp_path: Path) -> None:
    data = linear16_from_samples(tone(8000))
    path = saved(tmp_path, wav(data, before=b"LIST\x05\0\0\0INFO!\0") + b"id3 \x04\0\0\0good")
    assert read_recording(path).samples.tolist() == tone(8000).tolist()


@pytest.mark.parametrize(
    ("suffix", "decode"),
    [
        (".ul", linear16_from_mulaw),
        (".PCMU", linear16_from_mulaw),
        (".alaw", linear16_from_alaw),
        (".sln", bytes),
    ],
)
def test_a_raw_file_is_known_by_its_suffix(tmp_path: Path, suffix: str, decode: object) -> None:
    assert callable(decode)
    data = bytes(range(256)) * 4
    recording = read_recording(saved(tmp_path, data, "call" + suffix))
    assert linear16_from_samples(recording.samples) == decode(data)
    assert recording.source_sample_rate_hertz == 8000


def test_a_raw_file_of_any_name_is_read_as_one_says(tmp_path: Path) -> None:
    path = saved(tmp_path, bytes(range(256)), "call.g711")
    assert linear16_from_samples(read_recording(path, encoding="alaw").samples) == linear16_from_alaw(
        bytes(range(256))
    )


def test_a_path_may_be_a_string(tmp_path: Path) -> None:
    assert read_recording(str(saved(tmp_path, bytes(160), "call.ul"))).seconds == 0.02


PCM = linear16_from_samples(tone(8000, 0.1))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty (0 bytes)"),
        (b"<!DOCTYPE html><html>", "is not a wav file"),
        (b"RIFF", "is not a wav file"),
        (b"RIFF\0\0\0\0WAVE", "without audio"),
        (wav(PCM)[:30], "broken wav header"),
        (wav(PCM, channels=2), "has 2 channels"),
        (wav(PCM)[:-400], "is truncated: its header promises 1600 bytes of audio, 1200 are there"),
        (wav(PCM, length=0xFFFFFFFF), "was never finished"),
        (wav(PCM, length=0x7FFFFFFF), "was never finished"),
        (wav(PCM, length=0x7FFFF000), "was never finished"),
        (wav(PCM, length=0), "was never finished"),
        (wav(PCM, tag=3, bits=32), "holds float samples"),
        (wav(PCM, bits=8), "holds 8-bit samples"),
        (wav(PCM, bits=24), "holds 24-bit samples"),
        (wav(PCM, tag=0x55, bits=0), "holds compressed audio (format 0x0055)"),
        (wav(b""), "holds no audio"),
        (wav(PCM + b"\0"), "ends in the middle of a sample"),
        (wav(PCM, rate=0), "sample rate of 0 Hz"),
        (wav(PCM, rate=44_101), "sample rate of 44101 Hz"),
    ],
)
def test_what_cannot_be_played_is_refused_with_a_remedy(tmp_path: Path, content: bytes, problem: str) -> None:
    path = saved(tmp_path, content)
    assert problem in refusal(path).problem
    assert str(path) in refusal(path).problem


def test_a_data_chunk_before_its_format_is_refused(tmp_path: Path) -> None:
    assert "without audio" in refusal(saved(tmp_path, b"RIFF\0\0\0\0WAVEdata\x02\0\0\0\0\0")).problem


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nothing.wav").problem
    assert "is a folder" in refusal(tmp_path).problem


def test_an_encoding_for_a_wav_is_refused(tmp_path: Path) -> None:
    assert "names its encoding itself" in refusal(saved(tmp_path, wav(PCM)), "mulaw").problem


def test_more_than_two_hours_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "long.ul"
    with path.open("wb") as file:
        file.truncate(MAX_SECONDS * 8000 + 1)  # a sparse file
    assert "longer than 2 hours" in refusal(path).problem


def test_a_name_with_blanks_is_quoted_in_the_remedy(tmp_path: Path) -> None:
    assert (
        f"sox '{tmp_path}/my call.wav' "
        in refusal(saved(tmp_path, wav(PCM, channels=2), "my call.wav")).remedy
    )
