"""A rated line as the ledger stores it, and how a million of them get there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, bindparam

from slukh.cost.ledger.tables import RATED_KEY, RATED_LINES
from slukh.cost.pricing.rating import PICO, RatedLine
from slukh.databases import microseconds, moment_at
from slukh.types import Unit, Usage

# Raise it when a formula changes: lines then say which one made them.
ENGINE = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Lines that share what was bought, and its price.

    Attributes:
        component, provider, model, unit, price_id: what.
        lines: how many.
        quantity: before rounding, in `unit`.
        billed_quantity: after it.
        amount_pico_usd: their exact sum.
    """

    component: str
    provider: str
    model: str
    unit: str
    price_id: str
    lines: int
    quantity: int
    billed_quantity: int
    amount_pico_usd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLine:
    """A `RatedLine` as the ledger has it: its money as int64 pico-USD.

    Attributes:
        book: whose prices.
        engine: which formulas (`ENGINE`).
    """

    call_id: str
    leg: int
    component: str
    sequence: int
    book: str
    engine: str
    provider: str
    model: str
    unit: Unit
    purpose: str
    outcome: str
    occurred_at: datetime
    quantity: int
    billed_quantity: int
    repeated_quantity: int
    price_id: str
    rule: str
    amount_pico_usd: int

    @property
    def amount_usd(self) -> Decimal:
        """The same in dollars."""
        return Decimal(self.amount_pico_usd) / PICO


_NAMES = tuple(RATED_LINES.c.keys())
_KEY = attrgetter(*RATED_KEY[:-1])
_WHAT = attrgetter("provider", "model", "unit", "purpose", "outcome")
_AMOUNT = attrgetter(
    "quantity", "billed_quantity", "repeated_quantity", "price_id", "rule", "amount_pico_usd"
)


def columns_of(line: RatedLine, book: str) -> tuple[object, ...]:
    """A line as its columns, in order."""
    return (*_KEY(line), book, ENGINE, *_WHAT(line), microseconds(line.occurred_at), *_AMOUNT(line))


def upsert(connection: Connection, values: Sequence[tuple[object, ...]]) -> int:
    """Add lines, or replace those that differ; how many. By hand, because this is done millions of times."""
    if not values:
        return 0
    others = [name for name in _NAMES if name not in RATED_KEY]
    names, key = ", ".join(_NAMES), ", ".join(RATED_KEY)  # all of them ours: nothing is quoted
    changes = ", ".join(f"{name} = excluded.{name}" for name in others)
    differs = " OR ".join(f"rated_lines.{name} <> excluded.{name}" for name in others)
    end = f"ON CONFLICT ({key}) DO UPDATE SET {changes} WHERE {differs}"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(_NAMES))
        statement = f"INSERT INTO rated_lines ({names}) VALUES ({marks}) {end}"  # noqa: S608  # likewise
        return connection.exec_driver_sql(statement, list(values)).rowcount
    arrays = ", ".join(f"%s::{'bigint' if isinstance(v, int) else 'text'}[]" for v in values[0])
    statement = f"INSERT INTO rated_lines ({names}) SELECT * FROM unnest({arrays}) {end}"  # noqa: S608
    columns = tuple(list(column) for column in zip(*values, strict=True))
    return connection.exec_driver_sql(statement, columns).rowcount


def delete(connection: Connection, rows: Sequence[Usage], book: str) -> None:
    """Take the lines of these rows out, where there are any."""
    if rows:
        keys = [RATED_LINES.c[name] == bindparam(f"key_{name}") for name in RATED_KEY]
        values = [{f"key_{name}": getattr(row, name, book) for name in RATED_KEY} for row in rows]
        connection.execute(RATED_LINES.delete().where(*keys), values)


def line_of(row: Sequence[Any]) -> StoredLine:
    """A row of `RATED_LINES`, its columns in order."""
    return StoredLine(
        call_id=row[0], leg=row[1], component=row[2], sequence=row[3], book=row[4], engine=row[5],
        provider=row[6], model=row[7], unit=row[8], purpose=row[9], outcome=row[10],
        occurred_at=moment_at(row[11]), quantity=row[12], billed_quantity=row[13],
        repeated_quantity=row[14], price_id=row[15], rule=row[16], amount_pico_usd=row[17],
    )  # fmt: skip
