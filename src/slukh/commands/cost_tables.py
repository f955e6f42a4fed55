"""What `slukh cost` shows to people: dollars with as many digits as matter."""

from collections.abc import Iterator
from decimal import Decimal

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from slukh.cost.estimates.analysis import Analysis, WhisperCapacity
from slukh.cost.estimates.breakdown import COLUMN_TITLES, COLUMNS, Column
from slukh.cost.estimates.cost_report import CostReport
from slukh.cost.estimates.decision import Decision
from slukh.cost.estimates.fit import calls_of
from slukh.cost.estimates.real_calls import RealCosts
from slukh.cost.estimates.recommend import Recommendation, Step
from slukh.cost.estimates.uncertainty import Swing
from slukh.cost.estimates.verdict import dollars, gpus

_VERDICT_STYLES = {"below": "green", "inside": "green", "above": "red"}


def analysis_tables(analysis: Analysis) -> Iterator[RenderableType]:
    """A breakdown, the person against it, and where the numbers come from."""
    yield _breakdown(analysis)
    yield Text(_person(analysis))
    if analysis.capacity is not None:
        yield Text(_capacity(analysis.capacity))
    yield _sources(analysis)


def _breakdown(analysis: Analysis) -> Table:
    table = Table(
        title=f"{analysis.scenario.title}; prices {analysis.book} of {analysis.scenario.as_of}",
        title_justify="left",
        caption=f"dollars per 1000 calls, shares of the total; {analysis.calls_per_month:,} calls a month",
        caption_justify="left",
        box=box.SIMPLE,
    )
    table.add_column("")
    for column in COLUMNS:
        table.add_column(COLUMN_TITLES[column], justify="right")
    thousand = analysis.per_1000
    shares = {column: thousand.shares(column) for column in COLUMNS}

    def part(title: str, name: str, amounts: dict[Column, Decimal]) -> None:
        table.add_row(title, *(f"{amounts[column]:,.2f}  {shares[column][name]:6.1%}" for column in COLUMNS))

    part("hearing (STT)", "stt", {column: thousand.stt(column) for column in COLUMNS})
    part("answering (LLM)", "llm", dict.fromkeys(COLUMNS, thousand.llm))
    part("speaking (TTS)", "tts", dict.fromkeys(COLUMNS, thousand.tts))
    part("telephone line", "line", dict.fromkeys(COLUMNS, thousand.line))
    part("servers, number", "fixed", dict.fromkeys(COLUMNS, thousand.fixed))
    table.add_section()
    table.add_row("per 1000 calls", *(dollars(thousand.total(column)) for column in COLUMNS))
    table.add_row("per call", *(f"${analysis.per_call.total(column):.4f}" for column in COLUMNS))
    table.add_row("per month", *(dollars(analysis.per_month.total(column)) for column in COLUMNS))
    if analysis.uah_per_usd is not None:
        rate = analysis.uah_per_usd
        table.add_row(
            "per call, UAH", *(f"{analysis.per_call.total(column) * rate:.2f}" for column in COLUMNS)
        )
    vat = analysis.scenario.vat
    if vat.rate:
        back = "comes back" if vat.is_recoverable else "a cost"
        gross = (f"${analysis.with_vat(column):.4f}" for column in COLUMNS)
        table.add_row(f"with {vat.rate:.0%} VAT ({back})", *gross)
    target = analysis.scenario.target
    table.add_row(
        f"${target.low_usd:.2f} to {target.high_usd:.2f} is wanted",
        *(Text(verdict, _VERDICT_STYLES[verdict]) for verdict in map(analysis.verdict, COLUMNS)),
    )
    table.add_row(
        "saved per call*", *(dollars(analysis.rois[column].saving_per_call, 4) for column in COLUMNS)
    )
    table.add_row("per dollar spent*", *(f"{analysis.rois[column].ratio:.2f}" for column in COLUMNS))
    table.add_row(
        "breaks even at*",
        *(f"{analysis.rois[column].break_even_containment:.1%}" for column in COLUMNS),
    )
    return table


def _person(analysis: Analysis) -> str:
    operator, staff = analysis.operator, analysis.scenario.staff
    return (
        f"* against a person, if {staff.containment:.0%} of the calls end without one: "
        f"{dollars(operator.month_usd)} a month with taxes and overhead, {operator.calls_per_month:,.0f} "
        f"calls after shrinkage, waiting and wrap-up, so ${operator.call_usd:.4f} a call.\n"
    )


def _capacity(capacity: WhisperCapacity) -> str:
    how = "measured" if capacity.is_measured else "assumed"
    return (
        f"Whisper: {gpus(capacity.gpus)} at {dollars(capacity.gpu_month_usd)} a month, "
        f"{capacity.streams_per_gpu} calls at once each ({how}); {capacity.busy_hour_erlangs:.2f} at once in "
        f"the busy hour, {1 - capacity.busy_share:.1%} of the rent is for idle hours "
        f"({dollars(capacity.idle_usd)}).\n"
    )


