"""The experiment's own tables: calls, turns, outcomes, shadows and labels, as counts. No text of a caller's.

A table has the columns of its row type in `evidence.py`: moments as `_us`, microseconds since 1970 UTC, truth
as 0 and 1, mappings as JSON. A row replaces the one with its key: a call is written again when it comes back
on another leg, a label when its labeller thinks again.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnClause,
    Connection,
    and_,
    column,
    delete,
    func,
    insert,
    select,
    table,
    true,
    update,
)

from slukh.databases import Database, Kept, Tables, be_alone, microseconds, moment_at, replacing
from slukh.errors import ExperimentError
from slukh.experiment.begins import AlikeCalls
from slukh.experiment.evidence import (
    ARMS,
    CallRow,
    CanaryRow,
    DrawRow,
    LabelRow,
    OutcomeRow,
    RampRow,
    ShadowRow,
    ShadowSum,
    TurnRow,
)

Row = CallRow | TurnRow | OutcomeRow | ShadowRow | DrawRow | LabelRow | CanaryRow | RampRow


class ExperimentAwayError(ExperimentError):
    """A database server does not answer now; it may later."""


TABLES = Tables(
    name="experiment's store",
    setting="SLUKH_EXPERIMENT_URL (or SLUKH_LEDGER_URL, where that is unset)",
    error=ExperimentError,
    away=ExperimentAwayError,
)
_VERSION = 4

_KEYS: Mapping[type[Row], tuple[str, tuple[str, ...]]] = {
    CallRow: ("ab_calls", ("call_id",)),
    TurnRow: ("ab_turns", ("call_id", "utterance_id")),
    OutcomeRow: ("ab_outcomes", ("call_id",)),
    ShadowRow: ("ab_shadows", ("call_id", "utterance_id")),
    DrawRow: ("ab_draws", ("call_id", "utterance_id")),
    LabelRow: ("ab_labels", ("call_id", "utterance_id", "labeller")),
    CanaryRow: ("ab_canaries", ("heard_at_us", "provider", "language_code")),
    RampRow: ("ab_ramps", ("decided_at_us",)),
}
# From version n to n + 1; tables that are new are made anyway.
_MIGRATIONS = (
    "ALTER TABLE ab_calls ADD COLUMN worker TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE ab_ramps ADD COLUMN inputs TEXT NOT NULL DEFAULT '{}'",
    # Draws without their order say nothing of who left out what; the same options draw them again.
    "DROP TABLE IF EXISTS ab_draws",
)
_VERSIONS = table("ab_version", column("version"))
_SQL_TYPES = {str: "TEXT", int: "BIGINT", float: "DOUBLE PRECISION", bool: "INTEGER", datetime: "BIGINT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What the store has of a window."""

    calls: tuple[CallRow, ...]
    turns: tuple[TurnRow, ...]
    outcomes: tuple[OutcomeRow, ...]
    shadows: tuple[ShadowRow, ...]
    labels: tuple[LabelRow, ...]
    draws: tuple[DrawRow, ...] = ()
    canaries: tuple[CanaryRow, ...] = ()


