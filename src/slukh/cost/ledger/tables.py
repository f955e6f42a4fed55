"""The ledger's tables, how they came to be, and how rows and columns become each other.

Moments are `_us`, microseconds since 1970 UTC; money is int64 pico-USD. What is recorded never changes,
triggers of both databases refuse it. What follows from it (`rated_lines`) may be made anew at any time.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, column, select, table
from sqlalchemy.sql.expression import TableClause

from slukh.cost.meter import CallFacts, Row, row_json
from slukh.databases import be_alone, inserting, microseconds, moment_at
from slukh.errors import LedgerError
from slukh.types import Usage

KEYS: dict[type[Row], tuple[str, ...]] = {
    Usage: ("call_id", "leg", "component", "sequence"),
    CallFacts: ("call_id", "leg", "state"),
}


# Of `usage`, as long as the next two hold: a migration does not follow what `Usage` becomes.
_USAGE_AT_FIRST = (
    "call_id", "leg", "component", "sequence", "provider", "model", "unit", "quantity", "reported_quantity",
    "purpose", "outcome", "occurred_at_us",
)  # fmt: skip


def _m001_usage_calls_conflicts(connection: Connection) -> None:
    _run(
        connection,
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
    )
    _forbid_changes(connection, "usage", _USAGE_AT_FIRST)
    # A caller has the right to be forgotten: the hash may be overwritten, nothing else.
    _forbid_changes(connection, "calls", [name for name in _columns(CallFacts) if name != "caller"])


def _m002_rated_lines_adjustments(connection: Connection) -> None:
    _run(
        connection,
        # Never filled: one usage row has an amount per price book, and its proof beside it.
        "ALTER TABLE usage DROP COLUMN amount_pico_usd",
        """CREATE TABLE rated_lines (
            call_id TEXT NOT NULL, leg INTEGER NOT NULL, component TEXT NOT NULL, sequence BIGINT NOT NULL,
            book TEXT NOT NULL, engine TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
            unit TEXT NOT NULL, purpose TEXT NOT NULL, outcome TEXT NOT NULL, occurred_at_us BIGINT NOT NULL,
            quantity BIGINT NOT NULL, billed_quantity BIGINT NOT NULL, repeated_quantity BIGINT NOT NULL,
            price_id TEXT NOT NULL, rule TEXT NOT NULL, amount_pico_usd BIGINT NOT NULL,
            PRIMARY KEY (call_id, leg, component, sequence, book))""",
        # Not by book first: SQLite would take it for a look-up of one call, and read the whole book.
        "CREATE INDEX rated_lines_by_time ON rated_lines (occurred_at_us)",
        """CREATE TABLE adjustments (
            digest TEXT NOT NULL PRIMARY KEY, book TEXT NOT NULL, provider TEXT NOT NULL,
            component TEXT NOT NULL, sku TEXT NOT NULL, started_at_us BIGINT NOT NULL,
            ended_at_us BIGINT NOT NULL, metered_pico_usd BIGINT NOT NULL,
            invoiced_pico_usd BIGINT NOT NULL, amount_pico_usd BIGINT NOT NULL, source TEXT NOT NULL,
            recorded_at_us BIGINT NOT NULL)""",
        "CREATE INDEX adjustments_by_time ON adjustments (book, started_at_us)",
    )
    _forbid_changes(connection, "adjustments", ADJUSTMENTS.c.keys())


def _m003_heard_quantity(connection: Connection) -> None:
    _run(connection, "ALTER TABLE usage ADD COLUMN heard_quantity BIGINT")
    _allow_changes(connection, "usage")
    _forbid_changes(connection, "usage", (*_USAGE_AT_FIRST, "heard_quantity"))


def _m004_phrases(connection: Connection) -> None:
    _run(
        connection,
        # A tally, not a record: it is counted up, and forgets.
        """CREATE TABLE phrases (
            phrase TEXT NOT NULL, provider TEXT NOT NULL, voice TEXT NOT NULL, language_code TEXT NOT NULL,
            shape TEXT, characters BIGINT NOT NULL, times BIGINT NOT NULL, sent BIGINT NOT NULL,
            last_said_us BIGINT NOT NULL,
            PRIMARY KEY (phrase, provider, voice))""",
        """CREATE TABLE phrase_words (
            subject TEXT NOT NULL PRIMARY KEY, language_code TEXT NOT NULL, text TEXT NOT NULL,
            last_said_us BIGINT NOT NULL)""",
        """CREATE TABLE phrase_witnesses (
            subject TEXT NOT NULL, witness TEXT NOT NULL, last_said_us BIGINT NOT NULL,
            PRIMARY KEY (subject, witness))""",
    )
    for name in ("phrases", "phrase_words", "phrase_witnesses"):
        _run(connection, f"CREATE INDEX {name}_by_time ON {name} (last_said_us)")


# A released migration never changes: the next change of shape is the next function.
MIGRATIONS: list[Callable[[Connection], None]] = [
    _m001_usage_calls_conflicts,
    _m002_rated_lines_adjustments,
    _m003_heard_quantity,
    _m004_phrases,
]


def _run(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


def _forbid_changes(connection: Connection, name: str, frozen: Sequence[str]) -> None:
    """Make these columns of a table append-only."""
    refusal = f"{name} is append-only"
    columns = ", ".join(frozen)
    if connection.dialect.name == "sqlite":
        for operation, verb in ((f"UPDATE OF {columns}", "update"), ("DELETE", "delete")):
            _run(
                connection,
                f"CREATE TRIGGER {name}_no_{verb} BEFORE {operation} ON {name} "
                f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END",
            )
        return
    _run(
        connection,
        f"CREATE FUNCTION {name}_refuse() RETURNS trigger LANGUAGE plpgsql "
        f"AS $$ BEGIN RAISE EXCEPTION '{refusal}' USING ERRCODE = 'restrict_violation'; END $$",
        f"CREATE TRIGGER {name}_append_only BEFORE UPDATE OF {columns} OR DELETE OR TRUNCATE ON {name} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {name}_refuse()",
    )


def _allow_changes(connection: Connection, name: str) -> None:
    """Undo `_forbid_changes`, within a migration that forbids them again."""
    if connection.dialect.name == "sqlite":
        _run(connection, f"DROP TRIGGER {name}_no_update", f"DROP TRIGGER {name}_no_delete")
        return
    _run(connection, f"DROP TRIGGER {name}_append_only ON {name}", f"DROP FUNCTION {name}_refuse()")


def migrate(connection: Connection, where: str) -> None:
    """Bring a database to this version.

    Args:
        connection: in a write transaction.
        where: the ledger's name.

    Raises:
        LedgerError: a newer slukh wrote it.
    """
    be_alone(connection)  # two gateways may start together, and CREATE ... IF NOT EXISTS is no lock
    _run(
        connection,
        "CREATE TABLE IF NOT EXISTS slukh_migrations "
        "(name TEXT NOT NULL PRIMARY KEY, applied_at_us BIGINT NOT NULL)",
    )
    applied = set(connection.scalars(select(_APPLIED.c.name)))
    known = {_name(migration) for migration in MIGRATIONS}
    if applied - known:
        raise LedgerError(
            f"the ledger {where} was written by a newer slukh ({min(applied - known)})",
            remedy="upgrade slukh, or name another ledger with SLUKH_LEDGER_URL",
        )
    for migration in MIGRATIONS:
        if _name(migration) not in applied:
            migration(connection)
            now = microseconds(datetime.now(UTC))
            connection.execute(_APPLIED.insert(), {"name": _name(migration), "applied_at_us": now})


def _name(migration: Callable[[Connection], None]) -> str:
    return migration.__name__.removeprefix("_")


def _columns(row_type: type[Row]) -> tuple[str, ...]:
    """Column names are field names, with the unit where a moment is stored."""
    return tuple(
        f"{f.name}_us" if f.type in (datetime, datetime | None) else f.name for f in fields(row_type)
    )


USAGE = table("usage", *map(column, _columns(Usage)))
CALLS = table("calls", *map(column, _columns(CallFacts)))
CONFLICTS = table("usage_conflicts", *map(column, ("digest", "call_id", "leg", "payload", "recorded_at_us")))
RATED_KEY = (*KEYS[Usage], "book")
RATED_LINES = table(
    "rated_lines",
    *map(
        column,
        (
            *RATED_KEY, "engine", "provider", "model", "unit", "purpose", "outcome", "occurred_at_us",
            "quantity", "billed_quantity", "repeated_quantity", "price_id", "rule", "amount_pico_usd",
        ),
    ),
)  # fmt: skip
ADJUSTMENTS = table(
    "adjustments",
    *map(
        column,
        (
            "digest", "book", "provider", "component", "sku", "started_at_us", "ended_at_us",
            "metered_pico_usd", "invoiced_pico_usd", "amount_pico_usd", "source", "recorded_at_us",
        ),
    ),
)  # fmt: skip
PHRASES = table(
    "phrases",
    *map(
        column,
        (
            "phrase", "provider", "voice", "language_code", "shape", "characters", "times", "sent",
            "last_said_us",
        ),
    ),
)  # fmt: skip
PHRASE_WORDS = table("phrase_words", *map(column, ("subject", "language_code", "text", "last_said_us")))
PHRASE_WITNESSES = table("phrase_witnesses", *map(column, ("subject", "witness", "last_said_us")))
_APPLIED = table("slukh_migrations", column("name"), column("applied_at_us"))
TABLES: dict[type[Row], TableClause] = {Usage: USAGE, CallFacts: CALLS}


def insert_new(connection: Connection, target: TableClause, values: Sequence[dict[str, Any]]) -> int:
    """Add rows, but not those whose key is there; how many were added."""
    # Counted by what comes back: what drivers call the row count of an insert is not one thing.
    statement = inserting(connection, target).on_conflict_do_nothing().returning(target.c[target.c.keys()[0]])
    return len(connection.execute(statement, values).all()) if values else 0


def values_of(row: Row) -> dict[str, Any]:
    """A row as its columns."""
    raw = (getattr(row, field.name) for field in fields(row))
    stored = (
        microseconds(v) if isinstance(v, datetime) else int(v) if isinstance(v, bool) else v for v in raw
    )
    return dict(zip(_columns(type(row)), stored, strict=True))


def payload_of(row: Row) -> str:
    """A row as a conflict keeps it."""
    return json.dumps(row_json(row), sort_keys=True)


def _read(mapping: RowMapping) -> dict[str, Any]:
    """Columns as fields."""
    return {
        name.removesuffix("_us"): moment_at(value) if name.endswith("_us") and value is not None else value
        for name, value in mapping.items()
    }


def usage_of(row: Sequence[Any]) -> Usage:
    """A row of `USAGE`, its columns in order. By hand, because this is done millions of times."""
    return Usage(
        call_id=row[0], leg=row[1], component=row[2], sequence=row[3], provider=row[4], model=row[5],
        unit=row[6], quantity=row[7], reported_quantity=row[8], heard_quantity=row[9], purpose=row[10],
        outcome=row[11], occurred_at=moment_at(row[12]),
    )  # fmt: skip


def facts_of(mapping: RowMapping) -> CallFacts:
    """A row of `calls`."""
    values = _read(mapping)
    return CallFacts(**values | {"announced": bool(values["announced"])})
