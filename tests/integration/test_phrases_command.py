"""`slukh phrases` as a person uses it."""

import wave
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.integration.test_cli import assert_one_line, slukh

from slukh.cost.ledger.calls import usage_beside_calls
from slukh.cost.ledger.store import Ledger
from slukh.errors import SettingsError
from slukh.tts.espeak import EspeakVoice

RECORDING = Path(__file__).parents[2] / "src" / "slukh" / "tts" / "apology" / "uk-UA" / "apology.wav"
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
SORRY = "Вибачте, зараз у нас технічні труднощі."


def settings(folder: Path) -> dict[str, str]:
    pack = folder / "pack" / "uk-UA"
    pack.mkdir(parents=True, exist_ok=True)
    (pack / "sorry.wav").write_bytes(RECORDING.read_bytes())
    (pack / "sorry.txt").write_text(SORRY, encoding="utf-8")
    return {
        "SLUKH_TTS": "recorded", "SLUKH_TTS_RECORDINGS": str(folder / "pack"),
        "SLUKH_PHRASE_CACHE_DIR": str(folder / "phrases"), "SLUKH_DATA_DIR": str(folder / "data"),
    }  # fmt: skip


def test_phrases_of_a_file_are_made_once(tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_text(f"uk-UA {SORRY}\n", encoding="utf-8")
    first = slukh("phrases", "warm", file, **settings(tmp_path))
    assert first.stdout == f"1 of 1 phrases are ready; 1 were made now, {len(SORRY)} characters\n", (
        first.stderr
    )
    with Ledger(f"sqlite:///{tmp_path}/data/ledger.db") as ledger:
        (made,) = usage_beside_calls(ledger, since=BEFORE, until=datetime.now(UTC))
    assert (made.component, made.provider, made.quantity, made.outcome) == (
        "tts", "recorded", len(SORRY), "sent",
    )  # fmt: skip
    again = slukh("phrases", "warm", file, **settings(tmp_path))
    assert "0 were made now" in again.stdout
    file.write_text("uk-UA Цього ніхто не записав.\n", encoding="utf-8")
    assert slukh("phrases", "warm", file, **settings(tmp_path)).returncode == 1


def test_phrases_that_cannot_be_kept_are_not_called_ready(tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_text(f"uk-UA {SORRY}\n", encoding="utf-8")
    own = settings(tmp_path)
    (tmp_path / "phrases").write_bytes(b"a file where the folder is to be")
    assert_one_line(slukh("phrases", "warm", file, **own), "not all of the 1 phrases that were made are kept")
    own["SLUKH_PHRASE_CACHE"] = "memory"
    assert_one_line(slukh("phrases", "warm", file, **own), "memory, which ends with this command")


def test_a_text_is_said_into_a_wav(tmp_path: Path) -> None:
    try:
        EspeakVoice()
    except SettingsError as error:
        pytest.skip(f"THE EMBEDDED VOICE IS NOT TESTED: {error}")
    target = tmp_path / "hello.wav"
    own = settings(tmp_path) | {"SLUKH_TTS": "espeak"}
    assert slukh("phrases", "say", "Добрий день!", "--save", target, **own).returncode == 0
    with wave.open(str(target)) as file:
        assert file.getframerate() == 8000
        assert file.getnframes() > 4000


def test_what_cannot_be_said_is_one_line(tmp_path: Path) -> None:
    own = settings(tmp_path)
    assert_one_line(slukh("phrases", "say", "😀", "--save", tmp_path / "a.wav", **own), "can be said")
    assert_one_line(slukh("phrases", "warm", tmp_path / "none", **own), "cannot be read")
    assert_one_line(
        slukh("phrases", "say", "Інше.", "--save", tmp_path / "a.wav", **own), "no recording of this sentence"
    )


def test_a_ledger_without_speech_says_so(tmp_path: Path) -> None:
    assert "nothing was said" in slukh("phrases", "hits", **settings(tmp_path)).stdout
