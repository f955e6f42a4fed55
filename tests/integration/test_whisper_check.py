"""`slukh whisper check` against servers on loopback whose manners are known."""

import asyncio
import io
import json
import wave
from pathlib import Path
from typing import Any

import pytest

from slukh.conformance.check import Wanted, check, refuse_unwritable, write_capacity
from slukh.conformance.clips import clips_in
from slukh.cost.estimates.capacity_file import read_capacity
from slukh.doctor import Finding, Look, examine
from slukh.errors import ServiceError, SettingsError
from slukh.routing.health import stored_clips
from slukh.stt.whisper.address import address
from slukh.testing.socket_server import SocketServer, whisperlivekit
from slukh.testing.whisper_server import Answer, Closes, FakeWhisperServer, Hangs, Hears, Says, Status

UK = stored_clips()[0]
KNOWN = {clip.pcm: clip.text.split() for clip in clips_in("uk-UA")}
HEARS = Hears(lambda pcm: KNOWN.get(pcm, []))


def wav_pcm(file: bytes) -> bytes:
    with wave.open(io.BytesIO(file)) as wav:
        return bytes(wav.readframes(wav.getnframes()))


def wanted(url: str, **options: Any) -> Wanted:
    defaults = {"language_code": "uk-UA", "rounds": 2, "max_streams": 2, "pace": 100.0, "model": "base"}
    return Wanted(where=address(url), **{**defaults, **options})


async def checked(url: str, **options: Any) -> Any:
    said: list[str] = []
    async with asyncio.timeout(60):
        report = await check(wanted(url, **options), said.append)
    assert said[0].startswith("asking ")
    return report


async def test_a_server_is_measured_from_one_caller_on_and_its_capacity_written(tmp_path: Path) -> None:
    async with FakeWhisperServer([HEARS]) as server:
        report = await checked(server.url, rounds=5)
    assert (report.dialect, report.server) == ("openai", "an OpenAI-compatible server")
    assert (report.wer, report.words, report.on_silence) == (0.0, 34, "said nothing")
    assert set(KNOWN) <= {wav_pcm(request.audio) for request in server.received}
    assert [step.streams for step in report.steps] == [1, 2]
    assert report.on_bcp_47 == "takes it"
    assert "uk-UA" in [request.form["language"] for request in server.received]
    write_capacity(report, tmp_path / "capacity.json")
    written = json.loads((tmp_path / "capacity.json").read_text())
    assert written["version"] == 1
    assert written["url"] == f"{server.url}/v1/audio/transcriptions"
    with pytest.raises(ServiceError, match="cannot be written"):
        write_capacity(report, tmp_path / "missing" / "capacity.json")


def test_a_capacity_file_that_cannot_be_written_is_refused_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    refuse_unwritable(tmp_path / "capacity.json")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ServiceError, match="cannot be written"):
        refuse_unwritable(tmp_path / "missing" / "capacity.json")


async def test_what_is_no_whisper_server_is_not_played_clip_after_clip() -> None:
    async with FakeWhisperServer([Status(200, "<html>", "text/html")]) as server:
        with pytest.raises(ServiceError):
            await check(wanted(server.url, rounds=5), lambda _: None)
    assert len(server.received) == 1


async def test_a_server_that_is_unfit_is_written_down_as_one_that_carries_nobody(tmp_path: Path) -> None:
    async with FakeWhisperServer([Says("зовсім інше")]) as server:
        report = await checked(server.url)
    write_capacity(report, tmp_path / "capacity.json")
    measured, _ = read_capacity(tmp_path / "capacity.json")
    assert not measured.is_fit


async def test_the_first_request_which_may_load_the_model_is_not_measured() -> None:
    async with FakeWhisperServer([Status(503), HEARS]) as server:
        report = await checked(server.url)
    assert report.steps[0].failed == 0


async def test_a_server_that_invents_words_on_silence_is_found_out() -> None:
    async with FakeWhisperServer([Says(UK.text)]) as server:
        report = await checked(server.url)
    assert report.on_silence == f'invented "{UK.text[:60]}"'
    assert any("on silence" in finding for finding in report.as_json()["findings"])


async def test_a_socket_is_checked_as_well() -> None:
    async with SocketServer(whisperlivekit(["Скажіть", UK.text])) as server:
        report = await checked(f"whisperlivekit+ws://127.0.0.1:{server.port}", rounds=1)
    assert (report.server, report.wer) == ("WhisperLiveKit", 0.0)
    assert report.interims >= 1
    assert not report.why_no_interims


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"metered": True}, "SLUKH_WHISPER_METERED"),
        ({"asks_again": False}, "SLUKH_WHISPER_INTERIMS"),
        ({}, "says nothing before the end of speech"),
    ],
)
async def test_that_there_are_no_interims_is_said_with_its_reason(options: dict[str, bool], why: str) -> None:
    async with FakeWhisperServer([Says("", language="uk")]) as server:
        report = await checked(server.url, max_streams=1, rounds=1, **options)
    assert report.first_interim_seconds is None
    assert why in report.why_no_interims


