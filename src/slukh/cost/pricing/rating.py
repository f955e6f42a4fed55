"""What usage costs: rows and a price book in, one line of money per row out. Pure Decimal, no I/O.

Rounding is per request and then summed, never the other way round. The month's tiers are climbed in the order
in which usage occurred, so a line's amount is the marginal one at its position. A row that comes twice is
rated once, and the order of the rows does not matter.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import lru_cache
from typing import Literal

from slukh.cost.meter import ATTEMPTS_PER_UTTERANCE
from slukh.cost.pricing.charge import Charge, charge, prompt_charge, unbilled
from slukh.cost.pricing.price import Price
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.tiers import billed_quantity
from slukh.types import UNITS_PER_REQUEST, Purpose, Unit, Usage

PICO = 10**12
# The outcome of speech that was played from the phrase cache.
CACHED = "cached"

# Enough for any amount in pico-dollars, whatever the caller's own context is.
_CONTEXT = Context(prec=34)
_REMEMBERED = 65_536
_Key = tuple[str, int, str, int]
_Request = tuple[str, int, int]
_NOTHING_BOUGHT = Charge(
    price_id="",
    quantity=0,
    billed_quantity=0,
    amount=Decimal(0),
    currency="USD",
    rule="played from the cache",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingOptions:
    """How to read usage.

    Attributes:
        quantity: `reported` takes the provider's own figure where it gave one, `measured` always ours.
        free_tier: take the provider's free monthly quantity off; other projects of the account may use it up.
        channels: audio channels sent to recognisers; each is billed.
        region: whose prices, where a provider has several.
        month_quantity: by (sku or price id, month such as "2026-11"): units billed before the first row.
    """

    quantity: Literal["reported", "measured"] = "reported"
    free_tier: bool = False
    channels: int = 1
    region: str | None = None
    month_quantity: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedLine:
    """One usage row in money.

    Attributes:
        call_id, leg, component, sequence: the row's key.
        provider, model, unit, purpose, outcome, occurred_at: as in the row.
        quantity: the quantity that was rated, the provider's own or ours.
        repeated_quantity: of ours, what an earlier Attempt of the same utterance had sent already.
        billed_quantity: after minimum, increments and channels.
        price_id: the entry of the book; `` for a cached row.
        rule: one sentence that proves the amount.
        amount: money of `currency`, not rounded.
        free_tier_amount: money the free tier took off; `amount` is what is left.
        currency: the price's.
        amount_usd: by the rate of the day.
        amount_pico_usd: the same as int, quantised once (half to even); what is summed and stored.
    """

    call_id: str
    leg: int
    component: str
    sequence: int
    provider: str
    model: str
    unit: Unit
    purpose: Purpose
    outcome: str
    occurred_at: datetime
    quantity: int
    repeated_quantity: int = 0
    billed_quantity: int
    price_id: str
    rule: str
    amount: Decimal
    free_tier_amount: Decimal = Decimal(0)
    currency: str
    amount_usd: Decimal
    amount_pico_usd: int


class Rater:
    """Rates batch after batch and keeps the month's position between them.

    Batches come in the order of time, and the rows of one request, and of one utterance, come in one batch.
    """

    def __init__(self, book: PriceBook, options: RatingOptions | None = None) -> None:
        self._book = book
        self._options = options or RatingOptions()
        self._month_quantity = dict(self._options.month_quantity)
        # Calls are alike: most quantities of a month have been seen before.
        self._charged = lru_cache(maxsize=_REMEMBERED)(charge)

    def rate(self, rows: Sequence[Usage]) -> list[RatedLine]:
        """A line per distinct row, by time and key.

        Raises:
            PriceError: something was used that the book has no price for.
            ValueError: two different rows have one key, or a quantity is negative.
        """
        ordered = _distinct(rows)
        prompts = self._prompts(ordered)
        repeated = _repeated(ordered)
        with localcontext(_CONTEXT):
            return [
                self._line(row, prompts.get(_request(row), 0), repeated.get(_key(row), 0)) for row in ordered
            ]

    def _line(self, row: Usage, prompt_tokens: int, repeated: int) -> RatedLine:
        if row.component == "tts" and row.outcome == CACHED:
            return _line(row, repeated, _NOTHING_BOUGHT)
        on = row.occurred_at.date()
        price = self._book.price(
            row.component, row.provider, row.model, row.unit, on=on, region=self._options.region
        )
        charge = self._charge(row, price, prompt_tokens)
        return _line(row, repeated, charge, per_usd=self._book.rate(price.currency, on))

    def _charge(self, row: Usage, price: Price, prompt_tokens: int) -> Charge:
        quantity = self._quantity(row)
        is_reported = self._is_reported(row)
        if row.outcome in price.free_outcomes and not is_reported:
            return unbilled(price, quantity, f"{row.provider} does not bill what ends as {row.outcome}")
        # What a provider says it billed has the channels in it.
        channels = self._options.channels if row.component == "stt" and not is_reported else 1
        billed = billed_quantity(price, quantity, channels=channels)
        if price.cliff:
            return prompt_charge(price, quantity, prompt_tokens)
        start = self._climb(price, row, billed)
        return self._charged(
            price, quantity, billed, channels=channels, start=start, free_tier=self._options.free_tier
        )

    def _climb(self, price: Price, row: Usage, billed: int) -> int:
        """Where in the month these units begin; 0 as long as that makes no difference."""
        if not price.graduated and not price.free_tier:
            return 0
        day = row.occurred_at
        month = (price.sku or price.id, f"{day.year}-{day.month:02}")
        start = self._month_quantity.get(month, 0)
        self._month_quantity[month] = start + billed
        in_first_tier = not price.graduated or start + billed <= price.graduated[0].over
        return 0 if in_first_tier and not self._options.free_tier else start

    def _prompts(self, rows: Iterable[Usage]) -> dict[_Request, int]:
        """Prompt tokens of each request: what a long prompt's price looks at."""
        prompts: dict[_Request, int] = defaultdict(int)
        for row in rows:
            if row.component == "llm" and row.unit != "output_tokens":
                prompts[_request(row)] += self._quantity(row)
        return prompts

    def _is_reported(self, row: Usage) -> bool:
        return self._options.quantity == "reported" and row.reported_quantity is not None

    def _quantity(self, row: Usage) -> int:
        quantity = row.reported_quantity if self._is_reported(row) else row.quantity
        if quantity is None or quantity < 0:
            raise ValueError(f"usage of {row.call_id} has the quantity {quantity}")
        return quantity


