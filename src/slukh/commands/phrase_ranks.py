"""`slukh phrases rank|learn`: which phrases are worth having, which sentences worth taking apart."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from slukh.commands.options import Json, Prices
from slukh.settings.config import Settings, load
from slukh.settings.costs import CostSettings

if TYPE_CHECKING:  # imported lazily: SQLAlchemy costs 0.2 s that other commands save
    from slukh.cost.ledger.phrase_ranking import Proposal, RankedPhrase
    from slukh.cost.ledger.store import Ledger
    from slukh.cost.pricing.price_book import PriceBook
    from slukh.tts.base import SpeechRequest

app = typer.Typer()

_NOT_KEPT = "(heard by few callers: its words are not kept)"


@app.command("rank")
def phrases_rank(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Of the first ones.")] = 20,
    prices: Prices = None,
    as_json: Json = False,
) -> None:
    """The phrases of the last 90 days that are worth most: characters x times x price of their voice.

    Example: slukh phrases rank --limit 50
    """
    from slukh.cost.ledger.store import Ledger

    with Ledger(load(Settings).ledger_url) as ledger:
        found = _ranked(ledger, _book(prices))[:limit]
    if as_json:
        for one in found:
            amounts = {"worth_usd": one.worth_usd, "spent_usd": one.spent_usd}
            typer.echo(_line(asdict(one) | amounts))
    elif found:
        Console().print(_ranking(found))
    else:
        typer.echo("nothing was said to callers in the last 90 days")


@app.command("learn")
def phrases_learn(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where proposals are added, each with a no.")
    ] = None,
    prices: Prices = None,
    as_json: Json = False,
) -> None:
    """Propose sentences that differ in a number only, to be spoken as a kept beginning and a new rest.

    A person decides: hear them, write `spoken: yes` in the file, name it in SLUKH_TEMPLATES.

    Example: slukh phrases learn phrases.yaml
    """
    from slukh.cost.ledger.phrase_ranking import proposals
    from slukh.cost.ledger.phrases import known_shapes
    from slukh.cost.ledger.store import Ledger
    from slukh.tts.shapes import head_of
    from slukh.tts.templates_file import add_templates

    with Ledger(load(Settings).ledger_url) as ledger:
        shapes = [(one, head) for one in known_shapes(ledger) if (head := head_of(one.text)) is not None]
    found = proposals(shapes, _book(prices), on=datetime.now(UTC).date())
    if file is not None:
        reasons = [(one.text, one.language_code, _reason(one)) for one in found]
        typer.echo(f"{add_templates(file, reasons)} proposals were added to {file}")
    elif as_json:
        for one in found:
            typer.echo(_line(asdict(one)))
    else:
        for one in found:
            typer.echo(f"{one.language_code} {one.text}\n    {_reason(one)}")
        if not found:
            typer.echo("no sentences that differ in a number only, heard by enough callers")


def worth_most(ledger: "Ledger", *, limit: int) -> "list[SpeechRequest]":
    """The phrases whose words are known, worth most first, each once whoever said it."""
    from slukh.tts.base import SpeechRequest

    known = (
        SpeechRequest(text=one.text, language_code=one.language_code)
        for one in _ranked(ledger, _book(None))
        if one.text is not None
    )
    return list(dict.fromkeys(known))[:limit]


def _ranked(ledger: "Ledger", book: "PriceBook") -> "list[RankedPhrase]":
    from slukh.cost.ledger.phrase_ranking import ranked
    from slukh.cost.ledger.phrases import known_phrases

    return ranked(known_phrases(ledger), book, on=datetime.now(UTC).date())


def _book(prices: str | None) -> "PriceBook":
    from slukh.cost.pricing.price_book import PriceBook

    return PriceBook.load(prices or load(CostSettings).slukh_prices)


def _line(values: dict[str, object]) -> str:
    """Amounts as text, as everywhere."""
    return json.dumps(values, ensure_ascii=False, default=str)


def _reason(one: "Proposal") -> str:
    saved = "no price" if one.saved_usd is None else f"{one.saved_usd:.4f} USD"
    return (
        f"{one.sentences} sentences, said {one.times} times; {one.head!r} kept would have saved "
        f"{one.saved_characters} characters, {saved}"
    )


def _ranking(found: "list[RankedPhrase]") -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("worth USD", "spent USD", "times", "made", "characters", "voice"):
        table.add_column(name, justify="left" if name == "voice" else "right", no_wrap=True)
    table.add_column("phrase")
    for one in found:
        table.add_row(
            _shown(one.worth_usd), _shown(one.spent_usd), str(one.times), str(one.sent),
            str(one.characters), f"{one.provider} {one.voice}", one.text or _NOT_KEPT,
        )  # fmt: skip
    return table


def _shown(amount: Decimal | None) -> str:
    return "no price" if amount is None else f"{amount:.4f}"
