"""What a call costs part by part, and Google against Whisper."""

from collections.abc import Iterator
from decimal import Decimal

from slukh.cost.estimates.breakdown import COLUMNS
from slukh.cost.estimates.decision import WAY_TITLES, Decision
from slukh.cost.report.findings import Findings
from slukh.cost.report.summary import break_even_sentences
from slukh.cost.wording import Wording
from slukh.report.blocks import Block, Bullets, Figure, Heading, Paragraph, Table

PARTS = ("stt", "llm", "tts", "line", "fixed")


def breakdown(found: Findings, words: Wording) -> Iterator[Block]:
    """Part by part, for three ways of hearing."""
    yield Heading(2, words.say("breakdown.title"))
    yield Paragraph(words.say("breakdown.intro", calls=found.calls))
    yield _parts(found, words)
    yield Figure(name="breakdown", caption=words.say("breakdown.caption"))


def _parts(found: Findings, words: Wording) -> Table:
    thousand, call = found.report.analysis.per_1000, found.report.analysis.per_call
    month = found.report.analysis.per_month
    shares = {column: call.shares(column) for column in COLUMNS}
    rows: list[tuple[str, ...]] = []
    for part in PARTS:
        cells = [words.say(f"part.{part}")]
        for column in COLUMNS:
            amount = thousand.stt(column) if part == "stt" else getattr(thousand, part)
            cells += (words.write(amount, "usd"), words.write(shares[column][part], "percent1"))
        rows.append(tuple(cells))

    def total(key: str, how: str, amounts: list[Decimal]) -> None:
        rows.append(
            (words.say(key), *(cell for amount in amounts for cell in (words.write(amount, how), "")))
        )

    total("row.per-1000", "usd", [thousand.total(c) for c in COLUMNS])
    total("row.per-call", "usd4", [call.total(c) for c in COLUMNS])
    total("row.per-month", "usd", [month.total(c) for c in COLUMNS])
    if found.vat:
        gross = 1 + found.vat
        label = words.say("row.per-month-gross", vat=found.vat)
        rows.append(
            (label, *(cell for c in COLUMNS for cell in (words.write(month.total(c) * gross, "usd"), "")))
        )
    if found.rate is not None:
        rate = found.rate.per_usd
        total("row.per-1000-uah", "fixed2", [thousand.total(c) * rate for c in COLUMNS])
    return Table(
        head=("", *(cell for c in COLUMNS for cell in (words.say(f"column.{c}"), words.say("row.share")))),
        rows=tuple(rows),
        totals=frozenset(range(len(PARTS), len(rows))),
    )


def hearing(found: Findings, words: Wording) -> Iterator[Block]:
    """Google as it is, Google that gets speech only, Whisper."""
    decision, capacity = found.report.decision, found.report.analysis.capacity
    yield Heading(2, words.say("hearing.title"))
    yield Bullets(tuple(words.say(f"hearing.{column}") for column in COLUMNS))
    if decision is not None:
        yield _by_volume(found, decision, words)
    if capacity is not None:
        yield Paragraph(
            words.say(
                "hearing.capacity",
                gpus=capacity.gpus,
                gpu_month=capacity.gpu_month_usd,
                streams=capacity.streams_per_gpu,
                origin="measured" if capacity.is_measured else "assumption",
                erlangs=capacity.busy_hour_erlangs,
                idle=1 - Decimal(str(capacity.busy_share)),
                idle_usd=capacity.idle_usd,
            )
        )
    yield Paragraph(words.say("hearing.hosted", calls=found.calls))
    yield Table(
        head=tuple(words.say(f"hosted.{name}") for name in ("service", "minute", "whole", "gated")),
        rows=tuple(
            (
                f"{price.service.provider} {price.service.model}",
                words.write(price.minute_usd, "usd5"),
                words.write(price.whole_calls_usd, "usd"),
                words.write(price.speech_only_usd, "usd"),
            )
            for price in found.report.hearing
        ),
    )


def _by_volume(found: Findings, decision: Decision, words: Wording) -> Table:
    rows = []
    for point in sorted(decision.points, key=lambda point: point.calls_per_month):
        gpus = {"whisper": point.gpus, "hybrid": point.hybrid.gpus, "hybrid_gated": point.hybrid_gated.gpus}
        cells = [words.write(found.a_day(point.calls_per_month), "count")]
        for way, month in point.ways.items():
            text = words.write(month, "usd")
            if gpus.get(way):
                text = words.say("hearing.rented", amount=text, gpus=gpus[way])
            cells.append(f"**{text}**" if way == point.cheapest else text)
        rows.append(tuple(cells))
    return Table(
        head=(words.say("row.calls-a-day"), *(words.say(f"way.{way}") for way in WAY_TITLES)),
        rows=tuple(rows),
        texts=0,
    )


def break_even(found: Findings, words: Wording) -> Iterator[Block]:
    """From which volumes on Whisper pays."""
    decision = found.report.decision
    yield Heading(2, words.say("break-even.title"))
    if decision is None:
        yield Paragraph(words.say("break-even.service"))
        return
    low, high = found.machines[0], found.machines[-1]
    yield Paragraph(words.say("break-even.intro"))
    yield Figure(
        name="break-even",
        caption=words.say(
            "break-even.caption" if len(found.machines) > 1 else "break-even.caption-one",
            low=words.label("machine", low.name),
            low_usd=low.month_usd,
            high=words.label("machine", high.name),
            high_usd=high.month_usd,
        ),
    )
    yield Bullets((*break_even_sentences(found, decision, words), *_targets(found, decision, words)))


def _targets(found: Findings, decision: Decision, words: Wording) -> Iterator[str]:
    target = found.scenario.saving_target_usd
    if decision.targets:
        yield words.say("break-even.target-wish", target=target)
    for saving in decision.targets:
        way = words.say(f"target-way.{saving.way}")
        if saving.calls_per_month is None:
            yield words.say("break-even.target-never", way=way, target=target)
            continue
        yield words.say(
            f"break-even.target-{'google' if not saving.gpus else saving.way}",
            way=way,
            target=target,
            calls=saving.calls_per_month,
            calls_a_day=found.from_a_day(saving.calls_per_month),
            gpus=saving.gpus,
            overflow=saving.overflow_share,
        )
