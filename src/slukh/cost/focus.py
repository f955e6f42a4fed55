"""The ledger in FOCUS 1.2, the cost format of the FinOps Foundation: a row per rated line or adjustment.

The mandatory columns of the specification and those of the conditional ones that apply to usage; what it has
no column for begins with `x_`, as it wants custom columns to. Money has the 12 decimals that the ledger has.

Source: github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, tag v1.2.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from slukh.cost.adjustments import Adjustment
from slukh.cost.price import Price
from slukh.cost.price_book import PriceBook
from slukh.cost.rated_rows import StoredLine
from slukh.cost.rating import PICO

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

Value = str | Decimal | datetime | None
FocusRow = Mapping[str, Value]


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
    """Lines and adjustments into rows; every column of `COLUMNS`, in that order.

    Args:
        book: what the lines were rated with.
        account: whose costs.
    """

    def __init__(self, book: PriceBook, account: Account | None = None) -> None:
        self._book_name = book.name
        self._prices = {price.id: price for price in book.all_prices()}
        self._account = account or Account()

    def of_line(self, line: StoredLine) -> FocusRow:
        """What a usage row cost."""
        unit, size = _UNITS.get(line.unit, _TOKENS)
        price = self._prices.get(line.price_id)
        list_price = None if price is None else price.amount * size / price.per
        own: dict[str, Value] = {
            "ChargeCategory": "Usage",
            "ChargeDescription": f"{line.provider} {line.model} {line.unit}".replace("  ", " "),
            "ChargeFrequency": "Usage-Based",
            "ChargePeriodStart": line.occurred_at,
            # The period's end is not part of it, and it may not be empty.
            "ChargePeriodEnd": line.occurred_at + timedelta(seconds=1),
            "ConsumedQuantity": Decimal(line.quantity) / size,
            "ConsumedUnit": unit,
            "ContractedUnitPrice": list_price,
            "ListUnitPrice": list_price,
            "PricingCategory": "Standard",
            "PricingQuantity": Decimal(line.billed_quantity) / size,
            "PricingUnit": unit,
            "SkuId": _sku(price, line.price_id),
            "SkuPriceId": line.price_id or None,
            "x_CallId": line.call_id,
            "x_Engine": line.engine,
            "x_Leg": Decimal(line.leg),
            "x_Model": line.model,
            "x_Outcome": line.outcome,
            "x_Purpose": line.purpose,
            "x_Rule": line.rule,
            "x_Sequence": Decimal(line.sequence),
            "x_Unit": line.unit,
        }
        return self._row(own, line.component, line.provider, line.amount_pico_usd, line.occurred_at)

    def of_adjustment(self, adjustment: Adjustment) -> FocusRow:
        """What an invoice differed by."""
        own: dict[str, Value] = {
            "ChargeCategory": "Adjustment",
            "ChargeClass": "Correction",
            "ChargeDescription": f"{adjustment.sku}: {adjustment.source} against the meter",
            "ChargeFrequency": "One-Time",
            "ChargePeriodStart": adjustment.started_at,
            "ChargePeriodEnd": adjustment.ended_at,
        }
        return self._row(
            own,
            adjustment.component,
            adjustment.provider,
            adjustment.amount_pico_usd,
            adjustment.started_at,
        )

    def _row(
        self, own: Mapping[str, Value], component: str, provider: str, amount_pico_usd: int, at: datetime
    ) -> FocusRow:
        cost = Decimal(amount_pico_usd) / PICO
        category, service = _SERVICES[component]
        start = at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        shared: dict[str, Value] = {
            **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), cost),
            "BillingAccountId": self._account.id,
            "BillingAccountName": self._account.name,
            "BillingCurrency": "USD",
            "BillingPeriodStart": start,
            "BillingPeriodEnd": (start + timedelta(days=31)).replace(day=1),
            **dict.fromkeys(("InvoiceIssuerName", "ProviderName", "PublisherName"), provider),
            "ServiceCategory": category,
            "ServiceName": service,
            "Tags": json.dumps({"component": component}),
            "x_Component": component,
            "x_PriceBook": self._book_name,
            "x_Provider": provider,
        }
        return {**dict.fromkeys(COLUMNS), **shared, **own}


def _sku(price: Price | None, price_id: str) -> str | None:
    return (price.sku if price is not None and price.sku else price_id) or None


def as_text(value: Value) -> str:
    """A value as CSV has it: plain decimals, moments in UTC, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return f"{value:f}" if isinstance(value, Decimal) else value
