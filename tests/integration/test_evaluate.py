"""`slukh evaluate` as a person uses it, against a Whisper server on loopback."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.patience import HUNG_SECONDS

from slukh.testing.whisper_server import FakeWhisperServer, Says, Status

CLIPS = Path(__file__).parents[2] / "src" / "slukh" / "stt" / "clips"


def evaluate(manifest: Path, url: str, *more: str) -> subprocess.CompletedProcess[str]:
    ours = ("SLUKH_", "FF_", "WHISPER_", "GOOGLE_")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return subprocess.run(
        [sys.executable, "-m", "slukh", "evaluate", str(manifest), "--json", *more],
        env=clean | {"WHISPER_API_URL": url, "SLUKH_DATA_DIR": str(manifest.parent / "data")},
        capture_output=True,
        text=True,
        timeout=HUNG_SECONDS,
        check=False,
    )


def write_manifest(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "m.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def clip(language_code: str = "uk-UA") -> dict[str, Any]:
    text = (CLIPS / f"{language_code}.txt").read_text(encoding="utf-8")
    return {"audio": str(CLIPS / f"{language_code}.wav"), "text": text, "language_code": language_code}


async def test_a_manifest_is_heard_once_and_reported_twice(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, clip())
    async with FakeWhisperServer([Says(clip()["text"])]) as server:
        first = await asyncio.to_thread(evaluate, manifest, server.url)
        requests = len(server.received)
        second = await asyncio.to_thread(evaluate, manifest, server.url)
        assert len(server.received) == requests
    assert first.returncode == second.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    table = json.loads(first.stdout)["providers"]["whisper"]["all"]
    assert table["utterances"] == 1
    assert table["wer"] == 0.0
    cost = json.loads(first.stdout)["providers"]["whisper"]["cost"]
    assert (cost["usd"], cost["reason"]) == (None, "own machine, no price per second")
    assert cost["requests"] >= 1
    assert cost["sent_seconds"] > 1


async def test_a_google_that_is_none_has_no_price(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, clip())
    async with FakeWhisperServer([Says(clip()["text"])]) as server:
        found = await asyncio.to_thread(evaluate, manifest, server.url, "--providers", "google")
    assert found.returncode == 0, found.stderr
    cost = json.loads(found.stdout)["providers"]["google"]["cost"]
    assert (cost["usd"], cost["reason"]) == (None, "a stand-in, has no price")
    assert cost["sent_seconds"] > 1


async def test_rows_that_cannot_be_heard_are_named_and_the_rest_is_heard(tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(b"RIFF and no more")
    manifest = write_manifest(
        tmp_path, clip(), {"audio": "none.wav", "text": "так"}, {"audio": "noise.wav", "text": "так"},
        clip() | {"language_code": "xx-XX"},
    )  # fmt: skip
    async with FakeWhisperServer([Says("так")]) as server:
        found = await asyncio.to_thread(evaluate, manifest, server.url)
    assert found.returncode == 1, found.stderr
    report = json.loads(found.stdout)
    assert report["providers"]["whisper"]["all"]["utterances"] == 1
    assert [problem["line"] for problem in report["problems"]] == [2, 3, 4]
    assert not report["is_complete"]


def test_a_manifest_of_which_nothing_can_be_heard_is_one_line(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, clip() | {"audio": "nosuch.wav"})
    result = evaluate(manifest, "http://127.0.0.1:1")
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert "has no row that can be heard" in result.stderr
    assert "nosuch.wav" in result.stderr


async def test_a_recogniser_that_fails_is_no_recogniser_that_heard_nothing(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, clip())
    async with FakeWhisperServer([Status(401)]) as server:
        found = await asyncio.to_thread(evaluate, manifest, server.url)
    assert found.returncode != 0
    assert "Traceback" not in found.stderr
    if found.returncode == 1:
        assert json.loads(found.stdout)["providers"]["whisper"]["all"]["utterances"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--providers", "siri"), "siri"),
        (("--grammar", "none.yaml"), "none.yaml"),
        (("--language", "xx"), "xx"),
    ],
)
def test_a_bad_option_is_one_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    found = evaluate(write_manifest(tmp_path, clip()), "http://127.0.0.1:9", *arguments)
    assert found.returncode == 2
    assert words in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


def test_the_examples_come_with_a_manifest_that_says_what_their_texts_say(examples: Path) -> None:
    rows = [json.loads(line) for line in (examples / "manifest.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        text = (examples / row["audio"]).with_suffix(".txt").read_text("utf-8")
        assert row["text"] == " ".join(text.splitlines())
    assert {row["audio"] for row in rows} == {path.name for path in examples.glob("*.wav")}
