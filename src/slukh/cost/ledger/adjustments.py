"""What invoices differ by from what was metered: compensating rows, each difference booked once.

A row is what a statement billed, less what was metered and what earlier rows of the same time booked already.
So the same statement books nothing again, and a corrected one books only the correction.
"""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, func, select

from slukh.cost.ledger.reconcile import Comparison
from slukh.cost.ledger.store import Ledger
from slukh.cost.ledger.tables import ADJUSTMENTS, insert_new
from slukh.databases import be_alone, microseconds, moment_at
from slukh.errors import StatementError


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """One booked difference.

    Attributes:
        provider, component, sku: as in the comparison that made it.
        started_at, ended_at: the statement's time.
        metered_pico_usd, invoiced_pico_usd: as they were when it was booked.
        amount_pico_usd: what it adds to the ledger.
        source: the statement's file.
        recorded_at: when it was booked.
    """

    provider: str
    component: str
    sku: str
    started_at: datetime
    ended_at: datetime
    metered_pico_usd: int
    invoiced_pico_usd: int
    amount_pico_usd: int
    source: str
    recorded_at: datetime


class Adjustments:
    """The adjustments of a ledger under one price book."""

    def __init__(self, ledger: Ledger, book_name: str) -> None:
        self._ledger = ledger
        self._book_name = book_name

    def book(
        self, comparisons: Iterable[Comparison], *, started_at: datetime, ended_at: datetime, source: str
    ) -> tuple[int, ...]:
        """Book what is not booked yet; per comparison, the amount in pico-USD that was added.

        Raises:
            StatementError: an earlier statement covers a part of this time, and more.
            LedgerError: the ledger cannot be written now.
        """
        start, end = microseconds(started_at), microseconds(ended_at)
        with self._ledger.writing() as connection:
            be_alone(connection)
            return tuple(self._book_one(connection, found, start, end, source) for found in comparisons)

    def all(self, *, since: datetime | None = None) -> tuple[Adjustment, ...]:
        """Every row, oldest first.

        Args:
            since: only of statements that began then or later.
        """
        query = select(ADJUSTMENTS).where(ADJUSTMENTS.c.book == self._book_name)
        if since is not None:
            query = query.where(ADJUSTMENTS.c.started_at_us >= microseconds(since))
        with self._ledger.reading() as connection:
            found = connection.execute(query.order_by(ADJUSTMENTS.c.recorded_at_us, ADJUSTMENTS.c.digest))
            return tuple(_adjustment(row) for row in found.mappings())

    def drifts(self) -> dict[tuple[str, str], float]:
        """By component and provider, the drift of the newest statement; -inf where nothing was billed."""
        newest: dict[tuple[str, str], dict[str, Adjustment]] = {}
        for row in self.all():
            rows = newest.setdefault((row.component, row.provider), {})
            if any(other.ended_at != row.ended_at for other in rows.values()):
                rows.clear()
            rows[row.sku] = row
        return {key: _drift(rows.values()) for key, rows in newest.items()}

    def _book_one(self, connection: Connection, found: Comparison, start: int, end: int, source: str) -> int:
        columns = ADJUSTMENTS.c
        own = and_(
            columns.book == self._book_name,
            columns.provider == found.provider,
            columns.component == found.component,
            columns.sku == found.sku,
        )
        inside = and_(columns.started_at_us >= start, columns.ended_at_us <= end)
        astride = select(columns.source).where(
            own, ~inside, columns.started_at_us < end, columns.ended_at_us > start
        )
        if other := connection.scalars(astride).first():
            raise StatementError(
                f"{source}: {found.sku} from {moment_at(start):%Y-%m-%d} to {moment_at(end):%Y-%m-%d} "
                f"crosses the time of {other}, which is booked",
                remedy="give a statement that covers all of that time, or none of it",
            )
        rows, booked = connection.execute(
            select(func.count(), func.sum(columns.amount_pico_usd)).where(own, inside)
        ).one()
        amount = found.difference_pico_usd - int(booked or 0)
        if rows and not amount:
            return 0
        payload: dict[str, Any] = {
            "book": self._book_name, "provider": found.provider, "component": found.component,
            "sku": found.sku, "started_at_us": start, "ended_at_us": end,
            "metered_pico_usd": found.metered_pico_usd, "invoiced_pico_usd": found.invoiced_pico_usd,
            "amount_pico_usd": amount, "source": source,
        }  # fmt: skip
        digest = hashlib.sha256(json.dumps([payload, rows], sort_keys=True).encode()).hexdigest()
        now = microseconds(datetime.now(UTC))
        insert_new(connection, ADJUSTMENTS, [{**payload, "digest": digest, "recorded_at_us": now}])
        return amount


def _drift(rows: Iterable[Adjustment]) -> float:
    found = tuple(rows)
    metered = sum(row.metered_pico_usd for row in found)
    invoiced = sum(row.invoiced_pico_usd for row in found)
    if invoiced:
        return (invoiced - metered) / invoiced
    return -math.inf if metered else 0.0


def _adjustment(mapping: RowMapping) -> Adjustment:
    values: dict[str, Any] = {
        name.removesuffix("_us"): moment_at(value) if name.endswith("_at_us") else value
        for name, value in mapping.items()
        if name not in ("digest", "book")
    }
    return Adjustment(**values)
