"""The ledger in FOCUS 1.2, the cost format of the FinOps Foundation: a row per rated line or adjustment.

The mandatory columns of the specification and those of the conditional ones that apply to usage; what it has
no column for begins with `x_`, as it wants custom columns to. Money has the 12 decimals that the ledger has.

Source: github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, tag v1.2.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from slukh.cost.ledger.adjustments import Adjustment
from slukh.cost.ledger.rated_rows import StoredLine
from slukh.cost.pricing.price import Price
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import PICO

FOCUS_VERSION = "1.2"

ColumnType = Literal["text", "decimal", "moment"]
# Name -> type, in the order of the file.
COLUMNS: Mapping[str, ColumnType] = {
    "BilledCost": "decimal",
    "BillingAccountId": "text",
    "BillingAccountName": "text",
    "BillingCurrency": "text",
    "BillingPeriodEnd": "moment",
    "BillingPeriodStart": "moment",
    "ChargeCategory": "text",
    "ChargeClass": "text",
    "ChargeDescription": "text",
    "ChargeFrequency": "text",
    "ChargePeriodEnd": "moment",
    "ChargePeriodStart": "moment",
    "ConsumedQuantity": "decimal",
    "ConsumedUnit": "text",
    "ContractedCost": "decimal",
    "ContractedUnitPrice": "decimal",
    "EffectiveCost": "decimal",
    "InvoiceId": "text",
    "InvoiceIssuerName": "text",
    "ListCost": "decimal",
    "ListUnitPrice": "decimal",
    "PricingCategory": "text",
    "PricingQuantity": "decimal",
    "PricingUnit": "text",
    "ProviderName": "text",
    "PublisherName": "text",
    "ServiceCategory": "text",
    "ServiceName": "text",
    "SkuId": "text",
    "SkuPriceId": "text",
    "Tags": "text",
    "x_CallId": "text",
    "x_Component": "text",
    "x_Engine": "text",
    "x_Leg": "decimal",
    "x_Model": "text",
    "x_Outcome": "text",
    "x_PriceBook": "text",
    "x_Provider": "text",
    "x_Purpose": "text",
    "x_Rule": "text",
    "x_Sequence": "decimal",
    "x_Unit": "text",
}
# What 1.2 wants in every row set; some may be null, none may be left out.
MANDATORY = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd",
    "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost",
    "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
)  # fmt: skip

_SERVICES: Mapping[str, tuple[str, str]] = {
    "stt": ("AI and Machine Learning", "Speech-to-Text"),
    "tts": ("AI and Machine Learning", "Text-to-Speech"),
    "llm": ("AI and Machine Learning", "Language model"),
    "line": ("Networking", "Telephone line"),
}
_UNITS: Mapping[str, tuple[str, int]] = {
    "audio_ms": ("Seconds", 1000),
    "call_ms": ("Seconds", 1000),
    "connection_ms": ("Seconds", 1000),
    "characters": ("Characters", 1),
    "requests": ("Requests", 1),
}
_TOKENS = ("Tokens", 1)

_COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
# Where the values stand that every line has of its own.
_OWN_PLACES = tuple(
    tuple(COLUMNS).index(name)
    for name in (
        *_COSTS, "ChargePeriodStart", "ChargePeriodEnd", "ConsumedQuantity", "PricingQuantity", "x_CallId",
        "x_Engine", "x_Leg", "x_Outcome", "x_Purpose", "x_Rule", "x_Sequence",
    )
)  # fmt: skip
# A charge period's end is not part of it, and it may not be empty.
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose costs these are.

    Attributes:
        id: of the billing account, as the reader of the file knows it.
        name: of the same.
    """

    id: str = "slukh"
    name: str = "slukh"


