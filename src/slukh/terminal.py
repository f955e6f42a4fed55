"""What a person sees: events as they come, and tables."""

import json
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from slukh.experiment.units import between, plain, with_sign
from slukh.types import TURN_BUDGET_SECONDS

Values = Mapping[str, Any]
_SHOWN_SECONDS = 0.01
_NUMBERS = frozenset({"seconds", "sequence", "quantity", "reported"})


class EventPrinter:
    """Prints the events of a call: JSON lines, or text in which interims give way to their final.

    Args:
        as_json: for scripts.

    Attributes:
        unheard: why an utterance was not transcribed, when one was not.
        has_heard: whether there was speech at all.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.unheard: str | None = None
        self.has_heard = False
        self._error: str | None = None
        self._as_json = as_json
        self._console = Console(highlight=False, soft_wrap=True)
        self._notes = Console(stderr=True, highlight=False, soft_wrap=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._as_json:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def note(self, text: str) -> None:
        """Say what is going on, beside the output."""
        self._notes.print(f"[dim]{text}[/]")

    def show(self, event: Values) -> None:
        """One event, as `event_json` makes it."""
        self.has_heard |= event["event"] == "speech_started"
        if event["event"] == "attempt_ended":
            self._error = event["error"]
        elif event["event"] == "transcript" and event["is_salvage"]:
            self.unheard = self._error or "no recogniser answered"
        if self._as_json:
            self._line(json.dumps(event, ensure_ascii=False))
        elif event["event"] == "transcript":
            self._transcript(event)
        elif event["event"] == "result_dropped":
            self._console.print(f"[yellow]dropped[/] by the guard: {event['reason']}")
        elif event["event"] == "phrase_spoken":
            cut = (
                f", cut after {event['played_ms'] / 1000:.1f} s" if event["outcome"] == "interrupted" else ""
            )
            self._console.print(
                f"           [magenta]said[/]   {event['language_code']}        {event['text']} "
                f"[dim]({event['provider']}, {event['outcome']}{cut})[/]"
            )
        elif event["event"] == "turn_timed":
            self._console.print(f"           {_turn_line(event)}")
        elif event["event"] == "audio_gap":
            self._console.print(
                f"[yellow]gap[/] {event['start']:.2f} to {event['end']:.2f} s ({event['reason']})"
            )
        elif event["event"] == "attempt_ended" and event["error"] is not None:
            self._console.print(f"[yellow]attempt {event['attempt']}[/] failed: {event['error']}")

    def summary(self, record: Values) -> None:
        """How the call went, from `GET /v1/calls/{id}`."""
        if self._as_json:
            self._line(json.dumps({"event": "summary", **record}, ensure_ascii=False))
            return
        usage = record["usage"]
        table = Table(title=f"call {record['call_id']}", show_header=False, title_justify="left")
        table.add_row("provider", str(record["provider"]))
        table.add_row("attempts", str(usage["attempts"]))
        table.add_row("utterances with text", str(len(record["transcript"])))
        table.add_row("seconds of call", f"{usage['call_seconds']:.1f}")
        table.add_row("seconds of speech", f"{usage['speech_seconds']:.1f}")
        table.add_row("seconds sent to the recogniser", f"{usage['sent_seconds']:.1f}")
        table.add_row("seconds of silence not sent", f"{usage['withheld_seconds']:.1f}")
        if usage["cost_usd"] is not None:
            whole = "" if usage["cost_is_whole"] else " and more, not all of it is known"
            table.add_row("US dollars, about", f"{float(usage['cost_usd']):.6f}{whole}")
        table.add_row("ended by", str(record["end_reason"]))
        self._console.print(table)

    def _transcript(self, event: Values) -> None:
        text = Text(f"{event['end']:7.2f} s  ")
        if event["is_final"]:
            confidence = "  - " if event["confidence"] is None else f"{event['confidence']:.2f}"
            text.append("final  ", style="bold green")
            text.append(f"{event['language_code']}  {confidence}  ")
            text.append(event["text"] or "(no words)", style="bold" if event["text"] else "dim")
            self._live.update(Text(""), refresh=True)
            self._console.print(text)
            return
        stable = event["stable_length"]
        text.append("interim", style="cyan")
        text.append(f"  {event['language_code']}    -   {event['text'][:stable]}")
        text.append(event["text"][stable:], style="dim")
        if self._live.is_started:
            self._live.update(text, refresh=True)
        else:
            self._console.print(text)

    def _line(self, line: str) -> None:
        self._console.file.write(line + "\n")
        self._console.file.flush()


def _turn_line(turn: Values) -> str:
    """What a caller waited for, step by step, each beside its budget; what is over it stands out."""
    budgets = TURN_BUDGET_SECONDS
    steps = {stage: float(turn[f"{stage}_seconds"]) for stage in budgets}
    told = []
    for stage, budget in budgets.items():
        taken = steps[stage]
        if budget or taken >= _SHOWN_SECONDS:
            style = "yellow" if taken > budget else "dim"
            told.append(f"[{style}]{stage.replace('_', ' ')} {taken:.2f}/{budget:.1f}[/]")
    return (
        f"[dim]answered after {sum(steps.values()):.2f}/{sum(budgets.values()):.1f} s:[/] {', '.join(told)}"
    )


def calls_table(calls: Sequence[Values]) -> Table:
    """`slukh calls list`, within 80 columns: an id that is cut off is of no use."""
    table = _table("started", "call", "lang", "provider", "seconds", "ended")
    for row in calls:
        table.add_row(
            _moment(row["started_at"]),
            str(row["call_id"]),
            str(row["language_code"]),
            str(row["provider"]),
            "?" if row["is_cut_off"] else f"{row['heard_ms'] / 1000:.1f}",
            "cut off" if row["is_cut_off"] else str(row["end_reason"] or row["state"]),
        )
    return table


def call_tables(call: Values) -> Iterator[Table]:
    """`slukh calls show`: what is known of each leg, then every usage row."""
    for leg in call["legs"]:
        facts = Table(title=f"leg {leg['leg']}", title_justify="left", show_header=False, box=box.SIMPLE)
        for name, value in leg.items():
            if name.endswith("_ms"):
                facts.add_row(name.removesuffix("_ms") + " seconds", f"{value / 1000:.3f}")
            elif name == "is_cut_off":
                if value:
                    facts.add_row("cut off", "its gateway was killed: what it used until then is below")
            elif name != "leg" and value is not None:
                facts.add_row(name.replace("_", " "), str(value))
        yield facts
    usage = _table(
        "leg", "component", "sequence", "provider", "quantity", "unit", "reported", "purpose", "outcome"
    )
    for row in call["usage"]:
        usage.add_row(
            str(row["leg"]),
            str(row["component"]),
            str(row["sequence"]),
            f"{row['provider']} {row['model']}".strip(),
            str(row["quantity"]),
            str(row["unit"]),
            "" if row["reported_quantity"] is None else str(row["reported_quantity"]),
            str(row["purpose"]),
            str(row["outcome"]),
        )
    yield usage


def aside_line(payload: Values) -> str:
    """A row that came with the key of another one: the first stands, this one is in no sum."""
    if "component" not in payload:
        return f"[red]set aside[/]: other facts of leg {payload['leg']} ({payload['state']}), in no sum"
    key = f"leg {payload['leg']}, {payload['component']} {payload['sequence']}"
    return f"[red]set aside[/]: {key} came again with {payload['quantity']} {payload['unit']}, in no sum"


def whisper_tables(report: Values) -> Iterator[Table]:
    """`slukh whisper check`: what the server is like, what it carries, and what callers would feel."""
    facts = Table(title=report["url"], title_justify="left", show_header=False, box=box.SIMPLE)
    first, revised = report["first_interim_seconds"], report["revised_share"]
    facts.add_row("server", f"{report['server']}, spoken to in {report['dialect']}")
    facts.add_row("words wrong", f"{report['wer']:.0%} of {report['words']} in {report['language_code']}")
    if first is None:
        facts.add_row("interims", f"none: {report['why_no_interims']}")
    else:
        facts.add_row("interims", f"{report['interims']:.1f} a clip, the first after {first:.1f} s of audio")
        facts.add_row("revised", f"{revised or 0:.0%} of their words")
    facts.add_row("on silence", Text(report["on_silence"]))  # a server's words are no markup
    facts.add_row(f"asked for {report['language_code']}", report["on_bcp_47"])
    facts.add_row("on a hang-up", report["on_disconnect"])
    streams, doubled = report["streams"], report["doubled_at"]
    carries = f"{'' if doubled else 'at least '}{streams} caller{'' if streams == 1 else 's'} at once"
    if doubled:
        carries += f"; finals take twice as long at {doubled}"
    facts.add_row("would carry" if report["findings"] else "carries", carries)
    yield facts
    load = _table("callers", "p50 seconds", "p95 seconds", "failed")
    for step in sorted(report["steps"], key=lambda step: step["streams"]):
        times = (step[name] for name in ("p50_seconds", "p95_seconds"))
        seconds = ("-" if time is None else f"{time:.2f}" for time in times)
        load.add_row(str(step["streams"]), *seconds, str(step["failed"]))
    yield load
    if report["findings"]:
        found = Table(title="callers would feel", title_justify="left", show_header=False, box=box.SIMPLE)
        for finding in report["findings"]:
            found.add_row(finding)
        yield found


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in columns:
        table.add_column(name, no_wrap=True, justify="right" if name in _NUMBERS else "left")
    return table


def _moment(text: object) -> str:
    """Month to minute of an ISO moment, UTC."""
    return str(text)[5:16].replace("T", " ")


def evaluation_tables(report: Values) -> list[Table | Text]:
    """How well each recogniser heard a manifest, all of it and by language, length and kind of turn."""
    table = Table(box=box.SIMPLE, pad_edge=False, collapse_padding=True)
    for name in ("in per cent", "n", "words", "WER", "95 %", "written", "CER", "entities", "silence"):
        table.add_column(name, justify="left" if name == "in per cent" else "right", no_wrap=True)
    for provider, found in report["providers"].items():
        table.add_section()
        table.add_row(f"{provider} ({found['model']})", *_rates(found["all"]))
        for grouping in ("language", "length", "turn_type"):
            if len(found[grouping]) > 1:
                for group, rates in found[grouping].items():
                    table.add_row(f"  {group}", *_rates(rates))
    lines: list[Table | Text] = [table]
    for provider, found in report["providers"].items():
        latency = found["latency"]
        if latency["finals"]:
            lines.append(
                Text(
                    f"{provider}: final {latency['final_seconds_p50']:.2f} s after our endpoint (p50), "
                    f"{latency['final_seconds_p95']:.2f} s (p95)"
                )
            )
        lines.append(Text(f"{provider}: {_hearing_cost(found['cost'])}"))
    for compared in report["comparisons"]:
        lines += _comparison(compared)
    lines += [Text(f"line {p['line']} left out: {p['problem']}", style="yellow") for p in report["problems"]]
    return lines


def _comparison(compared: Values) -> Iterator[Text]:
    """By how much one hears worse than another, with the interval or why there is none."""
    if compared["wer_difference"] is None:
        return
    first, second = compared["providers"]
    interval = compared["wer_difference_interval"]
    between = "" if interval is None else f", 95 % {interval[0]:+.1%} to {interval[1]:+.1%}"
    if compared["is_too_few_calls"]:
        between = f", too few calls for an interval ({compared['calls']})"
    yield Text(f"{second} less {first}: {compared['wer_difference']:+.1%} WER{between}")
    yield Text(f"  {_second_opinion(compared['mapsswe'])}", style="dim")


def _second_opinion(test: Values) -> str:
    few = "" if test["is_enough"] else "; too few segments to say anything"
    return (
        f"second opinion, utterances taken for independent (MAPSSWE): {test['segments']} segments, "
        f"p {test['p']:.2g}{few}"
    )


def _hearing_cost(cost: Values) -> str:
    if cost["usd"] is None:
        return f"no dollars ({cost['reason']})"
    plural = "" if cost["requests"] == 1 else "s"
    return (
        f"${float(cost['usd']):.4f} for {cost['requests']} request{plural}, "
        f"${float(cost['usd_per_audio_hour']):.2f} an hour of audio ({cost['price_book']}, {cost['on']})"
    )


def _rates(found: Values) -> list[str]:
    interval, silence = found["wer_interval"], found["silent_words_per_minute"]
    return [
        str(found["utterances"]),
        str(found["words"]),
        _percent(found["wer"]),
        _interval(interval, is_of_few=found["is_too_few_calls"] and found["utterances"] > 0),
        *(_percent(found[name]) for name in ("written_wer", "cer", "entity_error_rate")),
        "" if silence is None else f"{silence:.1f}/min",
    ]


def _interval(interval: Sequence[float] | None, *, is_of_few: bool) -> str:
    if interval is None:
        return "few calls" if is_of_few else ""
    return f"{100 * interval[0]:.0f} to {100 * interval[1]:.0f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


_VERDICT_STYLES = {"PROMOTE": "bold green", "HOLD": "bold yellow", "ROLL BACK": "bold red"}
_GATE_STYLES = {"pass": "green", "wait": "yellow", "fail": "red"}
_ORDER = ("fail", "wait", "pass")  # what keeps it from passing stands on the first screen


def verdict_lines(report: Values) -> list[Text]:
    """Whether Whisper may have more calls, gate by gate, with what is missing below."""
    inputs = report["inputs"]
    lines = [
        Text(f"{report['decision']}: {report['why']}", style=_VERDICT_STYLES[report["decision"]]),
        Text(report["answer"]),
        Text(
            f"{inputs['since'][:10]} to {inputs['until'][:10]}, {inputs['calls']} calls, "
            f"{inputs['served_by_another']} served by another than their arm, flags "
            f"{inputs['flag_version'] or 'none'}, gates {inputs['gates_version']}, seed {inputs['seed']}"
        ),
    ]
    begin = inputs["begin"]
    if begin["is_chosen"]:
        lines.append(
            Text(
                f"chosen: by what happened the window begins {begin['at'][:16]} ({begin['why']}), and `slukh "
                "ab ramp` takes a PROMOTE of that one",
                style="yellow",
            )
        )
    elif begin["at"] is not None:
        lines.append(Text(f"the window begins by what happened: {begin['why']}"))
    if own := report["own_margins"]:
        named = ", ".join(f"{name} {margin:g}" for name, margin in own.items())
        lines.append(Text(f"margins of your own: {named}"))
    for gate in sorted(report["gates"], key=lambda gate: (_ORDER.index(gate["status"]), gate["is_empty"])):
        bounds = ""
        if gate["low"] is not None:
            told = between(gate["low"], gate["high"], gate["unit"])
            bounds = f", {told}, margin {with_sign(gate['margin'], gate['unit'])}"
        elif gate["value"] is not None and gate["margin"] is not None:
            told = plain(gate["value"], gate["unit"])
            bounds = f", {told}, margin {with_sign(gate['margin'], gate['unit'])}"
        status = ("none", "dim") if gate["is_empty"] else (gate["status"], _GATE_STYLES[gate["status"]])
        lines.append(Text.assemble(status, f"  {gate['name']:28} {gate['detail']}{bounds}"))
        if gate["missing"]:
            when = "" if gate["expected"] is None else f", expected {gate['expected'][:10]}"
            lines.append(Text(f"      -> {gate['missing']}{when}", style="yellow"))
    return lines


def strata_table(report: Values) -> Table:
    """Where the two differ; rows are none where nothing is shadowed."""
    table = Table(
        title="where the two differ, and how much worse Whisper is, in per cent and points\n"
        "(nothing is decided by it; one row in twenty is off by chance)",
        title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False,
    )  # fmt: skip
    for name in ("part", "n", "differ", "labels", "worse", "95 %"):
        table.add_column(name, justify="left" if name == "part" else "right", no_wrap=True)
    before = ""
    for row in report["strata"]:
        if row["grouping"] != before:
            before = row["grouping"]
            table.add_section()
            table.add_row(f"by {before}")
        interval = "" if row["low"] is None else f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"
        table.add_row(
            f"  {row['name']}",
            str(row["utterances"]),
            _percent(row["disagreement"]),
            str(row["labels"]),
            "" if row["value"] is None else f"{100 * row['value']:+.1f}",
            interval or ("few callers" if row["labels"] else ""),
        )
    return table
