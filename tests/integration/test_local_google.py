"""Google as a person sets it up: a local one that hears, the doctor's verdict, and every bad input."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
import wave
from pathlib import Path

import httpx
import numpy as np
import pytest

from slukh.audio_files import write_wav
from slukh.experiment.wer import character_errors, plain_text
from slukh.ports import reserved_port
from slukh.routing.health import hear_clip, stored_clips
from slukh.settings.config import load_all
from slukh.stt.base import Hypothesis, StreamConfig
from slukh.stt.google import GoogleProvider
from slukh.stt.google_channel import GoogleLink
from slukh.stt.google_requests import GoogleModel
from slukh.testing.google import LocalGoogle
from slukh.testing.google_ears import PocketSphinxEars
from slukh.testing.google_limits import GoogleLimits
from slukh.testing.local_google import local_google
from slukh.types import AudioChunk

OURS = ("SLUKH_", "FF_", "WHISPER_", "GOOGLE_", "CLOUDSDK_")
TRANSCRIBE = ("transcribe", "--provider", "google", "--fast", "--json")


def run(program: list[str], environment: dict[str, str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    # Nobody's home and no cloud machine: there are no credentials but those that a test gives.
    own = {"HOME": str(tmp_path), "NO_GCE_CHECK": "true", "XDG_CACHE_HOME": str(Path.home() / ".cache")}
    return subprocess.run(
        [sys.executable, *program],
        env=clean | own | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def slukh(tmp_path: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(["-m", "slukh", *map(str, arguments)], environment, tmp_path)


def refusal(result: subprocess.CompletedProcess[str]) -> str:
    """The one line of a command that was refused."""
    assert result.returncode == 2, result
    [line] = result.stderr.strip().splitlines()
    return line


@pytest.fixture
def speech(examples: Path, tmp_path: Path) -> Path:
    """The first sentence of the Russian sample call."""
    with wave.open(str(examples / "tyre-shop-ru.wav")) as recording:
        samples = np.frombuffer(recording.readframes(8 * 8000), dtype=np.int16)
    path = tmp_path / "speech.wav"
    write_wav(path, samples)
    return path


# A local Google that hears


def test_anyone_can_try_google_without_an_account(tmp_path: Path, speech: Path) -> None:
    result = slukh(tmp_path, *TRANSCRIBE, speech, "--language", "ru-RU", "--with-local-google")
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    [final] = [event for event in events if event["event"] == "transcript" and event["is_final"]]
    said = plain_text("Добрый день, мне нужны зимние шины 205 на 55 радиус 16.")
    assert (character_errors(said, plain_text(final["text"])).cer or 0.0) < 0.4
    [attempt] = [event for event in events if event["event"] == "attempt_ended"]
    assert (attempt["provider"], attempt["model"]) == ("google", "chirp_3")
    assert attempt["reported_ms"] >= 5000


def test_a_gateway_with_a_local_google_hears_the_stored_clips_through_it(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    accuracy = re.compile(r'stt_provider_accuracy\{language="ru-RU",provider="google",.*\} 0\.\d')
    with reserved_port() as free, (tmp_path / "log").open("w") as log:
        port = str(free)
        settings = {
            "SLUKH_AUDIOSOCKET_PORT": "0",
            "SLUKH_HTTP_PORT": port,
            "SLUKH_DATA_DIR": str(tmp_path),
        }
        gateway = subprocess.Popen(
            [sys.executable, "-m", "slukh", "serve", "--with-local-google"], env=clean | settings, stderr=log
        )
        try:
            give_up = time.monotonic() + 90
            while not accuracy.search(metrics(port)):
                assert gateway.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < give_up, metrics(port)
                time.sleep(0.2)
        finally:
            gateway.terminate()
            assert gateway.wait(30) == 0


def metrics(port: str) -> str:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=2).text
    except httpx.HTTPError:
        return ""


async def test_a_local_google_says_which_language_it_heard() -> None:
    clip = next(clip for clip in stored_clips() if clip.language_code == "ru-RU")
    config = StreamConfig(language_code="uk-UA", alternative_language_codes=("ru-RU",))
    async with local_google(load_all()) as ours:
        provider = GoogleProvider(
            GoogleModel(project_id=ours.google.google_stt_project_id),
            GoogleLink(endpoint=ours.google.google_stt_endpoint),
        )
        await provider.start()
        stream = await provider.open(config)
        await stream.send(AudioChunk(pcm=clip.pcm))
        await stream.end()
        *_, final = [result async for result in stream]
        await stream.close()
        await provider.aclose()
    assert isinstance(final, Hypothesis)
    assert final.language_code == "ru-RU"
    assert (character_errors(plain_text(clip.text), plain_text(final.text)).cer or 0.0) < 0.4


async def test_a_local_google_that_is_no_whisper_hears_and_errs_otherwise(
    pocketsphinx_ears: PocketSphinxEars,
) -> None:
    async with LocalGoogle(pocketsphinx_ears) as google:
        provider = GoogleProvider(GoogleModel(project_id="p"), GoogleLink(endpoint=google.endpoint))
        await provider.start()
        heard = [await hear_clip(provider, clip, timeout_seconds=30) for clip in stored_clips()]
        await provider.aclose()
    errors = [character_errors(plain_text(each.clip.text), plain_text(each.text)).cer for each in heard]
    assert all(error is not None and error < 0.4 for error in errors), heard
    assert any(errors), "it makes no error on either clip: what then does it add?"


# The doctor


async def examined(
    tmp_path: Path, limits: GoogleLimits, **environment: str
) -> tuple[int, list[dict[str, str]]]:
    """What the doctor says of Google, of a local one with these limits, which knows what all clips say."""
    words = " ".join(clip.text for clip in stored_clips()).split()
    async with LocalGoogle(lambda pcm: words, limits=limits) as google:
        settings = {
            "GOOGLE_STT_ENDPOINT": google.endpoint,
            "GOOGLE_STT_PROJECT_ID": "shop",
            "SLUKH_AUDIOSOCKET_PORT": "0",
            "SLUKH_HTTP_PORT": "0",
            "SLUKH_DATA_DIR": str(tmp_path),
        }
        result = await asyncio.to_thread(slukh, tmp_path, "doctor", "--json", **settings | environment)
    findings = json.loads(result.stdout)
    return result.returncode, [finding for finding in findings if finding["check"] == "google"]


async def test_the_doctor_measures_google_on_the_stored_clips(tmp_path: Path) -> None:
    limits = GoogleLimits(project_id="shop")
    code, findings = await examined(tmp_path, limits, SLUKH_ALTERNATIVE_LANGUAGES="ru-RU")
    assert code == 0
    taken, *clips = [finding["detail"] for finding in findings]
    assert taken == "chirp_3 in eu takes uk-UA, ru-RU"
    assert [clip.split(" clip: final ")[0] for clip in clips] == ["uk-UA", "ru-RU"]


async def test_the_doctor_looks_at_google_though_all_calls_are_whispers(tmp_path: Path) -> None:
    _, findings = await examined(tmp_path, GoogleLimits(), FF_STT_PROVIDER="whisper")
    assert len(findings) == 2
    assert all(finding["ok"] for finding in findings)


@pytest.mark.parametrize(
    ("limits", "environment", "seen", "remedy"),
    [
        (GoogleLimits(metadata=(("key", "good"),)), {}, "UNAUTHENTICATED", "GOOGLE_APPLICATION_CREDENTIALS"),
        (GoogleLimits(project_id="other"), {}, "PERMISSION_DENIED", "GOOGLE_STT_PROJECT_ID"),
        (GoogleLimits(), {"GOOGLE_STT_MODEL": "chirp_9"}, '"chirp_9" does not exist', "GOOGLE_STT_MODEL"),
        (GoogleLimits(location="us"), {}, "location to be us", "GOOGLE_STT_LOCATION"),
        (GoogleLimits(), {"SLUKH_LANGUAGE": "kk-KZ"}, '"kk-KZ" is not supported', "languages"),
        (
            GoogleLimits(location="europe-west4"),
            {"GOOGLE_STT_LOCATION": "europe-west4", "SLUKH_ALTERNATIVE_LANGUAGES": "ru-RU"},
            "Multiple language",
            "GOOGLE_STT_LOCATION",
        ),
        (GoogleLimits(), {"GOOGLE_STT_ENDPOINT": "127.0.0.1:9"}, "127.0.0.1:9", "GOOGLE_STT_ENDPOINT"),
        (GoogleLimits(), {"GOOGLE_STT_ENDPOINT": ""}, "no usable", "gcloud auth application-default login"),
    ],
    ids=["key", "project", "model", "location", "language", "languages", "endpoint", "credentials"],
)
async def test_the_doctor_says_what_is_wrong_with_google_and_what_to_do(
    tmp_path: Path, limits: GoogleLimits, environment: dict[str, str], seen: str, remedy: str
) -> None:
    code, [finding] = await examined(tmp_path, limits, **environment)
    assert code == 1
    assert not finding["ok"]
    assert seen in finding["detail"]
    assert remedy in finding["remedy"]


# Bad input


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"GOOGLE_STT_PROJECT_ID": "p", "GOOGLE_STT_ENDPOINT": "10.0.0.1:50551"}, "loopback"),
        ({"GOOGLE_STT_PROJECT_ID": "p", "GOOGLE_STT_ENDPOINT": "127.0.0.1:9"}, "local Google running"),
        ({"GOOGLE_STT_ENDPOINT": "127.0.0.1:9"}, "GOOGLE_STT_PROJECT_ID"),
        ({"GOOGLE_STT_PROJECT_ID": "p"}, "gcloud auth application-default login"),
        ({"GOOGLE_STT_PROJECT_ID": "p", "GOOGLE_APPLICATION_CREDENTIALS": "/"}, "cannot be read"),
        ({"GOOGLE_STT_PROJECT_ID": "p", "GOOGLE_STT_LOCATION": "Europe"}, "GOOGLE_STT_LOCATION"),
        ({"GOOGLE_STT_PROJECT": "p"}, "did you mean GOOGLE_STT_PROJECT_ID?"),
        ({"GOOGLE_STT_STREAM": "both"}, "'utterance' or 'call'"),
        ({}, "GOOGLE_STT_PROJECT_ID"),
    ],
)
def test_a_google_that_cannot_be_used_is_one_line(
    tmp_path: Path, speech: Path, environment: dict[str, str], words: str
) -> None:
    assert words in refusal(slukh(tmp_path, *TRANSCRIBE, speech, **environment))


@pytest.mark.parametrize("option", ["--json", "--with-local-google"])
def test_a_missing_client_library_is_one_line(tmp_path: Path, speech: Path, option: str) -> None:
    arguments = ["slukh", "transcribe", str(speech), "--provider", "google", option]
    code = (
        f"import sys; sys.modules['grpc'] = None; sys.argv = {arguments}; import slukh.cli; slukh.cli.main()"
    )
    result = run(["-c", code], {"GOOGLE_STT_PROJECT_ID": "p"}, tmp_path)
    assert "pip install 'slukh[google]'" in refusal(result)


async def test_a_model_that_google_does_not_have_fails_and_says_so(tmp_path: Path, speech: Path) -> None:
    async with LocalGoogle(lambda pcm: []) as google:
        settings = {"GOOGLE_STT_ENDPOINT": google.endpoint, "GOOGLE_STT_PROJECT_ID": "p"}
        result = await asyncio.to_thread(
            slukh, tmp_path, *TRANSCRIBE, speech, **settings, GOOGLE_STT_MODEL="chirp_9"
        )
    assert '"chirp_9" does not exist' in refusal(result)
