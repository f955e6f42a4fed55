"""Where the numbers come from, with their days, and what the report does not know."""

from collections.abc import Iterator
from decimal import Decimal

from slukh.cost.estimates.fit import LEDGER_SOURCE
from slukh.cost.estimates.scenario import Phrase, Vat
from slukh.cost.estimates.sources import Source
from slukh.cost.report.findings import Findings
from slukh.cost.wording import Wording
from slukh.report.blocks import Block, Bullets, Heading, Paragraph, Table

# Values that people read as a percentage.
SHARES = {
    "staff.containment",
    "staff.occupancy",
    "staff.overhead",
    "staff.shrinkage",
    "staff.social_contribution",
    "tts.hit_rate",
    "vat.rate",
    "volume.busy_hour_share",
    "volume.hourly_profile",
}


def origins(found: Findings, words: Wording) -> Iterator[Block]:
    """Prices, the exchange rate, and the scenario's own values."""
    yield Heading(2, words.say("origins.title"))
    yield Paragraph(words.say("origins.intro", book=found.report.analysis.book))
    sources = found.report.analysis.sources
    rows = [_price(source, words) for source in sources if source.unit is not None]
    if found.rate is not None:
        rate = found.rate
        rows.append(
            (
                "USD/UAH",
                words.say("origins.rate", rate=rate.per_usd),
                words.say(f"origin.{rate.confidence}"),
                words.label("source", rate.source),
                rate.read_on.isoformat(),
            )
        )
    head = tuple(words.say(f"origins.{name}") for name in ("what", "value", "confidence", "source", "read"))
    yield Table(head=head, rows=tuple(rows), texts=5)
    yield Paragraph(words.say("origins.scenario"))
    yield Table(
        head=head,
        rows=tuple(_value(found, source, words) for source in sources if source.unit is None),
        texts=5,
    )


def _price(source: Source, words: Wording) -> tuple[str, ...]:
    assert source.amount is not None
    assert source.currency is not None
    assert source.unit is not None
    value = words.say(
        "origins.price",
        amount=source.amount,
        currency=source.currency,
        unit=words.label("unit", source.unit),
    )
    return (f"`{source.what}`", value, *_origin(source, words))


def _value(found: Findings, source: Source, words: Wording) -> tuple[str, ...]:
    name = words.templates.get(f"path.{source.what}")
    what = f"`{source.what}`" if name is None else name
    return (what, _shown(found.scenario.value_at(source.what), source, words), *_origin(source, words))


def _shown(value: object, source: Source, words: Wording) -> str:
    """A value as the language writes it; phrases and hours in a row, a whole part as its fields."""
    if isinstance(value, Decimal | int | float):
        how = "percent" if source.what in SHARES else ""
        return words.write(value, how)
    if isinstance(value, tuple) and all(isinstance(item, Phrase) for item in value):
        return "; ".join(f"«{phrase.text}»" for phrase in value)
    if isinstance(value, Vat):
        return words.write(value.rate, "percent")
    if source.what in SHARES and isinstance(value, tuple):
        return ", ".join(words.write(share, "percent") for share in value)
    return source.value


def _origin(source: Source, words: Wording) -> tuple[str, str, str]:
    return (
        words.say(f"origin.{source.confidence}"),
        _source(source.source, words),
        "" if source.read_on is None else source.read_on.isoformat(),
    )


def _source(text: str, words: Wording) -> str:
    """Where it was read; a fit says by itself how many calls it was made of."""
    fitted = LEDGER_SOURCE.fullmatch(text)
    if fitted is None:
        return words.label("source", text)
    return words.say("origins.ledger", calls=int(fitted["calls"]), since=fitted["since"])


def limits(found: Findings, words: Wording) -> Iterator[Block]:
    """What no number here says."""
    yield Heading(2, words.say("limits.title"))
    analysis = found.report.analysis
    names = ["prices", *(() if analysis.basis == "ledger" else ("calls",)), "tokens", "labour", "quality"]
    items = [words.say(f"limits.{name}") for name in names]
    if analysis.capacity is not None and not analysis.capacity.is_measured:
        items.insert(1, words.say("limits.streams", streams=analysis.capacity.streams_per_gpu))
    if analysis.without_figures:
        items.append(words.say("limits.without-figures", requests=analysis.without_figures))
    if found.vat:
        back = found.scenario.vat.is_recoverable
        items.append(words.say("limits.vat-back" if back else "limits.vat-cost", vat=found.vat))
    yield Bullets(tuple(items))
    yield Paragraph(words.say("limits.again", command=found.command))
