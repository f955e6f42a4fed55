"""The first page: what a call costs, what to do first, whether Whisper pays. Its reader pays the bill."""

from collections.abc import Iterator
from decimal import Decimal

from slukh.cost.estimates.breakdown import COLUMNS, Column
from slukh.cost.estimates.decision import MOST_CALLS, Decision, VolumePoint
from slukh.cost.report.findings import Findings
from slukh.cost.wording import Fact, Wording
from slukh.report.blocks import Block, Bullets, Heading, Paragraph, Table

# What most pipelines do: the recogniser hears the whole call.
TODAY: Column = "google"


def summary(found: Findings, words: Wording) -> Iterator[Block]:
    """Title and verdict."""
    analysis = found.report.analysis
    yield Heading(1, words.say("report.title"))
    title = words.templates.get(f"scenario.{found.scenario.name}", found.scenario.title)
    yield Paragraph(
        words.say(f"report.basis.{analysis.basis}", title=title, day=found.scenario.as_of, book=analysis.book)
    )
    yield Paragraph(currencies(found, words))
    yield Heading(2, words.say("summary.title"))
    yield Paragraph(_answer(found, words))
    yield Bullets(tuple(_points(found, words)))
    yield _three_ways(found, words)


def currencies(found: Findings, words: Wording) -> str:
    """Which money amounts are in, by which rate, and what of tax."""
    if found.rate is None:
        return words.say("report.dollars")
    return words.say(
        "report.currencies",
        rate=found.rate.per_usd,
        origin=found.rate.confidence,
        since=found.rate.effective_from,
        read_on=found.rate.read_on,
    )


def with_hryvnias(found: Findings, words: Wording, usd: Decimal, *, how: str = "usd") -> str:
    """An amount, and the same in hryvnias where the rate is known."""
    text = words.write(usd, how)
    if found.rate is None:
        return text
    return f"{text} ({words.write(usd * found.rate.per_usd, 'uah' if how == 'usd4' else 'uah0')})"


def _answer(found: Findings, words: Wording) -> str:
    analysis, target = found.report.analysis, found.scenario.target
    cost = analysis.per_call.total(TODAY)
    facts: dict[str, Fact] = {
        "cost": with_hryvnias(found, words, cost, how="usd4"),
        "low": target.low_usd,
        "high": target.high_usd,
        "month": with_hryvnias(found, words, analysis.per_month.total(TODAY)),
        "gross": with_hryvnias(found, words, cost * (1 + found.vat), how="usd4"),
        "net": cost,
        "vat": found.vat,
        "gated": with_hryvnias(found, words, analysis.per_call.total("google_gated"), how="usd4"),
        "gated_verdict": analysis.verdict("google_gated"),
    }
    sentences = [words.say(f"summary.cost.{analysis.verdict(TODAY)}", facts)]
    if found.vat:
        sentences.append(words.say("summary.gross", facts))
    return " ".join((*sentences, words.say("summary.gated", facts)))


def _points(found: Findings, words: Wording) -> Iterator[str]:
    yield from _what_to_do(found, words)
    if found.report.decision is not None:
        yield from whether_whisper_pays(found, found.report.decision, words)
    yield _against_a_person(found, words)
    yield from _how_sure(found, words)


def _what_to_do(found: Findings, words: Wording) -> Iterator[str]:
    steps, month = found.report.waterfall, found.report.analysis.per_month.total(TODAY)
    if not steps:
        yield words.say("summary.nothing-to-do")
        return
    first, last = steps[0], steps[-1]
    yield words.say(
        "summary.first",
        what=words.say(f"measure.{first.kind}.title", first.facts),
        saving=with_hryvnias(found, words, first.saving_usd_per_month),
        share=first.saving_usd_per_month / month,
    )
    yield words.say(
        "summary.all-steps",
        steps=len(steps),
        cost=with_hryvnias(found, words, last.per_call_usd, how="usd4"),
        saving=with_hryvnias(found, words, sum((s.saving_usd_per_month for s in steps), Decimal(0))),
    )


