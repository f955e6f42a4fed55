"""What the report says, whatever it is written in."""

from dataclasses import replace

import pytest

from slukh.cost.cost_report import analysis_report
from slukh.cost.price_book import PriceBook
from slukh.cost.report.blocks import Block, Bullets, Figure, Heading, Paragraph, Table
from slukh.cost.report.document import document
from slukh.cost.report.findings import Findings, findings_of
from slukh.cost.report.markdown import markdown
from slukh.cost.scenario import Service
from slukh.cost.scenario import Vat as ValueAddedTax
from slukh.cost.wording import Language, wording


def text(found: Findings, language: Language = "en") -> str:
    plain = markdown(document(found, wording(language)), picture=None)
    return plain.replace("\N{NO-BREAK SPACE}", " ")


def test_the_first_page_answers_an_owner(shop: Findings) -> None:
    first_page = text(shop).split("## What a call is made of")[0]
    for answer in (
        "**A call costs $0.0946 (UAH 4.07). That is below the target of $0.15 to $0.30.**",
        "**What to do first:** cache the prompt at the end of every request for 1 hour. It saves $151.80",
        "**Whisper at 200 calls a day: does not pay.** It needs 1 GPU for $245.00 a month.",
        "Google takes $144.74 for whole calls, and $34.75 if it gets speech only.",
        "**Whisper at 500 calls a day: does not pay.**",
        "from 339 to 547 and from 678 on calls a day",
    ):
        assert answer in first_page


def test_the_reference_example_keeps_its_numbers(seed: Findings) -> None:
    said = text(seed)
    assert "**A call costs $0.2545 (UAH 10.94). That is inside the target of $0.15 to $0.30.**" in said
    assert "| hearing (STT) | $72.00 | 28.3% |" in said
    assert "| answering (LLM) | $92.70 | 36.4% |" in said
    assert "from 11,781 calls a month" in said
    assert "**Use version 2 of Google's API.**" in said


def test_sections_stand_in_the_order_of_the_questions(shop: Findings) -> None:
    titles = [b.text for b in document(shop, wording("en")) if isinstance(b, Heading) and b.level == 2]
    assert titles == [
        "Verdict", "What a call is made of", "Google as it is, Google with speech only, Whisper",
        "From which volume on Whisper pays", "From today to optimised", "What the cost of a call hangs on",
        "How sure the cost is", "Against an operator", "Recommendations", "Where the numbers come from",
        "Limits",
    ]  # fmt: skip


def shape(block: Block) -> object:
    match block:
        case Heading(level=level):
            return level
        case Paragraph():
            return "paragraph"
        case Bullets(items=items):
            return len(items)
        case Table(head=head, rows=rows):
            return len(head), len(rows)
        case Figure(name=name):
            return name


@pytest.mark.parametrize("name", ["shop", "seed"])
def test_both_languages_say_as_much(name: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(name)
    english, russian = (tuple(map(shape, document(found, wording(one)))) for one in ("en", "ru"))
    assert english == russian


def test_every_table_is_whole(shop: Findings) -> None:
    for block in document(shop, wording("en")):
        if isinstance(block, Table):
            assert {len(row) for row in block.rows} == {len(block.head)}


def test_tax_is_added_where_it_is_asked_for(shop: Findings) -> None:
    assert "Whoever cannot deduct 20% VAT pays $0.1135 (UAH 4.88) in place of $0.0946." in text(shop)
    assert "| per call with 20% VAT | $0.1135 | $0.0915 | $0.1335 |" in text(shop)
    analysis = replace(shop.report.analysis, scenario=replace(shop.scenario, vat=ValueAddedTax()))
    without = text(replace(shop, report=replace(shop.report, analysis=analysis)))
    assert "VAT pays" not in without
    assert "with 0% VAT" not in without


def test_a_book_without_hryvnias_leaves_them_out(shop: Findings) -> None:
    said = text(replace(shop, rate=None))
    assert "Amounts are in US dollars, without VAT unless it says otherwise.\n" in said
    # The operator's wage is paid in them; it stays.
    assert [line for line in said.splitlines() if "per call, UAH" in line or "(UAH" in line] == []


def test_whisper_by_the_minute_has_no_break_even(shop: Findings, market: PriceBook) -> None:
    api = Service(provider="groq", model="whisper-large-v3-turbo")
    scenario = replace(shop.scenario, stt=replace(shop.scenario.stt, whisper=api))
    report = analysis_report(scenario, market, market)
    blocks = document(findings_of(report, market, command=""), wording("en"))
    assert "break-even" not in {block.name for block in blocks if isinstance(block, Figure)}
    assert any(isinstance(b, Paragraph) and "Whisper is a service here" in b.text for b in blocks)


def test_every_price_shows_its_day_and_not_its_age(shop: Findings) -> None:
    said = text(shop)
    assert (
        "| `google-stt-v2` | 0.016 USD per min of audio | fact | https://cloud.google.com/speech-to-text"
        in said
    )
    assert "| 2026-09-13 |" in said
    assert "days old" not in said


def test_the_two_levers_have_their_own_paragraphs(shop: Findings) -> None:
    said = text(shop)
    assert "### TTS cache hit rate\n\n30% of the characters come out of the phrase cache" in said
    assert "Every 10 points more save $10.80 a month." in said
    assert "### Prompt optimisation\n\nA call sends 5 requests with 14,710 prompt tokens together" in said


def test_savings_that_round_to_nothing_are_no_step(shop: Findings) -> None:
    done = replace(shop, report=replace(shop.report, waterfall=()))
    assert "nothing; no measure that callers do not notice saves money" in text(done)
    assert "waterfall" not in {b.name for b in document(done, wording("en")) if isinstance(b, Figure)}
