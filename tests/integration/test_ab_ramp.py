"""`slukh ab ramp`: another share for Whisper, and a rollback that a person ends."""

import json
import shlex
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.integration.ab_store import NOW, fill, report, slukh

from slukh.experiment.gates import GATES_VERSION
from slukh.experiment.store import ExperimentStore
from slukh.routing.rollback import Rollback
from slukh.routing.share_files import RollbackFile, write_share


def flag_file(folder: Path) -> Path:
    path = folder / "flags.json"
    path.write_text(json.dumps({"version": 7, "weights": {"google": 90, "whisper": 10}, "salt": "s"}))
    return path


def with_flag_file(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return slukh(
        folder, *arguments, SLUKH_FLAG_FILE=str(folder / "flags.json"), FF_WHISPER_ROLLOUT_PERCENT=""
    )


def test_more_calls_take_a_promote_or_a_reason_that_is_recorded(tmp_path: Path) -> None:
    path = flag_file(tmp_path)
    refused = with_flag_file(tmp_path, "ab", "ramp", "--to", "50")
    assert refused.returncode == 2
    assert "HOLD, not PROMOTE" in refused.stderr
    assert "--override" in refused.stderr
    assert json.loads(path.read_text())["version"] == 7
    done = with_flag_file(tmp_path, "ab", "ramp", "--to", "50", "--override", "the owner wants it")
    assert done.stdout.startswith(
        "Whisper: 10 to 50 % (HOLD, because the owner wants it)\nits verdict again: "
    )
    assert json.loads(path.read_text()) == {
        "version": 8, "weights": {"google": 50, "whisper": 50}, "salt": "s",
    }  # fmt: skip
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as store:
        (row,) = store.ramps()
    assert (row.from_percent, row.to_percent, row.override) == (10, 50, "the owner wants it")


def test_a_report_of_the_past_is_the_same_after_a_ramp(tmp_path: Path) -> None:
    fill(tmp_path)
    flag_file(tmp_path)
    window = ("--since", (NOW - timedelta(days=9)).isoformat(), "--until", NOW.isoformat())
    before = with_flag_file(tmp_path, "ab", "report", "--json", *window)
    assert with_flag_file(tmp_path, "ab", "ramp", "--to", "50", "--override", "try").returncode == 0
    after = with_flag_file(tmp_path, "ab", "report", "--json", *window)
    assert json.loads(before.stdout)["inputs"]["whisper_share"] == 0.1
    assert after.stdout == before.stdout


def test_the_verdict_that_a_ramp_stood_on_can_be_made_again_and_says_what_changed(tmp_path: Path) -> None:
    fill(tmp_path)
    flag_file(tmp_path)
    (tmp_path / "known.json").write_text('{"queue_p95_seconds": 0.3}')
    window = ("--since", (NOW - timedelta(days=9)).isoformat(), "--until", NOW.isoformat())
    asked = (*window, "--evidence", str(tmp_path / "known.json"), "--seed", "7")
    done = with_flag_file(tmp_path, "ab", "ramp", "--to", "50", "--override", "try", *asked)
    command = shlex.split(done.stdout.splitlines()[1].removeprefix("its verdict again: slukh "))
    again = json.loads(with_flag_file(tmp_path, *command, "--json").stdout)
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as store:
        (row,) = store.ramps()
        store.record([replace(store.window(NOW - timedelta(days=1), NOW).calls[3], arm="whisper")])
    assert again["inputs"] == row.inputs
    assert (again["inputs"]["seed"], again["inputs"]["whisper_share"]) == (7, 0.1)
    assert again["inputs"]["gates_version"] == GATES_VERSION
    assert again["inputs"]["models"] == {"google": ["chirp_3"]}
    other = json.loads(with_flag_file(tmp_path, *command, "--json", "--seed", "8").stdout)
    told = [
        next(gate for gate in found["gates"] if gate["name"] == "inputs as recorded")
        for found in (again, other)
    ]
    assert [(gate["status"], gate["detail"]) for gate in told] == [
        ("pass", "as the ramp had them"),
        (
            "fail",
            "changed since the ramp: calls_by_arm.google, calls_by_arm.whisper, seed, served_by_another",
        ),
    ]


def test_a_rollback_that_came_after_a_window_holds_no_verdict_on_it(tmp_path: Path) -> None:
    fill(tmp_path)
    told = str(rolled_back(tmp_path))
    window = ("--since", "2026-11-01", "--until")
    statuses = []
    for until in ("2026-11-20", "2026-11-21"):
        found = report(tmp_path, *window, until)
        (gate,) = (gate for gate in found["gates"] if gate["name"] == "guardrails")
        statuses.append((gate["status"], gate["detail"]))
    assert statuses == [("pass", "no rollback stands"), ("fail", told)]


def rolled_back(folder: Path) -> Rollback:
    """What a gateway leaves behind."""
    rollback = Rollback(
        at=datetime(2026, 11, 20, 13, 5, tzinfo=UTC), reason="guardrail: errors: 40%", from_percent=10
    )
    RollbackFile(folder / "rollback.json").write(rollback)
    return rollback


def test_a_rollback_is_reported_and_holds(tmp_path: Path) -> None:
    fill(tmp_path)
    told = str(rolled_back(tmp_path))
    gates = {gate["name"]: gate for gate in report(tmp_path)["gates"]}
    assert (gates["guardrails"]["status"], gates["guardrails"]["detail"]) == ("fail", told)
    findings = json.loads(slukh(tmp_path, "doctor", "--json").stdout)
    (finding,) = (finding for finding in findings if finding["check"] == "rollout")
    assert finding["ok"]
    assert finding["detail"].startswith(told)


def test_a_person_ends_a_rollback_of_the_environments_share_with_a_reason(tmp_path: Path) -> None:
    told = str(rolled_back(tmp_path))
    refused = slukh(tmp_path, "ab", "ramp", "--to", "10")
    assert refused.returncode == 2
    assert "HOLD, not PROMOTE" in refused.stderr
    other = slukh(tmp_path, "ab", "ramp", "--to", "50", "--override", "mended")
    assert "`slukh ab ramp --to 10` ends the rollback" in other.stderr
    done = slukh(tmp_path, "ab", "ramp", "--to", "10", "--override", "mended")
    assert done.stdout.startswith(f"{told}\nWhisper: 0 to 10 % (HOLD, because mended)\n")
    assert not (tmp_path / "rollback.json").exists()
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as store:
        (row,) = store.ramps()
    assert (row.from_percent, row.to_percent, row.override) == (0, 10, "mended")


def test_a_ramp_takes_a_rollback_out_of_the_flag_file(tmp_path: Path) -> None:
    path = flag_file(tmp_path)
    write_share(path, 0, rolled_back=rolled_back(tmp_path))
    done = with_flag_file(tmp_path, "ab", "ramp", "--to", "10", "--override", "mended")
    assert done.stdout.startswith("Whisper was rolled back from 10 % at 2026-11-20 13:05 UTC")
    assert json.loads(path.read_text()) == {
        "version": 9, "weights": {"google": 90, "whisper": 10}, "salt": "s",
    }  # fmt: skip


def test_less_takes_neither_a_promote_nor_a_reason(tmp_path: Path) -> None:
    path = flag_file(tmp_path)
    assert with_flag_file(tmp_path, "ab", "ramp", "--to", "0").returncode == 0
    assert json.loads(path.read_text())["weights"] == {"google": 100, "whisper": 0}


@pytest.mark.parametrize(
    ("to", "way"), [("0", "FF_WHISPER_KILL=true"), ("50", "FF_WHISPER_ROLLOUT_PERCENT=50")]
)
def test_without_a_flag_file_the_way_is_named(tmp_path: Path, to: str, way: str) -> None:
    refused = slukh(tmp_path, "ab", "ramp", "--to", to)
    assert refused.returncode == 2
    assert f"set SLUKH_FLAG_FILE, or restart with {way}" in refused.stderr
