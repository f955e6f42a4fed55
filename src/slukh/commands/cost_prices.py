"""`slukh cost prices`: the price books."""

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from slukh.commands.options import Json, day_of

if TYPE_CHECKING:
    from slukh.cost.pricing.price import ExchangeRate, Price
    from slukh.cost.pricing.price_book import PriceBook
    from slukh.cost.pricing.price_check import Cell

app = typer.Typer(no_args_is_help=True, help="Price books: what ships, what is yours, how old it is.")

DEFAULT_BOOK = "market-2026-11"
_TABLE_WIDTH = 132
_VERDICTS = {
    "same": "as in genai-prices",
    "known": "known to differ",
    "differs": "DIFFERS",
    "outdated": "no longer differs: take `known_differences` out",
    "unknown": "unknown to genai-prices",
}


@app.callback()
def _prices() -> None:
    """Price books: what ships, what is yours, how old it is."""


@app.command("check")
def prices_check(
    book: Annotated[
        str, typer.Option("--book", help="seed-reference, market-2026-11, or a YAML file.")
    ] = DEFAULT_BOOK,
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", parser=day_of, metavar="DAY", help="The day to look from; today."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Validate a price book, show how old every price is, compare those that genai-prices has.

    Exit code 1 when a price differs from genai-prices and the book does not say why.

    Example: slukh cost prices check --as-of 2026-11-26
    """
    from slukh.cost.pricing.price_book import PriceBook
    from slukh.cost.pricing.price_check import compared_with_genai, left_to_genai

    day = as_of.date() if as_of else datetime.now(UTC).date()
    loaded = PriceBook.load(book)
    cells = compared_with_genai(loaded, day)
    agrees = all(cell.is_fine for cell in cells)
    if as_json:
        typer.echo(json.dumps(_report(loaded, cells, day, agrees=agrees), ensure_ascii=False))
    else:
        _print(loaded, cells, left_to_genai(loaded), day)
    raise typer.Exit(0 if agrees else 1)


def _report(book: "PriceBook", cells: "tuple[Cell, ...]", day: date, *, agrees: bool) -> dict[str, Any]:
    return {
        "version": 1,
        "book": book.name,
        "as_of": str(day),
        "agrees": agrees,
        "prices": [_price_row(book, price, day) for price in book.all_prices()],
        "rates": [_rate_row(book, rate, day) for rate in book.all_rates()],
        "compared": [
            {
                "id": cell.price.id,
                "model": cell.model,
                "unit": cell.price.unit,
                "on": str(cell.on),
                "ours": str(cell.price.amount),
                "per": cell.price.per,
                "genai_prices": cell.theirs and str(cell.theirs.amount),
                "genai_prices_per": cell.theirs and cell.theirs.per,
                "verdict": cell.verdict,
                "reason": cell.price.known_difference or None,
            }
            for cell in cells
        ],
    }


def _price_row(book: "PriceBook", price: "Price", day: date) -> dict[str, Any]:
    from slukh.cost.pricing.price_check import in_force

    return {
        "id": price.id,
        "component": price.component,
        "provider": price.provider,
        "amount": str(price.amount),
        "currency": price.currency,
        "per": price.per,
        "unit": price.unit,
        "effective_from": str(price.effective_from),
        "in_force": in_force(book, price, day),
        "read_on": price.read_on and str(price.read_on),
        "age_days": (day - price.read_on).days if price.read_on else None,
        "confidence": price.confidence,
        "source": price.source,
    }


def _rate_row(book: "PriceBook", rate: "ExchangeRate", day: date) -> dict[str, Any]:
    return {
        "currency": rate.currency,
        "per_usd": str(rate.per_usd),
        "effective_from": str(rate.effective_from),
        "in_force": rate.effective_from <= day and book.rate(rate.currency, day) == rate.per_usd,
        "read_on": str(rate.read_on),
        "age_days": (day - rate.read_on).days,
        "confidence": rate.confidence,
        "source": rate.source,
    }


def _print(book: "PriceBook", cells: "tuple[Cell, ...]", others: tuple[str, ...], day: date) -> None:
    from slukh.cost.pricing.charge import shown

    console = Console(highlight=False, soft_wrap=True)
    # A narrow terminal folds lines; a table that is cut off loses what it was printed for.
    console.width = max(console.width, _TABLE_WIDTH)
    table = Table(
        "price", "amount", "holds from", "read on", "age", "", box=box.SIMPLE, title=f"{book.name} on {day}"
    )
    for price in book.all_prices():
        row = _price_row(book, price, day)
        table.add_row(
            price.id,
            f"{price.currency} {price.amount} per {shown(price.unit, price.per)}",
            row["effective_from"] if row["in_force"] else f"[dim]({row['effective_from']})[/]",
            row["read_on"],
            f"{row['age_days']} d",
            "[yellow]assumption[/]" if price.confidence == "assumption" else "",
        )
    for rate in book.all_rates():
        row = _rate_row(book, rate, day)
        table.add_row(
            f"{rate.currency} per USD",
            row["per_usd"],
            row["effective_from"] if row["in_force"] else f"[dim]({row['effective_from']})[/]",
            row["read_on"],
            f"{row['age_days']} d",
            "[yellow]assumption[/]" if rate.confidence == "assumption" else "",
        )
    console.print(table)
    for cell in cells:
        if cell.verdict != "same":
            theirs = "none" if cell.theirs is None else cell.theirs.amount
            why = f": {cell.price.known_difference}" if cell.price.known_difference else ""
            console.print(
                f"{cell.price.id}: {cell.price.amount} here, {theirs} in genai-prices on {cell.on}, "
                f"{_VERDICTS[cell.verdict]}{why}"
            )
    same = sum(cell.verdict == "same" for cell in cells)
    console.print(f"{same} of {len(cells)} compared prices are as in genai-prices.")
    if others:
        console.print(f"Left to genai-prices: {', '.join(others)}.")
