"""What calls would have used, had somebody else heard, answered or spoken: usage rows in, usage rows out."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import cast, get_args

from slukh.cost.estimates.scenario import Scenario, Service
from slukh.cost.pricing.llm_tokens import Caching, Request, buckets, tells_tokens
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import CACHED
from slukh.cost.pricing.tokenizer import tokens_counted_by
from slukh.errors import ScenarioError
from slukh.types import TOKEN_UNITS, UNITS_PER_REQUEST, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class AsIf:
    """What to put in place of what was used; None leaves it.

    Attributes:
        stt: every Attempt, by this recogniser; the columns of Google are its columns then.
        llm: every request, to this model, in its own count of tokens.
        caching: this policy of prompt caching, cold at the start of a call.
        tts_hit_rate: this share of the characters from the phrase cache.
    """

    stt: Service | None = None
    llm: Service | None = None
    caching: Caching | None = None
    tts_hit_rate: Decimal | None = None


AS_IT_WAS = AsIf()


def as_if_from(wishes: Sequence[str]) -> AsIf:
    """`stt=google/chirp_3`, `llm=anthropic/claude-haiku-5-5`, `caching=moving`, `hit-rate=0.6` as an AsIf.

    Raises:
        ScenarioError: one that cannot be.
    """
    found = AS_IT_WAS
    for wish in wishes:
        name, _, value = wish.partition("=")
        provider, _, model = value.partition("/")
        if name == "stt" and provider:
            found = replace(found, stt=Service(provider=provider, model=model))
        elif name == "llm" and provider and model:
            found = replace(found, llm=Service(provider=provider, model=model))
        elif name == "caching" and value in get_args(Caching):
            found = replace(found, caching=cast("Caching", value))
        elif name == "hit-rate" and (rate := _share(value)) is not None:
            found = replace(found, tts_hit_rate=rate)
        else:
            raise ScenarioError(
                f"--as-if {wish} refused",
                remedy="stt=PROVIDER/MODEL, llm=PROVIDER/MODEL, caching=none|static|moving or hit-rate=0..1",
            )
    return found


def _share(text: str) -> Decimal | None:
    try:
        share = Decimal(text)
    except InvalidOperation:
        return None
    return share if share.is_finite() and 0 <= share <= 1 else None


def as_if_used(usage: Sequence[Usage], as_if: AsIf, book: PriceBook, frame: Scenario) -> list[Usage]:
    """The rows of one call, as if.

    Args:
        usage: what it used.
        as_if: what to put in place of that.
        book: knows the shortest prefix that a model caches.
        frame: knows how much of a first prompt is the caller's.
    """
    rows = [_relabelled(row, as_if) for row in usage]
    if as_if.caching is not None:
        llm = [row for row in rows if tells_tokens(row)]
        rows = [row for row in rows if row.component != "llm"]
        rows += _cached(llm, as_if.caching, book, frame)
    if as_if.tts_hit_rate is not None:
        tts = [row for row in rows if row.component == "tts"]
        rows = [row for row in rows if row.component != "tts"]
        rows += _spoken(tts, as_if.tts_hit_rate)
    return rows


def _relabelled(row: Usage, as_if: AsIf) -> Usage:
    if row.component == "stt" and as_if.stt is not None:
        return replace(row, provider=as_if.stt.provider, model=as_if.stt.model, reported_quantity=None)
    if row.component == "llm" and as_if.llm is not None:
        tokens = tokens_counted_by(as_if.llm.model, row.quantity, instead_of=row.model)
        return replace(
            row,
            provider=as_if.llm.provider,
            model=as_if.llm.model,
            quantity=tokens,
            reported_quantity=None,
        )
    return row


def _cached(rows: list[Usage], caching: Caching, book: PriceBook, frame: Scenario) -> list[Usage]:
    """The requests of a call with their prompt tokens in other buckets."""
    requests: defaultdict[tuple[int, int], dict[str, Usage]] = defaultdict(dict)
    for row in rows:
        requests[row.leg, row.sequence // UNITS_PER_REQUEST][row.unit] = row
    if not requests:
        return []
    numbers = sorted(requests)
    asked = tuple(
        Request(
            prompt_tokens=sum(row.quantity for unit, row in units.items() if unit != "output_tokens"),
            output_tokens=units["output_tokens"].quantity if "output_tokens" in units else 0,
        )
        for units in (requests[number] for number in numbers)
    )
    example = next(iter(requests[numbers[0]].values()))
    minimum = book.minimum_prefix_tokens(example.provider, example.model, example.occurred_at.date())
    billed = buckets(
        asked,
        caching=caching,
        prefix_tokens=max(0, min(r.prompt_tokens for r in asked) - frame.llm.caller_tokens),
        minimum_prefix_tokens=minimum or 0,
    )
    return [
        replace(
            next(iter(requests[leg, number].values())),
            sequence=number * UNITS_PER_REQUEST + index,
            unit=unit,
            quantity=getattr(tokens, unit),
            reported_quantity=None,
        )
        for (leg, number), tokens in zip(numbers, billed, strict=True)
        for index, unit in enumerate(TOKEN_UNITS)
        if getattr(tokens, unit)
    ]


def _spoken(rows: list[Usage], hit_rate: Decimal) -> list[Usage]:
    """The characters of a call, another share of them from the cache: two rows for each voice."""
    by_voice: defaultdict[tuple[str, str], list[Usage]] = defaultdict(list)
    for row in rows:
        by_voice[row.provider, row.model].append(row)
    spoken: list[Usage] = []
    for number, said in enumerate(by_voice.values()):
        characters = sum(row.quantity for row in said)
        cached = int((characters * hit_rate).to_integral_value(ROUND_HALF_UP))
        for outcome, quantity in (("sent", characters - cached), (CACHED, cached)):
            sequence = 2 * number + (outcome == CACHED)
            row = replace(said[0], leg=rows[0].leg, sequence=sequence, outcome=outcome, quantity=quantity)
            spoken.append(replace(row, reported_quantity=None))
    return spoken
