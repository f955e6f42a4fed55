"""FOCUS rows as Parquet by way of DuckDB, the extra `parquet`: typed columns, compressed."""

import csv
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from slukh.cost.ledger.focus import COLUMNS, FOCUS_VERSION, ColumnType
from slukh.errors import LedgerError

_TYPES: dict[ColumnType, str] = {"text": "VARCHAR", "decimal": "DECIMAL(38, 12)", "moment": "TIMESTAMPTZ"}


def write_parquet(path: Path, rows: Iterable[Sequence[str]]) -> int:
    """Write rows, each with a text for every column of `COLUMNS`; how many.

    Raises:
        LedgerError: DuckDB is not installed.
        OSError: the file cannot be written.
    """
    try:
        import duckdb
    except ImportError as error:
        raise LedgerError("Parquet needs DuckDB", remedy="pip install 'slukh[parquet]'") from error
    columns = ", ".join(f"'{name}': '{_TYPES[kind]}'" for name, kind in COLUMNS.items())
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".slukh-parquet-") as folder:
        plain = Path(folder) / "rows.csv"
        with plain.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            count = sum(1 for row in rows if writer.writerow(row))
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            # Names of ours; a path cannot be bound here.
            connection.execute(
                f"COPY (SELECT * FROM read_csv('{_quoted(plain)}', header = false, nullstr = '', "  # noqa: S608
                f"allow_quoted_nulls = true, columns = {{{columns}}})) TO '{_quoted(path)}' "
                f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {{focus_version: '{FOCUS_VERSION}'}})"
            )
    return count


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
