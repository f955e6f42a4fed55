"""Settings into a voice: what is built, and what is refused with its remedy."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from slukh.assembly.answering import build_answering, made_beforehand, phrase_tally, spoken_reply
from slukh.cost.meter import PHRASE_IDS
from slukh.cost.voice import voice_usage
from slukh.errors import SettingsError
from slukh.settings.voices import VoiceSettings
from slukh.tts.base import SpeechRequest, Voice
from slukh.tts.cache import MemoryStore
from slukh.tts.chain import VoiceChain
from slukh.tts.fake import FakeTts
from slukh.tts.phrases import Templates
from slukh.tts.speaker import Speaker
from slukh.types import CallEvent, PhraseSpoken

DIALOG = Path(__file__).parents[3] / "examples" / "dialog" / "tyre-shop.yaml"
PACK = Path(__file__).parents[3] / "src" / "slukh" / "tts" / "apology"
GREETING = SpeechRequest(text="Добрий день!", language_code="uk-UA")
VOICE = Voice(provider="recorded", name="", language_code="uk-UA")
GOOD = {"slukh_dialog": str(DIALOG), "slukh_tts": "recorded", "slukh_tts_recordings": PACK}


def settings(**given: object) -> VoiceSettings:
    return VoiceSettings(**given)  # type: ignore[arg-type]


def test_callers_are_only_heard_unless_somebody_is_set_to_answer() -> None:
    assert build_answering(settings()) is None


async def test_a_phrase_that_is_made_at_start_is_told_to_the_meter(tmp_path: Path) -> None:
    sentence, pack, phrases = "Добрий день!", tmp_path / "uk-UA", tmp_path / "list"
    pack.mkdir()
    (pack / "hello.wav").write_bytes((PACK / "uk-UA" / "apology.wav").read_bytes())
    (pack / "hello.txt").write_text(sentence, encoding="utf-8")
    phrases.write_text(f"uk-UA {sentence}\n", encoding="utf-8")
    own = {"slukh_phrases": phrases, "slukh_phrase_cache": "memory", "slukh_tts_recordings": tmp_path}
    answering = build_answering(settings(**(GOOD | own)))
    assert answering is not None
    told: asyncio.Queue[CallEvent] = asyncio.Queue()
    answering.on_made = told.put_nowait
    await answering.start()
    async with asyncio.timeout(5):
        (row,) = voice_usage(await told.get())
    await answering.aclose()
    assert row.call_id.startswith(PHRASE_IDS)
    assert (row.provider, row.quantity, row.outcome) == ("recorded", len(sentence), "sent")


def test_only_sentences_with_a_yes_are_taken_apart(tmp_path: Path) -> None:
    path = tmp_path / "phrases.yaml"
    path.write_text(
        '- {shape: "Ваша знижка {n} діє.", language: uk-UA, spoken: yes}\n'
        '- {shape: "Ваша черга {n} підійшла.", language: uk-UA, spoken: no}\n',
        encoding="utf-8",
    )
    answering = build_answering(settings(**(GOOD | {"slukh_templates": path})))
    assert answering is not None
    declared = [one.text for one in answering.declared()]
    assert "Ваша знижка" in declared
    assert "Ваша черга" not in declared


def test_what_the_script_declares_may_be_kept_and_what_a_caller_is_told_may_not() -> None:
    answering = build_answering(settings(**GOOD))
    assert answering is not None
    tally = phrase_tally(answering, b"key")
    for number, text in enumerate(("Ви ще на лінії?", "Пане Іване, ваше авто готове.")):
        spoken = PhraseSpoken(
            phrase=number, utterance_id=0, text=text, language_code="uk-UA", provider="recorded", voice="",
            characters=len(text), outcome="sent", audio_ms=0, played_ms=0,
        )  # fmt: skip
        tally.observe(replace(made_beforehand(GREETING, VOICE), event=spoken))
    assert [words.witness is None for words in tally.take().words] == [True, False]


async def test_a_sentence_is_said_as_its_kept_head_and_a_new_rest(tmp_path: Path) -> None:
    voice = FakeTts()
    speaker = Speaker(VoiceChain([voice]), MemoryStore(max_bytes=1_000_000))
    templates = Templates.declared((), ["Ваша знижка {n} діє."])
    for number in (5, 7):
        assert await spoken_reply(speaker, f"Ваша знижка {number} діє.", "uk-UA", templates)
    assert voice.said == ["Ваша знижка", "5 діє.", "7 діє."]


async def test_a_script_and_a_pack_of_recordings_need_nothing_else() -> None:
    answering = build_answering(settings(**GOOD))
    assert answering is not None
    await answering.start()
    await answering.aclose()


@pytest.mark.parametrize(("final_seconds", "hearing_seconds"), [(2.0, 10.0), (8.0, 10.0), (20.0, 22.0)])
def test_a_caller_is_not_asked_again_while_a_slow_recogniser_may_still_answer(
    final_seconds: float, hearing_seconds: float
) -> None:
    answering = build_answering(settings(**GOOD), final_seconds=final_seconds)
    assert answering is not None
    assert answering.rules.hearing_seconds == hearing_seconds


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"slukh_dialog": "/nonexistent.yaml"}, "cannot be read"),
        ({"slukh_tts_recordings": Path("/nonexistent")}, "cannot be read"),
        ({"slukh_tts": "rhvoice"}, "RHVoice is not installed"),
        ({"slukh_phrase_cache": "cloud"}, "SLUKH_PHRASE_CACHE"),
        ({"slukh_phrase_cache": "http://cache"}, "no URL of a Redis"),
        ({"slukh_phrases": Path("/nonexistent")}, "SLUKH_PHRASES"),
        ({"slukh_dialog": "claude", "slukh_claude_prompt": Path("/nonexistent")}, "SLUKH_CLAUDE_PROMPT"),
        ({"slukh_dialog": "claude", "slukh_claude_tools": Path("/nonexistent")}, "SLUKH_CLAUDE_TOOLS"),
        (
            {"slukh_tts": "google", "slukh_tts_google_voices": "uk-UA=ru-RU-Standard-A"},
            "no voice of Google's",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_remedy(change: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        build_answering(settings(**(GOOD | change)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"slukh_tts": "siri"}, "no voice 'siri'; there are: google, piper"),
        ({"slukh_tts": ","}, "no voice; there are"),
        ({"slukh_tts": "recorded"}, "set SLUKH_TTS_RECORDINGS"),
        ({"slukh_piper_voices": "uk"}, "write language=voice"),
        ({"slukh_tts_google_endpoint": "10.0.0.5:1"}, "slukh_tts_google_endpoint"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        settings(**change)
