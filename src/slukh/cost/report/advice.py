"""The way from today to the best setup, the person instead, and what to change."""

from collections.abc import Iterator
from decimal import Decimal

from slukh.cost.estimates.breakdown import COLUMNS
from slukh.cost.estimates.recommend import Recommendation
from slukh.cost.estimates.scenario_usage import requests_of
from slukh.cost.report.doubts import staff_swings
from slukh.cost.report.findings import Findings
from slukh.cost.report.summary import TODAY
from slukh.cost.wording import Wording
from slukh.report.blocks import Block, Bullets, Figure, Heading, Paragraph, Table

PROMPT_KINDS = ("prompt-caching", "history", "tool-round-trips", "model")
_TEN_POINTS = Decimal("0.1")


def waterfall(found: Findings, words: Wording) -> Iterator[Block]:
    """Measures that no caller hears, one after the other."""
    yield Heading(2, words.say("waterfall.title"))
    yield Paragraph(words.say("waterfall.intro"))
    if not found.report.waterfall:
        return
    yield Figure(name="waterfall", caption=words.say("waterfall.caption"))
    analysis = found.report.analysis
    rows = [(words.say("waterfall.today"), "", words.write(analysis.per_call.total(TODAY), "usd4"))]
    rows += (
        (
            words.say(f"measure.{step.kind}.title", step.facts),
            words.write(step.saving_usd_per_month, "usd"),
            words.write(step.per_call_usd, "usd4"),
        )
        for step in found.report.waterfall
    )
    yield Table(
        head=(words.say("waterfall.step"), words.say("row.saving"), words.say("row.per-call")),
        rows=tuple(rows),
    )


def person(found: Findings, words: Wording) -> Iterator[Block]:
    """The agent against an operator."""
    analysis, staff, operator = found.report.analysis, found.scenario.staff, found.report.analysis.operator
    yield Heading(2, words.say("person.title"))
    yield Paragraph(
        words.say(
            "person.intro",
            wage=operator.gross_wage,
            currency=operator.currency,
            social=operator.social_contribution,
            overhead=operator.overhead,
            month=operator.month_usd,
            hours=operator.paid_hours,
            shrinkage=operator.shrinkage,
            occupancy=operator.occupancy,
            talk=operator.talk_seconds,
            wrap_up=operator.wrap_up_seconds,
            calls=operator.calls_per_month,
            call=operator.call_usd,
            naive=operator.naive_call_usd,
        )
    )
    rois = [analysis.rois[column] for column in COLUMNS]
    rows = [
        (words.say("person.agent"), *(words.write(roi.agent_call_usd, "usd4") for roi in rois)),
        (words.say("person.operator"), *(words.write(roi.operator_call_usd, "usd4") for roi in rois)),
        (words.say("person.containment"), *(words.write(roi.containment, "percent") for roi in rois)),
        (words.say("person.blended"), *(words.write(roi.blended_call_usd, "usd4") for roi in rois)),
        (words.say("person.saving"), *(words.write(roi.saving_per_call, "usd4") for roi in rois)),
        (words.say("person.saving-month"), *(words.write(roi.saving_per_month, "usd") for roi in rois)),
        (words.say("person.roi"), *(words.write(roi.ratio, "percent1") for roi in rois)),
        (
            words.say("person.break-even"),
            *(words.write(roi.break_even_containment, "percent1") for roi in rois),
        ),
    ]
    if found.rate is not None:
        rate = found.rate.per_usd
        cells = (words.write(roi.saving_per_month * rate, "count") for roi in rois)
        rows.insert(6, (words.say("person.saving-month-uah"), *cells))
    if found.vat and found.scenario.vat.is_recoverable:
        gross = (words.write(roi.break_even_containment * (1 + found.vat), "percent1") for roi in rois)
        rows.append((words.say("person.break-even-gross", vat=found.vat), *gross))
    yield Table(head=("", *(words.say(f"column.{c}") for c in COLUMNS)), rows=tuple(rows))
    key = "person.setup" if staff.setup_usd else "person.no-setup"
    payback = analysis.rois[TODAY].payback_months
    yield Paragraph(words.say(key, setup=staff.setup_usd, months=Decimal(0) if payback is None else payback))
    yield Paragraph(words.say("person.hangs-on"))
    yield staff_swings(found, words)


def recommendations(found: Findings, words: Wording) -> Iterator[Block]:
    """By dollars a month, each with how and why."""
    advice = found.report.recommendations
    yield Heading(2, words.say("advice.title"))
    yield Paragraph(words.say("advice.intro"))
    rate = None if found.rate is None else found.rate.per_usd
    yield Table(
        head=(
            words.say("advice.what"),
            words.say("advice.confidence"),
            words.say("row.saving"),
            *(() if rate is None else (words.say("row.saving-uah"),)),
        ),
        rows=tuple(
            (
                f"{number}. {_title(item, words)}",
                words.say(f"confidence.{item.confidence}"),
                words.write(item.saving_usd_per_month, "usd"),
                *(() if rate is None else (words.write(item.saving_usd_per_month * rate, "count"),)),
            )
            for number, item in enumerate(advice, 1)
        ),
        texts=2,
    )
    yield Bullets(
        tuple(
            words.say(
                "advice.item",
                title=_title(item, words),
                change=words.say(f"measure.{item.kind}.change", item.facts),
                because=words.say(f"measure.{item.kind}.because", item.facts),
            )
            for item in advice
        )
    )
    yield Heading(3, words.say("advice.tts-title"))
    yield Paragraph(_tts_cache(found, words))
    yield Heading(3, words.say("advice.prompt-title"))
    yield Paragraph(_prompt(found, words))


def _title(item: Recommendation, words: Wording) -> str:
    title = words.say(f"measure.{item.kind}.title", item.facts)
    return title[:1].upper() + title[1:]


def _tts_cache(found: Findings, words: Wording) -> str:
    tts, call = found.scenario.tts, found.report.analysis.per_month
    if not tts.characters_per_turn:
        return words.say("advice.tts-none")
    if tts.hit_rate == 1:
        return words.say("advice.tts-all", hit_rate=tts.hit_rate)
    return words.say(
        "advice.tts",
        hit_rate=tts.hit_rate,
        month=call.tts,
        points=call.tts / (1 - tts.hit_rate) * _TEN_POINTS,
        share=found.report.analysis.per_call.shares(TODAY)["tts"],
    )


def _prompt(found: Findings, words: Wording) -> str:
    scenario = found.scenario
    requests = requests_of(scenario, scenario.call.turns)
    if not any(request.prompt_tokens for request in requests):
        return words.say("advice.prompt-none")
    savings = {item.kind: item for item in found.report.recommendations if item.kind in PROMPT_KINDS}
    caching = savings.get("prompt-caching")
    return words.say(
        "advice.prompt" if caching else "advice.prompt-cached",
        requests=len(requests),
        prompt_tokens=sum(request.prompt_tokens for request in requests),
        prefix_tokens=scenario.llm.prefix_tokens,
        prefix_share=Decimal(scenario.llm.prefix_tokens * len(requests))
        / max(1, sum(request.prompt_tokens for request in requests)),
        month=found.report.analysis.per_month.llm,
        saving=Decimal(0) if caching is None else caching.saving_usd_per_month,
    )
