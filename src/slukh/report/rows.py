"""Plots in rows: narrow, so that a phone shows them whole; words above what is drawn, not beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from textwrap import wrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slukh.report.svg import COLOURS

WIDTH = 5.0  # inches, 360 points: as wide as a phone
HALF = 0.21  # of a bar, in rows
_ROW = 0.56  # inches of height for a bar and its words
_LINE = 46  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A plot in rows, the first on top, their words above them.

    Attributes:
        figure: the whole.
        axes: what is drawn on.
        places: of the rows, on the vertical axis.
    """

    figure: Figure
    axes: Axes
    places: tuple[float, ...]

    def bar(self, place: float, start: float, end: float, colour: str, *, label: str | None = None) -> None:
        """A bar, or a piece of one, from `start` to `end`."""
        self.axes.barh(
            place, end - start, 2 * HALF, left=start, color=COLOURS[colour], edgecolor=COLOURS["paper"],
            linewidth=0.8, label=label,
        )  # fmt: skip


def rows(titles: Sequence[str], values: Sequence[str], *, legend_rows: int = 0) -> Rows:
    """An empty plot with room for rows: what each is, and its value at the right edge."""
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
    return Rows(figure=figure, axes=axes, places=places)
