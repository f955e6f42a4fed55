"""The break-even chart: Google's lines, Whisper's staircase, and the ground on which Whisper wins."""

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from slukh.cost.report.findings import Findings
from slukh.cost.report.svg import COLOURS
from slukh.cost.wording import Wording

WIDTH = 5.0


def break_even(found: Findings, words: Wording) -> Figure:
    """Dollars a month by calls a day."""
    curves, decision = found.curves, found.report.decision
    assert curves is not None
    assert decision is not None
    days = found.scenario.volume.days_per_month
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    axes = figure.subplots()
    last = curves.calls[-1] / days
    for number, won in enumerate(decision.intervals["google"]):
        end = last if won.to_calls is None else won.to_calls / days
        axes.axvspan(
            won.from_calls / days, end, ymax=0.03, color=COLOURS["tts"], linewidth=0,
            label=None if number else words.say("break-even.ground"),
        )  # fmt: skip
    volumes = [0.0, *(calls / days for calls in curves.calls)]
    for way, months, style in (
        ("google", curves.google, "-"),
        ("google_gated", curves.google_gated, "--"),
    ):
        axes.plot(
            volumes, [0.0, *map(float, months)], style, color=COLOURS["stt"], linewidth=1.8,
            label=words.say(f"column.{way}"),
        )  # fmt: skip
    edges = [curves.steps[0].first / days, *(step.last / days for step in curves.steps)]
    gpus = [step.gpus for step in curves.steps]
    low, high = ([float(number * rent[1]) for number in gpus] for rent in (curves.gpu_low, curves.gpu_high))
    axes.fill_between(
        edges, [*low, low[-1]], [*high, high[-1]], step="post", color=COLOURS["llm"], alpha=0.13, linewidth=0,
        label=words.say("break-even.band"),
    )  # fmt: skip
    axes.stairs(
        [float(number * curves.gpu_month_usd) for number in gpus], edges, baseline=None,
        color=COLOURS["llm"], linewidth=1.8, label=words.say("column.whisper"),
    )  # fmt: skip
    axes.set_xlim(0, last)
    axes.set_ylim(0, max(float(curves.google[-1]), gpus[-1] * float(curves.gpu_month_usd)) * 1.1)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda calls, _: words.write(calls, "count")))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda usd, _: words.write(usd, "count")))
    axes.set_xlabel(words.say("break-even.axis-x"))
    axes.set_ylabel(words.say("break-even.axis-y"))
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=2, columnspacing=1.2, borderpad=0)
    return figure