def whether_whisper_pays(found: Findings, decision: Decision, words: Wording) -> Iterator[str]:
    """At the volumes that were asked about, and from which volumes on."""
    own, *others = decision.points
    yield _at(own, found, words)
    largest = max(others, key=lambda point: point.calls_per_month, default=own)
    if largest.calls_per_month > own.calls_per_month:
        yield _at(largest, found, words)
    yield words.say("summary.from", spans=" ".join(break_even_sentences(found, decision, words)))


def _at(point: VolumePoint, found: Findings, words: Wording) -> str:
    best = point.cheapest
    kind: str = "hybrid" if best.startswith("hybrid") else best
    if kind == "google_gated" and point.whisper < point.google:
        kind = "between"
    mix = point.hybrid if best == "hybrid" else point.hybrid_gated
    return words.say(
        f"summary.at.{kind}",
        calls_a_day=found.a_day(point.calls_per_month),
        google=point.google,
        gated=point.google_gated,
        whisper=point.whisper,
        gpus=point.gpus,
        mix=mix.month_usd,
        mix_gpus=mix.gpus,
        overflow=mix.overflow_share,
        saving=point.google - point.whisper,
    )


def break_even_sentences(found: Findings, decision: Decision, words: Wording) -> Iterator[str]:
    """From how many calls a day on Whisper alone is cheaper, against each way of using Google."""
    for column, intervals in decision.intervals.items():
        facts: dict[str, Fact] = {
            "column": words.say(f"against.{column}"),
            "most": found.to_a_day(MOST_CALLS),
        }
        if not intervals:
            yield words.say("break-even.never", facts)
            continue
        spans = [
            words.say("break-even.on", start=found.from_a_day(i.from_calls))
            if i.to_calls is None
            else words.say(
                "break-even.span", start=found.from_a_day(i.from_calls), end=found.to_a_day(i.to_calls)
            )
            for i in intervals
        ]
        yield words.say("break-even.wins", facts, spans=words.say("report.and").join(spans))


def _against_a_person(found: Findings, words: Wording) -> str:
    roi = found.report.analysis.rois[TODAY]
    return words.say(
        "summary.person.saves" if roi.saving_per_call > 0 else "summary.person.loses",
        person=with_hryvnias(found, words, roi.operator_call_usd, how="usd4"),
        containment=roi.containment,
        saving=with_hryvnias(found, words, abs(roi.saving_per_month)),
        break_even=roi.break_even_containment,
    )


def _how_sure(found: Findings, words: Wording) -> Iterator[str]:
    mean, calls, target = found.report.assumptions, found.report.calls, found.scenario.target
    yield words.say(
        "summary.sure",
        p5=mean.p5,
        p95=mean.p95,
        inside=mean.inside,
        below=mean.below,
        above=mean.above,
        calls_above=calls.above,
        high=target.high_usd,
        low=target.low_usd,
    )
    widest = found.report.tornado[0]
    yield words.say(
        "summary.widest",
        what=words.range_title(widest.name),
        low=words.range_value(widest.name, widest.low_facts),
        high=words.range_value(widest.name, widest.high_facts),
        low_usd=widest.low_usd,
        high_usd=widest.high_usd,
    )


def _three_ways(found: Findings, words: Wording) -> Table:
    analysis = found.report.analysis
    call, month = analysis.per_call, analysis.per_month
    rows = [
        (words.say("row.per-call"), *(words.write(call.total(c), "usd4") for c in COLUMNS)),
        (words.say("row.per-month"), *(words.write(month.total(c), "usd") for c in COLUMNS)),
    ]
    if found.rate is not None:
        rate = found.rate.per_usd
        rows += [
            (words.say("row.per-call-uah"), *(words.write(call.total(c) * rate, "fixed2") for c in COLUMNS)),
            (words.say("row.per-month-uah"), *(words.write(month.total(c) * rate, "count") for c in COLUMNS)),
        ]
    if found.vat:
        gross = words.say("row.per-call-gross", vat=found.vat)
        rows.append((gross, *(words.write(call.total(c) * (1 + found.vat), "usd4") for c in COLUMNS)))
    target = found.scenario.target
    rows.append(
        (
            words.say("row.target", low=target.low_usd, high=target.high_usd),
            *(words.say(f"target.{analysis.verdict(c)}") for c in COLUMNS),
        )
    )
    return Table(head=("", *(words.say(f"column.{c}") for c in COLUMNS)), rows=tuple(rows))
