"""The ledger: what every call used, append-only, each row once.

Tables (moments are `_us`, microseconds since 1970 UTC; money is int64 pico-USD):

    usage            (call_id, leg, component, sequence) -> quantity; amount_pico_usd is null until rated
    calls            (call_id, leg, state) -> the facts of a leg, one row at its start, one at its end
    usage_conflicts  a row that came with the key of another and a different payload; the first one stands
    slukh_migrations the names of the migrations that made this file

This is the only file with SQL. It is portable; what is SQLite's own (WAL, triggers) says so.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    Connection,
    Engine,
    RowMapping,
    Select,
    column,
    create_engine,
    event,
    exists,
    select,
    table,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.sql.expression import TableClause

from slukh.cost.meter import CallFacts, Row, row_json
from slukh.errors import LedgerError
from slukh.types import Usage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEYS: dict[type[Row], tuple[str, ...]] = {
    Usage: ("call_id", "leg", "component", "sequence"),
    CallFacts: ("call_id", "leg", "state"),
}


def _m001_usage_calls_conflicts(connection: Connection) -> None:
    for statement in (
        """CREATE TABLE usage (
            call_id TEXT NOT NULL, leg INTEGER NOT NULL, component TEXT NOT NULL, sequence BIGINT NOT NULL,
            provider TEXT NOT NULL, model TEXT NOT NULL, unit TEXT NOT NULL, quantity BIGINT NOT NULL,
            reported_quantity BIGINT, purpose TEXT NOT NULL, outcome TEXT NOT NULL,
            occurred_at_us BIGINT NOT NULL, amount_pico_usd BIGINT,
            PRIMARY KEY (call_id, leg, component, sequence))""",
        "CREATE INDEX usage_by_time ON usage (occurred_at_us)",
        """CREATE TABLE calls (
            call_id TEXT NOT NULL, leg INTEGER NOT NULL, state TEXT NOT NULL,
            started_at_us BIGINT NOT NULL, ended_at_us BIGINT, language_code TEXT NOT NULL,
            announced INTEGER NOT NULL, trunk TEXT, caller TEXT, provider TEXT NOT NULL, model TEXT NOT NULL,
            assigned_arm TEXT NOT NULL, heard_ms BIGINT NOT NULL, voiced_ms BIGINT NOT NULL,
            sent_ms BIGINT NOT NULL, withheld_ms BIGINT NOT NULL, attempts INTEGER NOT NULL,
            utterances INTEGER NOT NULL, end_reason TEXT,
            PRIMARY KEY (call_id, leg, state))""",
        "CREATE INDEX calls_by_time ON calls (started_at_us)",
        """CREATE TABLE usage_conflicts (
            digest TEXT NOT NULL PRIMARY KEY, call_id TEXT NOT NULL, leg INTEGER NOT NULL,
            payload TEXT NOT NULL, recorded_at_us BIGINT NOT NULL)""",
    ):
        connection.exec_driver_sql(statement)
    if connection.dialect.name == "sqlite":
        _forbid_changes(connection, "usage", Usage)
        # A caller has the right to be forgotten: the hash may be overwritten, nothing else.
        _forbid_changes(connection, "calls", CallFacts, but="caller")


def _forbid_changes(connection: Connection, name: str, row_type: type[Row], but: str = "") -> None:
    frozen = ", ".join(c for c in _columns(row_type) if c != but)
    for operation, verb in ((f"UPDATE OF {frozen}", "update"), ("DELETE", "delete")):
        connection.exec_driver_sql(
            f"CREATE TRIGGER {name}_no_{verb} BEFORE {operation} ON {name} "
            f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END"
        )


# A released migration never changes: the next change of shape is the next function.
MIGRATIONS: list[Callable[[Connection], None]] = [_m001_usage_calls_conflicts]


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


class Ledger:
    """The usage store behind a URL; safe to use from several threads.

    Args:
        url: `sqlite:///PATH`.
        busy_timeout_ms: how long a write waits for another process that writes.

    Raises:
        LedgerError: the URL, the file or its version cannot be used.
    """

    def __init__(self, url: str, *, busy_timeout_ms: int = 5000) -> None:
        parsed = _parsed(url)
        self._where = parsed.database or ""
        with self._translated():
            Path(self._where).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._engine = _sqlite_engine(parsed, busy_timeout_ms)
        try:
            self._migrate()
        except LedgerError:
            self._engine.dispose()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back. Idempotent."""
        self._engine.dispose()

    def record(self, rows: Sequence[Row]) -> Recorded:
        """Add rows, all or none; those already there change nothing.

        Raises:
            LedgerError: the store cannot be written now; nothing was added.
        """
        if not rows:
            return Recorded()
        try:
            with self._writing() as connection:
                for row_type in _KEYS:
                    values = [_values(row) for row in rows if isinstance(row, row_type)]
                    if values:
                        connection.execute(_TABLES[row_type].insert(), values)
                return Recorded(inserted=len(rows))
        except LedgerError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
            # Rare: a batch that comes again after a crash, or a conflict. Look at each row.
            with self._writing() as connection:
                return sum((_record_one(connection, row) for row in rows), Recorded())

    def calls(self, *, limit: int = 50, since: datetime | None = None) -> tuple[CallFacts, ...]:
        """The newest legs, newest first: complete when they ended, else as they started.

        Args:
            limit: at most so many.
            since: only those that started then or later.

        Raises:
            LedgerError: the store cannot be read.
        """
        query = _newest_facts().order_by(
            column("started_at_us").desc(), column("call_id"), column("leg").desc()
        )
        if since is not None:
            query = query.where(_CALLS.c.started_at_us >= _microseconds(since))
        with self._reading() as connection:
            return tuple(_facts(row) for row in connection.execute(query.limit(limit)).mappings())

    def call(self, call_id: str) -> CallRecord | None:
        """What is known of a call; None when nothing is.

        Raises:
            LedgerError: the store cannot be read.
        """
        legs = _newest_facts().where(_CALLS.c.call_id == call_id).order_by(_CALLS.c.leg)
        lines = (
            select(_USAGE)
            .where(_USAGE.c.call_id == call_id)
            .order_by(_USAGE.c.leg, _USAGE.c.component, _USAGE.c.sequence)
        )
        with self._reading() as connection:
            record = CallRecord(
                legs=tuple(_facts(row) for row in connection.execute(legs).mappings()),
                usage=tuple(_usage(row) for row in connection.execute(lines).mappings()),
            )
        return record if record.legs or record.usage else None

    def conflicts(self) -> tuple[dict[str, object], ...]:
        """The payloads that were set aside, oldest first, as `row_json` has them.

        Raises:
            LedgerError: the store cannot be read.
        """
        query = select(_CONFLICTS.c.payload).order_by(_CONFLICTS.c.recorded_at_us)
        with self._reading() as connection:
            return tuple(json.loads(payload) for payload in connection.scalars(query))

    def _migrate(self) -> None:
        """Bring the file to this version, under one write lock."""
        with self._writing() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE IF NOT EXISTS slukh_migrations "
                "(name TEXT NOT NULL PRIMARY KEY, applied_at_us BIGINT NOT NULL)"
            )
            applied = set(connection.scalars(select(_APPLIED.c.name)))
            known = {_name(migration) for migration in MIGRATIONS}
            if applied - known:
                raise LedgerError(
                    f"the ledger {self._where} was written by a newer slukh ({min(applied - known)})",
                    remedy="upgrade slukh, or name another ledger with SLUKH_LEDGER_URL",
                )
            for migration in MIGRATIONS:
                if _name(migration) not in applied:
                    migration(connection)
                    now = _microseconds(datetime.now(UTC))
                    connection.execute(_APPLIED.insert(), {"name": _name(migration), "applied_at_us": now})

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._translated(), self._engine.connect() as connection:
            connection.execution_options(slukh_writes=True)
            with connection.begin():
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            code = getattr(error.orig, "sqlite_errorname", "")
            raise LedgerError(
                f"the ledger {self._where} cannot be used ({error.orig})", remedy=_remedy(code)
            ) from error
        except (SQLAlchemyError, OSError) as error:
            raise LedgerError(
                f"the ledger {self._where} cannot be used ({error})", remedy=_remedy("SQLITE_CANTOPEN")
            ) from error


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise LedgerError("the ledger's URL cannot be read", remedy="write it as sqlite:///PATH") from error
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        shown = parsed.render_as_string(hide_password=True)
        raise LedgerError(f"{shown} is not a ledger that lasts", remedy="write it as sqlite:///PATH")
    return parsed


