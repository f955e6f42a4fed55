"""The plots: narrow, so that a phone shows them whole; words above bars, not beside them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from textwrap import wrap
from typing import Any

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
from slukh.cost.report.svg import COLOURS, STYLE
from slukh.cost.wording import Wording

WIDTH = 5.0  # inches, 360 points: as wide as a phone
_ROW = 0.56  # inches of height for a bar and its words
_HALF = 0.21  # of a bar, in rows
_LINE = 46  # characters


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
    bars = _bars(titles, [words.write(total, "usd4") for total in totals], legend_rows=3)
    _band(bars.axes, found)
    for place, column in zip(bars.places, COLUMNS, strict=True):
        left = 0.0
        for part in PARTS:
            amount = analysis.per_call.stt(column) if part == "stt" else getattr(analysis.per_call, part)
            bars.draw(
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
    bars = _bars(
        [words.say("waterfall.today"), *titles, words.say("waterfall.optimised")],
        [words.write(today, "usd4"), *savings, words.write(costs[-1], "usd4")],
    )
    bars.draw(bars.places[0], 0, float(today), "soft")
    for place, (before, after) in zip(bars.places[1:], pairwise(costs), strict=False):
        bars.draw(place, float(after), float(before), "tts")
    bars.draw(bars.places[-1], 0, float(costs[-1]), "stt")
    bars.axes.set_xlim(0, float(today) * 1.02)
    _dollars(bars.axes, words, words.say("waterfall.axis"))
    return bars.figure


def tornado(found: Findings, words: Wording) -> Figure:
    """Swings of a call's cost around what it is."""
    swings, base = found.report.tornado, float(found.report.analysis.per_call.total(TODAY))
    ends = [(float(swing.low_usd), float(swing.high_usd)) for swing in swings]
    bars = _bars(
        [words.range_title(swing.name) for swing in swings],
        [f"{words.write(low, 'usd4')} \N{EN DASH} {words.write(high, 'usd4')}" for low, high in ends],
    )
    for place, (low, high) in zip(bars.places, ends, strict=True):
        bars.draw(place, base, low, "stt")
        bars.draw(place, base, high, "llm")
        bars.axes.plot([base, base], [place - _HALF, place + _HALF], color=COLOURS["ink"], linewidth=1.2)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bars:
    """A plot of horizontal bars, the first on top, their words above them."""

    figure: Figure
    axes: Axes
    places: tuple[float, ...]

    def draw(self, place: float, start: float, end: float, colour: str, *, label: str | None = None) -> None:
        """A bar, or a piece of one, from `start` to `end` dollars."""
        self.axes.barh(
            place, end - start, 2 * _HALF, left=start, color=COLOURS[colour], edgecolor=COLOURS["paper"],
            linewidth=0.8, label=label,
        )  # fmt: skip


def _bars(titles: Sequence[str], values: Sequence[str], *, legend_rows: int = 0) -> _Bars:
    """An empty plot with room for bars: what each is, and its value at the right edge."""
    wrapped = [wrap(title, _LINE) for title in titles]
    places = tuple(accumulate(0.0 if not n else 1 + 0.34 * (len(t) - 1) for n, t in enumerate(wrapped)))
    height = (places[-1] + 1) * _ROW + 0.75 + legend_rows * 0.25
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.set_ylim(places[-1] + 0.4, -0.85)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    how: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "bottom", "zorder": 3}
    for place, title, value in zip(places, wrapped, values, strict=True):
        axes.text(0, place - 0.27, "\n".join(title), ha="left", **how)
        axes.text(1, place - 0.27, value, ha="right", color=COLOURS["soft"], **how)
    return _Bars(figure=figure, axes=axes, places=places)


def _band(axes: Axes, found: Findings) -> None:
    target = found.scenario.target
    axes.axvspan(float(target.low_usd), float(target.high_usd), color=COLOURS["band"], linewidth=0, zorder=0)


def _dollars(axes: Axes, words: Wording, label: str) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda usd, _: words.write(float(usd), "usd")))
    axes.set_xlabel(label)
