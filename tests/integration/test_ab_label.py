"""`slukh ab label` as a person starts it, with a recording in the store, and the page it serves."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from tests.patience import HUNG_SECONDS

from slukh.experiment.evidence import CallRow, ShadowRow
from slukh.experiment.recorded import RecordedUtterance
from slukh.experiment.recordings import Recordings
from slukh.experiment.store import ExperimentStore

ENDED = datetime(2026, 11, 3, 12, tzinfo=UTC)
KEY = "ab" * 32
KEPT = {"SLUKH_RECORDING_KEY": KEY, "SLUKH_RECORDING_DAYS": "3650"}
WINDOW = ("--since", "2026-11-01", "--until", "2026-11-08")
LABEL = ("ab", "label", "--labeller", "olena", *WINDOW, "--no-browser")


def started(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    ours = ("SLUKH_", "FF_", "WHISPER_", "GOOGLE_")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return subprocess.Popen(
        [sys.executable, "-m", "slukh", *arguments],
        env=clean | {"SLUKH_DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def refused(folder: Path, *arguments: str, **environment: str) -> str:
    """The one line that a command ends with."""
    process = started(folder, *arguments, **environment)
    _, said = process.communicate(timeout=HUNG_SECONDS)
    assert process.returncode == 2
    (line,) = said.strip().splitlines()
    return line


def fill(folder: Path, *, records: bool = True) -> None:
    """Two shadowed utterances that differ, and the recording of one."""
    url = f"sqlite:///{folder / 'experiment.db'}"
    with ExperimentStore(url) as store:
        for n in (1, 2):
            store.record([
                CallRow(
                    call_id=f"call-{n}", caller=None, language_code="uk-UA", arm="google", flag_reason="",
                    flag_version="", serving="google", models={}, started_at=ENDED, ended_at=ENDED,
                    end_reason="hangup",
                ),
                ShadowRow(
                    call_id=f"call-{n}", utterance_id=1, live="google", shadow="whisper",
                    canonical_version="1-x", is_complete=True, differing_words=1,
                ),
            ])  # fmt: skip
    if records:
        with Recordings(url, key=bytes.fromhex(KEY), days=3650) as recordings:
            recordings.keep([
                RecordedUtterance(
                    call_id="call-1", utterance_id=1, caller=None, language_code="uk-UA", recorded_at=ENDED,
                    start=0, end=16_000, speech_start=0, speech_end=16_000, pcm=bytes(32_000),
                    texts={"google": "шини 205/55", "whisper": "шини 215/55"}, live="google", arm="google",
                )
            ])  # fmt: skip


@contextmanager
def page(folder: Path) -> Iterator[tuple[httpx.Client, list[str]]]:
    """The page that is served, and what the command has said once it has ended."""
    said: list[str] = []
    process = started(folder, *LABEL, **KEPT)
    try:
        assert process.stdout is not None
        while (found := re.search(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", "\n".join(said))) is None:
            line = process.stdout.readline()
            assert line, process.communicate()
            said.append(line.strip())
        with httpx.Client(base_url=found[0], trust_env=False) as client:
            yield client, said
    finally:
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=HUNG_SECONDS)
        said += out.splitlines()
    assert (process.returncode, errors) == (0, "")


def test_a_label_given_on_the_page_is_in_the_store_without_its_words(tmp_path: Path) -> None:
    fill(tmp_path)
    with page(tmp_path) as (client, said):
        assert client.get(str(client.base_url.copy_with(path="/"))).status_code == 404
        assert client.get("state").json()["progress"]["of"] == 1
        told = client.post("answer", json={"number": 0, "reply": "typed", "text": "225/55"}).json()
        assert told["question"] is None
    assert said[0] == "1 of 2 cannot be heard: unanswered, each is the worst it can be"
    assert said[-1] == "1 of 1 answered: slukh ab report has them"
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as store:
        (label,) = store.window(ENDED, ENDED).labels
    assert (label.labeller, label.probability) == ("olena", 1)
    assert (label.google_errors, label.whisper_errors) == (1, 1)
    assert all(b"225/55" not in path.read_bytes() for path in tmp_path.iterdir())


def test_without_a_key_the_settings_are_named(tmp_path: Path) -> None:
    assert "SLUKH_RECORDING_DAYS" in refused(tmp_path, *LABEL)


@pytest.mark.parametrize("differs", [True, False], ids=["not recorded", "no shadows"])
def test_a_window_with_nothing_to_hear_says_what_to_set(tmp_path: Path, differs: bool) -> None:
    if differs:
        fill(tmp_path, records=False)
    wanted = "SLUKH_RECORDING_DAYS" if differs else "FF_SHADOW_PERCENT"
    assert wanted in refused(tmp_path, *LABEL, **KEPT)


def test_a_window_that_still_grows_is_refused(tmp_path: Path) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    line = refused(tmp_path, *LABEL[:6], "--until", tomorrow, **KEPT)
    assert "not over" in line
