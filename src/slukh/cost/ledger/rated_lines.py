"""What the ledger's usage costs under a price book: lines that are made anew from usage at any time.

    rerate()     every row, in the order of time; lines that are as they were are not written
    rate_new()   the rows that have no line yet, with the other rows of their calls

A line is kept per usage row and book, so two books stand side by side. A row without a price has no line: its
amount is unknown, not zero. Writers are let in between two batches; until a re-rating ends, lines of the old
and of the new prices stand beside each other.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Select, exists, func, select, tuple_

from slukh.cost.ledger.rated_rows import StoredLine, Total, columns_of, delete, line_of, upsert
from slukh.cost.ledger.store import Ledger
from slukh.cost.ledger.tables import (
    KEYS,
    RATED_KEY,
    RATED_LINES,
    USAGE,
    usage_of,
)
from slukh.cost.meter import ATTEMPTS_PER_UTTERANCE
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import RatingOptions
from slukh.cost.pricing.tolerant import Rated, TolerantRater, Unpriced
from slukh.databases import microseconds, moment_at
from slukh.types import UNITS_PER_REQUEST, Usage

_BATCH_LEGS = 1_000
# Rows of one request or utterance end within this time of each other, and are rated together.
_TOGETHER_US = 120_000_000
_Group = tuple[str, int, str, int]
_Leg = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerated:
    """What became of usage rows.

    Attributes:
        rows: looked at.
        changed: lines that are new or differ from before.
        unpriced: rows without a price, by what was used.
    """

    rows: int = 0
    changed: int = 0
    unpriced: tuple[tuple[Unpriced, int], ...] = ()


class RatedLines:
    """The rated lines of one ledger under one book.

    Args:
        ledger: where usage is.
        book: the prices.
        options: how to read usage.
        batch_rows: read, rated and written at a time.
    """

    def __init__(
        self,
        ledger: Ledger,
        book: PriceBook,
        options: RatingOptions | None = None,
        *,
        batch_rows: int = 20_000,
    ) -> None:
        self._ledger = ledger
        self._book = book
        self._options = options or RatingOptions()
        self._batch_rows = batch_rows

    def rerate(self, *, since: datetime | None = None) -> Rerated:
        """Rate every row again.

        Args:
            since: only what was used from the beginning of that month on; the month's tiers begin there.

        Raises:
            LedgerError: the ledger cannot be read or written.
        """
        rater = TolerantRater(self._book, self._options)
        rows = 0
        stored: list[Future[int]] = []
        # The database writes one batch while the next is rated: most of its work needs no interpreter.
        with ThreadPoolExecutor(max_workers=1) as writer:
            for batch in self._batches(_month_of(since) if since else None):
                rated = rater.rate(batch)
                rows += len(batch)
                if stored:
                    stored[-1].result()
                stored.append(writer.submit(self._store, rated))
            changed = sum(batch.result() for batch in stored)
        return Rerated(rows=rows, changed=changed, unpriced=tuple(rater.unpriced.items()))

    def rate_new(self, *, call_id: str | None = None, since: datetime | None = None) -> Rerated:
        """Rate the calls that have a row without a line.

        Args:
            call_id: only this one.
            since: only calls that used something without a line then or later.

        Raises:
            LedgerError: the ledger cannot be read or written.
        """
        if call_id is None and self._is_empty():
            return self.rerate(since=since)
        with self._ledger.reading() as connection:
            legs = self._legs_with_new_rows(connection, call_id, since)
            options = self._where_the_months_stand(connection, legs) if legs else self._options
        rater = TolerantRater(self._book, options)
        rows = changed = 0
        for batch in _batched(legs):
            with self._ledger.reading() as connection:
                query = select(USAGE).where(USAGE.c.call_id.in_({call for call, _ in batch}))
                found = [usage_of(row) for row in connection.execute(query)]
            usage = [row for row in found if (row.call_id, row.leg) in batch]
            rows += len(usage)
            changed += self._store(rater.rate(usage))
        return Rerated(rows=rows, changed=changed, unpriced=tuple(rater.unpriced.items()))

    def lines(self, call_id: str) -> tuple[StoredLine, ...]:
        """The lines of a call, by time and key."""
        query = self._select().where(RATED_LINES.c.call_id == call_id)
        with self._ledger.reading() as connection:
            lines = [line_of(row) for row in connection.execute(query)]
        # Ordered here: asked for that order, SQLite would walk through the book by time.
        return tuple(sorted(lines, key=attrgetter("occurred_at", "leg", "component", "sequence")))

    def each(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[StoredLine]:
        """All lines in the order of time, read as they are asked for."""
        query = _between(self._select(), since, until).order_by(
            RATED_LINES.c.occurred_at_us, *(RATED_LINES.c[name] for name in RATED_KEY[:-1])
        )
        with self._ledger.reading() as connection:
            found = connection.execution_options(yield_per=self._batch_rows).execute(query)
            for row in found:
                yield line_of(row)

    def totals(self, *, since: datetime | None = None, until: datetime | None = None) -> tuple[Total, ...]:
        """Exact sums by what was bought.

        Args:
            since: from this moment on.
            until: before this one.
        """
        by = [RATED_LINES.c[name] for name in ("component", "provider", "model", "unit", "price_id")]
        sums = [func.sum(RATED_LINES.c[name]) for name in ("quantity", "billed_quantity", "amount_pico_usd")]
        query = _between(
            select(*by, func.count(), *sums).where(RATED_LINES.c.book == self._book.name), since, until
        )
        with self._ledger.reading() as connection:
            found = connection.execute(query.group_by(*by).order_by(*by)).all()
        # PostgreSQL's sum of integers is a decimal.
        return tuple(
            Total(
                component=row[0], provider=row[1], model=row[2], unit=row[3], price_id=row[4],
                lines=row[5], quantity=int(row[6]), billed_quantity=int(row[7]), amount_pico_usd=int(row[8]),
            )
            for row in found
        )  # fmt: skip

    def _select(self) -> Select[Any]:
        return select(RATED_LINES).where(RATED_LINES.c.book == self._book.name)

    def _is_empty(self) -> bool:
        with self._ledger.reading() as connection:
            return connection.execute(self._select().limit(1)).first() is None

    def _legs_with_new_rows(
        self, connection: Connection, call_id: str | None, since: datetime | None
    ) -> dict[_Leg, tuple[int, int]]:
        """Legs with a row that has no line, in the order of time, with their first and last such row."""
        has_line = exists().where(
            *(RATED_LINES.c[name] == USAGE.c[name] for name in KEYS[Usage]),
            RATED_LINES.c.book == self._book.name,
        )
        query = select(USAGE.c.call_id, USAGE.c.leg, USAGE.c.occurred_at_us).where(~has_line)
        if call_id is not None:
            query = query.where(USAGE.c.call_id == call_id)
        if since is not None:
            query = query.where(USAGE.c.occurred_at_us >= microseconds(since))
        legs: dict[_Leg, tuple[int, int]] = {}
        for call, leg, at in connection.execution_options(yield_per=self._batch_rows).execute(query):
            first, last = legs.get((call, leg), (at, at))
            legs[call, leg] = min(first, at), max(last, at)
        return dict(sorted(legs.items(), key=lambda item: (item[1][0], item[0])))

    def _where_the_months_stand(
        self, connection: Connection, legs: Mapping[_Leg, tuple[int, int]]
    ) -> RatingOptions:
        """The options with what these months were billed for without these legs, where tiers ask for it."""
        prices = (price for price in self._book.all_prices() if price.graduated or price.free_tier)
        tiered = {price.id: price.sku or price.id for price in prices}
        stands: Counter[tuple[str, str]] = Counter(self._options.month_quantity)
        own = RATED_LINES.c.book == self._book.name, RATED_LINES.c.price_id.in_(tiered)
        columns = RATED_LINES.c
        times = legs.values()
        for month in _months(min(first for first, _ in times), max(last for _, last in times)):
            sums = select(columns.price_id, func.sum(columns.billed_quantity)).where(*own)
            for price_id, quantity in connection.execute(_between(sums, *month).group_by(columns.price_id)):
                stands[tiered[price_id], f"{month[0]:%Y-%m}"] += int(quantity)
        for batch in _batched(legs):
            again = select(
                columns.call_id,
                columns.leg,
                columns.price_id,
                columns.occurred_at_us,
                columns.billed_quantity,
            ).where(*own, columns.call_id.in_({call for call, _ in batch}))
            for call, leg, price_id, at, quantity in connection.execute(again):
                if (call, leg) in batch:
                    stands[tiered[price_id], f"{moment_at(at):%Y-%m}"] -= quantity
        return replace(self._options, month_quantity=stands)

    def _batches(self, since: datetime | None) -> Iterator[list[Usage]]:
        """All usage in the order of time; the rows of a request or an utterance are in one batch."""
        query = select(USAGE).order_by(USAGE.c.occurred_at_us, *(USAGE.c[name] for name in KEYS[Usage]))
        position: tuple[Any, ...] | None = None
        held: list[Usage] = []
        order = tuple_(USAGE.c.occurred_at_us, *(USAGE.c[name] for name in KEYS[Usage]))
        while True:
            page = query if since is None else query.where(USAGE.c.occurred_at_us >= microseconds(since))
            if position is not None:
                page = page.where(order > position)
            with self._ledger.reading() as connection:
                found = connection.execute(page.limit(self._batch_rows)).all()
            rows = held + [usage_of(row) for row in found]
            if len(found) < self._batch_rows:
                if rows:
                    yield rows
                return
            last = found[-1]
            position = (last.occurred_at_us, *(getattr(last, name) for name in KEYS[Usage]))
            late = moment_at(last.occurred_at_us - _TOGETHER_US)
            open_groups = {_group(row) for row in rows if row.occurred_at > late}
            held = [row for row in rows if _group(row) in open_groups]
            if complete := [row for row in rows if _group(row) not in open_groups]:
                yield complete

    def _store(self, rated: Rated) -> int:
        """Write what differs; how many lines did."""
        with self._ledger.writing() as connection:
            changed = upsert(connection, [columns_of(line, self._book.name) for line in rated.lines])
            delete(connection, rated.unpriced, self._book.name)  # their price may have been taken back
        return changed


def _batched(legs: Iterable[_Leg]) -> Iterator[frozenset[_Leg]]:
    rest = iter(legs)
    while batch := frozenset(islice(rest, _BATCH_LEGS)):
        yield batch


def _group(row: Usage) -> _Group:
    size = UNITS_PER_REQUEST if row.component == "llm" else ATTEMPTS_PER_UTTERANCE
    return row.call_id, row.leg, row.component, row.sequence // size


def _between(query: Select[Any], since: datetime | None, until: datetime | None) -> Select[Any]:
    if since is not None:
        query = query.where(RATED_LINES.c.occurred_at_us >= microseconds(since))
    if until is not None:
        query = query.where(RATED_LINES.c.occurred_at_us < microseconds(until))
    return query


def _months(first_us: int, last_us: int) -> Iterator[tuple[datetime, datetime]]:
    """The months from one moment to another, each as its beginning and its end."""
    start = _month_of(moment_at(first_us))
    while start <= moment_at(last_us):
        end = _month_of(start + timedelta(days=31))
        yield start, end
        start = end


def _month_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
