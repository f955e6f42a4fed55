import errno
import json
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slukh.cost.meter import CallFacts, Row, UsageStage
from slukh.cost.spool import Spool
from slukh.cost.spool_folder import SpoolTakenError
from slukh.cost.spool_lines import line_from_row, row_from_line
from slukh.errors import LedgerError
from slukh.types import Usage

MakeUsage = Callable[..., Usage]


class Disk:
    """A disk that can be full: fails while `refuses` is set, and says when it refused."""

    def __init__(self) -> None:
        self.refuses = False
        self.refused = threading.Event()

    def sync(self, fd: int) -> None:
        if self.refuses:
            self.refused.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        os.fsync(fd)


def rows_of(spool: Spool) -> list[Row]:
    return [row for batch in spool.batches() for row in batch.rows]


def drained(directory: Path) -> list[Row]:
    """What a fresh process finds, acknowledged."""
    rows: list[Row] = []
    with Spool(directory) as spool:
        for batch in spool.batches():
            rows += batch.rows
            spool.acknowledge(batch)
        assert spool.waiting_rows == 0
    return rows


def only_segment(directory: Path) -> Path:
    (path,) = directory.glob("*.jsonl")
    return path


def test_rows_come_back_in_order(spool: Spool, usage: MakeUsage) -> None:
    rows = [usage(n) for n in range(100)]
    for row in rows:
        spool.append(row)
    assert spool.flush()
    assert rows_of(spool) == rows
    assert spool.waiting_rows == 100


def test_an_acknowledged_batch_is_gone_and_others_stay(
    spool: Spool, usage: MakeUsage, tmp_path: Path
) -> None:
    spool.append(usage(1))
    assert spool.flush()
    (batch,) = spool.batches()
    spool.append(usage(2))
    assert spool.flush()
    spool.acknowledge(batch)
    assert rows_of(spool) == [usage(2)]
    assert spool.waiting_rows == 1
    assert len(list((tmp_path / "spool").glob("*.jsonl"))) == 1


def test_what_was_flushed_survives_the_process(tmp_path: Path, usage: MakeUsage) -> None:
    with Spool(tmp_path) as spool:
        spool.append(usage(1))
        assert spool.flush()
        on_disk = only_segment(tmp_path).read_bytes()
    assert on_disk == line_from_row(usage(1))
    assert drained(tmp_path) == [usage(1)]


def test_flush_makes_durable_with_fsync(tmp_path: Path, usage: MakeUsage) -> None:
    synced: list[int] = []

    def sync(fd: int) -> None:
        synced.append(os.fstat(fd).st_size)

    with Spool(tmp_path, sync=sync) as spool:
        spool.append(usage(1))
        assert spool.flush()
        assert synced == [len(line_from_row(usage(1)))]


@pytest.mark.parametrize("cut", [1, 20, 150])
def test_a_half_written_last_line_is_set_aside_and_the_rest_survives(
    tmp_path: Path, usage: MakeUsage, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    torn = line_from_row(usage(3))[:cut]
    (tmp_path / "000000000004.jsonl").write_bytes(line_from_row(usage(1)) + line_from_row(usage(2)) + torn)
    assert drained(tmp_path) == [usage(1), usage(2)]
    rejected = json.loads((tmp_path / "000000000004.rejected").read_text())
    assert (rejected["file"], rejected["line"], rejected["text"]) == ("000000000004.jsonl", 3, torn.decode())
    assert rejected["reason"].startswith("half-written")
    (told,) = (record for record in caplog.records if record.message == "usage_line_rejected")
    assert str(tmp_path / "000000000004.rejected") in vars(told)["remedy"]
    (tmp_path / "000000000004.jsonl").write_bytes(line_from_row(usage(3)))  # mended, as the remedy says
    assert drained(tmp_path) == [usage(3)]


def test_a_last_line_that_lacks_only_its_newline_is_a_row(tmp_path: Path, usage: MakeUsage) -> None:
    (tmp_path / "000000000001.jsonl").write_bytes(line_from_row(usage(1)).rstrip(b"\n"))
    assert drained(tmp_path) == [usage(1)]


def test_a_corrupt_line_in_the_middle_is_set_aside_and_counted(tmp_path: Path, usage: MakeUsage) -> None:
    stages: list[UsageStage] = []
    (tmp_path / "000000000001.jsonl").write_bytes(
        line_from_row(usage(1)) + b"\xff\x00 rubbish\n" + line_from_row(usage(2))
    )
    with Spool(tmp_path, on_error=stages.append) as spool:
        (batch,) = spool.batches()
        assert list(batch.rows) == [usage(1), usage(2)]
        spool.acknowledge(batch)
    assert stages == ["rejected"]
    rejected = json.loads((tmp_path / "000000000001.rejected").read_text())
    assert (rejected["line"], rejected["text"]) == (2, "\\xff\x00 rubbish")


def test_a_new_segment_never_takes_the_name_of_a_rejected_one(tmp_path: Path, usage: MakeUsage) -> None:
    (tmp_path / "000000000007.rejected").write_text("{}\n")
    with Spool(tmp_path) as spool:
        spool.append(usage(1))
        assert spool.flush()
        assert only_segment(tmp_path).name == "000000000008.jsonl"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"quantity": -1}, "quantity"),
        ({"quantity": 2**63}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": "7"}, "quantity"),
        ({"unit": "miles"}, "unit"),
        ({"occurred_at": "2026-11-22T10:00:00"}, "time zone"),
        ({"provider": "a\0b"}, "zero byte"),
        ({"tip": 5}, "unknown field tip"),
    ],
)
def test_a_row_that_no_ledger_can_hold_is_refused_by_name(
    usage: MakeUsage, change: dict[str, object], reason: str
) -> None:
    line = json.loads(line_from_row(usage(1)))
    line["row"] |= change
    with pytest.raises(ValueError, match=reason):
        row_from_line(json.dumps(line).encode())


