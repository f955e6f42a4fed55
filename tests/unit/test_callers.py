"""From a number to its hash: one way, one key, made once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from slukh.callers import caller_hash, made_caller_key, named_caller, read_caller_key
from slukh.errors import LedgerError


def test_one_number_has_one_hash_however_it_is_written_and_none_when_withheld() -> None:
    assert caller_hash(b"k", "+38 (067) 123-45-67") == caller_hash(b"k", "380671234567")
    assert caller_hash(b"k", "380671234567") != caller_hash(b"other", "380671234567")
    assert caller_hash(b"k", "anonymous") is None
    assert "067" not in str(caller_hash(b"k", "380671234567"))


def test_a_caller_is_named_by_the_number_or_by_the_hash() -> None:
    hashed = caller_hash(b"k", "380671234567")
    assert named_caller(b"k", "+380 67 123 45 67") == hashed
    assert hashed is not None
    assert named_caller(b"k", hashed) == hashed
    assert named_caller(b"k", "olena") is None


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    key = made_caller_key(tmp_path / "data")
    assert len(key) == 32
    assert made_caller_key(tmp_path / "data") == read_caller_key(tmp_path / "data") == key
    assert (tmp_path / "data" / "caller.key").stat().st_mode & 0o077 == 0


def test_where_no_gateway_ran_no_key_is_made_and_no_number_is_known(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="SLUKH_DATA_DIR"):
        read_caller_key(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_key_is_made_by_all_who_make_one_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len({*pool.map(made_caller_key, [tmp_path] * 8)}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["caller.key"]


@pytest.mark.parametrize("text", ["hunter2", "", "00" * 16], ids=["no hex", "empty", "half"])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "caller.key").write_text(text, encoding="ascii")
    with pytest.raises(LedgerError, match="holds no key"):
        made_caller_key(tmp_path)
