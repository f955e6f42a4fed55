"""What a provider says it sold us: four kinds of CSV into one list of items.

    google-cost-table   Google Cloud's console, Billing > Cost table > Download CSV
    anthropic-cost      Claude's console, Cost > Export: dollars per day, model and kind of token
    anthropic-usage     Claude's console, Usage > Export: tokens per day and model, without dollars
    call-records        a telephone company's, of whole days: date, billed seconds, cost, currency per call
    focus               FOCUS 1.x, our own export among them

The header tells which. What is of other services is counted and left out; another currency is refused,
because the day's rate is not in the file.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from slukh.cost.ledger.statement_file import StatementFile, StatementRow, read_statement_file
from slukh.cost.pricing.price import PriceComponent
from slukh.errors import StatementError
from slukh.types import UNITS, Unit

Format = Literal["google-cost-table", "anthropic-cost", "anthropic-usage", "call-records", "focus"]

_DAY = timedelta(days=1)
_TOKENS: Mapping[str, Unit] = {
    "input_no_cache": "input_tokens",
    "input_cache_read": "cache_read_tokens",
    "input_cache_write_5m": "cache_write_tokens",
    "input_cache_write_1h": "cache_write_1h_tokens",
    "output": "output_tokens",
}
_CALL_DATES = ("calldate", "callstart", "call_start", "start", "start_time", "date")
_CALL_SECONDS = ("billsec", "billseconds", "billed_seconds", "billed seconds", "duration")
_CALL_COSTS = ("cost", "price", "amount", "charge")
_TRUNKS = ("trunk", "carrier", "provider")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something a provider sold.

    Attributes:
        provider: as usage names it; `*` is whoever carries the line.
        component: what it is for.
        sku: the provider's name of it.
        sku_id: the provider's id of it, or empty.
        model: whose model, or empty for any.
        unit: of `quantity`, or None when the provider's unit is not ours.
        quantity: how many, or None.
        amount_usd: for how much; None when the file has no money in it.
        started_at: from when on.
        ended_at: until before when.
    """

    provider: str
    component: PriceComponent
    sku: str
    sku_id: str = ""
    model: str = ""
    unit: Unit | None = None
    quantity: int | None = None
    amount_usd: Decimal | None
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A file, read.

    Attributes:
        source: the file's name.
        format: of the file.
        items: what is ours.
        others: rows of services that are none of ours.
    """

    source: str
    format: Format
    items: tuple[Item, ...]
    others: int

    @property
    def started_at(self) -> datetime:
        """When the first item began."""
        return min(item.started_at for item in self.items)

    @property
    def ended_at(self) -> datetime:
        """When the last item ended."""
        return max(item.ended_at for item in self.items)


def read_statement(path: Path) -> Statement:
    """A provider's file.

    Raises:
        StatementError: unknown, cut off, in another currency, or without anything of ours.
    """
    file = read_statement_file(path, lambda columns: _format_of(columns) is not None)
    kind = _format_of(frozenset(file.columns))
    assert kind is not None
    items = [item for row in file.rows for item in _READERS[kind](file, row)]
    ours = tuple(item for item in items if item is not None)
    if not ours:
        raise StatementError(
            f"{file.name} has no row of speech, a language model or a telephone line",
            remedy="export the services and the month that calls used",
        )
    return Statement(source=file.name, format=kind, items=ours, others=len(items) - len(ours))


_HEADERS: Mapping[Format, frozenset[str]] = {
    "google-cost-table": frozenset({"service description", "sku description", "sku id", "usage start date"}),
    "anthropic-cost": frozenset({"usage_date_utc", "model", "token_type", "cost_usd"}),
    "anthropic-usage": frozenset({"usage_date_utc", "model_version", "usage_input_tokens_no_cache"}),
    "focus": frozenset({"billedcost", "billingcurrency", "chargeperiodstart", "providername"}),
}


def _format_of(columns: frozenset[str]) -> Format | None:
    for kind, header in _HEADERS.items():
        if header <= columns:
            return kind
    # Every telephone company has its own names.
    is_calls = all(columns & set(names) for names in (_CALL_DATES, _CALL_SECONDS, _CALL_COSTS))
    return "call-records" if is_calls else None


def _dollars(row: StatementRow, currency: str) -> None:
    if not currency:
        row.refuse("no currency", "keep the lines above the header, or add a column `currency`")
    if currency.upper() != "USD":
        row.refuse(f"amounts are in {currency}, the ledger is in USD", "convert them by the day's rate first")


def _google(file: StatementFile, row: StatementRow) -> Iterator[Item | None]:
    if not row.text("service description"):
        return  # "Total" and "Rounding error": the sum of the others
    _dollars(row, file.preamble.get("currency", "") or row.text("currency"))
    component = _google_component(row.text("service description"))
    if component is None:
        yield None
        return
    # Google's billing days are those of Los Angeles; the last one counts.
    zone = _zone("America/Los_Angeles")
    yield Item(
        provider="google",
        component=component,
        sku=row.text("sku description"),
        sku_id=row.text("sku id"),
        amount_usd=row.number(*(c for c in file.columns if c.startswith(("unrounded cost", "cost (")))),
        started_at=row.moment("usage start date", zone=zone),
        ended_at=row.moment("usage end date", "usage start date", zone=zone) + _DAY,
    )


def _google_component(service: str) -> PriceComponent | None:
    name = service.lower()
    if "text-to-speech" in name:
        return "tts"
    return "stt" if "speech" in name else None


def _anthropic_cost(_file: StatementFile, row: StatementRow) -> Iterator[Item | None]:
    unit = _TOKENS.get(row.text("token_type"))
    if unit is None:
        yield None  # web search, code execution: no call of ours uses them
        return
    model = row.text("model")
    start = row.moment("usage_date_utc", zone=UTC)
    yield Item(
        provider="anthropic",
        component="llm",
        sku=f"{model} {row.text('token_type')}",
        model=model.lower().replace(" ", "-").replace(".", "-"),
        unit=unit,
        amount_usd=row.number("cost_usd"),
        started_at=start,
        ended_at=start + _DAY,
    )


def _anthropic_usage(_file: StatementFile, row: StatementRow) -> Iterator[Item | None]:
    if row.text("usage_type") == "batch":
        yield None  # at half the price, and never while somebody waits on the line
        return
    start = row.moment("usage_date_utc", zone=UTC)
    for kind, unit in _TOKENS.items():
        quantity = row.quantity(f"usage_{kind}_tokens" if kind == "output" else f"usage_{_column(kind)}")
        if quantity:
            yield Item(
                provider="anthropic",
                component="llm",
                sku=f"{row.text('model_version')} {kind}",
                model=row.text("model_version"),
                unit=unit,
                quantity=quantity,
                amount_usd=None,
                started_at=start,
                ended_at=start + _DAY,
            )


def _column(kind: str) -> str:
    """`input_cache_read` -> `input_tokens_cache_read`."""
    return kind.replace("input_", "input_tokens_", 1)


def _call_record(_file: StatementFile, row: StatementRow) -> Iterator[Item | None]:
    _dollars(row, row.text("currency"))
    start = row.moment(*_CALL_DATES, zone=None)
    seconds = row.number(*_CALL_SECONDS)
    # Whole days: a call is metered when it ends, which no record says to the second.
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    yield Item(
        provider=row.text(*_TRUNKS) or "*",
        component="line",
        sku="calls",
        unit="call_ms",
        quantity=int(seconds * 1000),
        amount_usd=row.number(*_CALL_COSTS),
        started_at=midnight,
        ended_at=midnight + _DAY,
    )


def _focus(_file: StatementFile, row: StatementRow) -> Iterator[Item | None]:
    _dollars(row, row.text("billingcurrency"))
    component = _component_of(row)
    is_our_adjustment = row.text("chargecategory") == "Adjustment" and bool(row.text("x_pricebook"))
    if component is None or is_our_adjustment:  # which is a difference that was booked already
        yield None
        return
    provider = row.text("x_provider") or row.text("providername").lower().split()[0]
    unit = row.text("x_unit")
    yield Item(
        provider=provider,
        component=component,
        sku=row.text("chargedescription", "skuid", "servicename"),
        sku_id=row.text("skuid"),
        model=row.text("x_model"),
        unit=next((known for known in UNITS if known == unit), None),
        amount_usd=row.number("billedcost"),
        started_at=row.moment("chargeperiodstart", zone=UTC),
        ended_at=row.moment("chargeperiodend", zone=UTC),
    )


def _component_of(row: StatementRow) -> PriceComponent | None:
    match row.text("x_component"):
        case "stt" | "tts" | "llm" | "line" as own:
            return own
    service = row.text("servicename").lower()
    if "claude" in service or "anthropic" in service:
        return "llm"
    return _google_component(service)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError as error:
        raise StatementError(
            f"this machine does not know the time of {name}", remedy="pip install tzdata"
        ) from error


_READERS: Mapping[Format, Callable[[StatementFile, StatementRow], Iterator[Item | None]]] = {
    "google-cost-table": _google,
    "anthropic-cost": _anthropic_cost,
    "anthropic-usage": _anthropic_usage,
    "call-records": _call_record,
    "focus": _focus,
}
