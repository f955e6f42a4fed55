"""Price books as YAML: text in, entries out, and every mistake refused with file, line and remedy.

    book: my-tariffs
    extends: market-2026-11        # its entries hold where this book has none
    language_models: genai-prices  # prices of models that no entry names
    prices:
      - id: sip-kyiv-2026-12
        component: line
        provider: "*"              # any trunk
        unit: call_ms
        per: 60_000
        amount: "0.008"            # in quotes: YAML's own decimals are binary floats
        increment: 1_000
        effective_from: 2026-12-01
        source: https://...
        read_on: 2026-11-30
        confidence: fact
    rates:
      - {currency: UAH, per_usd: "43.10", effective_from: 2026-11-01, source: ..., ...}

A language model's five token prices may share an entry: `amounts: {input_tokens: "3", ...}` in place of
`unit` and `amount`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from slukh.cost.pricing.price import BASIS_OF_UNIT, UNITS_OF_COMPONENT, ExchangeRate, Price, PriceUnit, Tier
from slukh.cost.pricing.price_schema import BookEntries, CliffEntry, Money, PriceEntry
from slukh.errors import PriceError, UserError, why_unreadable
from slukh.yaml_lines import Document, read_yaml
from slukh.yaml_lines import Path as Place

SHIPPED = ("seed-reference", "market-2026-11")


@dataclass(frozen=True, slots=True, kw_only=True)
class BookFile:
    """A price book as written.

    Attributes:
        name: how it calls itself.
        extends: the book under it: a name, or a path beside the file.
        uses_genai_prices: language models that no entry names are priced by genai-prices.
        prices: its entries, one per unit.
        rates: its exchange rates.
    """

    name: str
    extends: str | Path | None
    uses_genai_prices: bool
    prices: tuple[Price, ...]
    rates: tuple[ExchangeRate, ...]


def read_book(name_or_path: str | Path) -> BookFile:
    """A book that ships, by name, or the YAML file at a path.

    Raises:
        PriceError: there is no such book, or it is wrong: file, line and remedy.
    """
    if str(name_or_path) in SHIPPED:
        text = files("slukh.cost").joinpath("prices", f"{name_or_path}.yaml").read_text(encoding="utf-8")
        return parse_book(text, file=f"{name_or_path}.yaml")
    path = Path(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PriceError(
            f"no price book {name_or_path} ({why_unreadable(error)})",
            remedy=f"name a YAML file, or one of {', '.join(SHIPPED)}",
        ) from error
    return parse_book(text, file=str(path), folder=path.parent)


def parse_book(text: str, *, file: str, folder: Path = Path()) -> BookFile:
    """The book in `text`.

    Args:
        text: YAML.
        file: how errors call it.
        folder: where a book that it extends is looked for, when that is a path.

    Raises:
        PriceError: it is wrong: file, line and remedy.
    """
    document = read_yaml(text, file=file, refusal=PriceError)
    try:
        book = BookEntries.model_validate(document.value)
    except ValidationError as error:
        raise _refusal(document, error.errors()[0]) from error
    entries = [(("prices", index), entry) for index, entry in enumerate(book.prices)]
    prices = [(place, price) for place, entry in entries for price in _prices(document, place, entry)]
    _refuse_twins(document, [(place, entry.id) for place, entry in entries])
    _refuse_overlaps(document, prices)
    _refuse_twins(
        document,
        [
            (("rates", index), f"{rate.currency} from {rate.effective_from}")
            for index, rate in enumerate(book.rates)
        ],
    )
    return BookFile(
        name=book.book,
        extends=book.extends if book.extends in (None, *SHIPPED) else folder / book.extends,
        uses_genai_prices=book.language_models == "genai-prices",
        prices=tuple(price for _, price in prices),
        rates=tuple(ExchangeRate(**rate.model_dump()) for rate in book.rates),
    )


def _prices(document: Document, place: Place, entry: PriceEntry) -> Iterator[Price]:
    """An entry's prices: one, or one per token bucket."""
    if entry.unit is not None and entry.amount is not None and not entry.amounts:
        amounts, names = {entry.unit: entry.amount}, {entry.unit: entry.id}
    elif entry.amounts and entry.unit is None and entry.amount is None:
        amounts, names = entry.amounts, {unit: f"{entry.id}/{unit}" for unit in entry.amounts}
    else:
        raise document.error(
            place, f"{entry.id} has no price", remedy="give `unit` and `amount`, or `amounts` by unit"
        )
    _check(document, place, entry, tuple(amounts))
    for unit, amount in amounts.items():
        yield Price(
            id=names[unit],
            component=entry.component,
            provider=entry.provider,
            models=entry.models,
            unit=unit,
            per=entry.per,
            amount=amount,
            currency=entry.currency,
            increment=entry.increment,
            initial=entry.initial,
            minimum=entry.minimum,
            free=entry.free,
            setup=entry.setup,
            graduated=tuple(Tier(over=tier.over, amount=tier.amount) for tier in entry.graduated),
            cliff=tuple(
                Tier(over=tier.over, amount=_cliff_amount(document, place, tier, unit))
                for tier in entry.cliff
            ),
            free_tier=entry.free_tier,
            free_outcomes=entry.free_outcomes,
            minimum_prefix_tokens=entry.minimum_prefix_tokens,
            basis=BASIS_OF_UNIT[unit],
            region=entry.region,
            sku=entry.sku,
            effective_from=entry.effective_from,
            effective_to=entry.effective_to,
            source=entry.source,
            read_on=entry.read_on,
            confidence=entry.confidence,
            note=entry.note,
            known_difference=entry.known_differences.get(unit, ""),
        )


