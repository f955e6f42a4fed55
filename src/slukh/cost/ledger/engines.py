"""Where a ledger lives: a URL into a SQLAlchemy engine, and a database's errors into sentences.

    sqlite:///PATH                             WAL, fsynced commits, immediate write transactions
    postgresql://USER:PASSWORD@HOST/DATABASE   psycopg 3, the extra `postgres`, imported only then

Writers of both wait for each other: SQLite has one at a time, PostgreSQL takes an advisory lock where two
must not run side by side.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from slukh.errors import LedgerError

_SHAPES = "write it as sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE"
_LOCK = 0x736C756B68  # "slukh": the advisory lock of those who must be alone


class LedgerAwayError(LedgerError):
    """A database server does not answer now; it may later."""


def parsed_url(url: str) -> URL:
    """The URL of a ledger that lasts.

    Raises:
        LedgerError: it is none.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise LedgerError("the ledger's URL cannot be read", remedy=_SHAPES) from error
    backend = parsed.get_backend_name()
    lasts = {
        "sqlite": parsed.database not in (None, "", ":memory:"),
        "postgresql": bool(parsed.database) and parsed.drivername in ("postgresql", "postgresql+psycopg"),
    }
    if not lasts.get(backend, False):
        raise LedgerError(f"{shown(parsed)} is not a ledger that lasts", remedy=_SHAPES)
    return parsed


def shown(url: URL) -> str:
    """A URL as an operator may see it: a file's path, or a server's URL without its password."""
    return url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string()


def open_engine(url: URL, *, busy_timeout_ms: int) -> Engine:
    """An engine whose commits are durable.

    Raises:
        LedgerError: the driver of PostgreSQL is not installed.
        OSError: SQLite's folder cannot be made.
    """
    if url.get_backend_name() == "postgresql":
        return _postgresql(url, busy_timeout_ms)
    Path(url.database or "").parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return _sqlite(url, busy_timeout_ms)


def _sqlite(url: URL, busy_timeout_ms: int) -> Engine:
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


def _postgresql(url: URL, busy_timeout_ms: int) -> Engine:
    try:
        import psycopg  # noqa: F401  # only to say what is missing
    except ImportError as error:
        raise LedgerError(
            "a ledger in PostgreSQL needs the driver psycopg", remedy="pip install 'slukh[postgres]'"
        ) from error
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,  # a server that was restarted is no error
        pool_size=2,
        # A server that went away without a word must not hold the drain for the kernel's fifteen minutes.
        connect_args={"connect_timeout": 5, "tcp_user_timeout": 10_000, "application_name": "slukh"},
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("slukh_writes", False):
            # Whatever the server's default is: the spool forgets a row as soon as it is committed here.
            connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(busy_timeout_ms)}")

    return engine


def be_alone(connection: Connection) -> None:
    """Keep others who ask for the same out until this write transaction ends; SQLite's always are."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


@contextmanager
def translated(where: str) -> Iterator[None]:
    """The errors of a database and its driver as `LedgerError`s.

    Args:
        where: the ledger's name, without a password.
    """
    try:
        yield
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorname", None)
        # One line: libpq explains itself in several.
        problem = f"the ledger {where} cannot be used ({' '.join(str(error.orig).split())})"
        if code is not None:
            raise LedgerError(problem, remedy=_sqlite_remedy(code)) from error
        state = getattr(error.orig, "sqlstate", None)
        is_away = isinstance(error, OperationalError | InterfaceError) and state in _AWAY
        remedy = _postgresql_remedy(state, str(error.orig))
        raise (LedgerAwayError if is_away and remedy is _START else LedgerError)(
            problem, remedy=remedy
        ) from error
    except (SQLAlchemyError, OSError) as error:
        raise LedgerError(f"the ledger {where} cannot be used ({error})", remedy=_FILE) from error


_FILE = "make the file and its folder writable, or set SLUKH_LEDGER_URL"
_START = "start it, or correct the host and port in SLUKH_LEDGER_URL"

# No state: there was no connection, or it broke. 57P01-03: the server stops, crashed or still starts.
_AWAY = frozenset({None, "57P01", "57P02", "57P03", "08000", "08001", "08003", "08006"})


def _sqlite_remedy(code: str) -> str:
    """What to do about an error code of SQLite (sqlite.org/rescode.html); extended codes begin alike."""
    for prefix, remedy in {
        "SQLITE_NOTADB": "it is no database; move it aside and start again, or set SLUKH_LEDGER_URL",
        "SQLITE_CORRUPT": "move it aside, restore a copy or start anew",
        "SQLITE_BUSY": "another program holds it; close that one",
        "SQLITE_FULL": "free disk space; the spool keeps what is not in it yet",
    }.items():
        if code.startswith(prefix):
            return remedy
    return _FILE


def _postgresql_remedy(state: str | None, message: str) -> str:
    """What to do about an error of PostgreSQL, by its state (appendix A of its manual).

    A refused log-in has no state in libpq, only the server's sentence, which may be in any language: what is
    not recognised is taken for a server that is away.
    """
    if state in ("42501", "28000", "28P01"):
        return "give the user the right to create and write tables, or correct user and password"
    if state is not None and state.startswith("53"):
        return "free disk space, memory or connections of the server; the spool keeps what is not in it yet"
    if state in ("55P03", "40P01"):
        return "another program holds it; close that one"
    if state not in _AWAY:
        return "look into the server's log; the spool keeps what is not in it yet"
    for part, remedy in {
        "password authentication failed": "correct user and password in SLUKH_LEDGER_URL",
        "no password supplied": "put the password into SLUKH_LEDGER_URL",
        "pg_hba.conf": "let this host and user in with pg_hba.conf on the server",
        'database "': "create it with createdb, or correct the name in SLUKH_LEDGER_URL",
        'role "': "create it with createuser, or correct user and password in SLUKH_LEDGER_URL",
        "resolve host": "correct the host in SLUKH_LEDGER_URL",
    }.items():
        if part in message:
            return remedy
    return _START
