"""`slukh cost`: what calls cost, Google or Whisper, and what to change."""

import json
from dataclasses import fields
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from slukh.commands import cost_ledger, cost_prices
from slukh.commands.cost_basis import (
    SHOP,
    AsIfOption,
    Calls,
    Capacity,
    FromLedger,
    Prices,
    ScenarioName,
    Since,
    Until,
    asked_scenario,
    basis_of,
    book_of,
    check_scenario_options,
    real_calls,
)
from slukh.commands.cost_report import (
    AsOf,
    Format,
    FormatOption,
    Language,
    LanguageOption,
    Output,
    Vat,
    check_basis,
    check_output,
    on_the_day,
    written,
)
from slukh.commands.options import Json, made

if TYPE_CHECKING:  # pydantic's schemas of books and scenarios cost 0.1 s that other commands save
    from collections.abc import Iterable

    from rich.console import RenderableType

    from slukh.cost.estimates.scenario import Scenario

app = typer.Typer(no_args_is_help=True, help="What calls cost, Google or Whisper, and what to change.")
app.add_typer(cost_prices.app, name="prices")
app.add_typer(cost_ledger.app)  # its verbs stand beside these


@app.command("analyze")
def cost_analyze(  # noqa: PLR0917  # a command's parameters are its options
    scenario: ScenarioName = None,
    calls: Calls = None,
    prices: Prices = None,
    capacity: Capacity = None,
    from_ledger: FromLedger = False,
    since: Since = None,
    until: Until = None,
    as_if: AsIfOption = None,
    as_json: Json = False,
) -> None:
    """What a call costs, part by part: per call, per 1000 and per month, against Whisper and a person.

    slukh cost analyze --calls 1000

    slukh cost analyze --from-ledger --since 2026-11-01 --as-if caching=moving
    """
    from slukh.commands.cost_tables import analysis_tables, real_tables
    from slukh.cost.estimates.analysis import analyse

    if from_ledger:
        real, _ = real_calls(scenario, calls, prices, capacity, since, until, as_if)
        values = real.analysis.as_json() | {"ledger": real.as_json()}
        parts = [*analysis_tables(real.analysis), *real_tables(real)]
    else:
        check_scenario_options(since, until, as_if)
        asked = asked_scenario(scenario or "seed", calls, capacity)
        analysis = analyse(asked, book_of(asked, prices))
        values, parts = analysis.as_json(), [*analysis_tables(analysis)]
    if as_json:
        typer.echo(json.dumps(values, ensure_ascii=False))
    else:
        _show(parts)


@app.command("decide")
def cost_decide(  # noqa: PLR0917  # a command's parameters are its options
    scenario: ScenarioName = None,
    calls: Calls = None,
    prices: Prices = None,
    capacity: Capacity = None,
    from_ledger: FromLedger = False,
    since: Since = None,
    until: Until = None,
    as_json: Json = False,
) -> None:
    """Google or Whisper: from which volumes on, how many GPUs, and what that hangs on.

    slukh cost decide --scenario tyre-shop --capacity capacity.json
    """
    from slukh.commands.cost_tables import decision_tables
    from slukh.cost.estimates.cost_report import analysis_report
    from slukh.cost.pricing.price_book import PriceBook

    market = PriceBook.load(cost_prices.DEFAULT_BOOK)
    basis = basis_of(scenario, calls, prices, capacity, from_ledger, since, until)
    report = analysis_report(basis.scenario, basis.book, market, analysis=basis.analysis)
    if as_json:
        names = ("decision", "verdict", "hearing", "tornado", "staff_tornado", "calls", "assumptions")
        analysis = report.analysis
        _print_json(analysis.scenario, analysis.book, **{name: getattr(report, name) for name in names})
    else:
        _show(decision_tables(report))


@app.command("recommend")
def cost_recommend(  # noqa: PLR0917  # a command's parameters are its options
    scenario: ScenarioName = None,
    calls: Calls = None,
    prices: Prices = None,
    capacity: Capacity = None,
    from_ledger: FromLedger = False,
    since: Since = None,
    until: Until = None,
    as_json: Json = False,
) -> None:
    """What to change, by the dollars a month that it saves.

    slukh cost recommend --scenario tyre-shop
    """
    from slukh.commands.cost_tables import recommendation_tables
    from slukh.cost.estimates.recommend import recommend, waterfall
    from slukh.cost.pricing.price_book import PriceBook

    basis = basis_of(scenario, calls, prices, capacity, from_ledger, since, until)
    asked, book, market = basis.scenario, basis.book, PriceBook.load(cost_prices.DEFAULT_BOOK)
    advice, steps = recommend(asked, book, market), waterfall(asked, book, market)
    if as_json:
        _print_json(asked, book.name, recommendations=advice, waterfall=steps)
    else:
        _show(recommendation_tables(advice, steps))


@app.command("report")
def cost_report(  # noqa: PLR0917  # a command's parameters are its options
    as_of: AsOf = None,
    scenario: ScenarioName = None,
    calls: Calls = None,
    prices: Prices = None,
    capacity: Capacity = None,
    vat: Vat = None,
    from_ledger: FromLedger = False,
    since: Since = None,
    until: Until = None,
    language: LanguageOption = Language.en,
    form: FormatOption = Format.md,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """The whole report for whoever pays: text, tables, plots; the same day gives the same report.

    With --json its findings as data; --output writes the report beside that.

    slukh cost report --as-of 2026-11-26 --language ru --format html --output cost.html
    """
    from slukh.cost.estimates.cost_report import analysis_report
    from slukh.cost.pricing.price_book import PriceBook
    from slukh.cost.report.findings import findings_of

    check_output(output, form)
    check_basis(from_ledger=from_ledger, as_of=as_of, vat=vat)
    market = PriceBook.load(cost_prices.DEFAULT_BOOK)
    basis = basis_of(scenario, calls, prices, capacity, from_ledger, since, until)
    asked = basis.scenario if from_ledger else on_the_day(basis.scenario, as_of, vat)
    report = analysis_report(asked, basis.book, market, analysis=basis.analysis)
    options: dict[str, object] = {
        "--from-ledger": from_ledger,
        "--since": since,
        "--until": None if basis.until is None else f"{basis.until:%Y-%m-%dT%H:%M}",
        "--as-of": None if from_ledger else asked.as_of,
        "--scenario": scenario or SHOP,
        "--calls": calls,
        "--prices": prices,
        "--capacity": capacity,
        "--vat": vat,
    }
    found = findings_of(report, basis.book, command=made("slukh cost report", options))
    text = None
    if output is not None or not as_json:
        text = written(found, language=language, form=form, output=output)
    if as_json:
        named = {field.name: getattr(report, field.name) for field in fields(report)}
        named |= {"analysis": report.analysis.as_json(), "rate": found.rate, "machines": found.machines}
        output_name = None if output is None else str(output)
        _print_json(found.scenario, basis.book.name, command=found.command, output=output_name, **named)
    elif text is not None:
        typer.echo(text, nl=False)


def _print_json(scenario: "Scenario", book: str, **results: object) -> None:
    from slukh.cost.estimates.analysis import VERSION
    from slukh.cost.plain import plain

    head = {
        "version": VERSION,
        "currency": "USD",
        "scenario": scenario.name,
        "prices": book,
        "as_of": scenario.as_of,
        "calls_per_month": scenario.volume.calls_per_month,
    }
    typer.echo(json.dumps(plain(head | results), ensure_ascii=False))


def _show(parts: "Iterable[RenderableType]") -> None:
    console = Console(highlight=False)
    for part in parts:
        console.print(part)
