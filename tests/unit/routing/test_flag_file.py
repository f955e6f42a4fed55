"""The file of flags that changes under us."""

import os
from pathlib import Path

import pytest
from tests.unit.routing.flagged import caller_hash, document

from slukh.errors import SettingsError
from slukh.routing.flag_file import FlagFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "flags.json"
    path.write_bytes(document(version=5, weights={"google": 90, "whisper": 10}))
    return path


def test_a_file_is_read_again_when_its_content_changed(path: Path) -> None:
    file = FlagFile(path, caller_hash=caller_hash)
    assert file.flags.whisper_percent == 10
    assert not file.reload()
    path.write_bytes(document(version=6, weights={"google": 50, "whisper": 50}))
    assert file.reload()
    assert file.flags.whisper_percent == 50
    assert not file.reload()


def test_a_change_that_keeps_the_time_of_the_file_is_seen(path: Path) -> None:
    file = FlagFile(path, caller_hash=caller_hash)
    before = path.stat()
    path.write_bytes(document(version=6, weights={"google": 95, "whisper": 5}))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.reload()


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (document(version=6)[:-3], "not whole JSON"),
        (b"", "not whole JSON"),
        (document(version=6, weights={"google": 90, "whisper": 90}), "add up to 180"),
        (document(version=4, weights={"google": 50, "whisper": 50}), "version 4 is older than 5"),
        (b" " * ((1 << 20) + 1), "larger than 1 MiB"),
    ],
)
def test_the_last_good_values_stay_when_a_file_goes_bad(path: Path, bad: bytes, said: str) -> None:
    file = FlagFile(path, caller_hash=caller_hash)
    good = file.flags
    path.write_bytes(bad)
    assert not file.reload()
    assert not file.reload()
    assert file.flags is good
    assert said in (file.last_error or "")


def test_a_mended_file_clears_the_error_be_it_new_or_the_old_one(path: Path) -> None:
    good = path.read_bytes()
    file = FlagFile(path, caller_hash=caller_hash)
    path.write_bytes(b"{")
    file.reload()
    path.write_bytes(good)
    assert not file.reload()  # the same values as before
    assert file.last_error is None
    path.write_bytes(b"{")
    file.reload()
    path.write_bytes(document(version=6))
    assert file.reload()
    assert file.last_error is None


def test_a_file_that_vanished_leaves_its_values(path: Path) -> None:
    file = FlagFile(path, caller_hash=caller_hash)
    path.unlink()
    assert not file.reload()
    assert file.flags.whisper_percent == 10
    assert "cannot be read" in (file.last_error or "")


def test_a_bad_file_at_start_is_refused(path: Path) -> None:
    path.write_bytes(b'{"version":')
    with pytest.raises(SettingsError, match=r"flags\.json: the flags are not whole JSON"):
        FlagFile(path, caller_hash=caller_hash)
    path.unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        FlagFile(path, caller_hash=caller_hash)