def rate(rows: Sequence[Usage], book: PriceBook, *, options: RatingOptions | None = None) -> list[RatedLine]:
    """Lines of all rows, by time and key: `Rater` with one batch."""
    return Rater(book, options).rate(rows)


def _line(row: Usage, repeated: int, charge: Charge, *, per_usd: Decimal = Decimal(1)) -> RatedLine:
    amount_usd = charge.amount / per_usd
    return RatedLine(
        call_id=row.call_id,
        leg=row.leg,
        component=row.component,
        sequence=row.sequence,
        provider=row.provider,
        model=row.model,
        unit=row.unit,
        purpose=row.purpose,
        outcome=row.outcome,
        occurred_at=row.occurred_at,
        quantity=charge.quantity if charge.price_id else row.quantity,
        repeated_quantity=repeated,
        billed_quantity=charge.billed_quantity,
        price_id=charge.price_id,
        rule=charge.rule,
        amount=charge.amount,
        free_tier_amount=charge.free_tier_amount,
        currency=charge.currency,
        amount_usd=amount_usd,
        amount_pico_usd=pico_usd(amount_usd),
    )


def pico_usd(amount_usd: Decimal) -> int:
    """Whole pico-dollars, half to even: the one place where money is rounded."""
    return int((amount_usd * PICO).to_integral_value(ROUND_HALF_EVEN))


def _key(row: Usage) -> _Key:
    return row.call_id, row.leg, row.component, row.sequence


def _request(row: Usage) -> _Request:
    return row.call_id, row.leg, row.sequence // UNITS_PER_REQUEST


def _distinct(rows: Iterable[Usage]) -> list[Usage]:
    by_key: dict[_Key, Usage] = {}
    for row in rows:
        if by_key.setdefault(_key(row), row) != row:
            raise ValueError(f"two different usage rows have the key {_key(row)}")
    return sorted(by_key.values(), key=lambda row: (row.occurred_at, _key(row)))


def _repeated(rows: Iterable[Usage]) -> dict[_Key, int]:
    """Of each Attempt, what an earlier one of its utterance had sent: all start at its first sample."""
    sent: dict[tuple[str, int, int], int] = {}
    repeated: dict[_Key, int] = {}
    for row in sorted((row for row in rows if row.component == "stt"), key=_key):
        utterance = (row.call_id, row.leg, row.sequence // ATTEMPTS_PER_UTTERANCE)
        before = sent.get(utterance, 0)
        repeated[_key(row)] = min(before, row.quantity)
        sent[utterance] = max(before, row.quantity)
    return repeated
