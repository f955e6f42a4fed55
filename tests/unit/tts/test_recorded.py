"""A pack of recordings is read as every other recording is."""

from pathlib import Path

import numpy as np
import pytest

from slukh.audio import linear16_from_samples
from slukh.audio_files import read_recording, write_wav
from slukh.errors import SettingsError
from slukh.tts.base import SpeechRequest
from slukh.tts.chain import spoken
from slukh.tts.recorded import RecordedVoice


def pack(folder: Path, rate: int) -> Path:
    """A pack of one phrase; its recording."""
    own = folder / "uk-UA"
    own.mkdir()
    write_wav(own / "hello.wav", np.full(rate, 5000, dtype=np.int16), rate)
    (own / "hello.txt").write_text("Добрий день!", encoding="utf-8")
    return own / "hello.wav"


async def test_a_second_at_48_khz_is_a_second_and_begins_where_it_begins(tmp_path: Path) -> None:
    path = pack(tmp_path, 48_000)
    said = await spoken(RecordedVoice(tmp_path), SpeechRequest(text="Добрий день!", language_code="uk-UA"))
    assert said == linear16_from_samples(read_recording(path).samples)
    assert len(said) == 2 * 8000


def test_a_rate_that_no_device_uses_is_refused_with_its_remedy(tmp_path: Path) -> None:
    pack(tmp_path, 44_101)
    with pytest.raises(SettingsError, match=r"44101 Hz, which no device uses: convert it with `sox"):
        RecordedVoice(tmp_path)