async def test_a_socket_without_interims_is_slower_than_speech() -> None:
    async with SocketServer(whisperlivekit([UK.text])) as server:
        report = await checked(f"whisperlivekit+ws://127.0.0.1:{server.port}", max_streams=1, rounds=1)
    assert report.why_no_interims == "the server is slower than speech"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Status(401), "WHISPER_API_KEY"),
        (Status(404), "check path"),
        (Status(200, "<html>", "text/html"), "is this a Whisper server"),
        (Status(500), "the server failed"),
    ],
)
async def test_a_server_that_cannot_be_used_is_one_sentence_with_a_remedy(
    answer: Status, sentence: str
) -> None:
    async with FakeWhisperServer([answer]) as server:
        with pytest.raises(ServiceError, match=sentence) as refused:
            await check(wanted(server.url), lambda _: None)
    assert refused.value.remedy


async def test_a_server_that_is_not_there_is_one_sentence() -> None:
    async with FakeWhisperServer() as server:
        url = server.url
    with pytest.raises(ServiceError, match="is the server running"):
        await check(wanted(url), lambda _: None)


async def test_a_language_without_a_clip_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(SettingsError, match="uk-UA or ru-RU"):
        await check(wanted("http://127.0.0.1:1", language_code="de-DE"), lambda _: None)


SHORT = Look(timeout_seconds=2.5)


async def doctor_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, look: Look = SHORT
) -> list[Finding]:
    settings = {
        "WHISPER_API_URL": url, "FF_STT_PROVIDER": "whisper", "SLUKH_DATA_DIR": str(tmp_path),
        "SLUKH_AUDIOSOCKET_PORT": "0", "SLUKH_HTTP_PORT": "0",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return [finding for finding in await examine(look) if finding.check == "recogniser"]


async def test_the_doctor_looks_at_each_of_several_servers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with FakeWhisperServer([Says(UK.text)]) as one, FakeWhisperServer([Status(401)]) as other:
        sound, wrong = await doctor_says(monkeypatch, tmp_path, f"{one.url},{other.url}")
    assert sound.ok
    assert one.url.removeprefix("http://") in sound.detail
    assert not wrong.ok
    assert wrong.detail.startswith(f"{other.url.removeprefix('http://')}: 401")
    assert "WHISPER_API_KEY" in wrong.remedy
    assert not sound.as_json()["remedy"]


@pytest.mark.parametrize(
    ("answer", "detail", "remedy"),
    [
        (Status(404), "404 for http", "correct the path"),
        (Status(200, "<html>", "text/html"), "is this a Whisper server", "something else answers there"),
        (Status(429), "no room", "fewer calls"),  # waited for, as one that loads its model
        (Status(503, '{"error": {"message": "Loading model"}}'), "still not ready after", "loads its model"),
        (
            Hangs(),
            "it is there, and gave no answer in 2.5 s: still loading",
            "wait, or give a longer --timeout",
        ),
        (Status(500), "the server failed", "the server's own log; it may not have the model"),
        (Closes(), "without an answer", "if it speaks Wyoming"),
        (Says("Привет", language="ru"), "transcribed ru", "a model of many languages"),
        (Says(""), "words wrong", "another model"),
        (Says("to make them a lot of money"), '100% words wrong: "to make', "a model that speaks uk-UA"),
    ],
)
async def test_the_doctor_says_in_plain_words_what_is_wrong_with_a_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: Answer, detail: str, remedy: str
) -> None:
    async with FakeWhisperServer([answer]) as server:
        (finding,) = await doctor_says(monkeypatch, tmp_path, server.url)
    assert not finding.ok
    assert detail in finding.detail
    assert remedy in finding.remedy


async def test_the_doctor_says_whom_it_waits_for_and_never_waits_for_the_dead(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waited_for: list[str] = []
    look = Look(timeout_seconds=3.0, progress=waited_for.append)
    async with FakeWhisperServer([Hangs()]) as loading, FakeWhisperServer([Says(UK.text)]) as ready:
        urls = f"http://127.0.0.1:9,{loading.url},{ready.url}"
        dead, late, sound = await doctor_says(monkeypatch, tmp_path, urls, look)
    assert (dead.ok, late.ok, sound.ok) == (False, False, True)
    assert "is the server running?" in dead.detail
    (told,) = waited_for
    assert told.startswith(f"127.0.0.1:{loading.port}: no answer in 3 s; it may be loading its model")
