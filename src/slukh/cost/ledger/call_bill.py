"""The bill of a whole call: what it used, its share of what is rented, its waste, and the target.

    total    the rated lines, each a usage row, and the shares of what is rented: their exact sum
    waste    parts of the total, named; never beside it
    unknown  what has no amount: named, not zero; the total is then what is known

`slukh calls show` sums it up, `slukh cost explain` proves it: both print this bill.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from slukh.cost.ledger.call_parts import LineLeg, Part, line_legs_of, parts_of
from slukh.cost.ledger.calls import calls_of_month, first_call_at
from slukh.cost.ledger.explanation import Explanation, explain
from slukh.cost.ledger.prompt_waste import prompt_waste
from slukh.cost.ledger.store import CallRecord, Ledger
from slukh.cost.ledger.waste import Waste, waste_of
from slukh.cost.pricing.fixed_share import (
    FixedPart,
    FixedShare,
    MonthOfCalls,
    Rented,
    fixed_part,
    month_around,
)
from slukh.cost.pricing.llm_tokens import without_figures
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import PICO
from slukh.cost.pricing.target import WANTED, Target, Verdict

WHISPER = "whisper"  # whose streams are on rented GPUs


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What no call tells.

    Attributes:
        rented: by the month; None when nobody says.
        target: what a call may cost.
    """

    rented: Rented | None = None
    target: Target = WANTED


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBill:
    """See the module.

    Attributes:
        explanation: the rated lines with their proofs.
        parts: the same in sums.
        line: the telephone line, leg by leg.
        fixed: the call's share of what is rented, an item each.
        waste: parts of the total that were for nothing.
        unknown: what has no amount, a sentence each; of what was used first.
        used_is_whole: whether none of them is of what was used, only of what is rented.
        target: what a call may cost.
    """

    explanation: Explanation
    parts: tuple[Part, ...]
    line: tuple[LineLeg, ...]
    fixed: tuple[FixedShare, ...]
    waste: tuple[Waste, ...]
    unknown: tuple[str, ...]
    used_is_whole: bool
    target: Target

    @property
    def total_pico_usd(self) -> int:
        """All lines and shares."""
        return self.used_pico_usd + sum(share.amount_pico_usd for share in self.fixed)

    @property
    def used_pico_usd(self) -> int:
        """All lines, without what is rented: what is told while calls run (`CallCost`)."""
        return sum(line.amount_pico_usd for line in self.explanation.lines)

    @property
    def total_usd(self) -> Decimal:
        """The same in dollars."""
        return Decimal(self.total_pico_usd) / PICO

    @property
    def waste_pico_usd(self) -> int:
        """What is known of it."""
        return sum(waste.amount_pico_usd or 0 for waste in self.waste)

    @property
    def components(self) -> dict[str, int]:
        """Pico-dollars by component; `fixed` is one where anything of it is known."""
        sums: dict[str, int] = {}
        for part in self.parts:
            sums[part.component] = sums.get(part.component, 0) + part.amount_pico_usd
        if self.fixed:
            sums["fixed"] = sum(share.amount_pico_usd for share in self.fixed)
        return sums

    @property
    def verdict(self) -> Verdict | None:
        """Where the total lies to the target; None while what is unknown may decide that."""
        found = self.target.verdict(self.total_usd)
        return found if found == "above" or not self.unknown else None

    def as_json(self) -> dict[str, object]:
        """Sums, waste and verdict; money as decimal strings, null where it is not known."""
        components: dict[str, str | None] = {name: usd(pico) for name, pico in self.components.items()}
        missing = {what.component for what, _ in self.explanation.unpriced} | {"fixed"}
        components |= dict.fromkeys(sorted(missing - components.keys()))
        return {
            "version": 1,
            "currency": "USD",
            "book": self.explanation.book,
            "total_usd": usd(self.total_pico_usd),
            "is_whole": not self.unknown,
            "used_usd": usd(self.used_pico_usd),
            "used_is_whole": self.used_is_whole,
            "components": components,
            "used": [_plain(part) for part in self.parts],
            "line": [_plain(leg) for leg in self.line],
            "fixed": [share.as_json() for share in self.fixed],
            "waste": {"total_usd": usd(self.waste_pico_usd), "parts": [_plain(part) for part in self.waste]},
            "target": {
                "low_usd": f"{self.target.low_usd:f}",
                "high_usd": f"{self.target.high_usd:f}",
                "verdict": self.verdict,
            },
            "unknown": list(self.unknown),
            "unpriced_rows": sum(count for _, count in self.explanation.unpriced),
        }

    def explained_json(self) -> dict[str, object]:
        """Every line and every share, with what proves it; their sum is `total_usd`."""
        return self.explanation.as_json() | {
            "used_usd": usd(self.used_pico_usd),
            "fixed": [share.as_json() for share in self.fixed],
            "total_usd": usd(self.total_pico_usd),
            "unknown": list(self.unknown),
        }


