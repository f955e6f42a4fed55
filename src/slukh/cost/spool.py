"""Usage on disk before anything else happens to it: JSON lines, fsynced by one thread.

    append(row) -> memory -> writer thread: one write, one fsync -> 000000000007.jsonl   (the open segment)
    batches()   -> sealed segments, oldest first -> acknowledge(batch) removes the file

A segment is never appended to by a later process, so a crash can only tear its last line. A line that cannot
be read is moved to `<segment>.rejected` with its place and the reason; the others are not held up by it.
While the disk refuses, rows wait in memory and are tried again. When the folder is removed under a process,
it is made again, and what the open segment held is written once more.
"""

import json
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Self

from slukh.cost.meter import Row, UsageStage
from slukh.cost.spool_folder import own, refusal, sync_directory
from slukh.cost.spool_lines import Batch, line_from_row, lines_of, read_batch
from slukh.cost.spool_owners import LOCK_FILE
from slukh.errors import LedgerError

logger = logging.getLogger(__name__)

_ROWS_PER_SYNC = 1000


@dataclass(slots=True)
class _Segment:
    """The open segment; `size` is how much of it is durable."""

    path: Path
    fd: int
    rows: int = 0
    size: int = 0


def _ignore(_stage: UsageStage) -> None:
    return


class Spool:
    """A durable queue of ledger rows in a directory that one process owns.

    Args:
        directory: made when missing.
        max_pending_rows: rows that memory holds while the disk refuses; further ones are lost and counted.
        segment_rows: rows after which a new file is begun.
        retry_seconds: pause before a refused write is tried again.
        on_error: called with the stage of every error, from any thread; must not block or raise.
        sync: makes a file descriptor's data durable; raises OSError.

    Raises:
        LedgerError: the directory cannot be written; `SpoolTakenError` when another process owns it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        max_pending_rows: int = 100_000,
        segment_rows: int = 10_000,
        retry_seconds: float = 1.0,
        on_error: Callable[[UsageStage], None] = _ignore,
        sync: Callable[[int], None] = os.fsync,
    ) -> None:
        self._directory = directory
        self._max_pending_rows = max_pending_rows
        self._segment_rows = segment_rows
        self._retry_seconds = retry_seconds
        self._on_error = on_error
        self._sync = sync
        self._lock_fd = -1
        self._files = threading.Lock()  # the folder, the open segment and the count of stored rows
        self._segment: _Segment | None = None
        self._stored = self._next = 0
        self._take()
        self._changed = threading.Condition()  # everything below
        self._pending: deque[bytes] = deque()
        self._appended = 0
        self._durable = 0
        self._lost = 0
        self._error: str | None = None
        self._stopping = threading.Event()
        self._writer = threading.Thread(target=self._write, name="slukh-spool", daemon=True)
        self._writer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return self._directory

    @property
    def last_error(self) -> str | None:
        """Why the disk refused the last write; None when it took it."""
        return self._error

    @property
    def lost_rows(self) -> int:
        """Rows that found memory full, or the spool closed."""
        return self._lost

    @property
    def waiting_rows(self) -> int:
        """Rows not yet acknowledged, in memory and on disk."""
        with self._files, self._changed:
            return self._stored + len(self._pending)

    def append(self, row: Row) -> None:
        """Hand a row over. Returns at once; `flush` waits until it is durable."""
        line = line_from_row(row)
        with self._changed:
            full = len(self._pending) >= self._max_pending_rows or self._stopping.is_set()
            if full:
                self._lost += 1
            else:
                self._appended += 1
                self._pending.append(line)
                self._changed.notify_all()
        if full:
            self._on_error("spool_full")

    def flush(self, timeout_seconds: float = 5.0) -> bool:
        """Wait until every row appended so far is durable; False when the time was not enough."""
        with self._changed:
            wanted = self._appended
            return self._changed.wait_for(lambda: self._durable >= wanted, timeout_seconds)

    def look(self) -> None:
        """See that the folder is still the one that this process owns; else own what stands in its place.

        Rows of the open segment are kept; those of segments that were removed with the folder are lost, and
        counted.

        Raises:
            LedgerError: no folder can be had there, or another process owns it.
        """
        with self._files:
            if not self._stopping.is_set():
                self._settle()

    def batches(self) -> Iterator[Batch]:
        """What is durable and not acknowledged, oldest first; to be read by one thread.

        The open segment is sealed only when no older one waits, so that an outage of the ledger does not
        leave a file per attempt.

        Raises:
            OSError: a segment cannot be read.
        """
        with self._files:
            paths = self._sealed()
            if not paths and self._segment is not None:
                self._seal()
                paths = self._sealed()
        for path in paths:
            yield read_batch(path)

    def acknowledge(self, batch: Batch) -> None:
        """The rows are safe elsewhere: set the rejected lines aside and remove the segment.

        Raises:
            OSError: the disk refused; the batch will come again.
        """
        aside = batch.path.with_suffix(".rejected")
        if batch.rejected:
            # Written whole each time: after a crash in between, the same batch writes the same file.
            with aside.open("w", encoding="utf-8") as file:
                for rejected in batch.rejected:
                    line = {field.name: getattr(rejected, field.name) for field in fields(rejected)}
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
                file.flush()
                self._sync(file.fileno())
            sync_directory(self._directory)
        # Not found: the folder was removed meanwhile, and what it held is not counted any more.
        with self._files, suppress(FileNotFoundError):
            batch.path.unlink()
            self._stored -= len(batch.rows) + len(batch.rejected)
        for rejected in batch.rejected:
            logger.warning(
                "usage_line_rejected",
                extra={
                    "file": str(batch.path),
                    "line": rejected.line,
                    "reason": rejected.reason,
                    "remedy": f"kept in {aside}; mended, it goes back as {batch.path} while we are stopped",
                },
            )
            self._on_error("rejected")

    def close(self, timeout_seconds: float = 5.0) -> bool:
        """Flush, stop the writer and let go of the directory; False when rows remain only in memory."""
        durable = self.flush(timeout_seconds)
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()
        self._writer.join(timeout_seconds)
        with self._files:
            if self._segment is not None:
                self._seal()
            if self._lock_fd >= 0:
                os.close(self._lock_fd)
                self._lock_fd = -1
        return durable

    def _write(self) -> None:
        """The writer thread: takes what is pending, makes it durable, forgets it."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._stopping.is_set())
                if not self._pending:
                    return
            try:
                self._store()
            except (OSError, LedgerError) as error:
                refused = error if isinstance(error, LedgerError) else refusal(self._directory, error)
                if self._error is None:  # one line until it is mended
                    fault = {"error": refused.problem, "remedy": refused.remedy}
                    logger.error("usage_spool_refused", extra=fault)  # noqa: TRY400
                self._error = str(refused)
                self._on_error("spool")
                if self._stopping.wait(self._retry_seconds):
                    return

    def _store(self) -> None:
        """Append what is pending to the open segment, durably, or leave no trace of it.

        Raises:
            OSError: the disk refused.
            LedgerError: the folder is gone, and no other can be had.
        """
        with self._files:
            self._settle()
            with self._changed:
                lines = list(islice(self._pending, _ROWS_PER_SYNC))
            data = b"".join(lines)
            if self._segment is not None and self._segment.rows >= self._segment_rows:
                self._seal()
            segment = self._segment = self._segment or self._begin()
            try:
                _write_all(segment.fd, data)
                self._sync(segment.fd)
                if os.fstat(segment.fd).st_nlink == 0:
                    raise FileNotFoundError(f"{segment.path} was removed")
            except OSError:
                # After a failed fsync nobody knows what the disk holds, and a later one may falsely succeed:
                # this segment ends at what was durable before, the same lines go into a new one.
                with suppress(OSError):
                    os.ftruncate(segment.fd, segment.size)
                self._rescue()
                self._seal()
                raise
            segment.rows += len(lines)
            segment.size += len(data)
            self._stored += len(lines)
            self._error = None
            with self._changed:
                for _ in lines:
                    self._pending.popleft()
                self._durable += len(lines)
                self._changed.notify_all()

    def _begin(self) -> _Segment:
        """A new segment whose name is durable."""
        path = self._directory / f"{self._next:012d}.jsonl"
        self._next += 1
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            sync_directory(self._directory)
        except OSError:
            os.close(fd)
            raise
        return _Segment(path=path, fd=fd)

    def _seal(self) -> None:
        """Close the open segment; empty ones leave no file."""
        segment, self._segment = self._segment, None
        if segment is None:
            return
        with suppress(OSError):
            os.close(segment.fd)
        if segment.rows == 0:
            with suppress(OSError):
                segment.path.unlink()

    def _settle(self) -> None:
        """`look`, with the files held."""
        if self._is_in_place():
            return
        rescued = self._rescue()
        self._seal()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1
        before = self._stored
        self._take()
        gone = max(before - self._stored, 0)  # more where the folder that came back had some
        with self._changed:
            self._lost += gone
        fields = {
            "folder": str(self._directory), "rows_kept": rescued, "rows_lost": gone,
            "remedy": "find out what removed or unmounted it; doc/operations.md has what to do under `disk`",
        }  # fmt: skip
        logger.error("usage_spool_removed", extra=fields)
        self._on_error("spool")

    def _is_in_place(self) -> bool:
        if self._lock_fd < 0:
            return False
        try:
            return os.path.samestat((self._directory / LOCK_FILE).stat(), os.fstat(self._lock_fd))
        except OSError:
            return False

    def _rescue(self) -> int:
        """Take the rows of the open segment back into memory where its file is gone; how many they are.

        The descriptor still has them, whatever became of the name.
        """
        segment = self._segment
        if segment is None or segment.rows == 0:
            return 0
        held = os.fstat(segment.fd)
        with suppress(OSError):
            if os.path.samestat(segment.path.stat(), held):
                return 0
        lines = [line + b"\n" for line in lines_of(os.pread(segment.fd, segment.size, 0))]
        with self._changed:
            self._pending.extendleft(reversed(lines))
            self._durable -= len(lines)
            self._changed.notify_all()
        self._stored -= len(lines)
        self._segment = None
        with suppress(OSError):
            os.close(segment.fd)
        return len(lines)

    def _take(self) -> None:
        """Own the folder, and see what an earlier process left there.

        Raises:
            LedgerError: it cannot be written, or its files cannot be read; `SpoolTakenError`.
        """
        lock_fd = own(self._directory)
        try:
            self._stored = sum(len(lines_of(path.read_bytes())) for path in self._sealed())
        except OSError as error:
            os.close(lock_fd)
            raise LedgerError(
                f"the usage spool {self._directory} cannot be read ({error.strerror})",
                remedy="make its files readable, or name another folder with SLUKH_DATA_DIR",
            ) from error
        numbers = (int(path.name[:12]) for path in self._directory.glob("[0-9]" * 12 + ".*"))
        self._next = max(self._next, 1 + max(numbers, default=0))
        self._lock_fd = lock_fd

    def _sealed(self) -> list[Path]:
        """Segments that nobody writes to, oldest first."""
        current = self._segment.path if self._segment else None
        return sorted(p for p in self._directory.glob("[0-9]" * 12 + ".jsonl") if p != current)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
