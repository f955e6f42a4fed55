"""Where recorded utterances are kept: beside the experiment's tables, sealed, each until its day.

What is not sealed: the ids, the caller's hash (so that a caller can be forgotten) and two moments.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, column, delete, select, table

from slukh.databases import Database, Kept, be_alone, microseconds, moment_at, replacing
from slukh.errors import ExperimentError
from slukh.experiment.recorded import RecordedUtterance, packed, unpacked
from slukh.experiment.sealing import AlteredError, Seal
from slukh.experiment.store import TABLES

_RECORDINGS = table(
    "ab_recordings",
    *map(
        column,
        ("call_id", "utterance_id", "caller", "recorded_at_us", "expires_at_us", "key_id", "sealed"),
    ),
)
_KEY = ("call_id", "utterance_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEntry:
    """That there is a recording; no word of it.

    Attributes:
        call_id: of which call.
        utterance_id: of which utterance.
        recorded_at: wall clock, UTC.
        expires_at: when it is removed, at the latest.
    """

    call_id: str
    utterance_id: int
    recorded_at: datetime
    expires_at: datetime


class Recordings(Kept):
    """The recordings behind a URL; safe to use from several threads.

    Listing, expiring and forgetting need no key; keeping and reading do.

    Args:
        url: as of `ExperimentStore`.
        key: 32 bytes; None neither keeps nor reads.
        days: how long a recording is kept. Those that were promised longer go as early when it is shortened;
            None keeps nothing new, and leaves what there is its time.
        may_be_away: as of `ExperimentStore`.

    Raises:
        ExperimentError: the URL or the database cannot be used, or the library of the key is missing.
    """

    def __init__(
        self, url: str, *, key: bytes | None = None, days: int | None = None, may_be_away: bool = False
    ) -> None:
        self._seal = None if key is None else Seal(key)
        self._days = None if days is None else timedelta(days=days)
        self._database = Database(url, TABLES, prepare=_create, may_be_away=may_be_away)

    def keep(self, utterances: Iterable[RecordedUtterance]) -> None:
        """Write recordings, all or none; one replaces that of the same utterance.

        Raises:
            ExperimentError: they cannot be written now, or there is no key.
        """
        seal, days = self._needed_seal(), self._days
        if days is None:
            raise ExperimentError(
                "recording is off", remedy="set SLUKH_RECORDING_DAYS to the days that recordings are kept"
            )
        with self._database.writing() as connection:
            for utterance in utterances:
                values = {
                    "call_id": utterance.call_id,
                    "utterance_id": utterance.utterance_id,
                    "caller": utterance.caller,
                    "recorded_at_us": microseconds(utterance.recorded_at),
                    "expires_at_us": microseconds(utterance.recorded_at + days),
                    "key_id": seal.key_id,
                    "sealed": seal.sealed(packed(utterance), utterance.call_id, utterance.utterance_id),
                }
                connection.execute(replacing(connection, _RECORDINGS, _KEY), values)

    def read(self, call_id: str, utterance_id: int) -> RecordedUtterance | None:
        """A recording; None when there is none, or no longer.

        Raises:
            ExperimentError: there is no key or another one, it was altered, or the store cannot be read.
        """
        seal = self._needed_seal()
        is_this = (_RECORDINGS.c.call_id == call_id, _RECORDINGS.c.utterance_id == utterance_id)
        with self._database.reading() as connection:
            found = connection.execute(select(_RECORDINGS).where(*is_this)).mappings().one_or_none()
        if found is None:
            return None
        name = f"the recording of utterance {utterance_id} of {call_id}"
        if found["key_id"] != seal.key_id:
            raise ExperimentError(
                f"{name} is sealed with another key ({found['key_id']}, this one is {seal.key_id})",
                remedy="set SLUKH_RECORDING_KEY to the gateway's key of that day",
            )
        try:
            told = seal.opened(bytes(found["sealed"]), call_id, utterance_id)
        except AlteredError as error:
            raise ExperimentError(
                f"{name} was altered", remedy=f"restore it, or remove it with slukh forget {call_id}"
            ) from error
        return unpacked(
            told,
            call_id=call_id,
            utterance_id=utterance_id,
            caller=found["caller"],
            recorded_at=moment_at(found["recorded_at_us"]),
        )

    def listed(self, since: datetime, until: datetime) -> tuple[RecordingEntry, ...]:
        """What was recorded in a window, both ends in it, oldest first.

        Raises:
            ExperimentError: the store cannot be read.
        """
        at = _RECORDINGS.c.recorded_at_us
        names = ("call_id", "utterance_id", "recorded_at_us", "expires_at_us")
        query = (
            select(*(_RECORDINGS.c[name] for name in names))
            .where(at.between(microseconds(since), microseconds(until)))
            .order_by(at)
        )
        with self._database.reading() as connection:
            return tuple(
                RecordingEntry(
                    call_id=call_id,
                    utterance_id=utterance_id,
                    recorded_at=moment_at(recorded),
                    expires_at=moment_at(expires),
                )
                for call_id, utterance_id, recorded, expires in connection.execute(query)
            )

    def calls_of(self, caller: str) -> tuple[str, ...]:
        """The calls of a caller's hash that there are recordings of.

        Raises:
            ExperimentError: the store cannot be read.
        """
        query = select(_RECORDINGS.c.call_id).where(_RECORDINGS.c.caller == caller).distinct()
        with self._database.reading() as connection:
            return tuple(connection.scalars(query))

    def expire(self, now: datetime) -> int:
        """Remove what was kept long enough; how many.

        Raises:
            ExperimentError: the store cannot be written now.
        """
        is_over = _RECORDINGS.c.expires_at_us <= microseconds(now)
        if self._days is not None:
            is_over |= _RECORDINGS.c.recorded_at_us <= microseconds(now - self._days)
        return self._removed(is_over)

    def forget_call(self, call_id: str) -> int:
        """Remove all of a call; how many.

        Raises:
            ExperimentError: the store cannot be written now.
        """
        return self._removed(_RECORDINGS.c.call_id == call_id)

    def _removed(self, condition: Any) -> int:  # noqa: ANN401  # SQL
        with self._database.forgetting() as connection:
            gone = delete(_RECORDINGS).where(condition).returning(_RECORDINGS.c.utterance_id)
            return len(connection.execute(gone).all())

    def _needed_seal(self) -> Seal:
        if self._seal is None:
            raise ExperimentError(
                "recordings are sealed, and there is no key",
                remedy="set SLUKH_RECORDING_KEY to the gateway's",
            )
        return self._seal


def _create(connection: Connection, _where: str) -> None:
    be_alone(connection)
    blob = "BYTEA" if connection.dialect.name == "postgresql" else "BLOB"
    connection.exec_driver_sql(
        "CREATE TABLE IF NOT EXISTS ab_recordings (call_id TEXT NOT NULL, utterance_id BIGINT NOT NULL, "
        "caller TEXT, recorded_at_us BIGINT NOT NULL, expires_at_us BIGINT NOT NULL, key_id TEXT NOT NULL, "
        f"sealed {blob} NOT NULL, PRIMARY KEY (call_id, utterance_id))"
    )
    for name in ("caller", "recorded_at_us", "expires_at_us"):
        connection.exec_driver_sql(
            f"CREATE INDEX IF NOT EXISTS ab_recordings_by_{name} ON ab_recordings ({name})"
        )