def bill_of(ledger: Ledger, book: PriceBook, call_id: str, terms: Terms, *, now: datetime) -> CallBill | None:
    """A call's bill under a book; None when the ledger knows no usage of it.

    Args:
        ledger: where the call is; its rows are rated now where they are not yet.
        book: the prices.
        call_id: which.
        terms: what no call tells.
        now: until when a month that runs is shared.

    Raises:
        LedgerError: the ledger cannot be read or written.
    """
    explanation, record = explain(ledger, book, call_id), ledger.call(call_id)
    if explanation is None or record is None:
        return None
    fixed = _fixed(ledger, book, record, terms.rented, now)
    prompts = prompt_waste(record.usage, book)
    waste = (
        *waste_of(record.usage, explanation.lines, record.legs, explanation.prices),
        *(() if prompts is None else (prompts,)),
    )
    unknown = (*_unpriced(explanation), *_unanswered(record), *_unfinished(record))
    return CallBill(
        explanation=explanation,
        parts=tuple(parts_of(explanation, record, book)),
        line=tuple(line_legs_of(explanation)),
        fixed=fixed.shares,
        waste=waste,
        unknown=(*unknown, *fixed.unknown),
        used_is_whole=not unknown,
        target=terms.target,
    )


def usd(pico: int) -> str:
    """Pico-dollars as dollars, exact."""
    return f"{Decimal(pico) / PICO:f}"


def _plain(part: Part | LineLeg | Waste) -> dict[str, object]:
    """Its fields, amounts in dollars."""
    return {
        name.replace("_pico_usd", "_usd"): usd(value)
        if name.endswith("_pico_usd") and value is not None
        else value
        for name, value in asdict(part).items()
    }


_NOBODY_SAYS_WHAT_IS_RENTED = (
    "the share of what is rented by the month: set SLUKH_RENTED to it, such as server=1,did=1"
)


def _fixed(
    ledger: Ledger, book: PriceBook, record: CallRecord, rented: Rented | None, now: datetime
) -> FixedPart:
    if rented is None:
        return FixedPart(unknown=(_NOBODY_SAYS_WHAT_IS_RENTED,))
    first = first_call_at(ledger)
    if not record.legs or first is None:
        return FixedPart(unknown=("the share of what is rented by the month: when the call began",))
    start, end = month_around(record.legs[0].started_at, first_call=first, now=now)
    calls, whisper_ms = calls_of_month(ledger, since=start, until=end, provider=WHISPER)
    own_ms = sum(leg.heard_ms for leg in record.legs if leg.provider == WHISPER)
    month = MonthOfCalls(start=start, end=end, calls=calls, whisper_ms=whisper_ms)
    return fixed_part(rented, book, month, whisper_ms=own_ms)


def _unpriced(explanation: Explanation) -> Iterator[str]:
    for what, count in explanation.unpriced:
        rows = "1 row has" if count == 1 else f"{count} rows have"
        yield f"{rows} no amount: {what.problem}"


def _unanswered(record: CallRecord) -> Iterator[str]:
    """Requests to a model that were given up, or broke off, before the API said what they used."""
    if found := without_figures(record.usage):
        requests, them = ("1 request", "it") if found == 1 else (f"{found} requests", "them")
        yield f"{requests} without figures: the model may bill {them} and never said how much"


def _unfinished(record: CallRecord) -> Iterator[str]:
    """A leg that has no end has no row of its telephone line, and may use more."""
    for leg in record.legs:
        if leg.state == "started":
            yield f"leg {leg.leg} has no end yet: its telephone line, and what it will use"
