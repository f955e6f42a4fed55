"""The command line as a person uses it: real processes, real Whisper, and every bad input."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.patience import HUNG_SECONDS

from slukh.audio_files import write_wav
from slukh.experiment.wer import plain_text, word_errors
from slukh.ports import reserved_port
from slukh.stt.whisper.remedies import REMEDIES
from slukh.testing.whisper_server import FakeWhisperServer, Status
from slukh.weights import weights_dir


def whisper_alone() -> dict[str, str]:
    """The environment without settings of this machine, and Whisper as the recogniser of all calls.

    However long a busy machine decodes: how soon a final comes is told nowhere here.
    """
    ours = ("SLUKH_", "FF_", "WHISPER_", "GOOGLE_")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return clean | {"FF_STT_PROVIDER": "whisper", "SLUKH_FINAL_SECONDS": "60"}


def slukh(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = whisper_alone()
    return subprocess.run(
        [sys.executable, "-m", "slukh", *map(str, arguments)],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=HUNG_SECONDS,
        check=False,
    )


def assert_one_line(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Bad input ends in exit code 2 and one line on standard error that names the remedy."""
    assert result.returncode == 2, result
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr


@pytest.fixture
def speech(examples: Path, tmp_path: Path) -> Path:
    """The first sentence of the Russian sample call."""
    with wave.open(str(examples / "tyre-shop-ru.wav")) as recording:
        samples = np.frombuffer(recording.readframes(8 * 8000), dtype=np.int16)
    path = tmp_path / "speech.wav"
    write_wav(path, samples)
    return path


def test_help_teaches() -> None:
    told = slukh("--help")
    assert told.returncode == 0
    for command in ("serve", "call", "transcribe", "doctor", "weights", "calls", "forget"):
        assert command in told.stdout
        assert slukh(command, "--help").returncode == 0


def test_transcribe_tells_events_as_json_lines(speech: Path) -> None:
    result = slukh("transcribe", speech, "--language", "ru-RU", "--provider", "whisper", "--fast", "--json")
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    transcripts = [event for event in events if event["event"] == "transcript"]
    assert all(
        {"text", "is_final", "language_code", "start", "end"} <= set(transcript) for transcript in transcripts
    )
    finals = [transcript for transcript in transcripts if transcript["is_final"]]
    assert len(finals) == 1
    assert finals[0]["language_code"] == "ru-RU"
    assert 0.5 < finals[0]["start"] < 2.0
    assert 5.0 < finals[0]["end"] < 8.0
    said = "Добрый день, мне нужны зимние шины 205 на 55 радиус 16."
    errors = word_errors(plain_text(said), plain_text(finals[0]["text"]))
    assert errors.wer is not None
    assert errors.wer < 0.5