def _sources(analysis: Analysis) -> Table:
    table = Table(title="Where the numbers come from", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in ("what", "value", "confidence", "read on"):
        table.add_column(name, overflow="fold")
    for source in analysis.sources:
        style = "yellow" if source.confidence == "assumption" else ""
        read_on = "" if source.read_on is None else source.read_on.isoformat()
        table.add_row(source.what, source.value, Text(source.confidence, style), read_on)
    return table


def real_tables(real: RealCosts) -> Iterator[RenderableType]:
    """What real calls used, and would have used."""
    days = f"{real.since:%Y-%m-%d %H:%M} to {real.until:%Y-%m-%d %H:%M} UTC"
    others = ("as it was",) if real.as_if_usd is None else ("as it was", "as if", "saved")
    yield Text(f"\nDollars of {calls_of(real.calls)}, {days}")
    table = _plain_table("", "", *others)
    asked = real.used_usd if real.as_if_usd is None else real.as_if_usd
    for name in sorted(real.used_usd | asked):
        was, would = real.used_usd.get(name, Decimal(0)), asked.get(name, Decimal(0))
        cells = (
            [f"{was:,.4f}"]
            if real.as_if_usd is None
            else [f"{was:,.4f}", f"{would:,.4f}", f"{was - would:,.4f}"]
        )
        table.add_row(name, *cells)
    yield table
    if any(real.beside_usd.values()):
        beside = ", ".join(f"{name} {amount:,.4f}" for name, amount in sorted(real.beside_usd.items()))
        yield Text(
            f"for nobody's call, and in no column above: {beside} (stored clips, phrases made beforehand)"
        )
    if found := real.analysis.without_figures:
        requests = "1 request" if found == 1 else f"{found:,} requests"
        yield Text(f"in no amount: {requests} without figures, which a model may bill all the same")
    yield Text("\nHearing by why audio was sent, dollars")
    purposes = _plain_table("", "", "as it was")
    for purpose, amount in sorted(real.stt_by_purpose_usd.items()):
        purposes.add_row(purpose, f"{amount:,.4f}")
    yield purposes


def decision_tables(report: CostReport) -> Iterator[RenderableType]:
    """Google or Whisper, and how sure that is."""
    decision = report.decision
    for sentence in report.verdict:
        yield Text(f"- {sentence}")
    if decision is not None:
        yield _by_volume(decision)
    yield _hearing(report)
    yield _swings("What a call's cost hangs on", report.tornado)
    yield _swings("What the saving per call against a person hangs on", report.staff_tornado)
    yield _distributions(report)


def _by_volume(decision: Decision) -> Table:
    mix = ("mix, whole calls", "mix, speech only")
    table = _plain_table("Hearing, dollars a month", "calls a month", *COLUMN_TITLES.values(), *mix)
    for point in sorted(decision.points, key=lambda point: point.calls_per_month):
        mixes = {"whisper": point.gpus, "hybrid": point.hybrid.gpus, "hybrid_gated": point.hybrid_gated.gpus}
        cells = []
        for way, month in point.ways.items():
            rented = f"{gpus(mixes[way])} " if mixes.get(way) else ""
            cells.append(Text(f"{rented}{month:,.2f}", "bold green" if way == point.cheapest else ""))
        table.add_row(f"{point.calls_per_month:,}", *cells)
    return table


def _hearing(report: CostReport) -> Table:
    table = _plain_table("Hosted recognisers", "", "per minute", "whole calls a month", "speech only a month")
    for price in report.hearing:
        table.add_row(
            f"{price.service.provider} {price.service.model}",
            f"${price.minute_usd:.5f}",
            dollars(price.whole_calls_usd),
            dollars(price.speech_only_usd),
        )
    return table


def _swings(title: str, swings: tuple[Swing, ...]) -> Table:
    table = _plain_table(title, "", "from", "to", "$ per call", "$ per call")
    for swing in swings:
        table.add_row(swing.what, swing.low, swing.high, f"{swing.low_usd:.4f}", f"{swing.high_usd:.4f}")
    return table


def _distributions(report: CostReport) -> Table:
    target = report.analysis.scenario.target
    band = f"below / in ${target.low_usd:.2f} to {target.high_usd:.2f} / above"
    table = _plain_table("Dollars per call", "", "mean", "5 %", "half", "95 %", band)
    drawn = {"single calls": report.calls, "the mean, no assumption being sure": report.assumptions}
    for name, costs in drawn.items():
        table.add_row(
            f"{name} ({costs.draws:,} draws)",
            *(f"{value:.4f}" for value in (costs.mean, costs.p5, costs.p50, costs.p95)),
            f"{costs.below:.0%} / {costs.inside:.0%} / {costs.above:.0%}",
        )
    return table


def recommendation_tables(
    advice: tuple[Recommendation, ...], steps: tuple[Step, ...]
) -> Iterator[RenderableType]:
    """What to change, and what a call costs on the way."""
    for number, found in enumerate(advice, 1):
        yield Text(f"{number}. {dollars(found.saving_usd_per_month)} a month: {found.title}", "bold")
        yield Text(f"   how: {found.change}")
        yield Text(f"   why: {found.because}")
        yield Text(f"   sure: {found.confidence}\n")
    title = "One after the other, without what callers may hear"
    table = _plain_table(title, "", "saves a month", "per call")
    for step in steps:
        table.add_row(step.title, dollars(step.saving_usd_per_month), f"${step.per_call_usd:.4f}")
    yield table


def _plain_table(title: str, first: str, *others: str) -> Table:
    above = f"\n{title}" if title else None
    table = Table(title=above, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column(first)
    for other in others:
        table.add_column(other, justify="right")
    return table
