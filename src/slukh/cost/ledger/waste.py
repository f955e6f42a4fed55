"""What of a call's cost was for nothing, named: a part of its rated lines, never beside them. Pure.

    silence    audio that was sent once and held no voice
    replay     audio that was sent again because an Attempt had failed
    hedge      audio that was sent again because a final was late
    rehearsal  audio that was sent again for interims and speculation
    shadow     audio that another recogniser heard for comparison
    barge_in   characters that were spoken by us and not heard
    unheard    output of a model whose words the caller never heard, because they interrupted or hung up
    prefix     prompt tokens that a working cache would have read
    rounding   what is billed beyond what was used: increments, minima, first blocks

The parts do not overlap: of what a row is billed, rounding is taken off first, then what was sent before,
then silence. A part of a line is in proportion to its quantity, cut to whole pico-dollars.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from slukh.cost.ledger.rated_rows import StoredLine
from slukh.cost.meter import CallFacts
from slukh.cost.pricing.price import Price
from slukh.cost.pricing.tiers import amount_between
from slukh.types import Purpose, Unit, Usage

WasteKind = Literal[
    "silence", "replay", "hedge", "rehearsal", "shadow", "barge_in", "unheard", "prefix", "rounding"
]
_REPEATED: dict[Purpose, WasteKind] = {
    "retry": "replay",
    "serve": "replay",
    "hedge": "hedge",
    "interim": "rehearsal",
    "speculative": "rehearsal",
}
_Key = tuple[int, str, int]
_NOT_COUNTED = "an earlier version did not count what was heard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waste:
    """One kind of it.

    Attributes:
        kind: which.
        what: whose: a component of the call.
        unit: what was wasted.
        quantity: how much, or None when that is not known.
        of_quantity: of so much that was used, or None where that says nothing.
        amount_pico_usd: what it cost, or None when that is not known.
        note: why it is not known, or what else is to be said of it, in one clause.
    """

    kind: WasteKind
    what: str
    unit: Unit
    quantity: int | None
    of_quantity: int | None = None
    amount_pico_usd: int | None
    note: str = ""


def waste_of(
    usage: Sequence[Usage],
    lines: Sequence[StoredLine],
    legs: Sequence[CallFacts],
    prices: Mapping[str, Price],
) -> tuple[Waste, ...]:
    """The waste of one call; `prompt_waste` has the prompts.

    Args:
        usage: its rows.
        lines: what they cost; a row without one has no price, and no waste that could be told.
        legs: its facts.
        prices: the entries that the lines name, by id.
    """
    rows = {_key(row): row for row in usage}
    hearing = _Hearing()
    rounding: defaultdict[tuple[str, Unit], list[int]] = defaultdict(lambda: [0, 0])
    for line in lines:
        row = rows[_key(line)]
        beyond = max(0, line.billed_quantity - row.quantity)
        rounded = _part(_metered(line, prices), beyond, line.billed_quantity)
        if beyond:
            rounding[line.component, line.unit][0] += beyond
            rounding[line.component, line.unit][1] += rounded
        if line.component == "stt" and line.unit == "audio_ms":
            hearing.add(line, row, line.amount_pico_usd - rounded)
    rounded_up = (
        Waste(kind="rounding", what=component, unit=unit, quantity=quantity, amount_pico_usd=amount)
        for (component, unit), (quantity, amount) in sorted(rounding.items())
    )
    return (*hearing.waste(legs), *_barge_in(usage, lines), *_unheard(usage, lines), *rounded_up)


class _Hearing:
    """What was sent to recognisers, sorted by whether it was of use."""

    def __init__(self) -> None:
        self._again: defaultdict[WasteKind, list[int]] = defaultdict(lambda: [0, 0])
        self._sent_ms = 0
        self._once: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])  # by leg

    def add(self, line: StoredLine, row: Usage, amount: int) -> None:
        """A row, and what it costs without its rounding."""
        self._sent_ms += row.quantity
        again, kind = (
            (row.quantity, "shadow")
            if row.purpose == "shadow"
            else (min(line.repeated_quantity, row.quantity), _REPEATED.get(row.purpose))
        )
        repeated = _part(amount, again, row.quantity)
        if kind is None:
            return
        if again:
            self._again[kind][0] += again
            self._again[kind][1] += repeated
        self._once[row.leg][0] += row.quantity - again
        self._once[row.leg][1] += amount - repeated

    def waste(self, legs: Sequence[CallFacts]) -> Iterable[Waste]:
        for kind, (quantity, amount) in self._again.items():
            yield Waste(
                kind=kind, what="stt", unit="audio_ms", quantity=quantity, of_quantity=self._sent_ms,
                amount_pico_usd=amount,
            )  # fmt: skip
        if self._once:
            yield self._silence({leg.leg: leg for leg in legs})

    def _silence(self, legs: Mapping[int, CallFacts]) -> Waste:
        """Of what was sent once, what held no voice; a leg knows its voice as a whole."""
        of_quantity = sum(sent for sent, _ in self._once.values())
        if any(leg not in legs or legs[leg].state != "ended" for leg in self._once):
            return Waste(
                kind="silence", what="stt", unit="audio_ms", quantity=None, of_quantity=of_quantity,
                amount_pico_usd=None, note="a leg has no end yet, its seconds of voice are not known",
            )  # fmt: skip
        silent = {leg: max(0, sent - legs[leg].voiced_ms) for leg, (sent, _) in self._once.items()}
        amount = sum(_part(cost, silent[leg], sent) for leg, (sent, cost) in self._once.items())
        return Waste(
            kind="silence", what="stt", unit="audio_ms", quantity=sum(silent.values()),
            of_quantity=of_quantity, amount_pico_usd=amount,
        )  # fmt: skip


def _barge_in(usage: Sequence[Usage], lines: Sequence[StoredLine]) -> Iterable[Waste]:
    """Characters of interrupted phrases that nobody heard; what came from the cache cost nothing."""
    cut = {_key(row): row for row in usage if row.component == "tts" and row.outcome == "interrupted"}
    if not cut:
        return
    sent = sum(row.quantity for row in usage if row.component == "tts" and row.outcome != "cached")
    unheard = {
        key: None if row.heard_quantity is None else max(0, row.quantity - row.heard_quantity)
        for key, row in cut.items()
    }
    if any(quantity is None for quantity in unheard.values()):
        yield Waste(
            kind="barge_in", what="tts", unit="characters", quantity=None, of_quantity=sent,
            amount_pico_usd=None, note=_NOT_COUNTED,
        )  # fmt: skip
        return
    amount = sum(
        _part(line.amount_pico_usd, unheard[_key(line)] or 0, line.billed_quantity)
        for line in lines
        if _key(line) in unheard
    )
    yield Waste(
        kind="barge_in", what="tts", unit="characters", quantity=sum(n or 0 for n in unheard.values()),
        of_quantity=sent, amount_pico_usd=amount,
    )  # fmt: skip


def _unheard(usage: Sequence[Usage], lines: Sequence[StoredLine]) -> Iterable[Waste]:
    """Tokens of words that were written and not heard; what a voice was sent of them is `barge_in`."""
    written = {_key(row): row for row in usage if row.unit == "output_tokens"}
    unheard = {
        key: row.quantity - row.heard_quantity
        for key, row in written.items()
        if row.heard_quantity is not None and row.heard_quantity < row.quantity
    }
    sent = sum(row.quantity for row in written.values())
    if any(row.outcome == "aborted" and row.heard_quantity is None for row in written.values()):
        yield Waste(
            kind="unheard", what="llm", unit="output_tokens", quantity=None, of_quantity=sent,
            amount_pico_usd=None, note=_NOT_COUNTED,
        )  # fmt: skip
    elif unheard:
        amount = sum(
            _part(line.amount_pico_usd, unheard[_key(line)], line.billed_quantity)
            for line in lines
            if _key(line) in unheard
        )
        yield Waste(
            kind="unheard", what="llm", unit="output_tokens", quantity=sum(unheard.values()),
            of_quantity=sent, amount_pico_usd=amount,
        )  # fmt: skip


def _metered(line: StoredLine, prices: Mapping[str, Price]) -> int:
    """A line's amount without what is paid once to set up."""
    price = prices.get(line.price_id)
    if price is None or not price.setup or not line.billed_quantity:
        return line.amount_pico_usd
    listed = amount_between(price, 0, line.billed_quantity)
    return int(line.amount_pico_usd * listed / (listed + price.setup))


def _part(amount: int, quantity: int, of_quantity: int) -> int:
    return amount * quantity // of_quantity if of_quantity else 0


def _key(row: Usage | StoredLine) -> _Key:
    return row.leg, row.component, row.sequence
