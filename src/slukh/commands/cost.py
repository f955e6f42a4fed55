"""`slukh cost`: what calls cost, Google or Whisper, and what to change."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from slukh.commands import cost_prices
from slukh.commands.options import Json

if TYPE_CHECKING:  # pydantic's schemas of books and scenarios cost 0.1 s that other commands save
    from collections.abc import Iterable

    from rich.console import RenderableType

    from slukh.cost.cost_report import CostReport
    from slukh.cost.price_book import PriceBook
    from slukh.cost.scenario import Scenario

app = typer.Typer(no_args_is_help=True, help="What calls cost, Google or Whisper, and what to change.")
app.add_typer(cost_prices.app, name="prices")

ScenarioName = Annotated[
    str, typer.Option("--scenario", help="seed, tyre-shop, or a YAML file of your own.", metavar="NAME|FILE")
]
Calls = Annotated[
    int | None,
    typer.Option("--calls", min=1, max=10_000_000, help="Calls a month, in place of the scenario's."),
]
Prices = Annotated[
    str | None,
    typer.Option("--prices", help="Price book, in place of the scenario's.", metavar="NAME|FILE"),
]
Capacity = Annotated[
    Path | None, typer.Option("--capacity", help="What `slukh whisper check` wrote.", metavar="FILE")
]


@app.command("analyze")
def cost_analyze(
    scenario: ScenarioName = "seed",
    calls: Calls = None,
    prices: Prices = None,
    capacity: Capacity = None,
    as_json: Json = False,
) -> None:
    """What a call costs, part by part: per call, per 1000 and per month, against Whisper and a person.

    slukh cost analyze --calls 1000

    slukh cost analyze --scenario tyre-shop --json
    """
    from slukh.commands.cost_tables import analysis_tables
    from slukh.cost.analysis import analyse

    asked = _asked(scenario, calls, capacity)
    analysis = analyse(asked, _book(asked, prices))
    if as_json:
        typer.echo(json.dumps(analysis.as_json(), ensure_ascii=False))
    else:
        _show(analysis_tables(analysis))


@app.command("decide")
def cost_decide(
    scenario: ScenarioName = "tyre-shop",
    calls: Calls = None,
    prices: Prices = None,
    capacity: Capacity = None,
    as_json: Json = False,
) -> None:
    """Google or Whisper: from which volumes on, how many GPUs, and what that hangs on.

    slukh cost decide --scenario tyre-shop --capacity capacity.json
    """
    from slukh.commands.cost_tables import decision_tables

    report = _report(_asked(scenario, calls, capacity), prices)
    if as_json:
        names = ("decision", "verdict", "hearing", "tornado", "staff_tornado", "calls", "assumptions")
        _print_json(report, *names)
    else:
        _show(decision_tables(report))


@app.command("recommend")
def cost_recommend(
    scenario: ScenarioName = "tyre-shop",
    calls: Calls = None,
    prices: Prices = None,
    capacity: Capacity = None,
    as_json: Json = False,
) -> None:
    """What to change, by the dollars a month that it saves.

    slukh cost recommend --scenario tyre-shop
    """
    from slukh.commands.cost_tables import recommendation_tables

    report = _report(_asked(scenario, calls, capacity), prices)
    if as_json:
        _print_json(report, "recommendations", "waterfall")
    else:
        _show(recommendation_tables(report))


def _report(scenario: "Scenario", prices: str | None) -> "CostReport":
    from slukh.cost.cost_report import analysis_report
    from slukh.cost.price_book import PriceBook

    return analysis_report(scenario, _book(scenario, prices), PriceBook.load(cost_prices.DEFAULT_BOOK))


def _print_json(report: "CostReport", *names: str) -> None:
    from slukh.cost.analysis import VERSION
    from slukh.cost.plain import plain

    analysis = report.analysis
    head = {
        "version": VERSION,
        "currency": "USD",
        "scenario": analysis.scenario.name,
        "prices": analysis.book,
        "as_of": analysis.scenario.as_of,
        "calls_per_month": analysis.calls_per_month,
    }
    body = {name: getattr(report, name) for name in names}
    typer.echo(json.dumps(plain(head | body), ensure_ascii=False))


def _asked(name: str, calls: int | None, capacity: Path | None) -> "Scenario":
    """The scenario with what the options put in place of its own."""
    from slukh.cost.capacity_file import read_capacity, with_capacity
    from slukh.cost.scenario_file import load_scenario

    asked = load_scenario(name)
    if calls is not None:
        asked = replace(asked, volume=replace(asked.volume, calls_per_month=calls))
    if capacity is not None:
        asked = with_capacity(asked, *read_capacity(capacity))
    return asked


def _book(scenario: "Scenario", prices: str | None) -> "PriceBook":
    from slukh.cost.price_book import PriceBook

    return PriceBook.load(scenario.prices if prices is None else prices)


def _show(parts: "Iterable[RenderableType]") -> None:
    console = Console(highlight=False)
    for part in parts:
        console.print(part)
