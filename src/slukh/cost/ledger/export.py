"""The ledger into a file: FOCUS as CSV or Parquet, or CloudEvents. The file is there whole or not at all."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from slukh.cost.ledger.adjustments import Adjustments
from slukh.cost.ledger.cloud_events import cloud_event
from slukh.cost.ledger.focus import COLUMNS, FocusRows
from slukh.cost.ledger.rated_lines import RatedLines
from slukh.cost.ledger.store import Ledger
from slukh.cost.pricing.price_book import PriceBook
from slukh.errors import LedgerError

ExportFormat = Literal["focus-csv", "focus-parquet", "cloudevents"]
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)


def export(
    ledger: Ledger, book: PriceBook, path: Path, *, kind: ExportFormat, since: datetime | None = None
) -> int:
    """Write the lines, and for FOCUS the adjustments; how many rows.

    Args:
        ledger: whose usage has lines under `book`.
        book: whose lines.
        path: the file, replaced when it is there.
        kind: of the file.
        since: only what was used then or later.

    Raises:
        LedgerError: the ledger cannot be read, the file not written, or DuckDB is missing.
    """
    lines = RatedLines(ledger, book)
    with _replaced(path) as part:
        if kind == "cloudevents":
            return _write_events(part, (cloud_event(line) for line in lines.each(since=since)))
        rows = _focus_rows(lines, Adjustments(ledger, book.name), FocusRows(book), since)
        if kind == "focus-csv":
            return _write_csv(part, rows)
        from slukh.cost.ledger.parquet import write_parquet  # the extra is wanted only now

        return write_parquet(part, rows)


def _focus_rows(
    lines: RatedLines, adjustments: Adjustments, rows: FocusRows, since: datetime | None
) -> Iterator[list[str]]:
    for line in lines.each(since=since):
        yield rows.of_line(line)
    for adjustment in adjustments.all(since=since):
        if adjustment.amount_pico_usd:
            yield rows.of_adjustment(adjustment)


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """A name beside the file; becomes the file when all went well."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise LedgerError(
            f"cannot write {path} ({error.strerror})", remedy="name a file that can be"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _write_csv(path: Path, rows: Iterator[list[str]]) -> int:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        return _counted(writer.writerow(row) for row in rows)


def _write_events(path: Path, events: Iterator[dict[str, object]]) -> int:
    with path.open("w", encoding="utf-8") as file:
        return _counted(file.write(json.dumps(event, ensure_ascii=False) + "\n") for event in events)


def _counted(writes: Iterator[object]) -> int:
    return sum(1 for _ in writes)
