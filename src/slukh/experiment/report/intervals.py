"""The picture of a verdict: every difference with its interval, against its margin."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from slukh.experiment.gates import Gate, Status
from slukh.experiment.report.sections import bounds, margin, value
from slukh.report.rows import HALF, rows
from slukh.report.svg import COLOURS, STYLE

# Roles of the page's palette, told apart by shape as well, for paper.
_COLOURS: dict[Status, str] = {"pass": "tts", "wait": "line", "fail": "llm"}
_SHAPES: dict[Status, str] = {"pass": "o", "wait": "D", "fail": "s"}
_LEAST, _MOST = -4.0, 6.0  # margins; an interval far wider would squeeze all others to dots
_ROUND = 0.3


def intervals(gates: Sequence[Gate]) -> Figure:
    """One row for each gate; all of them have bounds and a margin."""
    spans = [tuple(float(end or 0) / float(gate.margin or 1) for end in (gate.low, gate.value, gate.high))
             for gate in gates]  # fmt: skip
    left = max(_LEAST, min(-1.0, *(low for low, _, _ in spans)) - _ROUND)
    right = min(_MOST, max(1.5, *(high for _, _, high in spans)) + _ROUND)
    with mpl.rc_context(STYLE):
        drawn = rows(
            [gate.name for gate in gates],
            [f"{value(gate)} ({bounds(gate)}), margin {margin(gate)}" for gate in gates],
        )
        axes = drawn.axes
        for place, gate, (low, middle, high) in zip(drawn.places, gates, spans, strict=True):
            colour = COLOURS[_COLOURS[gate.status]]
            drawn.bar(place, 1, right, "band")
            for at, line in ((0, "rule"), (1, "ink")):
                axes.plot([at, at], [place - HALF, place + HALF], color=COLOURS[line], linewidth=1.2)
            axes.plot([max(low, left), min(high, right)], [place, place], color=colour, linewidth=3)
            for end, is_cut, arrow in ((left, low < left, "<"), (right, high > right, ">")):
                if is_cut:
                    axes.plot(end, place, arrow, color=colour, markersize=8, clip_on=False)
            if left <= middle <= right:
                axes.plot(
                    middle, place, _SHAPES[gate.status], color=colour, markersize=8,
                    markeredgecolor=COLOURS["paper"],
                )  # fmt: skip
        axes.set_xlim(left, right)
        axes.xaxis.set_major_locator(MultipleLocator(1))
        axes.set_xlabel("times the margin")
    return drawn.figure