class FocusRows:
    """Lines and adjustments as texts, a value for every column of `COLUMNS`.

    Args:
        book: what the lines were rated with.
        account: whose costs.
    """

    def __init__(self, book: PriceBook, account: Account | None = None) -> None:
        self._book_name = book.name
        self._prices = {price.id: price for price in book.all_prices()}
        self._account = account or Account()
        # What lines of a price and month share, because there are millions of them.
        self._templates: dict[tuple[object, ...], list[str]] = {}

    def of_line(self, line: StoredLine) -> list[str]:
        """What a usage row cost."""
        at = line.occurred_at.astimezone(UTC)
        key = line.component, line.provider, line.model, line.unit, line.price_id, at.year, at.month
        template = self._templates.get(key)
        if template is None:
            template = self._templates[key] = self._template(line)
        row = template.copy()
        cost = money(line.amount_pico_usd)
        _, size = _UNITS.get(line.unit, _TOKENS)
        own = (
            cost, cost, cost, cost, moment(at), moment(at + _SECOND), quantity(line.quantity, size),
            quantity(line.billed_quantity, size), line.call_id, line.engine, str(line.leg), line.outcome,
            line.purpose, line.rule, str(line.sequence),
        )  # fmt: skip
        for place, value in zip(_OWN_PLACES, own, strict=True):
            row[place] = value
        return row

    def of_adjustment(self, adjustment: Adjustment) -> list[str]:
        """What an invoice differed by."""
        row = self._shared(adjustment.component, adjustment.provider, adjustment.started_at)
        row |= dict.fromkeys(_COSTS, money(adjustment.amount_pico_usd))
        row |= {
            "ChargeCategory": "Adjustment",
            "ChargeClass": "Correction",
            "ChargeDescription": f"{adjustment.sku}: {adjustment.source} against the meter",
            "ChargeFrequency": "One-Time",
            "ChargePeriodStart": moment(adjustment.started_at),
            "ChargePeriodEnd": moment(adjustment.ended_at),
        }
        return [row[name] for name in COLUMNS]

    def _template(self, line: StoredLine) -> list[str]:
        unit, size = _UNITS.get(line.unit, _TOKENS)
        price = self._prices.get(line.price_id)
        unit_price = "" if price is None else f"{price.amount * size / price.per:f}"
        row = self._shared(line.component, line.provider, line.occurred_at)
        row |= {
            "ChargeCategory": "Usage",
            "ChargeDescription": " ".join(part for part in (line.provider, line.model, line.unit) if part),
            "ChargeFrequency": "Usage-Based",
            "ConsumedUnit": unit,
            "ContractedUnitPrice": unit_price,
            "ListUnitPrice": unit_price,
            "PricingCategory": "Standard",
            "PricingUnit": unit,
            "SkuId": _sku(price, line.price_id),
            "SkuPriceId": line.price_id,
            "x_Model": line.model,
            "x_Unit": line.unit,
        }
        return [row[name] for name in COLUMNS]

    def _shared(self, component: str, provider: str, at: datetime) -> dict[str, str]:
        category, service = _SERVICES[component]
        start = at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return {
            **dict.fromkeys(COLUMNS, ""),
            "BillingAccountId": self._account.id,
            "BillingAccountName": self._account.name,
            "BillingCurrency": "USD",
            "BillingPeriodStart": moment(start),
            "BillingPeriodEnd": moment((start + timedelta(days=31)).replace(day=1)),
            **dict.fromkeys(("InvoiceIssuerName", "ProviderName", "PublisherName"), provider),
            "ServiceCategory": category,
            "ServiceName": service,
            "Tags": json.dumps({"component": component}),
            "x_Component": component,
            "x_PriceBook": self._book_name,
            "x_Provider": provider,
        }


def _sku(price: Price | None, price_id: str) -> str:
    return price.sku if price is not None and price.sku else price_id


def moment(at: datetime) -> str:
    """A moment in UTC, as FOCUS wants it: `2026-11-22T10:00:00Z`."""
    return f"{at.astimezone(UTC).isoformat(timespec='seconds')[:19]}Z"


def money(pico_usd: int) -> str:
    """Dollars with all twelve decimals."""
    return f"{'-' if pico_usd < 0 else ''}{abs(pico_usd) // PICO}.{abs(pico_usd) % PICO:012d}"


def quantity(count: int, size: int) -> str:
    """Units of `size`, 1 or 1000: 4200 of 1000 -> `4.2`."""
    whole, rest = divmod(count, size)
    return f"{whole}.{rest:03d}".rstrip("0") if rest else str(whole)
