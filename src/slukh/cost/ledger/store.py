"""The ledger: what every call used, append-only, each row once.

    usage            (call_id, leg, component, sequence) -> quantity
    calls            (call_id, leg, state) -> the facts of a leg, one row at its start, one at its end
    usage_conflicts  a row that came with the key of another and a different payload; the first one stands
    rated_lines      what usage costs under a price book, see `rated_lines.py`
    adjustments      what invoices differ by, see `adjustments.py`
    slukh_migrations the names of the migrations that made this database

SQLite and PostgreSQL, one class, the same statements: what differs between them is in `databases`
(opening) and `tables` (triggers). Several gateways may share a ledger.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, column, exists, select, table

from slukh.cost.ledger.tables import (
    CALLS,
    CONFLICTS,
    KEYS,
    TABLES,
    USAGE,
    facts_of,
    insert_new,
    migrate,
    payload_of,
    usage_of,
    values_of,
)
from slukh.cost.meter import CallFacts, Row, row_json
from slukh.databases import Database, Kept, Tables, microseconds
from slukh.errors import LedgerError
from slukh.types import Usage


class LedgerAwayError(LedgerError):
    """A database server does not answer now; it may later."""


_OURS = Tables(
    name="ledger",
    setting="SLUKH_LEDGER_URL",
    error=LedgerError,
    away=LedgerAwayError,
    meanwhile="; the spool keeps what is not in it yet",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of rows.

    Attributes:
        inserted: new ones.
        duplicates: those already there, word for word.
        conflicts: those whose key is there with another payload; set aside.
    """

    inserted: int = 0
    duplicates: int = 0
    conflicts: int = 0

    def __add__(self, other: "Recorded") -> "Recorded":
        """Both together."""
        return Recorded(
            inserted=self.inserted + other.inserted,
            duplicates=self.duplicates + other.duplicates,
            conflicts=self.conflicts + other.conflicts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """Everything the ledger knows of one call: its legs and its usage, each in order."""

    legs: tuple[CallFacts, ...]
    usage: tuple[Usage, ...]

    def as_json(self) -> dict[str, list[dict[str, object]]]:
        """Both as `row_json` has them."""
        return {"legs": [row_json(leg) for leg in self.legs], "usage": [row_json(row) for row in self.usage]}


class Ledger(Kept):
    """The usage store behind a URL; safe to use from several threads.

    Args:
        url: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`.
        busy_timeout_ms: how long a write waits for another process that writes.
        may_be_away: a server that does not answer now is no error until it is used: a gateway that starts in
            the middle of an outage takes calls, and its spool keeps their usage.

    Raises:
        LedgerError: the URL, the database or its version cannot be used.
    """

    def __init__(self, url: str, *, busy_timeout_ms: int = 5000, may_be_away: bool = False) -> None:
        self._database = Database(
            url, _OURS, prepare=migrate, busy_timeout_ms=busy_timeout_ms, may_be_away=may_be_away
        )

    def record(self, rows: Sequence[Row]) -> Recorded:
        """Add rows, all or none; those already there change nothing.

        Raises:
            LedgerError: the store cannot be written now; nothing was added.
        """
        if not rows:
            return Recorded()
        with self.writing() as connection:
            if all(_insert(connection, rows, row_type) for row_type in KEYS):
                return Recorded(inserted=len(rows))
            connection.rollback()
        # Rare: a batch that comes again after a crash, or a conflict. Look at each row.
        with self.writing() as connection:
            return sum((_record_one(connection, row) for row in sorted(rows, key=_key)), Recorded())

    def calls(self, *, limit: int = 50, since: datetime | None = None) -> tuple[CallFacts, ...]:
        """The newest legs, newest first: complete when they ended, else as they started.

        Args:
            limit: at most so many.
            since: only those that started then or later.

        Raises:
            LedgerError: the store cannot be read.
        """
        query = newest_facts().order_by(
            column("started_at_us").desc(), column("call_id"), column("leg").desc()
        )
        if since is not None:
            query = query.where(CALLS.c.started_at_us >= microseconds(since))
        with self.reading() as connection:
            return tuple(facts_of(row) for row in connection.execute(query.limit(limit)).mappings())

    def call(self, call_id: str) -> CallRecord | None:
        """What is known of a call; None when nothing is.

        Raises:
            LedgerError: the store cannot be read.
        """
        legs = newest_facts().where(CALLS.c.call_id == call_id).order_by(CALLS.c.leg)
        lines = (
            select(USAGE)
            .where(USAGE.c.call_id == call_id)
            .order_by(USAGE.c.leg, USAGE.c.component, USAGE.c.sequence)
        )
        with self.reading() as connection:
            record = CallRecord(
                legs=tuple(facts_of(row) for row in connection.execute(legs).mappings()),
                usage=tuple(usage_of(row) for row in connection.execute(lines)),
            )
        return record if record.legs or record.usage else None

    def conflicts(self, call_id: str | None = None) -> tuple[dict[str, object], ...]:
        """The payloads that were set aside, oldest first, as `row_json` has them.

        Args:
            call_id: only this call's.

        Raises:
            LedgerError: the store cannot be read.
        """
        query = select(CONFLICTS.c.payload).order_by(CONFLICTS.c.recorded_at_us)
        if call_id is not None:
            query = query.where(CONFLICTS.c.call_id == call_id)
        with self.reading() as connection:
            return tuple(json.loads(payload) for payload in connection.scalars(query))

    def look(self) -> None:
        """See that what is open is still what the URL names. Raises LedgerError: its file is gone."""
        self._database.look()

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction that may write, for the files with SQL. Raises LedgerError."""
        return self._database.writing()

    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction that only reads, for the files with SQL. Raises LedgerError."""
        return self._database.reading()


def newest_facts() -> Select[Any]:
    """The facts of each leg: as it ended, or as it started while it runs."""
    ended = table("calls", column("call_id"), column("leg"), column("state")).alias("ended")
    has_ended = exists().where(
        ended.c.call_id == CALLS.c.call_id, ended.c.leg == CALLS.c.leg, ended.c.state == "ended"
    )
    return select(CALLS).where((CALLS.c.state == "ended") | ~has_ended)


def _key(row: Row) -> tuple[Any, ...]:
    """An order that all writers share: two that insert the same rows wait, and do not lock each other up."""
    return type(row).__name__, *(getattr(row, name) for name in KEYS[type(row)])


def _insert(connection: Connection, rows: Sequence[Row], row_type: type[Row]) -> bool:
    """Add the rows of one kind; whether all of them were new."""
    values = [values_of(row) for row in sorted((r for r in rows if isinstance(r, row_type)), key=_key)]
    return insert_new(connection, TABLES[row_type], values) == len(values)


def _record_one(connection: Connection, row: Row) -> Recorded:
    target, values = TABLES[type(row)], values_of(row)
    if insert_new(connection, target, [values]):
        return Recorded(inserted=1)
    key = [target.c[name] == values[name] for name in KEYS[type(row)]]
    if dict(connection.execute(select(target).where(*key)).mappings().one()) == values:
        return Recorded(duplicates=1)
    payload = payload_of(row)
    aside = {
        "digest": hashlib.sha256(payload.encode()).hexdigest(), "call_id": row.call_id, "leg": row.leg,
        "payload": payload, "recorded_at_us": microseconds(datetime.now(UTC)),
    }  # fmt: skip
    # One that was set aside before, and is delivered again, is no second conflict.
    is_new = insert_new(connection, CONFLICTS, [aside])
    return Recorded(conflicts=1) if is_new else Recorded(duplicates=1)