def _cliff_amount(document: Document, place: Place, tier: CliffEntry, unit: PriceUnit) -> Money:
    amount = tier.amounts.get(unit, tier.amount)
    if amount is None:
        raise document.error(
            (*place, "cliff"), f"the cliff has no amount of {unit}", remedy="give one to every unit"
        )
    return amount


def _check(document: Document, place: Place, entry: PriceEntry, units: Sequence[PriceUnit]) -> None:
    """What one field alone cannot know."""
    for unit in entry.known_differences.keys() - set(units):
        raise document.error(
            (*place, "known_differences"), f"{entry.id} has no {unit}", remedy="take it out of there"
        )
    allowed = UNITS_OF_COMPONENT[entry.component]
    for unit in units:
        if unit not in allowed:
            raise document.error(
                (*place, "unit"),
                f"{entry.component} is not counted in {unit}",
                remedy=f"use one of {', '.join(sorted(allowed))}",
            )
        if entry.basis not in (None, BASIS_OF_UNIT[unit]):
            raise document.error(
                (*place, "basis"),
                f"{unit} measures {BASIS_OF_UNIT[unit]}, not {entry.basis}",
                remedy="change the unit or the basis",
            )
    thresholds = {
        "graduated": [tier.over for tier in entry.graduated],
        "cliff": [tier.over for tier in entry.cliff],
    }
    for name, over in thresholds.items():
        if any(later <= earlier for earlier, later in pairwise(over)):
            raise document.error(
                (*place, name), f"`over` does not rise in {name}", remedy="write tiers from low to high"
            )
    if entry.cliff and entry.component != "llm":
        raise document.error(
            (*place, "cliff"),
            f"{entry.component} has no prompts to have a cliff",
            remedy="use `graduated` for tiers of the month",
        )
    if entry.initial and entry.minimum:
        raise document.error(
            (*place, "minimum"),
            "both `initial` and `minimum`",
            remedy="keep `initial` for a telephone tariff",
        )
    if entry.effective_to is not None and entry.effective_to < entry.effective_from:
        raise document.error(
            (*place, "effective_to"), f"{entry.id} ends before it begins", remedy="correct one of the days"
        )


def _refuse_twins(document: Document, named: Sequence[tuple[Place, str]]) -> None:
    first: dict[str, Place] = {}
    for place, name in named:
        if name in first:
            raise document.error(
                place,
                f"{name} is there already, in line {document.lines[first[name]]}",
                remedy="the book only grows: give a new entry its own id and day",
            )
        first[name] = place


def _refuse_overlaps(document: Document, prices: Sequence[tuple[Place, Price]]) -> None:
    """Two entries of one key: the later one ends an open one, but cannot begin before the end of another."""
    by_key: dict[tuple[str, ...], list[tuple[Place, Price]]] = {}
    for place, price in prices:
        for pattern in price.models:
            key = (price.component, price.provider, pattern, price.unit, price.region)
            by_key.setdefault(key, []).append((place, price))
    for entries in by_key.values():
        entries.sort(key=lambda entry: entry[1].effective_from)
        for (_, earlier), (place, later) in pairwise(entries):
            end = earlier.effective_to or earlier.effective_from
            if later.effective_from <= end:
                raise document.error(
                    place,
                    f"{later.id} begins on {later.effective_from}, when {earlier.id} of the same key holds",
                    remedy=f"begin after {end}, or end the other one before",
                )


def _refusal(document: Document, error: ErrorDetails) -> UserError:
    """Pydantic's first complaint as a line of ours."""
    field = ".".join(str(step) for step in error["loc"] if isinstance(step, str)) or "the file"
    found, context = error["input"], error.get("ctx", {})
    match error["type"]:
        case "missing":
            problem, remedy = f"`{field}` is missing", "add it"
        case "extra_forbidden":
            problem, remedy = f"`{field}` is no field of a price book", "correct its name or take it out"
        case "literal_error":
            problem, remedy = f"`{field}` cannot be {found!r}", f"use {context['expected']}"
        case "value_error":
            problem, remedy = f"`{field}`: {context['error']}", "correct it"
        case _:
            problem, remedy = f"`{field}` cannot be {found!r}: {error['msg']}", "correct it"
    return document.error(error["loc"], problem, remedy=remedy)
