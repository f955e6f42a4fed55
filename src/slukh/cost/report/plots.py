"""The plots: narrow, so that a phone shows them whole; words above bars, not beside them."""

from collections.abc import Callable, Iterator
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from slukh.cost.breakdown import COLUMNS
from slukh.cost.report.costs import PARTS
from slukh.cost.report.curves import break_even
from slukh.cost.report.findings import Findings
from slukh.cost.report.summary import TODAY
from slukh.cost.report.svg import COLOURS, STYLE
from slukh.cost.uncertainty import Distribution
from slukh.cost.wording import Wording

WIDTH = 5.0  # inches, 360 points: as wide as a phone
_ROW = 0.56  # inches of height for a bar and its words


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
    analysis = found.report.analysis
    figure, axes = bars(len(COLUMNS), legend_rows=3)
    _band(axes, found)
    for row, column in enumerate(COLUMNS):
        left = 0.0
        for part in PARTS:
            width = float(
                analysis.per_call.stt(column) if part == "stt" else getattr(analysis.per_call, part)
            )
            axes.barh(
                row, width, 0.42, left=left, color=COLOURS[part], edgecolor=COLOURS["paper"], linewidth=0.8,
                label=words.say(f"part.{part}") if row == 0 else None,
            )  # fmt: skip
            left += width
        _above(axes, row, words.say(f"column.{column}"), words.write(analysis.per_call.total(column), "usd4"))
    most = max(float(analysis.per_call.total(c)) for c in COLUMNS)
    axes.set_xlim(0, max(most * 1.05, float(found.scenario.target.high_usd) * 1.05))
    _dollars(axes, words, words.say("breakdown.axis"))
    _legend(figure, axes, columns=2)
    return figure


def waterfall(found: Findings, words: Wording) -> Figure:
    """What a call costs after each step."""
    analysis, steps = found.report.analysis, found.report.waterfall
    before = analysis.per_call.total(TODAY)
    figure, axes = bars(len(steps) + 2)
    axes.barh(0, float(before), 0.42, color=COLOURS["soft"])
    _above(axes, 0, words.say("waterfall.today"), words.write(before, "usd4"))
    for row, step in enumerate(steps, 1):
        axes.barh(
            row, float(before - step.per_call_usd), 0.42, left=float(step.per_call_usd), color=COLOURS["tts"]
        )
        axes.plot(
            [float(before)] * 2, [row - 0.79, row + 0.21], color=COLOURS["soft"], linewidth=0.7, zorder=1
        )
        saved = words.write(step.per_call_usd - before, "usd4")
        _above(axes, row, words.say(f"measure.{step.kind}.title", step.facts), saved)
        before = step.per_call_usd
    axes.barh(len(steps) + 1, float(before), 0.42, color=COLOURS["stt"])
    _above(axes, len(steps) + 1, words.say("waterfall.optimised"), words.write(before, "usd4"))
    axes.set_xlim(0, float(analysis.per_call.total(TODAY)) * 1.02)
    _dollars(axes, words, words.say("waterfall.axis"))
    return figure


def tornado(found: Findings, words: Wording) -> Figure:
    """Swings of a call's cost around what it is."""
    swings, base = found.report.tornado, float(found.report.analysis.per_call.total(TODAY))
    figure, axes = bars(len(swings))
    for row, swing in enumerate(swings):
        for end, colour in ((swing.low_usd, "stt"), (swing.high_usd, "llm")):
            axes.barh(row, float(end) - base, 0.42, left=base, color=COLOURS[colour])
        axes.plot([base, base], [row - 0.21, row + 0.21], color=COLOURS["ink"], linewidth=1.2)
        low, high = (words.write(end, "usd4") for end in (swing.low_usd, swing.high_usd))
        _above(axes, row, words.range_title(swing.name), f"{low} \N{EN DASH} {high}")
    ends = [float(end) for swing in swings for end in (swing.low_usd, swing.high_usd)]
    space = (max(ends) - min(ends)) * 0.04
    axes.set_xlim(max(0.0, min(ends) - space), max(ends) + space)
    _dollars(axes, words, words.say("tornado.axis"))
    return figure


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


def bars(rows: int, *, legend_rows: int = 0) -> tuple[Figure, Axes]:
    """A plot of horizontal bars, the first on top, room for words above each."""
    height = rows * _ROW + 0.75 + legend_rows * 0.25
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.set_ylim(rows - 0.6, -0.85)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    return figure, axes


def _above(axes: Axes, row: int, text: str, value: str) -> None:
    """What a bar is, and its value at the right edge."""
    place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "bottom", "zorder": 3}
    if not axes.patches or axes.patches[0].get_zorder() > 0:  # no band that a box would cut
        place["bbox"] = {"facecolor": COLOURS["paper"], "edgecolor": "none", "pad": 1}
    axes.text(0, row - 0.27, text, ha="left", **place)
    axes.text(1, row - 0.27, value, ha="right", color=COLOURS["soft"], **place)


def _band(axes: Axes, found: Findings) -> None:
    target = found.scenario.target
    axes.axvspan(float(target.low_usd), float(target.high_usd), color=COLOURS["band"], linewidth=0, zorder=0)


def _dollars(axes: Axes, words: Wording, label: str) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda usd, _: words.write(float(usd), "usd")))
    axes.set_xlabel(label)


def _legend(figure: Figure, axes: Axes, *, columns: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=columns, handlelength=1, handleheight=1,
        columnspacing=1.2, handletextpad=0.5, borderpad=0,
    )  # fmt: skip
