"""Where our tables live: a URL into a database that lasts, and its errors into sentences.

    sqlite:///PATH                             WAL, fsynced commits, immediate write transactions
    postgresql://USER:PASSWORD@HOST/DATABASE   psycopg 3, the extra `postgres`, imported only then

Writers of both wait for each other: SQLite has one at a time, PostgreSQL takes an advisory lock where two
must not run side by side. A moment is stored as microseconds since 1970 UTC.

SQLite goes on writing into a file that was removed, and says that all is well: so what it has open is
compared with what stands at the path. A running process makes no new file in the place of one that is gone,
which may be on a disk that is not mounted now; it takes one that was put there.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, Engine, Insert, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.sql.expression import TableClause

from slukh.errors import UserError

logger = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHAPES = "write it as sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE"
_LOCK = 0x736C756B68  # "slukh": the advisory lock of those who must be alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Whose tables they are, as errors speak of them.

    Attributes:
        name: such as `ledger`.
        setting: the variable with their URL.
        error: what is raised.
        away: what is raised when a server does not answer now; it may later.
        meanwhile: what becomes of rows while they cannot be written; empty when nothing does.
    """

    name: str
    setting: str
    error: type[UserError]
    away: type[UserError]
    meanwhile: str = ""


class Database:
    """The database behind a URL; safe to use from several threads.

    Args:
        url: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`.
        tables: whose it is.
        prepare: makes the tables, or brings them to this version; given a write transaction and the
            database's name for errors, once before anything else is done.
        busy_timeout_ms: how long a write waits for another process that writes.
        may_be_away: a server that does not answer now is no error until it is used.

    Raises:
        UserError: `tables.error`: the URL is none that lasts, SQLite's folder cannot be made, PostgreSQL's
            driver is not installed, or whatever `prepare` finds; `tables.away`.
    """

    def __init__(
        self,
        url: str,
        tables: Tables,
        *,
        prepare: Callable[[Connection, str], None],
        busy_timeout_ms: int = 5000,
        may_be_away: bool = False,
    ) -> None:
        parsed = _parsed(url, tables)
        self._where = _shown(parsed)
        self._tables = tables
        self._prepare = prepare
        self._is_prepared = False
        self._file = _file_of(parsed)
        self._opened: os.stat_result | None = None
        with self._translated():
            if self._file is None:
                self._engine = _postgresql(parsed, tables, busy_timeout_ms)
            else:
                self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._engine = _sqlite(parsed, busy_timeout_ms)
        try:
            self._prepare_once()
        except BaseException as error:
            if not (may_be_away and isinstance(error, tables.away)):
                self.close()
                raise

    def close(self) -> None:
        """Give the connections back. Idempotent."""
        self._engine.dispose()

    def look(self) -> None:
        """See that SQLite's file still stands at its path; one that took its place is opened instead.

        Raises:
            UserError: `tables.away`: there is none.
        """
        if self._is_in_place():
            return
        self._engine.dispose()
        assert self._file is not None  # only a file can be moved
        if not self._file.exists():
            raise self._removed()
        logger.warning("database_replaced", extra={"database": self._tables.name, "file": self._where})
        self._opened, self._is_prepared = None, False

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write, committed at the end. Raises `tables.error` or `tables.away`."""
        self._prepare_once()
        with self._transaction(writes=True) as connection:
            yield connection
        if not self._is_in_place():  # what was committed is in a file that nobody will ever open
            raise self._removed()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises `tables.error` or `tables.away`."""
        self._prepare_once()
        with self._transaction(writes=False) as connection:
            yield connection

    @contextmanager
    def forgetting(self) -> Iterator[Connection]:
        """A write transaction after which SQLite's files hold no byte of what it deleted.

        Unless another process reads it at that moment. In PostgreSQL a deleted row cannot be read any more,
        and its vacuum gives the space to others. Raises `tables.error` or `tables.away`.
        """
        is_sqlite = self._engine.dialect.name == "sqlite"
        with self.writing() as connection:
            if is_sqlite:
                connection.exec_driver_sql("PRAGMA secure_delete = ON")  # freed pages become zeros
            yield connection
        if is_sqlite:
            with self._translated(), self._engine.connect() as connection:
                connection.execution_options(slukh_begins=False)  # no checkpoint inside a transaction
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def _prepare_once(self) -> None:
        self.look()
        if not self._is_prepared:
            with self._transaction(writes=True) as connection:
                self._prepare(connection, self._where)
            self._is_prepared = True

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        with self._translated(), self._engine.connect() as connection:
            if self._opened is None:
                self._opened = _status(self._file)
            connection.execution_options(slukh_writes=writes)
            with connection.begin():
                yield connection

    def _is_in_place(self) -> bool:
        if self._opened is None:
            return True
        found = _status(self._file)
        return found is not None and os.path.samestat(found, self._opened)

    def _removed(self) -> UserError:
        tables = self._tables
        return tables.away(
            f"the {tables.name} {self._where} was removed or replaced while it was open",
            remedy="mount its folder again or put it back from a backup; a restart begins a new one"
            f"{tables.meanwhile}",
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The errors of a database and its driver as those of `tables`."""
        tables, name = self._tables, f"the {self._tables.name} {self._where}"
        try:
            yield
        except DBAPIError as error:
            code = getattr(error.orig, "sqlite_errorname", None)
            # One line: libpq explains itself in several.
            problem = f"{name} cannot be used ({' '.join(str(error.orig).split())})"
            if code is not None:
                raise tables.error(problem, remedy=_sqlite_remedy(code, tables)) from error
            state = getattr(error.orig, "sqlstate", None)
            may_be_away = isinstance(error, OperationalError | InterfaceError) and state in _AWAY
            remedy = _postgresql_remedy(state, str(error.orig), tables)
            is_away = may_be_away and remedy == _start(tables)
            raise (tables.away if is_away else tables.error)(problem, remedy=remedy) from error
        except (SQLAlchemyError, OSError) as error:
            raise tables.error(f"{name} cannot be used ({error})", remedy=_file(tables)) from error


class Kept:
    """What is kept in a database: closed with its block, or by `close`."""

    _database: Database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back. Idempotent."""
        self._database.close()


def be_alone(connection: Connection) -> None:
    """Keep others who ask for the same out until this write transaction ends; SQLite's always are."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def inserting(connection: Connection, target: TableClause) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what is done when the key is there."""
    is_postgresql = connection.dialect.name == "postgresql"
    return postgresql.insert(target) if is_postgresql else sqlite.insert(target)


def replacing(connection: Connection, target: TableClause, key: Sequence[str]) -> Insert:
    """An insert of whole rows, each of which takes the place of the one with its key."""
    added = inserting(connection, target)
    return added.on_conflict_do_update(index_elements=key, set_=dict(added.excluded.items()))


def microseconds(moment: datetime) -> int:
    """A moment as it is stored."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_at(stored: int) -> datetime:
    """A stored moment."""
    return _EPOCH + timedelta(microseconds=stored)


def _parsed(url: str, tables: Tables) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise tables.error(f"the URL of the {tables.name} cannot be read", remedy=_SHAPES) from error
    backend = parsed.get_backend_name()
    lasts = {
        "sqlite": parsed.database not in (None, "", ":memory:"),
        "postgresql": bool(parsed.database) and parsed.drivername in ("postgresql", "postgresql+psycopg"),
    }
    if not lasts.get(backend, False):
        raise tables.error(f"{_shown(parsed)} is no {tables.name} that lasts", remedy=_SHAPES)
    return parsed


def file_of(url: str) -> Path | None:
    """The file of a database in SQLite; None for one on a server, and for a URL that is none."""
    try:
        return _file_of(make_url(url))
    except (ArgumentError, ValueError):
        return None


def _file_of(url: URL) -> Path | None:
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def _status(file: Path | None) -> os.stat_result | None:
    try:
        return None if file is None else file.stat()
    except OSError:
        return None


def _shown(url: URL) -> str:
    return url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string()


def _sqlite(url: URL, busy_timeout_ms: int) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,  # an error must not tell what a row says
        # An insert of each number of rows is a statement of its own, some of them of 100 KiB: few are kept.
        connect_args={"cached_statements": 16},
        insertmanyvalues_page_size=100,
    )

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
        options = connection.get_execution_options()
        if options.get("slukh_begins", True):
            writes = options.get("slukh_writes", False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: URL, tables: Tables, busy_timeout_ms: int) -> Engine:
    try:
        import psycopg  # noqa: F401  # only to say what is missing
    except ImportError as error:
        raise tables.error(
            f"the {tables.name} in PostgreSQL needs the driver psycopg",
            remedy="pip install 'slukh[postgres]'",
        ) from error
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
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


def _file(tables: Tables) -> str:
    return f"make the file and its folder writable, or set {tables.setting}"


def _start(tables: Tables) -> str:
    return f"start it, or correct the host and port in {tables.setting}"


# No state: there was no connection, or it broke. 57P01-03: the server stops, crashed or still starts.
_AWAY = frozenset({None, "57P01", "57P02", "57P03", "08000", "08001", "08003", "08006"})


def _sqlite_remedy(code: str, tables: Tables) -> str:
    """What to do about an error code of SQLite (sqlite.org/rescode.html); extended codes begin alike."""
    for prefix, remedy in {
        "SQLITE_NOTADB": f"it is no database; move it aside and start again, or set {tables.setting}",
        "SQLITE_CORRUPT": "move it aside, restore a copy or start anew",
        "SQLITE_BUSY": "another program holds it; close that one",
        "SQLITE_FULL": f"free disk space{tables.meanwhile}",
    }.items():
        if code.startswith(prefix):
            return remedy
    return _file(tables)


def _postgresql_remedy(state: str | None, message: str, tables: Tables) -> str:
    """What to do about an error of PostgreSQL, by its state (appendix A of its manual).

    A refused log-in has no state in libpq, only the server's sentence, which may be in any language: what is
    not recognised is taken for a server that is away.
    """
    if state in ("42501", "28000", "28P01"):
        return "give the user the right to create and write tables, or correct user and password"
    if state is not None and state.startswith("53"):
        return f"free disk space, memory or connections of the server{tables.meanwhile}"
    if state in ("55P03", "40P01"):
        return "another program holds it; close that one"
    if state not in _AWAY:
        return f"look into the server's log{tables.meanwhile}"
    for part, remedy in {
        "password authentication failed": f"correct user and password in {tables.setting}",
        "no password supplied": f"put the password into {tables.setting}",
        "pg_hba.conf": "let this host and user in with pg_hba.conf on the server",
        'database "': f"create it with createdb, or correct the name in {tables.setting}",
        'role "': f"create it with createuser, or correct user and password in {tables.setting}",
        "resolve host": f"correct the host in {tables.setting}",
    }.items():
        if part in message:
            return remedy
    return _start(tables)