def test_a_recording_without_speech_is_told(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    write_wav(path, np.zeros(16000, np.int16))
    result = slukh("transcribe", path, "--provider", "whisper", "--fast")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "no speech heard\n"


@contextmanager
def serving(
    tmp_path: Path, awaited: Callable[[str], bool] | None = None, /, **environment: str
) -> Iterator[tuple[int, str, subprocess.Popen[str]]]:
    log_file = tmp_path / "serve.log"
    with reserved_port() as media, reserved_port() as http, log_file.open("w") as log:
        settings = {
            "SLUKH_AUDIOSOCKET_PORT": str(media),
            "SLUKH_HTTP_PORT": str(http),
            "SLUKH_DATA_DIR": str(tmp_path / "data"),
        }
        server = subprocess.Popen(
            [sys.executable, "-m", "slukh", "serve"],
            env=whisper_alone() | settings | environment,
            stderr=log,
            text=True,
        )
        api = f"http://127.0.0.1:{http}"
        try:
            give_up = time.monotonic() + HUNG_SECONDS
            while not (awaited or ready)(api):
                assert server.poll() is None, log_file.read_text()
                assert time.monotonic() < give_up, "never ready"
                time.sleep(0.2)
            yield media, api, server
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(HUNG_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()


def ready(api: str) -> bool:
    try:
        return httpx.get(f"{api}/readyz", timeout=2).is_success
    except httpx.HTTPError:
        return False


def answers(api: str) -> bool:
    try:
        return bool(httpx.get(f"{api}/readyz", timeout=2).content)
    except httpx.HTTPError:
        return False


def test_a_call_leaves_transcript_metrics_and_usage_behind(tmp_path: Path, speech: Path) -> None:
    with serving(tmp_path, SLUKH_API_TOKEN="secret", SLUKH_REQUIRE_ANNOUNCED="true") as (media, api, server):
        call = ("call", speech, "--to", f"127.0.0.1:{media}", "--api", api, "--language", "ru-RU", "--json")
        assert_one_line(slukh(*call, SLUKH_API_TOKEN="wrong"), "token")
        result = slukh(*call, "--caller", "+380671234567", SLUKH_API_TOKEN="secret")
        assert result.returncode == 0, result.stderr
        *events, summary = (json.loads(line) for line in result.stdout.splitlines())
        assert {
            "call_started",
            "speech_started",
            "speech_ended",
            "transcript",
            "attempt_ended",
            "call_ended",
        } <= {event["event"] for event in events}
        is_slow = any(e["event"] == "attempt_ended" and e["outcome"] == "stalled" for e in events)
        assert is_slow or any(e["event"] == "transcript" and not e["is_final"] for e in events), "no interim"
        # What a caller without processor was late with was silence to the gateway, until it came.
        late = sum(
            e["end"] - e["start"] for e in events if e["event"] == "audio_gap" and e["reason"] == "idle"
        )
        assert summary["usage"]["call_seconds"] == pytest.approx(8.0 + late, abs=0.1)
        assert 3.0 < summary["usage"]["speech_seconds"] < 7.0
        assert summary["usage"]["withheld_seconds"] > 0.5
        metrics = httpx.get(f"{api}/metrics").text
        told = 'stt_provider_requests_total{assigned="whisper",outcome="published",provider="whisper"}'
        published = sum(e["event"] == "attempt_ended" and e["outcome"] == "published" for e in events)
        assert published
        assert f"{told} {published}.0" in metrics
        assert "calls_active 0.0" in metrics
        assert "38067" not in metrics
        beside = {"SLUKH_HTTP_PORT": api.rpartition(":")[2], "SLUKH_AUDIOSOCKET_PORT": str(media)}
        found = slukh("doctor", "--json", SLUKH_DATA_DIR=str(tmp_path / "data"), **beside).stdout
        (heard,) = (each for each in json.loads(found) if each["check"] == "recogniser")
        assert heard["ok"]
        assert "no second one was loaded" in heard["detail"]
        server.send_signal(signal.SIGTERM)
        assert server.wait(HUNG_SECONDS) == 0
    data = {"SLUKH_DATA_DIR": str(tmp_path / "data")}
    listed = [json.loads(line) for line in slukh("calls", "list", "--json", **data).stdout.splitlines()]
    assert [row["call_id"] for row in listed] == [summary["call_id"]]
    shown = json.loads(slukh("calls", "show", summary["call_id"], "--json", **data).stdout)
    units = {(row["component"], row["unit"], row["outcome"]) for row in shown["usage"]}
    # On a machine that is too slow for interims a second Attempt was made, and both are booked.
    given_up = {("stt", "audio_ms", "stalled")} if is_slow else set()
    assert units == {("stt", "audio_ms", "published"), ("line", "call_ms", "hangup")} | given_up
    log = (tmp_path / "serve.log").read_text()
    assert '"event": "call_ended"' in log
    for private in ("671234567", "шины", "secret"):
        assert private not in log


def test_doctor_finds_nothing_wrong_and_says_what_it_found(tmp_path: Path) -> None:
    ports = {"SLUKH_AUDIOSOCKET_PORT": "0", "SLUKH_HTTP_PORT": "0", "SLUKH_DATA_DIR": str(tmp_path)}
    result = slukh("doctor", "--json", **ports)
    findings = json.loads(result.stdout)
    assert result.returncode == 0, findings
    assert {finding["check"] for finding in findings} == {
        "settings",
        "weights",
        "disk",
        "ports",
        "prices",
        "recogniser",
    }


@pytest.mark.parametrize(
    ("environment", "check", "word"),
    [
        ({"SLUKH_LANGUAGE": "xx-XX"}, "settings", "uk-UA"),
        ({"WHISPER_MODEL_SIZE": "small"}, "weights", "slukh weights get small"),
        ({"SLUKH_DATA_DIR": "/proc/nowhere"}, "disk", "SLUKH_DATA_DIR"),
        ({"WHISPER_API_URL": "http://127.0.0.1:9"}, "recogniser", "WHISPER_API_URL"),
    ],
)
def test_doctor_says_what_is_wrong_and_what_to_do(
    environment: dict[str, str], check: str, word: str, tmp_path: Path
) -> None:
    ports = {"SLUKH_AUDIOSOCKET_PORT": "0", "SLUKH_HTTP_PORT": "0", "SLUKH_DATA_DIR": str(tmp_path)}
    result = slukh("doctor", "--json", **ports | environment)
    assert result.returncode == 1
    wrong = [finding for finding in json.loads(result.stdout) if not finding["ok"]]
    assert {finding["check"] for finding in wrong} == {check}
    assert any(word in finding["remedy"] + finding["detail"] for finding in wrong), wrong


def test_doctor_says_what_is_wrong_in_its_table_and_nowhere_else(tmp_path: Path) -> None:
    result = slukh(
        "doctor",
        "--json",
        SLUKH_AUDIOSOCKET_PORT="0",
        SLUKH_HTTP_PORT="0",
        SLUKH_DATA_DIR=str(tmp_path),
        SLUKH_DIALOG="examples/dialog/tyre-shop.yaml",
        SLUKH_PHRASE_CACHE="redis://127.0.0.1:9",
    )
    assert "phrases" in {finding["check"] for finding in json.loads(result.stdout) if not finding["ok"]}
    assert result.stderr == ""


def test_doctor_names_all_weights_that_are_missing_and_only_those_that_calls_need(tmp_path: Path) -> None:
    nothing = {
        "SLUKH_AUDIOSOCKET_PORT": "0",
        "SLUKH_HTTP_PORT": "0",
        "SLUKH_DATA_DIR": str(tmp_path),
        "SLUKH_WEIGHTS_DIR": str(tmp_path),
    }

    def missing(**environment: str) -> list[str]:
        findings = json.loads(slukh("doctor", "--json", **nothing | environment).stdout)
        return [finding["remedy"] for finding in findings if not finding["ok"]]

    silero, base = "run `slukh weights get silero`", "run `slukh weights get base`"
    assert missing() == [silero, base]
    assert missing(FF_STT_PROVIDER="google", GOOGLE_STT_PROJECT_ID="x") == [silero]
    assert missing(WHISPER_API_URL="http://127.0.0.1:9") == [silero]


def test_doctor_makes_no_ledger(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    result = slukh("doctor", "--json", SLUKH_DATA_DIR=str(folder), SLUKH_WEIGHTS_DIR=str(tmp_path))
    found = [each["detail"] for each in json.loads(result.stdout) if each["check"] == "disk"]
    assert "would be made" in found[0]
    assert found[1:] == [f"the ledger {folder / 'ledger.db'} would be created"]
    assert not folder.exists()


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = slukh(
            "serve", SLUKH_AUDIOSOCKET_PORT=port, SLUKH_HTTP_PORT="0", SLUKH_DATA_DIR=str(tmp_path)
        )
    assert_one_line(result, "SLUKH_AUDIOSOCKET_PORT", port)


def test_an_unwritable_ledger_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database, but it is long enough to look like one" * 20)
    ports = {"SLUKH_AUDIOSOCKET_PORT": "0", "SLUKH_HTTP_PORT": "0"}
    assert_one_line(slukh("serve", SLUKH_DATA_DIR=str(tmp_path), **ports), "ledger")
    assert_one_line(slukh("serve", SLUKH_DATA_DIR="/proc/nowhere", **ports), "SLUKH_")
    assert_one_line(slukh("calls", "list", SLUKH_DATA_DIR=str(tmp_path)), "ledger")
    (tmp_path / "caller.key").write_text("not a key")
    assert_one_line(slukh("serve", SLUKH_DATA_DIR=str(tmp_path), **ports), "caller.key", "remove it")


def test_missing_and_corrupt_weights_are_one_line(tmp_path: Path, speech: Path) -> None:
    assert_one_line(slukh("transcribe", speech, SLUKH_WEIGHTS_DIR=str(tmp_path)), "slukh weights get silero")
    assert_one_line(slukh("transcribe", speech, WHISPER_MODEL_SIZE="tinny"), "base")
    corrupt = tmp_path / "silero"
    corrupt.mkdir()
    for file in (weights_dir() / "silero").iterdir():
        (corrupt / file.name).write_bytes(file.read_bytes().replace(b"\x00", b"\x01", 1))
    assert_one_line(slukh("transcribe", speech, SLUKH_WEIGHTS_DIR=str(tmp_path)), "slukh weights get silero")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--language", "xx-XX"), "uk-UA"),
        (("--provider", "gogle"), "whisper"),
        (("--encoding", "mp3"), "mulaw"),
    ],
)
def test_an_argument_that_cannot_be_is_one_line(arguments: tuple[str, str], word: str, speech: Path) -> None:
    assert_one_line(slukh("transcribe", speech, *arguments), word)


def bad_recordings(folder: Path) -> Iterator[Path]:
    tone = (np.sin(np.arange(16000)) * 8000).astype(np.int16)
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("hello")
    with wave.open(str(folder / "stereo.wav"), "wb") as stereo:
        stereo.setparams((2, 2, 8000, 0, "NONE", ""))
        stereo.writeframes(tone.tobytes())
    write_wav(folder / "whole.wav", tone)
    (folder / "truncated.wav").write_bytes((folder / "whole.wav").read_bytes()[:9000])
    (folder / "whole.wav").unlink()
    floats = (tone / 32768).astype("<f4").tobytes()
    header = b"fmt " + (16).to_bytes(4, "little") + b"\x03\x00\x01\x00"
    header += (44100).to_bytes(4, "little") + (44100 * 4).to_bytes(4, "little") + b"\x04\x00\x20\x00"
    body = b"WAVE" + header + b"data" + len(floats).to_bytes(4, "little") + floats
    (folder / "float.wav").write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)
    yield from sorted(folder.iterdir())
    yield folder
    yield folder / "missing.wav"


