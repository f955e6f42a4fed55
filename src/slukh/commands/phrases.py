"""`slukh phrases`: have phrases ready before the shop opens, hear one, and see what keeping them is worth."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from slukh.commands import phrase_ranks
from slukh.commands.options import Json, Prices, run
from slukh.commands.phrase_ranks import worth_most
from slukh.errors import TtsError, UserError
from slukh.settings.config import Settings, load
from slukh.settings.costs import CostSettings
from slukh.settings.voices import VoiceSettings

if TYPE_CHECKING:  # imported lazily: SQLAlchemy costs 0.2 s that other commands save
    from slukh.cost.ledger.phrase_economy import PhraseEconomy
    from slukh.types import Usage

app = typer.Typer(no_args_is_help=True, help="Phrases of the voice back, and the cache that keeps them.")
app.add_typer(phrase_ranks.app)  # its verbs stand beside these


@app.command("warm")
def phrases_warm(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A line each: a language, blanks, the text.")
    ] = None,
    from_ledger: Annotated[
        bool, typer.Option("--from-ledger", help="Those that `slukh phrases rank` knows the words of.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Of the ledger's, at most.")] = 200,
) -> None:
    """Have phrases made and kept, with the voices that are set; kept ones cost nothing again.

    Example: slukh phrases warm phrases.txt --from-ledger
    """
    from slukh.assembly.answering import made_beforehand
    from slukh.assembly.voices import VoiceNews, build_speaker
    from slukh.cost.ledger.store import Ledger
    from slukh.cost.voice import voice_usage
    from slukh.monitoring.logs import configure_logging
    from slukh.tts.base import SpeechRequest
    from slukh.tts.phrases import sentences, speakable
    from slukh.tts.speaker import phrases_to_warm

    if file is None and not from_ledger:
        raise UserError("nothing to make", remedy="name a file, or write --from-ledger")
    listed = [] if file is None else phrases_to_warm(file)
    given = load(VoiceSettings)
    if given.slukh_phrase_cache == "memory":
        raise UserError(
            "SLUKH_PHRASE_CACHE is memory, which ends with this command", remedy="write disk or redis://HOST"
        )
    configure_logging("ERROR")  # what fails is said below
    made: list[Usage] = []
    wrong: list[str] = []
    failed: list[TtsError] = []
    speaker = build_speaker(given, VoiceNews(on_store_error=wrong.append, on_voice_failed=failed.append))

    async def warm(requests: list[SpeechRequest]) -> int:
        try:
            await speaker.start()
            return await speaker.warm(
                requests, on_made=lambda *each: made.extend(voice_usage(made_beforehand(*each)))
            )
        finally:
            await speaker.aclose()

    with Ledger(load(Settings).ledger_url) as ledger:  # before anything is paid for
        if from_ledger:
            listed += worth_most(ledger, limit=limit)
        requests = [
            replace(phrase, text=sentence)
            for phrase in listed
            for sentence in sentences(speakable(phrase.text, phrase.language_code))  # as replies are cut
        ]
        requests = list(dict.fromkeys(requests))
        try:
            ready = run(warm(requests))
        finally:
            ledger.record(made)
    if "read" in wrong or "write" in wrong:  # a Redis that cannot be read is not written to, either
        raise UserError(
            f"not all of the {len(made)} phrases that were made are kept: they are to be paid for again",
            remedy="`slukh doctor` says what is wrong with the cache",
        )
    characters = sum(row.quantity for row in made)
    typer.echo(
        f"{ready} of {len(requests)} phrases are ready; {len(made)} were made now, {characters} characters"
    )
    if failed:
        typer.echo(f"slukh: {failed[-1]}", err=True)
    raise typer.Exit(0 if ready == len(requests) else 1)


@app.command("say")
def phrases_say(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is to be said.")],
    save: Annotated[Path, typer.Option("--save", help="A wav, 8 kHz.")],
    language: Annotated[str, typer.Option("--language", help="BCP-47.")] = "uk-UA",
    file: Annotated[
        Path | None, typer.Option("--templates", help="All of this file, with a yes or not.")
    ] = None,
) -> None:
    """Say a text with the voices that are set, as callers would hear it.

    Example: SLUKH_TTS=espeak slukh phrases say "Добрий день!" --save hello.wav
    """
    from slukh.assembly.answering import learned_templates, spoken_reply
    from slukh.assembly.voices import build_speaker
    from slukh.audio import samples_from_linear16
    from slukh.audio_files import write_wav
    from slukh.monitoring.logs import configure_logging
    from slukh.tts.phrases import Templates
    from slukh.tts.templates_file import read_templates

    configure_logging("ERROR")
    given = load(VoiceSettings)
    learned = learned_templates(given) if file is None else read_templates(file)
    templates = Templates.declared((), (one.shape for one in learned))
    speaker = build_speaker(given)

    async def say() -> bytes:
        try:
            await speaker.start()
            return await spoken_reply(speaker, text, language, templates)
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
    prices: Prices = None,
    as_json: Json = False,
) -> None:
    """Hit rates of the phrase cache by characters and phrases, dollars saved, and dollars nobody heard.

    `once` is what it takes to make every phrase of the last 90 days a single time.

    Example: slukh phrases hits --days 7
    """
    from slukh.cost.ledger.calls import each_call, usage_beside_calls
    from slukh.cost.ledger.phrase_economy import phrase_economy, unique_characters
    from slukh.cost.ledger.phrases import known_phrases
    from slukh.cost.ledger.store import Ledger
    from slukh.cost.pricing.price_book import PriceBook

    settings, until = load(Settings), datetime.now(UTC) + timedelta(seconds=1)
    book = PriceBook.load(prices or load(CostSettings).slukh_prices)
    with Ledger(settings.ledger_url) as ledger:
        since = until - timedelta(days=days)
        found = phrase_economy(
            (row for call in each_call(ledger, since=since, until=until) for row in call.usage),
            book,
            beforehand=usage_beside_calls(ledger, since=since, until=until),
            unique=unique_characters(known_phrases(ledger)),
        )
    if as_json:
        for one in found:
            typer.echo(json.dumps(one.as_json(), ensure_ascii=False))
    elif found:
        Console().print(_table(found))
    else:
        typer.echo(f"nothing was said to callers in the last {days:g} days")


def _table(found: "list[PhraseEconomy]") -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    counts, amounts = ("phrases", "kept", "characters", "kept"), ("saved", "spent", "once", "unheard")
    for name in ("voice", *counts, *(f"{amount} USD" for amount in amounts)):
        table.add_column(name, justify="left" if name == "voice" else "right", no_wrap=True)
    for one in found:
        own = (one.saved_usd, one.spent_usd, one.unique_usd, one.unheard_usd)
        table.add_row(
            f"{one.provider} {one.voice}",
            str(one.phrases),
            f"{one.hit_rate_phrases:.0%}",
            str(one.characters),
            f"{one.hit_rate_characters:.0%}",
            *("no price" if amount is None else f"{amount:.4f}" for amount in own),
        )
    return table
