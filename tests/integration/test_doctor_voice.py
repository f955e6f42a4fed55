"""`slukh doctor` on the voice back: what works, and what is wrong with its remedy."""

from pathlib import Path

import pytest

from slukh.doctor_voice import examine_voice
from slukh.settings.voices import VoiceSettings
from slukh.testing.anthropic_server import KEY, AnthropicServer, Speaks
from slukh.testing.google_tts import LocalGoogleTts

DIALOG = Path(__file__).parents[2] / "examples" / "dialog" / "tyre-shop.yaml"


def settings(folder: Path, **given: object) -> VoiceSettings:
    own = {"slukh_dialog": str(DIALOG), "slukh_phrase_cache_dir": folder, "slukh_tts": "google"}
    return VoiceSettings(**(own | given))  # type: ignore[arg-type]


async def test_nothing_is_looked_at_when_callers_are_only_heard() -> None:
    assert await examine_voice(VoiceSettings()) == []  # type: ignore[call-arg]


async def test_everything_that_works_is_said_so(tmp_path: Path) -> None:
    async with LocalGoogleTts() as google:
        found = await examine_voice(settings(tmp_path, slukh_tts_google_endpoint=google.endpoint))
    assert [(one.check, one.ok) for one in found] == [("dialog", True), ("voice", True), ("phrases", True)]


async def test_a_wrong_key_of_claude_is_said_before_the_first_call(tmp_path: Path) -> None:
    async with AnthropicServer([Speaks("Так.")]) as server, LocalGoogleTts() as google:
        own = {"slukh_tts_google_endpoint": google.endpoint, "slukh_claude_url": server.url}
        for key, is_good in ((KEY, True), ("wrong", False)):
            given = settings(tmp_path, slukh_dialog="claude", slukh_claude_key=key, **own)
            dialog = (await examine_voice(given))[0]
            assert dialog.ok is is_good
        assert "the key was refused" in dialog.detail
        assert dialog.remedy.startswith("set ANTHROPIC_API_KEY;")


async def test_a_remedy_names_a_heading_that_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    async with LocalGoogleTts() as google:
        given = settings(
            tmp_path,
            slukh_dialog="claude",
            slukh_tts_google_endpoint=google.endpoint,
            slukh_tts_google_voices="uk-UA=uk-UA-Chirp3-HD-Nobody",
        )
        dialog, voice, _ = await examine_voice(given)
    assert "no usable key" in dialog.detail
    headings = (Path(__file__).parents[2] / "doc" / "voice.md").read_text("utf-8").splitlines()
    for finding in (dialog, voice):
        assert f"## {finding.remedy.split(chr(34))[1]}" in headings


async def test_a_voice_that_does_not_exist_and_a_folder_that_cannot_be_written_are_said(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    async with LocalGoogleTts() as google:
        given = settings(
            tmp_path / "file",
            slukh_tts_google_endpoint=google.endpoint,
            slukh_tts_google_voices="uk-UA=uk-UA-Chirp3-HD-Nobody",
        )
        found = await examine_voice(given)
    assert [(one.check, one.ok) for one in found] == [("dialog", True), ("voice", False), ("phrases", False)]
    assert "uk-UA-Chirp3-HD-Nobody" in found[1].detail


async def test_a_script_that_is_not_there_is_said(tmp_path: Path) -> None:
    (found,) = await examine_voice(settings(tmp_path, slukh_dialog="/nonexistent.yaml"))
    assert (found.check, found.ok) == ("dialog", False)
    assert "the dialogue /nonexistent.yaml cannot be read (No such file or directory)" in found.detail
    assert found.remedy.startswith("set SLUKH_DIALOG to a script")


async def test_a_script_that_does_not_hold_together_is_the_dialogues_and_a_voice_is_the_voices(
    tmp_path: Path,
) -> None:
    (broken := tmp_path / "own.yaml").write_text("name: own\n", encoding="utf-8")
    (script,) = await examine_voice(settings(tmp_path, slukh_dialog=str(broken)))
    assert (script.check, script.ok) == ("dialog", False)
    assert str(broken) in script.detail
    nowhere = {"slukh_tts": "recorded", "slukh_tts_recordings": tmp_path / "none"}
    (voice,) = await examine_voice(settings(tmp_path, **nowhere))
    assert (voice.check, voice.ok) == ("voice", False)
