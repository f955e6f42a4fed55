"""A store of compared calls, and `slukh ab` over it, for the tests of both."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.patience import HUNG_SECONDS

from slukh.experiment.evidence import CallRow, DrawRow, ShadowRow
from slukh.experiment.store import ExperimentStore

NOW = datetime.now(UTC)
DRAWN = DrawRow(
    call_id="call-1", utterance_id=1, language_code="uk-UA", probability=0.5, position=1, seed=1,
    since=NOW - timedelta(days=9), until=NOW,
)  # fmt: skip
# By what happened the window begins after call-1, whose texts are in another version.
CHOSEN = ("--since", (NOW - timedelta(days=9)).isoformat())


def slukh(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    ours = ("SLUKH_", "FF_", "WHISPER_", "GOOGLE_")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return subprocess.run(
        [sys.executable, "-m", "slukh", *arguments],
        env=clean | {"SLUKH_DATA_DIR": str(folder), "FF_WHISPER_ROLLOUT_PERCENT": "10"} | environment,
        capture_output=True,
        text=True,
        timeout=HUNG_SECONDS,
        check=False,
    )


def fill(folder: Path, *, version: str = "1-x") -> None:
    calls = [
        CallRow(
            call_id=f"call-{n}", caller=f"caller-{n}", language_code="uk-UA",
            arm="whisper" if n % 10 == 0 else "google", flag_reason="SPLIT", flag_version="0-abc",
            serving="google", models={"google": "chirp_3"}, started_at=NOW - timedelta(hours=n + 1),
            ended_at=NOW - timedelta(hours=n), end_reason="hangup",
        )
        for n in range(100)
    ]  # fmt: skip
    shadow = ShadowRow(
        call_id="call-1", utterance_id=1, live="google", shadow="whisper", canonical_version=version,
        is_complete=True, differing_words=1, live_words=2, shadow_words=2,
    )  # fmt: skip
    with ExperimentStore(f"sqlite:///{folder / 'experiment.db'}") as store:
        store.record([*calls, shadow, DRAWN])


def report(folder: Path, *more: str) -> dict[str, Any]:
    found = slukh(folder, "ab", "report", "--json", *more)
    assert found.returncode == 0, found.stderr
    told: dict[str, Any] = json.loads(found.stdout)
    return told
