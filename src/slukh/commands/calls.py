"""`slukh calls`: calls and their usage, from the ledger."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from slukh.commands.options import CallId, Json
from slukh.errors import UserError
from slukh.settings.config import Settings, load
from slukh.settings.costs import CostSettings

if TYPE_CHECKING:
    from slukh.cost.ledger.store import CallRecord
    from slukh.cost.meter import CallFacts

app = typer.Typer(no_args_is_help=True, help="Calls and their usage, from the ledger.")


@app.command("list")
def calls_list(
    limit: Annotated[int, typer.Option(min=1, help="Newest calls to show.")] = 20, as_json: Json = False
) -> None:
    """The newest calls.

    Example: slukh calls list --limit 5 --json
    """
    from slukh.cost.meter import row_json
    from slukh.terminal import calls_table

    legs = _ledger().calls(limit=limit)
    calls = [row_json(leg) | {"is_cut_off": is_so} for leg, is_so in zip(legs, _cut_off(legs), strict=True)]
    if as_json:
        for row in calls:
            typer.echo(json.dumps(row, ensure_ascii=False))
    else:
        Console().print(calls_table(calls))


@app.command("show")
def calls_show(call_id: CallId, as_json: Json = False) -> None:
    """One call: every usage row, what it cost part by part, what of that was for nothing, the target.

    `slukh cost explain` has the proof of every amount.

    Example: slukh calls show 0f8fad5b-d9cb-469f-a165-70867728950e
    """
    from slukh.commands.call_bill import bill_tables, terms_of_settings
    from slukh.cost.ledger.call_bill import bill_of
    from slukh.cost.pricing.price_book import PriceBook
    from slukh.terminal import aside_line, call_tables

    ledger, book = _ledger(), PriceBook.load(load(CostSettings).slukh_prices)
    found = ledger.call(call_id)
    if found is None:
        raise UserError(
            f"no call {call_id} in the ledger", remedy="`slukh calls list` shows the ones there are"
        )
    bill = bill_of(ledger, book, call_id, terms_of_settings(), now=datetime.now(UTC))
    aside = ledger.conflicts(call_id)
    if as_json:
        cost = None if bill is None else bill.as_json()
        shown = {"call_id": call_id, **_legs_and_usage(found), "cost": cost, "set_aside": aside}
        typer.echo(json.dumps(shown, ensure_ascii=False))
    else:
        Console().print(*call_tables(_legs_and_usage(found)))
        if bill is not None:
            for part in bill_tables(bill):
                Console(highlight=False).print(part)
        for payload in aside:
            Console(highlight=False).print(aside_line(payload))


def _cut_off(legs: "Sequence[CallFacts]") -> list[bool]:
    """Of each leg whether it never ended and cannot any more.

    Nobody can say where the ledger is not that of the data folder: gateways with other ones may write it.
    """
    from slukh.cost.spool_owners import is_cut_off, owned_since

    settings = load(Settings)
    if settings.slukh_ledger_url:
        return [False] * len(legs)
    owners = owned_since(settings.slukh_data_dir)
    return [is_cut_off(leg, owners) for leg in legs]


def _legs_and_usage(found: "CallRecord") -> dict[str, Any]:
    shown: dict[str, Any] = dict(found.as_json())
    for leg, cut_off in zip(shown["legs"], _cut_off(found.legs), strict=True):
        leg["is_cut_off"] = cut_off
    return shown


def _ledger() -> Any:  # noqa: ANN401  # imported lazily: SQLAlchemy costs 0.2 s that other commands save
    from slukh.cost.ledger.store import Ledger

    return Ledger(load(Settings).ledger_url)
