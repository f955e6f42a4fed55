"""What a ledger of many calls takes to be rated and reported: `python bench/ledger.py --calls 1000000`.

Every call has twelve rows of usage: four utterances, three phrases (one of them cached), two requests to a
language model with two buckets each, and the line. They are recorded as a gateway's drain does it, rated as
`slukh cost rerate` does it, and summed by what was bought, as a report does it. Beside it DuckDB sums the
same rated rows: what the sums alone take, in memory, without durability, proofs or rounding.

Last, what metering and rating a call of 90 s while it runs takes of the thread that carries its audio.
"""

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

import duckdb
from rich.console import Console
from rich.table import Table

from slukh.cost.drain import MeterSink
from slukh.cost.ledger.export import export
from slukh.cost.ledger.rated_lines import RatedLines
from slukh.cost.ledger.store import Ledger
from slukh.cost.live import LiveCosts
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.spool import Spool
from slukh.monitoring.metrics import Metrics
from slukh.serving.callbook import CallBook
from slukh.testing.local_postgres import local_postgres
from slukh.types import (
    UNITS_PER_REQUEST,
    AttemptEnded,
    CallEnded,
    CallEvent,
    CallStarted,
    Event,
    Unit,
    Usage,
)

BOOK = PriceBook.load("market-2026-11")
MONTH = datetime(2026, 11, 1, tzinfo=UTC)
BOUGHT: dict[Unit, tuple[Literal["stt", "tts", "llm", "line"], str, str]] = {
    "audio_ms": ("stt", "google", "chirp_3"),
    "characters": ("tts", "google", "uk-UA-Chirp3-HD-Kore"),
    "input_tokens": ("llm", "anthropic", "claude-haiku-4-5"),
    "output_tokens": ("llm", "anthropic", "claude-haiku-4-5"),
    "call_ms": ("line", "kyiv", ""),
}
ROWS_PER_CALL = 12
CALL_SECONDS = 90
RECORDED_AT_ONCE = 10_000
T = TypeVar("T")


def usage_of(number: int, calls: int) -> Iterator[Usage]:
    """The rows of one call; all calls are spread over a month."""
    draw = random.Random(number)
    call_id = f"{number:08x}-0000-4000-8000-{draw.randrange(16**12):012x}"
    at = MONTH + timedelta(days=30) * number / calls

    def row(sequence: int, unit: Unit, quantity: int, *, outcome: str = "published") -> Usage:
        component, provider, model = BOUGHT[unit]
        return Usage(
            call_id=call_id, leg=1, component=component, sequence=sequence, provider=provider, model=model,
            unit=unit, quantity=quantity, outcome=outcome, occurred_at=at + timedelta(seconds=sequence % 60),
        )  # fmt: skip

    for utterance in range(1, 5):
        yield row(utterance * 1000 + 1, "audio_ms", draw.randrange(800, 9000))
    for phrase in range(1, 4):
        outcome = "cached" if phrase == 1 else "sent"
        yield row(phrase, "characters", draw.randrange(20, 220), outcome=outcome)
    for request in (1, 2):
        first = request * UNITS_PER_REQUEST
        yield row(first, "input_tokens", draw.randrange(500, 4000), outcome="ok")
        yield row(first + 1, "output_tokens", draw.randrange(20, 120), outcome="ok")
    yield row(0, "call_ms", CALL_SECONDS * 1000, outcome="hangup")


def seconds_of(work: Callable[[], T]) -> tuple[float, T]:
    """How long it takes, and what it returns."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def record(ledger: Ledger, calls: int) -> None:
    batch: list[Usage] = []
    for number in range(calls):
        batch += usage_of(number, calls)
        if len(batch) >= RECORDED_AT_ONCE:
            ledger.record(batch)
            batch = []
    ledger.record(batch)


def duckdb_seconds(parquet: Path) -> float:
    """DuckDB sums the rated rows from a table of its own."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE lines AS SELECT * FROM read_parquet('{parquet}')")
        query = """SELECT x_Component, x_Provider, x_Model, x_Unit, SkuPriceId, count(*),
                   sum(ConsumedQuantity), sum(PricingQuantity), sum(BilledCost)
                   FROM lines GROUP BY ALL ORDER BY ALL"""
        return min(seconds_of(lambda: connection.execute(query).fetchall())[0] for _ in range(3))


