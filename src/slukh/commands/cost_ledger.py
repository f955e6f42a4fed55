"""`slukh cost explain|rerate|reconcile|export`: what recorded calls cost, from the ledger."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from slukh.commands.options import CallId, Json, Prices
from slukh.errors import UserError
from slukh.settings.config import Settings, load
from slukh.settings.costs import CostSettings

if TYPE_CHECKING:  # imported lazily: SQLAlchemy costs 0.2 s that other commands save
    from slukh.cost.ledger.call_bill import CallBill
    from slukh.cost.ledger.reconcile import Comparison
    from slukh.cost.ledger.store import Ledger
    from slukh.cost.pricing.price_book import PriceBook
    from slukh.cost.pricing.tolerant import Unpriced

Since = Annotated[str | None, typer.Option("--since", help="From this day or moment (UTC) on: 2026-11-01.")]

app = typer.Typer(no_args_is_help=True, help="What recorded calls cost.")


@app.command("explain")
def cost_explain(call_id: CallId, prices: Prices = None, as_json: Json = False) -> None:
    """Every cent of a call: what was used or is rented, by which rule it is billed, and who says so.

    Example: slukh cost explain 0f8fad5b-d9cb-469f-a165-70867728950e
    """
    from slukh.commands.call_bill import terms_of_settings
    from slukh.cost.ledger.call_bill import bill_of

    with _opened(prices) as (ledger, book):
        found = bill_of(ledger, book, call_id, terms_of_settings(), now=datetime.now(UTC))
    if found is None:
        raise UserError(
            f"no usage of the call {call_id} in the ledger",
            remedy="`slukh calls list` shows the ones there are",
        )
    if as_json:
        typer.echo(json.dumps(found.explained_json(), ensure_ascii=False))
    else:
        _print_explanation(found)


@app.command("rerate")
def cost_rerate(prices: Prices = None, since: Since = None, as_json: Json = False) -> None:
    """Rate recorded usage again, after a price was added or corrected; twice changes nothing more.

    Example: slukh cost rerate --since 2026-11-01
    """
    from slukh.cost.ledger.rated_lines import RatedLines

    with _opened(prices) as (ledger, book):
        done = RatedLines(ledger, book).rerate(since=_moment(since))
    if as_json:
        told = {"book": book.name, "rows": done.rows, "changed": done.changed}
        typer.echo(json.dumps(told | {"unpriced": _unpriced_json(done.unpriced)}))
        return
    typer.echo(f"{done.rows} rows rated with {book.name}, {done.changed} lines changed")
    for what, count in done.unpriced:
        typer.echo(f"{count} rows without an amount: {what.problem}")


@app.command("reconcile")
def cost_reconcile(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A provider's CSV.")],
    prices: Prices = None,
    as_json: Json = False,
) -> None:
    """Compare a provider's invoice or usage export with the ledger, and book the difference once.

    Takes Google Cloud's cost table, the cost and usage exports of Claude's console, call records of a
    telephone company (date, billed seconds, cost, currency), and FOCUS. Exit code 1 when a name is off by
    more than 2 %.

    Example: slukh cost reconcile november.csv
    """
    from slukh.cost.ledger.adjustments import Adjustments
    from slukh.cost.ledger.rated_lines import RatedLines
    from slukh.cost.ledger.reconcile import compare
    from slukh.cost.ledger.statement import read_statement

    statement = read_statement(file)
    begin, end = statement.started_at, statement.ended_at
    with _opened(prices) as (ledger, book):
        lines = RatedLines(ledger, book)
        rated = lines.rate_new(since=begin)
        found = compare(statement, lines.totals(since=begin, until=end), book)
        booked = Adjustments(ledger, book.name).book(
            found, started_at=begin, ended_at=end, source=statement.source
        )
    if as_json:
        rows = [_comparison_json(*pair) for pair in zip(found, booked, strict=True)]
        typer.echo(
            json.dumps(
                {"version": 1, "format": statement.format, "source": statement.source, "book": book.name,
                 "currency": "USD", "started_at": begin.isoformat(), "ended_at": end.isoformat(),
                 "other_rows": statement.others, "comparisons": rows,
                 "unpriced": _unpriced_json(rated.unpriced)},
                ensure_ascii=False,
            )
        )  # fmt: skip
    else:
        title = f"{statement.source} ({statement.format}), {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M %Z}"
        _print_comparisons(title, found, booked)
        if statement.others:
            typer.echo(f"{statement.others} rows of other services were left out")
        for what, count in rated.unpriced:
            typer.echo(f"{count} usage rows have no amount and are not metered: {what.problem}")
    raise typer.Exit(1 if any(comparison.is_off for comparison in found) else 0)


@app.command("export")
def cost_export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write; replaced when there.")],
    kind: Annotated[str, typer.Option("--format", help="focus-csv, focus-parquet or cloudevents.")],
    prices: Prices = None,
    since: Since = None,
    as_json: Json = False,
) -> None:
    """Write the ledger's costs in FOCUS 1.2 (CSV, Parquet) or as CloudEvents (JSON lines).

    Example: slukh cost export --format focus-csv --since 2026-11-01 november.csv
    """
    from slukh.cost.ledger.export import FORMATS, export
    from slukh.cost.ledger.rated_lines import RatedLines

    chosen = next((known for known in FORMATS if known == kind), None)
    if chosen is None:
        raise UserError(f"unknown format {kind!r}", remedy=f"use {', '.join(FORMATS)}")
    start = _moment(since)
    with _opened(prices) as (ledger, book):
        rated = RatedLines(ledger, book).rate_new(since=start)
        count = export(ledger, book, file, kind=chosen, since=start)
    if as_json:
        told = {
            "version": 1, "path": str(file), "format": chosen, "book": book.name, "currency": "USD",
            "since": None if start is None else start.isoformat(), "rows": count,
            "unpriced": _unpriced_json(rated.unpriced),
        }  # fmt: skip
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    typer.echo(f"{count} rows in {file}")
    for what, rows in rated.unpriced:
        typer.echo(f"{rows} usage rows have no amount and were left out: {what.problem}", err=True)


@contextmanager
def _opened(prices: str | None) -> "Iterator[tuple[Ledger, PriceBook]]":
    """The ledger and a price book."""
    from slukh.cost.ledger.store import Ledger
    from slukh.cost.pricing.price_book import PriceBook

    book = PriceBook.load(prices or load(CostSettings).slukh_prices)
    with Ledger(load(Settings).ledger_url) as ledger:
        yield ledger, book


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{text!r} is no day or moment", remedy="write it as 2026-11-01") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _print_explanation(bill: "CallBill") -> None:
    from slukh.commands.call_bill import share_name, unknown_lines
    from slukh.cost.pricing.charge import shown

    found = bill.explanation
    table = Table(title=f"call {found.call_id}, prices of {found.book}", title_justify="left")
    for name in ("leg", "what", "by which rule", "price"):
        table.add_column(name)
    table.add_column("USD", justify="right", no_wrap=True)
    for line in found.lines:
        why = "" if line.purpose == "serve" else f" ({line.purpose})"
        before = shown(line.unit, line.repeated_quantity)
        repeated = f"; {before} of it an earlier attempt had sent" if line.repeated_quantity else ""
        table.add_row(
            str(line.leg),
            f"{line.component} {line.provider} {line.model}".strip() + why,
            line.rule + repeated,
            line.price_id,
            f"{line.amount_usd:.12f}",
        )
    for share in bill.fixed:
        table.add_row("", share_name(share), share.rule, share.price.id, f"{share.amount_usd:.12f}")
    table.add_section()
    table.add_row("", "total", "", "", f"{bill.total_usd:.12f}")
    console = Console(highlight=False)
    console.print(table)
    for price_id, price in sorted((found.prices | {s.price.id: s.price for s in bill.fixed}).items()):
        read = "" if price.read_on is None else f", read {price.read_on}"
        console.print(f"{price_id}: {price.source}{read} ({price.confidence})", soft_wrap=True)
    for sentence in unknown_lines(bill):
        console.print(sentence, soft_wrap=True)


def _print_comparisons(title: str, comparisons: "tuple[Comparison, ...]", booked: tuple[int, ...]) -> None:
    table = Table(title=title, title_justify="left", caption="USD; off by more than 2 %: *")
    for name in ("provider", "what"):
        table.add_column(name)
    for name in ("metered", "billed", "drift", "booked now"):
        table.add_column(name, justify="right", no_wrap=True)
    for found, amount in zip(comparisons, booked, strict=True):
        drift = "not billed" if found.drift is None else f"{found.drift:+.2%}"
        table.add_row(
            found.provider,
            f"{found.component}: {found.sku}",
            f"{_usd(found.metered_pico_usd):.6f}",
            f"{_usd(found.invoiced_pico_usd):.6f}",
            drift + ("*" if found.is_off else ""),
            f"{_usd(amount):+.6f}",
        )
    Console(highlight=False).print(table)


def _unpriced_json(unpriced: "tuple[tuple[Unpriced, int], ...]") -> list[dict[str, object]]:
    return [{"rows": count, "problem": what.problem} for what, count in unpriced]


def _comparison_json(found: "Comparison", booked: int) -> dict[str, object]:
    return {
        "provider": found.provider,
        "component": found.component,
        "sku": found.sku,
        "metered_usd": f"{_usd(found.metered_pico_usd):f}",
        "invoiced_usd": f"{_usd(found.invoiced_pico_usd):f}",
        "drift": None if found.drift is None else f"{found.drift:.6f}",
        "is_off": found.is_off,
        "booked_usd": f"{_usd(booked):f}",
    }


def _usd(pico: int) -> Decimal:
    return Decimal(pico).scaleb(-12)
