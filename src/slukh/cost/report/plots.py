"""The plots of what a call costs."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from slukh.cost.estimates.breakdown import COLUMNS
from slukh.cost.estimates.uncertainty import Distribution
from slukh.cost.report.costs import PARTS
from slukh.cost.report.curves import break_even
from slukh.cost.report.findings import Findings
from slukh.cost.report.summary import TODAY
from slukh.cost.wording import Wording
from slukh.report.rows import HALF, WIDTH, rows
from slukh.report.svg import COLOURS, STYLE


def plots(found: Findings, words: Wording) -> Iterator[tuple[str, Figure]]:
    """Every plot that there is something to show for, by name."""
    drawn: dict[str, Callable[[Findings, Wording], Figure]] = {"breakdown": breakdown}
    if found.machines:
        drawn["break-even"] = break_even
    if found.report.waterfall:
        drawn["waterfall"] = waterfall
    drawn |= {"tornado": tornado, "distribution": distribution}
    for name, draw in drawn.items():
        with mpl.rc_context(STYLE):
            yield name, draw(found, words)


def breakdown(found: Findings, words: Wording) -> Figure:
    """Stacked bars of a call, by way of hearing, over the target band."""
    analysis, target = found.report.analysis, found.scenario.target
    totals = [analysis.per_call.total(column) for column in COLUMNS]
    titles = [words.say(f"column.{column}") for column in COLUMNS]
    bars = rows(titles, [words.write(total, "usd4") for total in totals], legend_rows=3)
    _band(bars.axes, found)
    for place, column in zip(bars.places, COLUMNS, strict=True):
        left = 0.0
        for part in PARTS:
            amount = analysis.per_call.stt(column) if part == "stt" else getattr(analysis.per_call, part)
            bars.bar(
                place, left, left + float(amount), part,
                label=words.say(f"part.{part}") if column == COLUMNS[0] else None,
            )  # fmt: skip
            left += float(amount)
    bars.axes.set_xlim(0, float(max(*totals, target.high_usd)) * 1.05)
    _dollars(bars.axes, words, words.say("breakdown.axis"))
    handles, labels = bars.axes.get_legend_handles_labels()
    bars.figure.legend(
        handles, labels, loc="outside upper left", ncols=2, handlelength=1, handleheight=1, borderpad=0
    )
    return bars.figure


def waterfall(found: Findings, words: Wording) -> Figure:
    """What a call costs after each step."""
    steps, today = found.report.waterfall, found.report.analysis.per_call.total(TODAY)
    costs = [today, *(step.per_call_usd for step in steps)]
    titles = [words.say(f"measure.{step.kind}.title", step.facts) for step in steps]
    savings = [words.write(after - before, "usd4") for before, after in pairwise(costs)]
    bars = rows(
        [words.say("waterfall.today"), *titles, words.say("waterfall.optimised")],
        [words.write(today, "usd4"), *savings, words.write(costs[-1], "usd4")],
    )
    bars.bar(bars.places[0], 0, float(today), "soft")
    for place, (before, after) in zip(bars.places[1:], pairwise(costs), strict=False):
        bars.bar(place, float(after), float(before), "tts")
    bars.bar(bars.places[-1], 0, float(costs[-1]), "stt")
    bars.axes.set_xlim(0, float(today) * 1.02)
    _dollars(bars.axes, words, words.say("waterfall.axis"))
    return bars.figure


def tornado(found: Findings, words: Wording) -> Figure:
    """Swings of a call's cost around what it is."""
    swings, base = found.report.tornado, float(found.report.analysis.per_call.total(TODAY))
    ends = [(float(swing.low_usd), float(swing.high_usd)) for swing in swings]
    bars = rows(
        [words.range_title(swing.name) for swing in swings],
        [f"{words.write(low, 'usd4')} \N{EN DASH} {words.write(high, 'usd4')}" for low, high in ends],
    )
    for place, (low, high) in zip(bars.places, ends, strict=True):
        bars.bar(place, base, low, "stt")
        bars.bar(place, base, high, "llm")
        bars.axes.plot([base, base], [place - HALF, place + HALF], color=COLOURS["ink"], linewidth=1.2)
    least, most = min(map(min, ends)), max(map(max, ends))
    space = (most - least) * 0.04
    bars.axes.set_xlim(max(0.0, least - space), most + space)
    _dollars(bars.axes, words, words.say("tornado.axis"))
    return bars.figure


def distribution(found: Findings, words: Wording) -> Figure:
    """Histograms of single calls and of the mean call."""
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    for axes, drawn, name, colour in (
        (upper, found.report.calls, "calls", "stt"),
        (lower, found.report.assumptions, "means", "tts"),
    ):
        _band(axes, found)
        _histogram(axes, drawn, COLOURS[colour])
        axes.set_title(words.say(f"distribution.{name}"), loc="left")
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: words.write(share, "percent")))
        axes.set_ylabel(words.say("distribution.axis-y"))
    upper.set_xlim(0, max(found.report.calls.edges[-1], found.report.assumptions.edges[-1]))
    _dollars(lower, words, words.say("distribution.axis-x"))
    return figure


def _histogram(axes: Axes, drawn: Distribution, colour: str) -> None:
    widths = [right - left for left, right in zip(drawn.edges, drawn.edges[1:], strict=False)]
    shares = [count / drawn.draws for count in drawn.counts]
    axes.bar(
        drawn.edges[:-1],
        shares,
        widths,
        align="edge",
        color=colour,
        edgecolor=COLOURS["paper"],
        linewidth=0.5,
    )


def _band(axes: Axes, found: Findings) -> None:
    target = found.scenario.target
    axes.axvspan(float(target.low_usd), float(target.high_usd), color=COLOURS["band"], linewidth=0, zorder=0)


def _dollars(axes: Axes, words: Wording, label: str) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda usd, _: words.write(float(usd), "usd")))
    axes.set_xlabel(label)
