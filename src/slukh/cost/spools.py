"""The spools of a data folder, one for each gateway on it: who owns them, and what is not in the ledger yet.

spool-1/gateway    where the owner's HTTP API answers, while it runs
spool-1/*.jsonl    rows on their way to the ledger, see `spool.py`
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from slukh.cost.drain import Drain
from slukh.cost.ledger.store import Ledger
from slukh.cost.meter import CallFacts
from slukh.cost.spool import Spool
from slukh.cost.spool_folder import SpoolTakenError
from slukh.cost.spool_lines import read_batch

_ADDRESS = "gateway"
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedSpool:
    """A spool of a gateway that runs.

    Attributes:
        directory: of its files.
        url: where its owner's HTTP API answers; None when it has not said yet.
    """

    directory: Path
    url: str | None


def leave_address(directory: Path, url: str | None) -> None:
    """Say beside a spool where its owner answers; None takes away what an earlier owner said.

    Raises:
        OSError: the folder cannot be written.
    """
    if url is None:
        (directory / _ADDRESS).unlink(missing_ok=True)
    else:
        (directory / _ADDRESS).write_text(url, encoding="utf-8")


def url_of(host: str, port: int) -> str:
    """Where a listener is asked from the same machine, any address that it listens on being loopback."""
    try:
        address = ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    if address.is_unspecified:
        address = ip_address("::1" if isinstance(address, IPv6Address) else "127.0.0.1")
    return f"http://[{address}]:{port}" if isinstance(address, IPv6Address) else f"http://{address}:{port}"


def drain_ownerless(data_dir: Path, ledger: Ledger) -> tuple[OwnedSpool, ...]:
    """Move into the ledger what gateways left that run no more; the spools of those that run.

    Raises:
        LedgerError: the ledger cannot be written now, or a spool cannot be read.
        OSError: likewise.
    """
    owned = []
    for directory in sorted(data_dir.glob("spool-*")):
        try:
            with Spool(directory) as spool:
                Drain(spool, ledger).drain_once()
        except SpoolTakenError:
            path = directory / _ADDRESS
            url = path.read_text(encoding="utf-8") if path.exists() else None
            owned.append(OwnedSpool(directory=directory, url=url))
    return tuple(owned)


def undrained(
    spools: Collection[OwnedSpool], is_theirs: Callable[[CallFacts], bool], *, seconds: float
) -> tuple[OwnedSpool, ...]:
    """Wait until the owners have moved some calls into the ledger; the spools that still hold any of them.

    Args:
        spools: of gateways that run.
        is_theirs: whether these are the facts of such a call.
        seconds: to wait at most.

    Raises:
        OSError: a spool cannot be read.
    """
    until = time.monotonic() + seconds
    while left := tuple(spool for spool in spools if _holds(spool.directory, is_theirs)):
        if time.monotonic() >= until:
            break
        time.sleep(_LOOK_SECONDS)
    return left


def _holds(directory: Path, is_theirs: Callable[[CallFacts], bool]) -> bool:
    for path in directory.glob("*.jsonl"):
        try:
            rows = read_batch(path).rows
        except FileNotFoundError:  # drained meanwhile
            continue
        if any(isinstance(row, CallFacts) and is_theirs(row) for row in rows):
            return True
    return False
