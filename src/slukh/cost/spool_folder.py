"""The folder of a spool: owned by one process, and what its disk refuses in words."""

import errno
import fcntl
import os
from pathlib import Path

from slukh.cost.spool_owners import LOCK_FILE
from slukh.errors import LedgerError


class SpoolTakenError(LedgerError):
    """Another running process owns the directory."""


def own(directory: Path) -> int:
    """The descriptor that holds the directory's lock; the kernel releases it when the process dies.

    Raises:
        LedgerError: the directory cannot be written; `SpoolTakenError` when another process owns it.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise refusal(directory, error) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise SpoolTakenError(
            f"the usage spool {directory} belongs to another running slukh",
            remedy="stop that one, or give this one its own SLUKH_DATA_DIR",
        ) from error
    os.utime(fd)  # since when it is ours, see `spool_owners`
    return fd


def refusal(directory: Path, error: OSError) -> LedgerError:
    """That the disk refused: what it said, where, and what to do."""
    remedy = "make it writable, or name another folder with SLUKH_DATA_DIR"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "free some space there before you stop the gateway: meanwhile rows wait in its memory"
    return LedgerError(
        f"the usage spool {directory} cannot be written ({error.strerror or error})", remedy=remedy
    )


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