def _sqlite_engine(url: URL, busy_timeout_ms: int) -> Engine:
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        # The driver must not begin transactions by itself: ours are immediate, so that two writers wait
        # for each other at the start and not fail at the end.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {int(busy_timeout_ms)}")
        connection.execute("PRAGMA journal_mode = WAL")
        # FULL, not NORMAL: the spool forgets a row as soon as it is committed here.
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("slukh_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _remedy(code: str) -> str:
    """What to do about an error code of SQLite (sqlite.org/rescode.html); extended codes begin alike."""
    for prefix, remedy in {
        "SQLITE_NOTADB": "it is no database; move it aside and start again, or set SLUKH_LEDGER_URL",
        "SQLITE_CORRUPT": "move it aside, restore a copy or start anew",
        "SQLITE_BUSY": "another program holds it; close that one",
        "SQLITE_FULL": "free disk space; the spool keeps what is not in it yet",
    }.items():
        if code.startswith(prefix):
            return remedy
    return "make the file and its folder writable, or set SLUKH_LEDGER_URL"


def _columns(row_type: type[Row]) -> tuple[str, ...]:
    """Column names are field names, with the unit where a moment is stored."""
    return tuple(
        f"{f.name}_us" if f.type in (datetime, datetime | None) else f.name for f in fields(row_type)
    )


def _name(migration: Callable[[Connection], None]) -> str:
    return migration.__name__.removeprefix("_")


_USAGE = table("usage", *map(column, _columns(Usage)))
_CALLS = table("calls", *map(column, _columns(CallFacts)))
_CONFLICTS = table("usage_conflicts", *map(column, ("digest", "call_id", "leg", "payload", "recorded_at_us")))
_APPLIED = table("slukh_migrations", column("name"), column("applied_at_us"))
_TABLES: dict[type[Row], TableClause] = {Usage: _USAGE, CallFacts: _CALLS}


def _newest_facts() -> Select[Any]:
    ended = table("calls", column("call_id"), column("leg"), column("state")).alias("ended")
    has_ended = exists().where(
        ended.c.call_id == _CALLS.c.call_id, ended.c.leg == _CALLS.c.leg, ended.c.state == "ended"
    )
    return select(_CALLS).where((_CALLS.c.state == "ended") | ~has_ended)


def _record_one(connection: Connection, row: Row) -> Recorded:
    target, values = _TABLES[type(row)], _values(row)
    key = [target.c[name] == values[name] for name in _KEYS[type(row)]]
    found = connection.execute(select(target).where(*key)).mappings().one_or_none()
    if found is None:
        connection.execute(target.insert(), values)
        return Recorded(inserted=1)
    if dict(found) == values:
        return Recorded(duplicates=1)
    payload = json.dumps(row_json(row), sort_keys=True)
    digest = hashlib.sha256(payload.encode()).hexdigest()
    if connection.execute(select(_CONFLICTS.c.digest).where(_CONFLICTS.c.digest == digest)).first():
        return Recorded(duplicates=1)  # set aside before, and delivered again
    connection.execute(
        _CONFLICTS.insert(),
        {
            "digest": digest, "call_id": row.call_id, "leg": row.leg, "payload": payload,
            "recorded_at_us": _microseconds(datetime.now(UTC)),
        },
    )  # fmt: skip
    return Recorded(conflicts=1)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


def _values(row: Row) -> dict[str, object]:
    """A row as its columns."""
    raw = (getattr(row, field.name) for field in fields(row))
    stored = (
        _microseconds(v) if isinstance(v, datetime) else int(v) if isinstance(v, bool) else v for v in raw
    )
    return dict(zip(_columns(type(row)), stored, strict=True))


def _read(mapping: RowMapping) -> dict[str, Any]:
    """Columns as fields."""
    return {
        name.removesuffix("_us"): _moment(value) if name.endswith("_us") else value
        for name, value in mapping.items()
    }


def _usage(mapping: RowMapping) -> Usage:
    return Usage(**_read(mapping))


def _facts(mapping: RowMapping) -> CallFacts:
    values = _read(mapping)
    return CallFacts(**values | {"announced": bool(values["announced"])})
