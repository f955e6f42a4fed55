"""A whole call as a person places it: `slukh call --interactive` into a `slukh serve` of its own, with real
Whisper, the example script, the embedded voice and the cache, over AudioSocket."""

import json
import wave
from pathlib import Path

import pytest
from tests.integration.test_cli import slukh, speech

from slukh.errors import SettingsError
from slukh.tts.base import SpeechRequest
from slukh.tts.cache import DiskStore
from slukh.tts.espeak import EspeakVoice
from slukh.tts.phrases import phrase_key

__all__ = ["speech"]  # a fixture

DIALOG = Path(__file__).parents[2] / "examples" / "dialog" / "tyre-shop.yaml"
RATE = 1.8


@pytest.fixture(scope="module")
def voice() -> EspeakVoice:
    try:
        return EspeakVoice(speaking_rate=RATE)
    except SettingsError as error:
        pytest.skip(f"THE EMBEDDED VOICE IS NOT TESTED: {error}")


async def test_a_recorded_caller_is_answered_out_loud_and_everything_is_booked(
    speech: Path, voice: EspeakVoice, tmp_path: Path
) -> None:
    folder, heard_file = tmp_path / "phrases", tmp_path / "heard.wav"
    environment = {
        "SLUKH_DIALOG": str(DIALOG),
        "SLUKH_TTS": "espeak",
        "SLUKH_TTS_RATE": str(RATE),
        "SLUKH_PHRASE_CACHE_DIR": str(folder),
        "SLUKH_DATA_DIR": str(tmp_path / "data"),
    }
    result = slukh(
        "call", speech, "--language", "ru-RU", "--interactive", "--with-server", "--json",
        "--save", heard_file, **environment,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    said = [event["text"] for event in events if event["event"] == "phrase_spoken"]
    assert said == [
        "Добрый день!", "Шинный центр.", "Вас интересуют шины, или состояние заказа?",
        "Назовите, пожалуйста, размер шин.", "Ширину, профиль и радиус.",
    ]  # fmt: skip
    (turn,) = [event for event in events if event["event"] == "turn_timed"]
    assert turn["first_text_seconds"] + turn["first_audio_seconds"] < 0.5

    with wave.open(str(heard_file)) as file:
        heard = file.readframes(file.getnframes())
    store = DiskStore(folder, max_bytes=10**9)
    for text in said:
        kept = await store.get(
            phrase_key(SpeechRequest(text=text, language_code="ru-RU"), voice.voice("ru-RU"))
        )
        assert kept is not None
        assert kept in heard, text

    call_id = events[-1]["call_id"]
    shown = json.loads(slukh("calls", "show", call_id, "--json", **environment).stdout)
    rows = [(row["component"], row["unit"], row["quantity"]) for row in shown["usage"]]
    assert [row for row in rows if row[0] == "tts"] == [("tts", "characters", len(text)) for text in said]
    assert {component for component, _, _ in rows} == {"stt", "tts", "line"}


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["--interactive", "--with-server"], {}, "set SLUKH_DIALOG"),
        (["--interactive", "--fast"], {}, "leave out --fast"),
        (["--save", "x.wav"], {}, "add --interactive"),
        (["--with-server"], {"SLUKH_TTS": "siri"}, "no voice 'siri'"),
    ],
)
def test_what_cannot_be_is_one_line_with_its_remedy(
    speech: Path, tmp_path: Path, arguments: list[str], environment: dict[str, str], says: str
) -> None:
    result = slukh("call", speech, *arguments, SLUKH_DATA_DIR=str(tmp_path), **environment)
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr
