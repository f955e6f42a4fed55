"""A call's bill for `slukh calls show` and `slukh cost explain`: its terms from settings, and its tables."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from slukh.settings.config import Settings, load
from slukh.settings.costs import CostSettings

if TYPE_CHECKING:  # imported lazily: SQLAlchemy costs 0.2 s that other commands save
    from slukh.cost.estimates.scenario import Scenario
    from slukh.cost.ledger.call_bill import CallBill, Terms
    from slukh.cost.ledger.call_parts import Part
    from slukh.cost.ledger.waste import Waste
    from slukh.cost.pricing.fixed_share import FixedShare

_WASTED = {
    "silence": "silence that was sent",
    "replay": "sent again after a failure",
    "hedge": "sent again because a final was late",
    "rehearsal": "sent again for interims",
    "shadow": "sent to a shadow",
    "barge_in": "spoken, but interrupted and not heard",
    "unheard": "written by the model, and not heard",
    "prefix": "prompt that a working cache would have read",
    "rounding": "rounded up",
}


def terms_of_settings() -> "Terms":
    """What no call tells, from the environment.

    Raises:
        SettingsError: a value that cannot be.
    """
    from slukh.cost.ledger.call_bill import Terms
    from slukh.cost.pricing.fixed import FixedItem
    from slukh.cost.pricing.fixed_share import Rented
    from slukh.cost.pricing.target import Target

    given = load(CostSettings)
    items = tuple(FixedItem(name=name, count=count) for name, count in given.slukh_rented.items())
    rented = Rented(
        items=items,
        planned_calls=given.slukh_calls_per_month,
        gpu_streams=load(Settings).slukh_whisper_calls,
    )
    return Terms(
        rented=rented if items else None,
        target=Target(low_usd=given.slukh_target_low_usd, high_usd=given.slukh_target_high_usd),
    )


def as_rented(scenario: "Scenario") -> "Scenario":
    """A scenario with what the environment says is rented, where it does; its GPUs are the scenario's.

    Raises:
        SettingsError: a value that cannot be.
    """
    from slukh.cost.pricing.fixed_share import GPU_NAMES

    rented = load(CostSettings).slukh_rented
    fixed = {name: count for name, count in rented.items() if not name.startswith(GPU_NAMES)}
    return replace(scenario, fixed=fixed) if rented else scenario


def bill_tables(bill: "CallBill") -> Iterator[RenderableType]:
    """What the call cost, part by part, what of that was waste, and where it lies to the target."""
    yield _parts(bill)
    if any(waste.quantity != 0 or waste.note for waste in bill.waste):
        yield _waste(bill)
    yield from unknown_lines(bill)
    yield Text(_verdict(bill))


def unknown_lines(bill: "CallBill") -> Iterator[Text]:
    """What has no amount, a line each."""
    for sentence in bill.unknown:
        yield Text.assemble(("unknown", "red"), f": {sentence}")


def share_name(share: "FixedShare") -> str:
    """`fixed server`, `fixed gpu-gex44, idle`."""
    use = {"rented": "", "undivided": ", busy and idle (SLUKH_WHISPER_CALLS tells them apart)"}
    return f"fixed {share.name}" + use.get(share.use, f", {share.use}")


def _parts(bill: "CallBill") -> Table:
    table = _table(f"cost, by the prices of {bill.explanation.book}", "", "used", "billed", "USD")
    for part in bill.parts:
        if part.component != "line":
            table.add_row(*_part_cells(part), _dollars(part.amount_pico_usd))
    for leg in bill.line:
        blocks = [f"{leg.initial_ms / 1000:g} s"] if leg.initial_ms else []
        blocks += [f"{leg.increments:,} x {leg.increment_ms / 1000:g} s"] if leg.increments else []
        trunk = "" if leg.provider == "line" else f" {leg.provider}"
        what = f"line{trunk}, leg {leg.leg} ({leg.price_id})"
        billed = " + ".join(blocks) or "nothing"
        table.add_row(what, f"{leg.milliseconds / 1000:,.10g} s", billed, _dollars(leg.amount_pico_usd))
    used = "used" if bill.used_is_whole else "used, known so far"
    table.add_section()
    table.add_row(used, "", "", _dollars(bill.used_pico_usd))
    for share in bill.fixed:
        table.add_row(share_name(share), share.rule.rpartition("; ")[2], "", _dollars(share.amount_pico_usd))
    table.add_section()
    table.add_row("total" if not bill.unknown else "known so far", "", "", _dollars(bill.total_pico_usd))
    return table


def _part_cells(part: "Part") -> tuple[str, str, str]:
    from slukh.cost.pricing.charge import shown

    what = f"{part.component} {part.provider} {part.model}".strip()
    used = shown(part.unit, part.quantity)
    if part.is_cached:
        saved = "no price" if part.saved_pico_usd is None else f"saved {_dollars(part.saved_pico_usd)}"
        return f"{what}, kept", used, saved
    billed = "" if part.billed_quantity == part.quantity else shown(part.unit, part.billed_quantity)
    return what, used, billed


def _waste(bill: "CallBill") -> Table:
    table = _table("of it for nothing", "", "how much", "USD")
    for waste in bill.waste:
        if waste.quantity != 0 or waste.note:
            amount = "unknown" if waste.amount_pico_usd is None else _dollars(waste.amount_pico_usd)
            table.add_row(f"{waste.what}: {_WASTED[waste.kind]}", _how_much(waste), amount)
    table.add_section()
    is_whole = all(waste.amount_pico_usd is not None for waste in bill.waste)
    table.add_row("total" if is_whole else "known so far", "", _dollars(bill.waste_pico_usd))
    return table


def _how_much(waste: "Waste") -> str:
    from slukh.cost.pricing.charge import shown

    if waste.quantity is None or (not waste.quantity and waste.note):
        return waste.note
    used = "" if waste.of_quantity is None else f" of {shown(waste.unit, waste.of_quantity)}"
    return shown(waste.unit, waste.quantity) + used


def _verdict(bill: "CallBill") -> str:
    low, high = bill.target.low_usd, bill.target.high_usd
    band = f"the target of ${low} to {high} a call"
    if bill.verdict is None:
        return f"whether it is inside {band} is not known: it cost ${bill.total_usd:.4f} at least"
    return f"${bill.total_usd:.4f}: {bill.verdict} {band}"


def _dollars(pico: int) -> str:
    return f"{Decimal(pico).scaleb(-12):.12f}"


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for other in others:
        table.add_column(other, justify="right", no_wrap=other == "USD")
    return table
