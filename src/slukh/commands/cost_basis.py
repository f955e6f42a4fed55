"""What a command of `slukh cost` works on: a scenario, or the ledger's calls; with what its options say."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slukh.commands.options import check_window, day_of, moment_of
from slukh.errors import UserError
from slukh.settings.config import Settings, load
from slukh.settings.costs import CostSettings

if TYPE_CHECKING:  # pydantic's schemas of books and scenarios cost 0.1 s that other commands save
    from slukh.cost.estimates.analysis import Analysis
    from slukh.cost.estimates.real_calls import RealCosts
    from slukh.cost.estimates.scenario import Scenario
    from slukh.cost.pricing.price_book import PriceBook

SHOP = "tyre-shop"  # whom the product is built for; `analyze` begins with the reference example

ScenarioName = Annotated[
    str | None,
    typer.Option(
        "--scenario",
        help="seed, tyre-shop, or a YAML file of your own. Default tyre-shop; of `cost analyze` seed.",
        metavar="NAME|FILE",
    ),
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
FromLedger = Annotated[
    bool,
    typer.Option("--from-ledger", help="Real calls; the scenario tells what no call does: servers, wages."),
]
Since = Annotated[
    datetime | None,
    typer.Option(
        "--since",
        parser=day_of,
        metavar="DAY",
        help="First day of real calls (UTC); without it the last 30 days, from the first call on.",
    ),
]
Until = Annotated[
    str | None,
    typer.Option("--until", help="Their end; default the end of this hour.", metavar="MOMENT"),
]
AsIfOption = Annotated[
    list[str] | None,
    typer.Option(
        "--as-if",
        help="Real calls with something else in place: stt=PROVIDER/MODEL, llm=PROVIDER/MODEL, "
        "caching=none|static|moving, hit-rate=0..1; may be repeated.",
        metavar="NAME=VALUE",
    ),
]


def real_calls(  # noqa: PLR0917  # the options, in their order
    scenario: str | None,
    calls: int | None,
    prices: str | None,
    capacity: Path | None,
    since: datetime | None,
    until: str | None,
    as_if: list[str] | None,
) -> "tuple[RealCosts, PriceBook]":
    """Costs of the ledger's calls, and the book they are priced by."""
    from slukh.commands.call_bill import as_rented
    from slukh.cost.estimates.counterfactual import as_if_from
    from slukh.cost.estimates.real_calls import real_costs
    from slukh.cost.ledger.calls import each_call, usage_beside_calls
    from slukh.cost.ledger.store import Ledger

    if calls is not None:
        raise UserError(
            "--calls is about scenarios", remedy="leave it out: the ledger knows how many there were"
        )
    frame = as_rented(asked_scenario(scenario or SHOP, None, capacity))
    wishes = as_if_from(as_if or ())
    # A window that ended now would make another month of the same calls each time it is asked.
    now = datetime.now(UTC)
    end = _end_of_hour(now) if until is None else moment_of(until, "--until")
    since = None if since is None else since.replace(tzinfo=UTC)
    if since is not None:
        check_window(since, end)
    book = book_of(frame, prices or load(CostSettings).slukh_prices)
    with Ledger(load(Settings).ledger_url) as ledger:
        first = since or end - timedelta(days=30)
        rows = each_call(ledger, since=first, until=end)
        beside = usage_beside_calls(ledger, since=first, until=end)
        found = real_costs(rows, frame, book, since=since, until=end, as_if=wishes, beside=beside)
        return found, book


def _end_of_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a command works on.

    Attributes:
        scenario: as it was asked for, or fitted to real calls.
        book: the prices.
        analysis: of real calls; None for a scenario, which is still to be analysed.
        until: where the window of real calls ends; None for a scenario.
    """

    scenario: "Scenario"
    book: "PriceBook"
    analysis: "Analysis | None" = None
    until: datetime | None = None


def basis_of(  # noqa: PLR0917  # the options, in their order
    scenario: str | None,
    calls: int | None,
    prices: str | None,
    capacity: Path | None,
    from_ledger: bool,
    since: datetime | None,
    until: str | None,
) -> Basis:
    """The scenario, the shop's where none is named; or the ledger's calls."""
    if from_ledger:
        real, book = real_calls(scenario, calls, prices, capacity, since, until, None)
        return Basis(scenario=real.analysis.scenario, book=book, analysis=real.analysis, until=real.until)
    check_scenario_options(since, until)
    asked = asked_scenario(scenario or SHOP, calls, capacity)
    return Basis(scenario=asked, book=book_of(asked, prices))


def check_scenario_options(since: datetime | None, until: str | None, as_if: list[str] | None = None) -> None:
    """Refuse what says something of real calls only. Raises UserError."""
    given = {"--since": since, "--until": until, "--as-if": as_if}
    for name, value in given.items():
        if value:
            raise UserError(f"{name} is about real calls", remedy="add --from-ledger, or leave it out")


def asked_scenario(name: str, calls: int | None, capacity: Path | None) -> "Scenario":
    """The scenario with what the options put in place of its own."""
    from slukh.cost.estimates.capacity_file import read_capacity, with_capacity
    from slukh.cost.estimates.scenario_file import load_scenario

    asked = load_scenario(name)
    if calls is not None:
        asked = replace(asked, volume=replace(asked.volume, calls_per_month=calls))
    if capacity is not None:
        asked = with_capacity(asked, *read_capacity(capacity))
    return asked


def book_of(scenario: "Scenario", prices: str | None) -> "PriceBook":
    """The prices: those of an option, or of the scenario. Raises PriceError."""
    from slukh.cost.pricing.price_book import PriceBook

    return PriceBook.load(scenario.prices if prices is None else prices)
