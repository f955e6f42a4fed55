"""A PROMOTE allows more calls while it stands, and no longer."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slukh.commands.ab_ramp import flags_in_force, ramp, take_back
from slukh.errors import UserError
from slukh.experiment.evidence import Evidence
from slukh.experiment.gates import Margins
from slukh.experiment.store import ExperimentStore
from slukh.experiment.verdict import Verdict
from slukh.routing.rollback import Rollback
from slukh.routing.share_files import write_share
from slukh.settings.config import AllSettings, load_all

NOW = datetime.now(UTC)


def promote(*, until: datetime = NOW, is_chosen: bool = False) -> Verdict:
    return Verdict(
        decision="PROMOTE", reasons=(), gates=(), expected=None, margins=Margins(), seed=7,
        evidence=Evidence(
            since=until - timedelta(days=28), until=until, calls=(), whisper_share=0.1, flag_version="7-a",
            begins_at=until - timedelta(days=35), begins_why="flags were 6-a before", is_chosen=is_chosen,
        ),
    )  # fmt: skip


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AllSettings:
    """A flag file that gives Whisper a tenth."""
    path = tmp_path / "flags.json"
    path.write_text(json.dumps({"version": 7, "weights": {"google": 90, "whisper": 10}, "salt": "s"}))
    monkeypatch.setenv("SLUKH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SLUKH_FLAG_FILE", str(path))
    return load_all()


def test_a_promote_of_now_is_recorded_with_what_it_was_made_of(given: AllSettings) -> None:
    row = ramp(given, promote(), to=50, override=None)
    assert (row.from_percent, row.to_percent, row.decision) == (10, 50, "PROMOTE")
    with ExperimentStore(given.settings.experiment_url) as store:
        assert store.ramps() == (row,)
    assert (row.inputs["seed"], row.inputs["until"]) == (7, NOW.isoformat())


def test_a_promote_of_a_window_that_is_long_over_stands_no_more(given: AllSettings) -> None:
    with pytest.raises(UserError, match="it stands for a day"):
        ramp(given, promote(until=NOW - timedelta(days=2)), to=50, override=None)
    assert ramp(given, promote(until=NOW - timedelta(days=2)), to=50, override="try").override == "try"


def test_a_promote_of_a_window_that_somebody_chose_does_not_stand(given: AllSettings) -> None:
    """A begin that was picked from a report is a chance more."""
    with pytest.raises(UserError, match=r"somebody chose.*flags were 6-a before"):
        ramp(given, promote(is_chosen=True), to=50, override=None)
    row = ramp(given, promote(is_chosen=True), to=50, override="a holiday lies before")
    assert row.override == "a holiday lies before"
    assert row.inputs["begin"] == {
        "at": (NOW - timedelta(days=35)).isoformat(), "why": "flags were 6-a before", "is_chosen": True,
    }  # fmt: skip


def test_a_rollback_since_the_window_ends_a_promote(given: AllSettings) -> None:
    path = given.flags.slukh_flag_file
    assert path is not None
    write_share(path, 0, rolled_back=Rollback(at=NOW, reason="guardrail: errors", from_percent=10))
    with pytest.raises(UserError, match="stands no more: Whisper was rolled back"):
        ramp(given, promote(until=NOW - timedelta(hours=1)), to=50, override=None)


def test_less_needs_no_verdict_where_none_can_be_had(given: AllSettings) -> None:
    assert take_back(given, to=10) is None
    assert take_back(given, to=0) == 10
    assert flags_in_force(given).flags.share == 0