def measure(url: str, calls: int, folder: Path) -> dict[str, float]:
    with Ledger(url) as ledger:
        recorded, _ = seconds_of(lambda: record(ledger, calls))
        lines = RatedLines(ledger, BOOK)
        rated, done = seconds_of(lines.rerate)
        assert done.changed == calls * ROWS_PER_CALL, done
        again, same = seconds_of(lines.rerate)
        assert same.changed == 0, same
        reported, totals = seconds_of(lines.totals)
        call_id = next(usage_of(calls // 2, calls)).call_id
        one, _ = seconds_of(lambda: lines.lines(call_id))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        parquet = folder / "lines.parquet"
        exported, _ = seconds_of(lambda: export(ledger, BOOK, parquet, kind="focus-parquet"))
    alone = duckdb_seconds(parquet)
    return {
        "record_seconds": recorded,
        "rate_seconds": rated,
        "rate_again_seconds": again,
        "report_seconds": reported,
        "one_call_ms": one * 1000,
        "parquet_seconds": exported,
        "parquet_megabytes": parquet.stat().st_size / 1e6,
        "duckdb_seconds": alone,
        "report_times_duckdb": reported / alone,
        "rate_and_report_times_duckdb": (rated + reported) / alone,
        "total_usd": sum(total.amount_pico_usd for total in totals) / 1e12,
        "peak_megabytes": peak / 1e3,
        "peak_megabytes_with_duckdb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def call_events(call_id: str) -> Iterator[CallEvent]:
    """A call with ten Attempts, as the meter hears of it."""
    attempt = AttemptEnded(
        utterance_id=1, attempt=1, provider="google", model="chirp_3", purpose="serve", outcome="published",
        audio_samples=30_000,
    )  # fmt: skip
    samples = CALL_SECONDS * 8000
    events: list[Event] = [
        CallStarted(call_id=call_id, language_code="uk-UA"),
        *(replace(attempt, utterance_id=number) for number in range(1, 11)),
        CallEnded(position=samples, reason="hangup", heard=samples),
    ]
    for event in events:
        yield CallEvent(
            call_id=call_id, leg=1, provider="google", model="chirp_3", assigned_arm="google",
            received_at=MONTH, event=event,
        )  # fmt: skip


def metering_us(calls: int, folder: Path) -> dict[str, float]:
    """CPU of the thread that carries calls, per call: metered; and rated, counted and told on its stream."""
    found = {}
    metrics, book = Metrics(providers=("google",)), CallBook(transcript_seconds=600)
    for name, costs in (("metered_us", None), ("metered_and_rated_us", LiveCosts(BOOK))):
        with Ledger(f"sqlite:///{folder}/{name}.db") as ledger, Spool(folder / name) as spool:
            meter = MeterSink(spool, ledger, costs=costs)
            spent = 0.0
            for number in range(calls):
                call_id = f"{name}-{number}"
                book.attach(CallStarted(call_id=call_id, language_code="uk-UA"))
                events = list(call_events(call_id))
                began = time.thread_time()
                for event in events:
                    for cost in meter.costs_of(event):
                        told = replace(event, event=cost)
                        metrics.observe(told)
                        book.observe(told)
                spent += time.thread_time() - began
            found[name] = spent / calls * 1e6
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--postgres", action="store_true", help="a PostgreSQL of its own in place of SQLite")
    parser.add_argument(
        "--frame-us",
        type=float,
        help="us of CPU a frame that bench/media_path.py measured here: for the share",
    )
    parser.add_argument("--folder", type=Path, help="for the databases; else a temporary one")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        if options.postgres:
            with local_postgres() as server:
                rows = measure(server.url(), options.calls, folder)
        else:
            rows = measure(f"sqlite:///{folder}/ledger.db", options.calls, folder)
            rows["database_megabytes"] = (folder / "ledger.db").stat().st_size / 1e6
        rows |= metering_us(min(options.calls, 2000), folder)
    if options.frame_us is not None:
        media_us = CALL_SECONDS / 0.02 * options.frame_us
        rows["metering_share_of_a_90_s_call"] = rows["metered_and_rated_us"] / media_us
    if options.json:
        print(json.dumps({"calls": options.calls, "rows": options.calls * ROWS_PER_CALL, **rows}, indent=2))
    else:
        show(rows, options.calls)


def show(rows: dict[str, float], calls: int) -> None:
    table = Table(title=f"{calls:,} calls, {calls * ROWS_PER_CALL:,} rows of usage", show_header=False)
    for name, value in rows.items():
        table.add_row(name.replace("_", " "), f"{value:,.4g}" if value < 1 else f"{value:,.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