def test_a_recording_that_cannot_be_played_is_one_line_with_a_remedy(tmp_path: Path) -> None:
    for path in bad_recordings(tmp_path):
        assert_one_line(slukh("transcribe", path), path.name)
        assert_one_line(slukh("call", path), path.name)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Status(404, "<html>not here</html>", "text/html"), ("/v1/audio/transcriptions", "slukh doctor")),
        (Status(200, "<html>a router's login page</html>", "text/html"), ("Whisper server", "slukh doctor")),
        (Status(401, '{"error": {"message": "bad key"}}'), ("WHISPER_API_KEY",)),
    ],
)
async def test_a_server_that_is_no_whisper_server_is_one_line(
    speech: Path, answer: Status, words: tuple[str, ...]
) -> None:
    async with FakeWhisperServer([answer]) as server:
        result = await asyncio.to_thread(
            slukh, "transcribe", speech, "--fast", "--json", WHISPER_API_URL=server.url
        )
    assert result.returncode == 2, result
    (line,) = result.stderr.strip().splitlines()
    for word in words:
        assert word in line


async def test_what_keeps_a_recogniser_from_starting_ends_with_the_remedy_that_the_doctor_has(
    speech: Path, tmp_path: Path
) -> None:
    environment = {"SLUKH_AUDIOSOCKET_PORT": "0", "SLUKH_HTTP_PORT": "0", "SLUKH_DATA_DIR": str(tmp_path)}
    async with FakeWhisperServer(api_key="right") as server:
        environment |= {"WHISPER_API_URL": server.url, "SLUKH_LOG_LEVEL": "ERROR"}
        examined = await asyncio.to_thread(slukh, "doctor", "--json", **environment)
        started = [
            await asyncio.to_thread(slukh, *command, **environment)
            for command in (("transcribe", speech), ("serve",))
        ]
    (remedy,) = [each["remedy"] for each in json.loads(examined.stdout) if not each["ok"]]
    for result in started:
        assert_one_line(result, "slukh: whisper: 401: ")
        assert result.stderr.endswith(f": {remedy}\n")