class ExperimentStore(Kept):
    """The tables behind a URL; safe to use from several threads.

    Args:
        url: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`; the ledger's will do.
        may_be_away: a server that does not answer now is no error until it is used: calls are taken, and
            what is told of them meanwhile is lost to the experiment.

    Raises:
        ExperimentError: the URL, the database or its version cannot be used.
    """

    def __init__(self, url: str, *, may_be_away: bool = False) -> None:
        self._database = Database(url, TABLES, prepare=_create, may_be_away=may_be_away)

    def record(self, rows: Sequence[Row]) -> None:
        """Write rows, all or none.

        Raises:
            ExperimentError: the store cannot be written now.
        """
        with self._database.writing() as connection:
            for row in rows:
                statement = replacing(connection, _TABLES[type(row)], _KEYS[type(row)][1])
                connection.execute(statement, _values(row))

    def withdraw(self, label: LabelRow) -> None:
        """Take a label back; one that is not there is no error.

        Raises:
            ExperimentError: the store cannot be written now.
        """
        labels, (_, keys) = _TABLES[LabelRow], _KEYS[LabelRow]
        is_this = (labels.c[key] == getattr(label, key) for key in keys)
        with self._database.writing() as connection:
            connection.execute(delete(labels).where(*is_this))

    def window(self, since: datetime, until: datetime) -> Rows:
        """Everything of the calls that ended in a window, and the clips heard in it, ordered by their keys.

        Raises:
            ExperimentError: the store cannot be read.
        """
        calls = _TABLES[CallRow]
        is_in_window = calls.c.ended_at_us.between(microseconds(since), microseconds(until))
        known: ColumnClause[Any] = column("call_id")
        is_of_a_call = known.in_(select(calls.c.call_id).where(is_in_window))
        with self._database.reading() as connection:
            return Rows(
                calls=_read(connection, CallRow, is_in_window),
                turns=_read(connection, TurnRow, is_of_a_call),
                outcomes=_read(connection, OutcomeRow, is_of_a_call),
                shadows=_read(connection, ShadowRow, is_of_a_call),
                labels=_read(connection, LabelRow, is_of_a_call),
                draws=_read(connection, DrawRow, is_of_a_call),
                canaries=_read(connection, CanaryRow, _heard_between(since, until)),
            )

    def alike_calls(self, until: datetime) -> tuple[AlikeCalls, ...]:
        """Calls drawn by lot that ended until then, by flags and models.

        Raises:
            ExperimentError: the store cannot be read.
        """
        calls = _TABLES[CallRow]
        ended, groups = calls.c.ended_at_us, (calls.c.flag_version, calls.c.models)
        query = (
            select(*groups, func.min(ended), func.max(ended))
            .where(_was_drawn(calls), ended <= microseconds(until))
            .group_by(*groups)
            .order_by(*groups)
        )
        with self._database.reading() as connection:
            return tuple(
                AlikeCalls(
                    flag_version=version, models=json.loads(models), first=moment_at(first),
                    last=moment_at(last),
                )
                for version, models, first, last in connection.execute(query)
            )  # fmt: skip

    def canonical_versions(self, until: datetime) -> dict[str, datetime]:
        """Canonical version -> when the last shadowed call ended, until then, that has it.

        Raises:
            ExperimentError: the store cannot be read.
        """
        calls, shadows = _TABLES[CallRow], _TABLES[ShadowRow]
        query = (
            select(shadows.c.canonical_version, func.max(calls.c.ended_at_us))
            .join_from(shadows, calls, shadows.c.call_id == calls.c.call_id)
            .where(_was_drawn(calls), calls.c.ended_at_us <= microseconds(until))
            .group_by(shadows.c.canonical_version)
        )
        with self._database.reading() as connection:
            return {version: moment_at(last) for version, last in connection.execute(query)}

    def drawn_calls(self, since: datetime, before: datetime) -> int:
        """How many calls drawn by lot ended from a moment on and before another.

        Raises:
            ExperimentError: the store cannot be read.
        """
        calls = _TABLES[CallRow]
        ended = calls.c.ended_at_us
        query = select(func.count()).where(
            _was_drawn(calls), ended >= microseconds(since), ended < microseconds(before)
        )
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def canaries(self, since: datetime, until: datetime) -> tuple[CanaryRow, ...]:
        """Stored clips that were heard in a window, oldest first.

        Raises:
            ExperimentError: the store cannot be read.
        """
        with self._database.reading() as connection:
            return _read(connection, CanaryRow, _heard_between(since, until))

    def shadow_sums(self, since: datetime) -> tuple[ShadowSum, ...]:
        """Complete shadows of calls that ended since, summed by language, direction and canonical version.

        Raises:
            ExperimentError: the store cannot be read.
        """
        calls, shadows = _TABLES[CallRow], _TABLES[ShadowRow]
        groups = (calls.c.language_code, shadows.c.live, shadows.c.shadow, shadows.c.canonical_version)
        counts = (shadows.c.differing_words, shadows.c.live_words, shadows.c.shadow_words)
        query = (
            select(*groups, *(func.sum(count).label(count.name) for count in counts))
            .join_from(shadows, calls, shadows.c.call_id == calls.c.call_id)
            .where(shadows.c.is_complete == 1, calls.c.ended_at_us >= microseconds(since))
            .group_by(*groups)
        )
        with self._database.reading() as connection:
            found = connection.execute(query).mappings()
            return tuple(
                ShadowSum(**{**row, **{count.name: int(row[count.name]) for count in counts}})
                for row in found
            )

    def labelled(self, since: datetime) -> tuple[tuple[str, LabelRow], ...]:
        """Labels of calls that ended since, each with the language of its call.

        Raises:
            ExperimentError: the store cannot be read.
        """
        calls, labels = _TABLES[CallRow], _TABLES[LabelRow]
        query = (
            select(calls.c.language_code, labels)
            .join_from(labels, calls, labels.c.call_id == calls.c.call_id)
            .where(calls.c.ended_at_us >= microseconds(since))
            .order_by(*(labels.c[key] for key in _KEYS[LabelRow][1]))
        )
        with self._database.reading() as connection:
            return tuple((language, _row(LabelRow, row)) for language, *row in connection.execute(query))

    def draws(self) -> tuple[DrawRow, ...]:
        """Every utterance that was drawn for labelling.

        Raises:
            ExperimentError: the store cannot be read.
        """
        with self._database.reading() as connection:
            return _read(connection, DrawRow, true())

    def draw(self, since: datetime, until: datetime, rows: Sequence[DrawRow]) -> None:
        """Keep what was drawn of a window, in the place of what was drawn of it before.

        Raises:
            ExperimentError: the store cannot be written now.
        """
        calls, draws = _TABLES[CallRow], _TABLES[DrawRow]
        of_window = select(calls.c.call_id).where(
            calls.c.ended_at_us.between(microseconds(since), microseconds(until))
        )
        with self._database.writing() as connection:
            connection.execute(delete(draws).where(draws.c.call_id.in_(of_window)))
            for row in rows:
                connection.execute(insert(draws), _values(row))

    def calls_of(self, caller: str) -> tuple[str, ...]:
        """The calls of a caller's hash.

        Raises:
            ExperimentError: the store cannot be read.
        """
        calls = _TABLES[CallRow]
        with self._database.reading() as connection:
            return tuple(connection.scalars(select(calls.c.call_id).where(calls.c.caller == caller)))

    def forget(self, call_ids: Collection[str]) -> dict[str, int]:
        """Remove every row of these calls; table -> how many.

        All of them, not the caller alone: an outcome is a note on a person, and the digest of a short
        reference gives its words away to whoever tries some.

        Raises:
            ExperimentError: the store cannot be written now.
        """
        with self._database.forgetting() as connection:
            return {
                name.removeprefix("ab_"): connection.execute(
                    delete(_TABLES[kind]).where(_TABLES[kind].c.call_id.in_(call_ids))
                ).rowcount
                for kind, (name, keys) in _KEYS.items()
                if "call_id" in keys
            }

    def ramps(self) -> tuple[RampRow, ...]:
        """Every change of Whisper's share, oldest first.

        Raises:
            ExperimentError: the store cannot be read.
        """
        with self._database.reading() as connection:
            return _read(connection, RampRow, true())


