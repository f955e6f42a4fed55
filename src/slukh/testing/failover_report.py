"""The fault table for people, and its progress while it is measured."""

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from slukh.testing.failover import measure
from slukh.testing.failover_faults import FAULTS, LEFT_OUT, TARGETS_MS, Fault
from slukh.testing.failover_rows import Report, Row
from slukh.testing.rivals import measure_rivals, rival_trials


def faults_named(names: list[str]) -> tuple[Fault, ...]:
    """Those whose names begin like one of these; all when there are none."""
    return tuple(fault for fault in FAULTS if not names or fault.name.startswith(tuple(names)))


async def measure_visibly(trials: int, faults: tuple[Fault, ...], *, rivals: bool) -> Report:
    """`measure`, and `measure_rivals` where they are wanted, with a bar on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("calls", total=trials * len(faults))
        report = await measure(trials, faults=faults, advance=lambda done: progress.advance(bar, done))
        if not rivals:
            return report
        bar = progress.add_task("rivals' calls", total=rival_trials(faults))
        rows = await measure_rivals(faults, advance=lambda done: progress.advance(bar, done))
        return replace(report, rivals=rows)


def fault_tables(report: Report) -> list[Table]:
    """Ours, and one for each rival and its settings."""
    drawn = [_table("Slukh", report.rows)]
    names = dict.fromkeys((row.rival, row.version, row.settings) for row in report.rivals)
    for name in names:
        rows = [row.row for row in report.rivals if (row.rival, row.version, row.settings) == name]
        drawn.append(_table(" ".join(name), rows))
    drawn[-1].caption = _notes()
    return drawn


def _table(title: str, rows: Sequence[Row]) -> Table:
    """Rows as they were measured, in 80 columns; `-` where nothing failed."""
    drawn = Table(title=title, box=None, padding=(0, 1, 0, 0), title_justify="left", caption_justify="left")
    drawn.add_column("fault")
    drawn.add_column("fails")
    for column in ("calls", "lost", "twice", "ended", "target", "detected", "switched"):
        drawn.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        drawn.add_row(*_cells(row), style="" if row.is_whole else "bold red")
    return drawn


def _cells(row: Row) -> list[str]:
    counts = (row.trials, row.words_lost, row.words_doubled, row.calls_ended)
    target = TARGETS_MS.get(row.fault)
    return [
        row.fault,
        row.direction.partition("->")[0],
        *map(str, counts),
        "" if target is None else f"{target:.0f}",
        _span(row.detection_ms_p50, row.detection_ms_max),
        _span(row.switch_ms_p50, row.switch_ms_max),
    ]


def _span(median: float | None, most: float | None) -> str:
    return "-" if median is None or most is None else f"{median:.0f}/{most:.0f}"


def _notes() -> str:
    left_out = (f"{fault}, {direction}: {reason}" for fault, direction, reason in LEFT_OUT)
    return "\n".join(("Times are milliseconds, median/longest. Not in the table:", *left_out))