async def test_servers_that_are_all_set_up_wrongly_are_named_in_one_line(speech: Path) -> None:
    async with FakeWhisperServer(api_key="right") as server:
        urls = f"{server.url},http://127.0.0.1:9"
        result = await asyncio.to_thread(slukh, "transcribe", speech, "--fast", WHISPER_API_URL=urls)
    assert_one_line(result, f"{server.port}: 401", "WHISPER_API_KEY", "127.0.0.1:9: cannot connect")


async def test_a_gateway_whose_only_whisper_server_is_none_does_not_stay(tmp_path: Path) -> None:
    page = Status(200, "<html>a router's login page</html>", "text/html")
    async with FakeWhisperServer([page, page, page]) as server:
        result = await asyncio.to_thread(
            slukh,
            "serve",
            WHISPER_API_URL=server.url,
            SLUKH_AUDIOSOCKET_PORT="0",
            SLUKH_HTTP_PORT="0",
            SLUKH_DATA_DIR=str(tmp_path),
        )
    assert result.returncode == 2, result
    *logged, line = result.stderr.strip().splitlines()
    events = {json.loads(entry)["event"] for entry in logged}
    assert "canary_failed" in events
    assert "listening" not in events
    assert line.startswith("slukh: whisper: 200 with text/html")


def test_a_gateway_comes_up_before_its_only_whisper_server_and_says_what_it_waits_for(tmp_path: Path) -> None:
    with reserved_port() as nobody:
        url = f"http://127.0.0.1:{nobody}"
        with serving(tmp_path, answers, WHISPER_API_URL=url) as (_, api, server):
            reason = httpx.get(f"{api}/readyz").json()["wrong"]["recogniser"]
            while "no stored clip" in reason:
                time.sleep(0.1)
                reason = httpx.get(f"{api}/readyz").json()["wrong"]["recogniser"]
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0
    assert f"cannot connect to {url}" in reason
    assert REMEDIES["connect"][1:] in reason  # as a sentence of its own
    assert '"listening"' in (tmp_path / "serve.log").read_text()