def _create(connection: Connection, where: str) -> None:
    be_alone(connection)  # two gateways may start together, and CREATE ... IF NOT EXISTS is no lock
    connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS ab_version (version INTEGER NOT NULL)")
    found = connection.exec_driver_sql("SELECT version FROM ab_version").scalar()
    if found is None:
        connection.execute(insert(_VERSIONS).values(version=_VERSION))
    elif found < _VERSION:
        for statement in _MIGRATIONS[found - 1 :]:
            connection.exec_driver_sql(statement)
        connection.execute(update(_VERSIONS).values(version=_VERSION))
    elif found > _VERSION:
        raise ExperimentError(
            f"the experiment's store {where} was written by a newer slukh (version {found})",
            remedy="upgrade slukh",
        )
    for kind, (name, keys) in _KEYS.items():
        columns = ", ".join(f"{column_name} {_sql_type(item.type)}" for column_name, item in zip(
            _columns(kind), fields(kind), strict=True
        ))  # fmt: skip
        connection.exec_driver_sql(
            f"CREATE TABLE IF NOT EXISTS {name} ({columns}, PRIMARY KEY ({', '.join(keys)}))"
        )
    connection.exec_driver_sql("CREATE INDEX IF NOT EXISTS ab_calls_by_end ON ab_calls (ended_at_us)")


def _sql_type(kind: Any) -> str:  # noqa: ANN401  # a field's type, as written
    for known, name in _SQL_TYPES.items():
        if kind is known:
            return f"{name} NOT NULL"
        if kind == known | None:
            return name
    return "TEXT NOT NULL"  # a mapping, as JSON


def _columns(kind: type[Row]) -> tuple[str, ...]:
    return tuple(f"{item.name}_us" if item.type is datetime else item.name for item in fields(kind))


_TABLES = {kind: table(name, *map(column, _columns(kind))) for kind, (name, _) in _KEYS.items()}


def _values(row: Row) -> dict[str, object]:
    stored = (_stored(getattr(row, item.name)) for item in fields(row))
    return dict(zip(_columns(type(row)), stored, strict=True))


def _stored(value: object) -> object:
    if isinstance(value, datetime):
        return microseconds(value)
    if isinstance(value, bool):
        return int(value)
    return json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else value


def _read(connection: Connection, kind: type[Any], condition: Any) -> tuple[Any, ...]:  # noqa: ANN401  # SQL
    names, (_, keys) = _columns(kind), _KEYS[kind]
    places = [names.index(key) for key in keys]
    # Here and not by the database, whose order of texts may be any: a seed draws from this order.
    rows = sorted(
        connection.execute(select(_TABLES[kind]).where(condition)), key=lambda row: [row[at] for at in places]
    )
    return tuple(_row(kind, row) for row in rows)


def _row(kind: type[Any], found: Iterable[Any]) -> Any:  # noqa: ANN401  # of any kind
    return kind(**{
        item.name: _loaded(item.type, value) for item, value in zip(fields(kind), found, strict=True)
    })  # fmt: skip


def _loaded(kind: Any, value: Any) -> Any:  # noqa: ANN401  # of any column
    if value is None or kind in (str, int, float, str | None, int | None):
        return value
    if kind is datetime:
        return moment_at(value)
    return bool(value) if kind in (bool, bool | None) else json.loads(value)


def _was_drawn(calls: Any) -> Any:  # noqa: ANN401  # SQL
    return and_(calls.c.flag_reason == "SPLIT", calls.c.arm.in_(ARMS))


def _heard_between(since: datetime, until: datetime) -> Any:  # noqa: ANN401  # SQL
    return _TABLES[CanaryRow].c.heard_at_us.between(microseconds(since), microseconds(until))
