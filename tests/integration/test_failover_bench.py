"""The fault table in small: three faults, two calls each, through the command that people run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.patience import HUNG_SECONDS

from slukh.stt.whisper.decoding import DecodeRequest
from slukh.stt.whisper.local import LocalDecoder
from slukh.testing import rivals
from slukh.testing.failover_faults import FAULTS, LEFT_OUT
from slukh.testing.failover_report import faults_named
from slukh.testing.numbered import numbered_speech


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "slukh", "bench", "failover", *arguments],
        capture_output=True, text=True, timeout=HUNG_SECONDS, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    names = ("--fault", "refused", "--fault", "GOAWAY", "--fault", "repetition loop")
    result = bench("--trials", "2", "--json", *names)
    assert result.returncode == 0, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_no_word_is_lost_or_doubled_and_no_call_ends(table: dict[str, Any]) -> None:
    assert [(row["fault"], row["direction"]) for row in table["rows"]] == [
        ("refused", "google->whisper"),
        ("refused", "whisper->google"),
        ("repetition loop", "whisper->google"),
        ("GOAWAY", "google->whisper"),
    ]
    for row in table["rows"]:
        assert row["trials"] == 2
        assert (row["words_lost"], row["words_doubled"], row["calls_ended"]) == (0, 0, 0), row


def test_every_fault_was_felt_and_the_backup_heard(table: dict[str, Any]) -> None:
    for row in table["rows"]:
        assert 0 <= row["detection_ms_p50"] <= row["detection_ms_max"] <= row["switch_ms_max"], row


def test_a_fault_is_measured_in_both_directions_or_left_out_with_a_reason(table: dict[str, Any]) -> None:
    measured = {(fault.name, fault.direction) for fault in FAULTS}
    left_out = {(name, direction) for name, direction, _ in LEFT_OUT}
    everything = {(fault.name, way) for fault in FAULTS for way in ("google->whisper", "whisper->google")}
    assert not measured & left_out
    assert measured | left_out == everything
    assert all(entry["reason"] for entry in table["left_out"])


async def test_a_child_without_a_model_hears_numbers() -> None:
    decoder = LocalDecoder(Path(), program="slukh.testing.numbered_worker")
    await decoder.start()
    speech = numbered_speech([4, 2]).tobytes()
    decoding = await decoder.decode(DecodeRequest(pcm=speech, kind="final", language_code="uk-UA"))
    await decoder.aclose()
    assert (decoding.text, decoding.language_code) == ("4 2", "uk-UA")


def test_a_rival_is_pinned_and_runs_its_defaults_first() -> None:
    for rival in rivals.RIVALS:
        assert (Path(rivals.__file__).parent / rival.program).is_file()
        assert all(package.endswith(f"=={rival.version}") for package in rival.packages)
        assert rival.settings[0] == {}


def test_a_fault_that_there_is_not_is_one_line() -> None:
    assert faults_named(["reset"]) != ()
    result = bench("--fault", "earthquake")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "earthquake" in result.stderr
