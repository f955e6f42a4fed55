"""`slukh phrases`: have phrases ready before the shop opens, hear one, and see what keeping them is worth."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from slukh.commands.options import Json, run
from slukh.config import Settings, load
from slukh.cost_settings import CostSettings
from slukh.errors import UserError
from slukh.voice_settings import VoiceSettings

if TYPE_CHECKING:  # imported lazily: SQLAlchemy costs 0.2 s that other commands save
    from slukh.cost.pricing.phrase_economy import PhraseEconomy
    from slukh.types import Usage

app = typer.Typer(no_args_is_help=True, help="Phrases of the voice back, and the cache that keeps them.")


@app.command("warm")
def phrases_warm(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A line each: a language, blanks, the text.")],
) -> None:
    """Have the phrases of a file made and kept, with the voices that are set; kept ones cost nothing again.

    Example: slukh phrases warm phrases.txt
    """
    from slukh.answering import build_speaker, made_beforehand
    from slukh.cost.ledger.store import Ledger
    from slukh.cost.voice import voice_usage
    from slukh.tts.phrases import sentences, speakable
    from slukh.tts.speaker import phrases_to_warm

    requests = [
        replace(phrase, text=sentence)
        for phrase in phrases_to_warm(file)
        for sentence in sentences(speakable(phrase.text))  # as replies are cut
    ]
    made: list[Usage] = []
    speaker = build_speaker(load(VoiceSettings))

    async def warm() -> int:
        try:
            await speaker.start()
            return await speaker.warm(
                requests, on_made=lambda *each: made.extend(voice_usage(made_beforehand(*each)))
            )
        finally:
            await speaker.aclose()

    with Ledger(load(Settings).ledger_url) as ledger:  # before anything is paid for
        try:
            ready = run(warm())
        finally:
            ledger.record(made)
    characters = sum(row.quantity for row in made)
    typer.echo(
        f"{ready} of {len(requests)} phrases are ready; {len(made)} were made now, {characters} characters"
    )
    raise typer.Exit(0 if ready == len(requests) else 1)


@app.command("say")
def phrases_say(
    text: str,
    save: Annotated[Path, typer.Option("--save", help="A wav, 8 kHz.")],
    language: Annotated[str, typer.Option("--language", help="BCP-47.")] = "uk-UA",
) -> None:
    """Say a text with the voices that are set, as callers would hear it.

    Example: SLUKH_TTS=espeak slukh phrases say "Добрий день!" --save hello.wav
    """
    from slukh.answering import build_speaker, spoken_reply
    from slukh.audio import samples_from_linear16
    from slukh.telephony.wavfile import write_wav

    speaker = build_speaker(load(VoiceSettings))

    async def say() -> bytes:
        try:
            await speaker.start()
            return await spoken_reply(speaker, text, language)
        finally:
            await speaker.aclose()

    linear16 = run(say())
    if not linear16:
        raise UserError("nothing of this text can be said", remedy="write words")
    try:
        write_wav(save, samples_from_linear16(linear16))
    except OSError as error:
        raise UserError(f"{save} cannot be written ({error.strerror})", remedy="name another file") from error
    typer.echo(f"{save}: {len(linear16) / 16000:.1f} s")


@app.command("hits")
def phrases_hits(
    days: Annotated[float, typer.Option("--days", min=0, help="Of the last days.")] = 30.0,
    prices: Annotated[str | None, typer.Option("--prices", help="A price book; else SLUKH_PRICES.")] = None,
    as_json: Json = False,
) -> None:
    """Hit rates of the phrase cache by characters and phrases, dollars saved, and dollars nobody heard."""
    from slukh.cost.ledger.calls import each_call
    from slukh.cost.ledger.store import Ledger
    from slukh.cost.pricing.phrase_economy import phrase_economy
    from slukh.cost.pricing.price_book import PriceBook

    settings, until = load(Settings), datetime.now(UTC) + timedelta(seconds=1)
    book = PriceBook.load(prices or load(CostSettings).slukh_prices)
    with Ledger(settings.ledger_url) as ledger:
        calls = each_call(ledger, since=until - timedelta(days=days), until=until)
        found = phrase_economy((row for call in calls for row in call.usage), book)
    if as_json:
        for one in found:
            typer.echo(json.dumps(one.as_json(), ensure_ascii=False))
    elif found:
        Console().print(_table(found))
    else:
        typer.echo(f"nothing was said to callers in the last {days:g} days")


def _table(found: "list[PhraseEconomy]") -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("voice", "phrases", "kept", "characters", "kept", "saved USD", "spent USD", "unheard USD"):
        table.add_column(name, justify="left" if name == "voice" else "right", no_wrap=True)
    for one in found:
        amounts = (one.saved_usd, one.spent_usd, one.unheard_usd)
        table.add_row(
            f"{one.provider} {one.voice}",
            str(one.phrases),
            f"{one.hit_rate_phrases:.0%}",
            str(one.characters),
            f"{one.hit_rate_characters:.0%}",
            *("no price" if amount is None else f"{amount:.4f}" for amount in amounts),
        )
    return table
