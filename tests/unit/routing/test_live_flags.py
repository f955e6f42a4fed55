"""Flags in force, less a rollback: written, kept, followed by others, ended by a person."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from slukh.errors import SettingsError
from slukh.routing.flags import Flags
from slukh.routing.live_flags import LiveFlags
from slukh.routing.rollback import Rollback, rollback_from
from slukh.routing.share_files import RollbackFile, read_share, write_share

AT = datetime(2026, 11, 20, 13, 5, tzinfo=UTC)
ROLLBACK = Rollback(at=AT, reason="guardrail: errors: 40% of the turns", from_percent=10)
TEN = {"FF_WHISPER_ROLLOUT_PERCENT": "10"}


def live(folder: Path, *, flag_file: bool = False, **given: str) -> LiveFlags:
    path = folder / "flags.json" if flag_file else None
    return LiveFlags(
        path, given or TEN, RollbackFile(folder / "data" / "rollback.json"), caller_hash=lambda _: "0" * 16
    )


def written(folder: Path, **values: object) -> Path:
    path = folder / "flags.json"
    path.write_text(json.dumps({"version": 3, "weights": {"google": 90, "whisper": 10}} | values))
    return path


def test_a_rollback_of_the_environments_share_is_kept_over_a_restart(tmp_path: Path) -> None:
    flags = live(tmp_path)
    before = flags.flags.version
    assert flags.roll_back(ROLLBACK) == ROLLBACK
    for again in (flags, live(tmp_path)):
        assert (again.flags.share, again.flags.rolled_back) == (0, ROLLBACK)
        assert again.flags.version != before
        assert again.given.share == 10


def test_a_flag_file_that_cannot_be_followed_is_told_until_it_can(tmp_path: Path) -> None:
    path = written(tmp_path)
    flags = live(tmp_path, flag_file=True)
    told = [flags.is_file_refused]
    path.write_text("{")
    flags.reload()
    told.append(flags.is_file_refused)
    written(tmp_path, version=4)
    assert flags.reload()
    told.append(flags.is_file_refused)
    assert told == [False, True, False]


def test_other_gateways_with_the_same_data_folder_follow(tmp_path: Path) -> None:
    one, other = live(tmp_path), live(tmp_path)
    one.roll_back(ROLLBACK)
    assert other.reload()
    assert other.flags.rolled_back == ROLLBACK
    RollbackFile(tmp_path / "data" / "rollback.json").remove()
    assert one.reload()
    assert one.flags.share == 10


def test_a_flag_file_tells_why_and_nothing_else_is_kept(tmp_path: Path) -> None:
    path = written(tmp_path, salt="mine", deny={"trunks": ["fax"]})
    flags = live(tmp_path, flag_file=True)
    assert flags.roll_back(ROLLBACK).flag_number == 4
    assert flags.flags.rolled_back == ROLLBACK
    assert json.loads(path.read_text()) == {
        "version": 4, "weights": {"google": 100, "whisper": 0}, "salt": "mine", "deny": {"trunks": ["fax"]},
        "rolled_back": {
            "at": "2026-11-20T13:05:00+00:00", "reason": ROLLBACK.reason, "from_percent": 10,
        },
    }  # fmt: skip
    assert not (tmp_path / "data").exists()
    write_share(path, 25)
    assert flags.reload()
    assert flags.flags.share == 25
    assert not flags.flags.rolled_back


def test_a_flag_file_that_cannot_be_written_is_overruled_until_a_person_writes_it(tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    folder.mkdir()
    path = written(folder)
    flags = LiveFlags(path, {}, RollbackFile(tmp_path / "rollback.json"), caller_hash=lambda _: "0" * 16)
    # As a directory that a cluster mounts: nothing can be made beside the file, for root neither.
    moved = path.rename(tmp_path / "kept")
    folder.rmdir()
    flags.roll_back(ROLLBACK)
    folder.mkdir()
    moved.rename(path)
    flags.reload()
    assert (flags.flags.share, flags.flags.number) == (0, 3)
    written(folder, version=4)
    flags.reload()
    assert flags.flags.share == 10


def test_a_rollback_that_no_disk_takes_holds_for_this_process(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    flags = live(tmp_path)
    flags.roll_back(ROLLBACK)
    flags.reload()
    assert flags.flags.rolled_back == ROLLBACK
    assert live(tmp_path).flags.share == 10


def test_where_nobody_else_may_hear_calls_nothing_is_taken_back(tmp_path: Path) -> None:
    def accept(flags: Flags) -> None:
        if "google" in flags.providers:
            raise SettingsError("google was not started", remedy="restart")

    flags = LiveFlags(
        None, {"FF_WHISPER_ROLLOUT_PERCENT": "100"}, RollbackFile(tmp_path / "rollback.json"),
        caller_hash=lambda _: "0" * 16, accept=accept,
    )  # fmt: skip
    with pytest.raises(SettingsError, match="not started"):
        flags.roll_back(ROLLBACK)
    assert flags.flags.share == 100


def test_a_whisper_that_has_all_calls_by_default_is_no_rollout(tmp_path: Path) -> None:
    live(tmp_path).roll_back(ROLLBACK)
    assert live(tmp_path, FF_STT_PROVIDER="whisper").flags.share == 100


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"at": "soon", "reason": "r", "from_percent": 1}'])
def test_a_kept_rollback_that_cannot_be_read_is_one_all_the_same(tmp_path: Path, content: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rollback.json").write_text(content)
    written(tmp_path)
    for flags in (live(tmp_path).flags, live(tmp_path, flag_file=True).flags):
        assert flags.share == 0
        assert "rollback.json, which cannot be read" in str(flags.rolled_back)


def test_a_share_that_was_raised_by_hand_has_ended_the_rollback(tmp_path: Path) -> None:
    path = written(tmp_path, rolled_back=ROLLBACK.as_json())
    assert read_share(path).rolled_back is None
    written(tmp_path, rolled_back=ROLLBACK.as_json(), weights={"google": 100, "whisper": 0})
    assert read_share(path).rolled_back == ROLLBACK


def test_what_a_flag_file_says_of_a_rollback_is_refused_in_its_words(tmp_path: Path) -> None:
    path = written(tmp_path, rolled_back={"at": "soon"}, weights={"google": 100, "whisper": 0})
    with pytest.raises(SettingsError, match="rolled_back refused"):
        read_share(path)


def test_a_rollback_is_read_as_it_was_written() -> None:
    kept = Rollback(at=AT, reason="r", from_percent=10, flag_number=3)
    assert rollback_from(kept.as_json()) == kept
    assert str(kept) == "Whisper was rolled back from 10 % at 2026-11-20 13:05 UTC (r)"