def test_no_gateway_is_one_line(speech: Path) -> None:
    assert_one_line(
        slukh("call", speech, "--to", "127.0.0.1:9", "--api", "http://127.0.0.1:9"), "slukh serve"
    )
    for address in ("nonsense", "127.0.0.1:99999"):
        assert_one_line(slukh("call", speech, "--to", address), "HOST:PORT")
    assert_one_line(slukh("call", speech, "--api", "http://[::"), "--api")


async def test_another_program_on_the_port_of_the_api_is_one_line(speech: Path) -> None:
    page = Status(200, "<html>a router's login page</html>", "text/html")
    async with FakeWhisperServer([page]) as server:
        result = await asyncio.to_thread(slukh, "call", speech, "--api", server.url)
    assert_one_line(result, "is no Slukh gateway", "--api")


def test_a_reader_who_leaves_ends_the_transcription_without_a_word(speech: Path) -> None:
    command = [sys.executable, "-m", "slukh", "transcribe", str(speech), "--language", "ru-RU", "--json"]
    with subprocess.Popen(
        command, env=whisper_alone(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["event"] == "call_started"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_a_proxy_of_the_environment_is_not_asked_for_the_gateway(tmp_path: Path) -> None:
    proxy = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    nothing_said = tmp_path / "silence.wav"
    write_wav(nothing_said, np.zeros(8000, dtype=np.int16))
    result = slukh("call", nothing_said, "--with-server", "--json", SLUKH_DATA_DIR=str(tmp_path), **proxy)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1])["end_reason"] == "hangup"


def test_an_unknown_call_is_one_line(tmp_path: Path) -> None:
    assert_one_line(slukh("calls", "show", "no-such-call", SLUKH_DATA_DIR=str(tmp_path)), "slukh calls list")


def test_a_misspelt_setting_is_one_line() -> None:
    assert_one_line(slukh("serve", SLUKH_LANGUGE="uk-UA"), "SLUKH_LANGUAGE")
