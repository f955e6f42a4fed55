"""Which gateways run with a data folder, by the locks on their spools, and so which calls can still be on."""

import fcntl
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from slukh.cost.meter import CallFacts

LOCK_FILE = ".lock"


def owned_since(data_dir: Path) -> tuple[datetime, ...]:
    """When each gateway that runs now took its spool, which is as long as it may have had calls."""
    moments = (_owned_since(path) for path in sorted(data_dir.glob(f"spool-*/{LOCK_FILE}")))
    return tuple(moment for moment in moments if moment is not None)


def is_cut_off(leg: CallFacts, owners: Sequence[datetime]) -> bool:
    """Whether a leg that started can never end: no gateway runs that ran before it.

    A gateway that runs beside the one that was killed may have it for all that is known here.
    """
    return leg.state == "started" and not any(moment <= leg.started_at for moment in owners)


def _owned_since(lock: Path) -> datetime | None:
    try:
        fd = os.open(lock, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return datetime.fromtimestamp(os.fstat(fd).st_mtime, UTC)
    finally:
        os.close(fd)
    return None
