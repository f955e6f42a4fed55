"""The break-even chart: Google's lines, Whisper's staircase, and the ground on which Whisper wins."""

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from slukh.cost.report.findings import Findings
from slukh.cost.wording import Wording
from slukh.report.rows import WIDTH
from slukh.report.svg import COLOURS


def break_even(found: Findings, words: Wording) -> Figure:
    """Dollars a month by calls a day."""
    decision, curve = found.report.decision, found.report.curve
    assert decision is not None
    days = found.scenario.volume.days_per_month
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    axes = figure.subplots()
    volumes = [point.calls_per_month / days for point in curve]
    low, high = (
        [float(p.whisper + p.gpus * (machine.month_usd - decision.gpu_month_usd)) for p in curve]
        for machine in (found.machines[0], found.machines[-1])
    )
    if len(found.machines) > 1:
        axes.fill_between(
            volumes, low, high, color=COLOURS["llm"], alpha=0.13, linewidth=0,
            label=words.say("break-even.band"),
        )  # fmt: skip
    for number, won in enumerate(decision.intervals["google"]):
        end = volumes[-1] if won.to_calls is None else won.to_calls / days
        axes.axvspan(
            won.from_calls / days, end, ymax=0.03, color=COLOURS["tts"], linewidth=0,
            label=None if number else words.say("break-even.ground"),
        )  # fmt: skip
    lines = (
        ("google", [point.google for point in curve], "stt", "-"),
        ("google_gated", [point.google_gated for point in curve], "stt", "--"),
        ("whisper", [point.whisper for point in curve], "llm", "-"),
    )
    for way, months, colour, style in lines:
        axes.plot(
            volumes, list(map(float, months)), style, color=COLOURS[colour], linewidth=1.8,
            label=words.say(f"column.{way}"),
        )  # fmt: skip
    axes.set_xlim(0, volumes[-1])
    axes.set_ylim(0, float(max(curve[-1].google, curve[-1].whisper)) * 1.1)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda calls, _: words.write(calls, "count")))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda usd, _: words.write(usd, "count")))
    axes.set_xlabel(words.say("break-even.axis-x"))
    axes.set_ylabel(words.say("break-even.axis-y"))
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=2, columnspacing=1.2, borderpad=0)
    return figure
