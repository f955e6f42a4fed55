"""A call's share of what is rented by the month: servers, numbers, GPUs. Pure.

    month   what the month has cost so far, over the calls that it had so far; final once the month is over
    plan    what a whole month costs, over as many calls as are planned

A month begins with its first day, or on the day of the ledger's first call. Of a GPU, a call that Whisper
heard bears the time for which it took one of the streams; the rest stood idle, and all calls bear it alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from slukh.cost.pricing.fixed import FixedItem, FixedLine, month_of, rate_fixed
from slukh.cost.pricing.price import Price
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import PICO, pico_usd
from slukh.errors import PriceError

GPU_NAMES = "gpu-"  # how the price book's names of GPUs begin
Use = Literal["rented", "busy", "idle", "undivided"]
_MONTH = timedelta(hours=730)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rented:
    """What is rented, and how calls share it.

    Attributes:
        items: as the price book names them.
        planned_calls: shared over so many a month; None is the calls that there were.
        gpu_streams: calls that all rented GPUs hear at once; None when nobody says.
    """

    items: tuple[FixedItem, ...]
    planned_calls: int | None = None
    gpu_streams: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthOfCalls:
    """The calls among which a month is shared, so far.

    Attributes:
        start: of the month, or the day of the ledger's first call.
        end: of the month, or now.
        calls: that started in it.
        whisper_ms: for which Whisper heard one of them.
    """

    start: datetime
    end: datetime
    calls: int
    whisper_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedShare:
    """What a call bears of a rented item.

    Attributes:
        name: of the item.
        use: `rented`; of a GPU `busy` and `idle`, or `undivided` where nobody says how many streams it has.
        price: the entry of the book.
        rule: one sentence that proves the amount.
        amount_pico_usd: quantised once.
    """

    name: str
    use: Use
    price: Price
    rule: str
    amount_pico_usd: int

    @property
    def amount_usd(self) -> Decimal:
        """The same in dollars."""
        return Decimal(self.amount_pico_usd) / PICO

    def as_json(self) -> dict[str, object]:
        """With its proof, as the lines of a call have theirs."""
        read_on = self.price.read_on
        return {
            "name": self.name,
            "use": self.use,
            "rule": self.rule,
            "amount_usd": f"{self.amount_usd:f}",
            "price_id": self.price.id,
            "source": self.price.source,
            "read_on": None if read_on is None else read_on.isoformat(),
            "confidence": self.price.confidence,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedPart:
    """A call's share of all of it.

    Attributes:
        shares: of each item.
        unknown: what is not known of it, a sentence each.
    """

    shares: tuple[FixedShare, ...] = ()
    unknown: tuple[str, ...] = ()


def month_around(moment: datetime, *, first_call: datetime, now: datetime) -> tuple[datetime, datetime]:
    """The part of a call's month that it is shared in: its beginning, and the first moment after it.

    Args:
        moment: when the call started.
        first_call: of the ledger.
        now: the month's end, while it runs.
    """
    start = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (start + timedelta(days=32)).replace(day=1)
    opened = first_call.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(start, opened), min(following, max(now, moment + timedelta(seconds=1)))


def fixed_part(rented: Rented, book: PriceBook, month: MonthOfCalls, *, whisper_ms: int) -> FixedPart:
    """What a call bears.

    Args:
        rented: what is.
        book: the prices.
        month: the calls it is shared with, itself among them.
        whisper_ms: for which Whisper heard this one.
    """
    shares: list[FixedShare] = []
    unknown: list[str] = []
    for item in rented.items:
        try:
            price = book.monthly(item.name, month.start.date())
            whole = _whole(item, rented, book, month)
        except PriceError as error:
            unknown.append(error.problem)
            continue
        calls = rented.planned_calls or month.calls
        share = sum((line.amount_usd for line in whole), Decimal(0)) / calls
        rule = f"{' + '.join(line.rule for line in whole)}; {_among(rented, month)}"
        is_gpu = item.name.startswith(GPU_NAMES)
        if is_gpu and rented.gpu_streams is not None:
            shares += _gpu(item, price, whole, rule, rented, month, whisper_ms)
        else:
            shares.append(_share(item, "undivided" if is_gpu else "rented", price, rule, share))
    return FixedPart(shares=tuple(shares), unknown=tuple(unknown))


def _gpu(  # noqa: PLR0917  # an item's own facts, then the call's
    item: FixedItem,
    price: Price,
    whole: list[FixedLine],
    rule: str,
    rented: Rented,
    month: MonthOfCalls,
    whisper_ms: int,
) -> Iterator[FixedShare]:
    assert rented.gpu_streams is not None
    cost = sum((line.amount_usd for line in whole), Decimal(0))
    span = _MONTH if rented.planned_calls else month.end - month.start
    room_ms = rented.gpu_streams * (span // timedelta(milliseconds=1))
    if rented.planned_calls:
        share = cost / rented.planned_calls
        busy = min(share, cost * whisper_ms / room_ms)
        idle = share - busy
    else:
        used = max(room_ms, month.whisper_ms)  # more than was thought to fit in has been heard
        busy = cost * whisper_ms / used
        idle = (cost - cost * month.whisper_ms / used) / month.calls
    if busy:
        how = f"{whisper_ms / 1000:.10g} s of {rented.gpu_streams} streams"
        yield _share(item, "busy", price, f"{rule.partition('; ')[0]}; {how}", busy)
    yield _share(item, "idle", price, rule, idle)


def _whole(item: FixedItem, rented: Rented, book: PriceBook, month: MonthOfCalls) -> list[FixedLine]:
    """The item's cost of the time that is shared."""
    if rented.planned_calls:
        return [month_of(item, book, month.start.date())]
    return rate_fixed((item,), book, start=month.start, end=month.end)


def _among(rented: Rented, month: MonthOfCalls) -> str:
    if rented.planned_calls:
        return f"shared by {rented.planned_calls:,} planned calls a month"
    calls = "1 call" if month.calls == 1 else f"{month.calls:,} calls"
    return f"shared by {calls} from {month.start:%Y-%m-%d} to {month.end:%Y-%m-%d %H:%M}"


def _share(item: FixedItem, use: Use, price: Price, rule: str, amount_usd: Decimal) -> FixedShare:
    return FixedShare(name=item.name, use=use, price=price, rule=rule, amount_pico_usd=pico_usd(amount_usd))