def test_a_full_disk_keeps_rows_in_memory_until_it_has_room(tmp_path: Path, usage: MakeUsage) -> None:
    disk, stages = Disk(), list[UsageStage]()
    with Spool(tmp_path, sync=disk.sync, retry_seconds=0.01, on_error=stages.append) as spool:
        spool.append(usage(1))
        assert spool.flush()
        disk.refuses = True
        spool.append(usage(2))
        assert disk.refused.wait(5)
        assert not spool.flush(0.05)
        error = spool.last_error
        assert "No space left" in str(error)
        disk.refuses = False
        assert spool.flush()
        assert spool.last_error is None
        assert set(stages) == {"spool"}
        assert spool.waiting_rows == 2
    assert drained(tmp_path) == [usage(1), usage(2)]


def test_a_refusal_names_the_folder_and_what_to_do(
    tmp_path: Path, usage: MakeUsage, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk()
    disk.refuses = True
    with Spool(tmp_path, sync=disk.sync, retry_seconds=0.01) as spool:
        spool.append(usage(1))
        assert not spool.flush(0.1)
        assert f"the usage spool {tmp_path} cannot be written (No space left" in str(spool.last_error)
        assert "free some space there" in str(spool.last_error)
        disk.refuses = False
    (line,) = caplog.records  # however often it was tried
    assert "free some space" in vars(line)["remedy"]


def test_memory_is_bounded_while_the_disk_refuses(tmp_path: Path, usage: MakeUsage) -> None:
    disk, stages = Disk(), list[UsageStage]()
    disk.refuses = True
    with Spool(
        tmp_path, sync=disk.sync, retry_seconds=0.01, max_pending_rows=5, on_error=stages.append
    ) as spool:
        for number in range(8):
            spool.append(usage(number))
        assert spool.lost_rows == 3
        assert stages.count("spool_full") == 3
        disk.refuses = False
        assert spool.flush()
        assert rows_of(spool) == [usage(number) for number in range(5)]


def test_rows_outlive_the_directory_that_they_were_written_to(tmp_path: Path, usage: MakeUsage) -> None:
    directory, stages = tmp_path / "spool", list[UsageStage]()
    with Spool(directory, on_error=stages.append) as spool:
        spool.append(usage(1))
        assert spool.flush()
        shutil.rmtree(directory)
        spool.append(usage(2))
        assert spool.flush()
        assert spool.waiting_rows == 2
        assert rows_of(spool) == [usage(1), usage(2)]
        assert stages == ["spool"]
    assert drained(directory) == [usage(1), usage(2)]


def test_a_directory_that_vanished_is_noticed_without_a_further_row(tmp_path: Path, usage: MakeUsage) -> None:
    directory = tmp_path / "spool"
    with Spool(directory) as spool:
        spool.append(usage(1))
        assert spool.flush()
        directory.rename(tmp_path / "elsewhere")  # as one that is not mounted now
        spool.look()
    assert drained(directory) == [usage(1)]


def test_a_segment_that_was_removed_alone_is_written_again(tmp_path: Path, usage: MakeUsage) -> None:
    with Spool(tmp_path, retry_seconds=0.01) as spool:
        spool.append(usage(1))
        assert spool.flush()
        only_segment(tmp_path).unlink()
        spool.append(usage(2))
        assert spool.flush()
        assert rows_of(spool) == [usage(1), usage(2)]


def test_what_was_removed_with_its_sealed_segment_is_counted_as_lost(
    tmp_path: Path, usage: MakeUsage, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "spool"
    with Spool(directory, segment_rows=1) as spool:
        for number in range(3):
            spool.append(usage(number))
            assert spool.flush()
        shutil.rmtree(directory)
        spool.look()
        assert spool.flush()
        assert (spool.lost_rows, spool.waiting_rows) == (2, 1)
        assert rows_of(spool) == [usage(2)]
    assert [record.message for record in caplog.records] == ["usage_spool_removed"]


def test_while_no_directory_can_be_had_rows_wait_in_memory(tmp_path: Path, usage: MakeUsage) -> None:
    directory = tmp_path / "spool"
    with Spool(directory, retry_seconds=0.01) as spool:
        spool.append(usage(1))
        assert spool.flush()
        shutil.rmtree(directory)
        directory.write_text("something else")
        with pytest.raises(LedgerError, match="cannot be written"):
            spool.look()
        spool.append(usage(2))
        assert not spool.flush(0.05)
        directory.unlink()
        assert spool.flush()
        assert rows_of(spool) == [usage(1), usage(2)]


def test_a_segment_ends_after_its_rows(tmp_path: Path, usage: MakeUsage) -> None:
    with Spool(tmp_path, segment_rows=2) as spool:
        for number in range(5):
            spool.append(usage(number))
            assert spool.flush()
        assert len(list(tmp_path.glob("*.jsonl"))) == 3
    assert drained(tmp_path) == [usage(number) for number in range(5)]


def test_a_row_after_the_end_is_counted_as_lost(tmp_path: Path, usage: MakeUsage) -> None:
    spool = Spool(tmp_path)
    assert spool.close()
    assert spool.close()
    spool.append(usage(1))
    assert spool.lost_rows == 1


def test_a_directory_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="SLUKH_DATA_DIR"):
        Spool(tmp_path / "file" / "spool")


def test_a_spool_has_one_owner(tmp_path: Path) -> None:
    with Spool(tmp_path), pytest.raises(SpoolTakenError, match="another running slukh"):
        Spool(tmp_path)
    Spool(tmp_path).close()


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
COUNT = st.integers(0, 2**63 - 1)
MOMENTS = st.datetimes().map(lambda moment: moment.replace(tzinfo=UTC))
USAGES = st.builds(
    Usage, call_id=TEXT, leg=COUNT, component=st.sampled_from(["stt", "tts", "llm", "line"]), sequence=COUNT,
    provider=TEXT, model=TEXT, unit=st.sampled_from(["audio_ms", "input_tokens"]), quantity=COUNT,
    reported_quantity=st.none() | COUNT, outcome=TEXT, occurred_at=MOMENTS,
)  # fmt: skip
FACTS = st.builds(
    CallFacts, call_id=TEXT, leg=COUNT, state=st.sampled_from(["started", "ended"]), started_at=MOMENTS,
    ended_at=st.none() | MOMENTS, language_code=TEXT, announced=st.booleans(), trunk=st.none() | TEXT,
    provider=TEXT, model=TEXT, assigned_arm=TEXT, heard_ms=COUNT, end_reason=st.none() | TEXT,
)  # fmt: skip


@given(USAGES | FACTS)
def test_a_line_is_its_row(row: Row) -> None:
    line = line_from_row(row)
    assert line.count(b"\n") == 1
    assert row_from_line(line) == row


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        row_from_line(data)


@settings(max_examples=50, deadline=None)  # each opens a spool
@given(cut=st.integers(0, 10_000))
def test_whatever_a_crash_leaves_of_the_end_no_whole_row_is_lost(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    row = Usage(
        call_id="c", leg=1, component="stt", sequence=1, provider="w", model="m", unit="audio_ms", quantity=1,
        outcome="published", occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    rows = [replace(row, sequence=number) for number in range(1, 6)]
    data = b"".join(line_from_row(r) for r in rows)
    cut %= len(data) + 1
    directory = tmp_path_factory.mktemp("spool")
    (directory / "000000000001.jsonl").write_bytes(data[:cut])
    found = drained(directory)
    assert found == rows[: len(found)]
    assert len(found) >= data[:cut].count(b"\n")
