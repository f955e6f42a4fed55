"""What the report says, whatever it is written in."""

from dataclasses import replace
from decimal import Decimal

import pytest

from slukh.cost.estimates.cost_report import analysis_report
from slukh.cost.estimates.scenario import Service, Vat
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.report.document import document
from slukh.cost.report.findings import Findings, findings_of
from slukh.cost.wording import LANGUAGES, Language, wording
from slukh.report.blocks import Block, Bullets, Figure, Heading, Paragraph, Table
from slukh.report.markdown import markdown


def text(found: Findings, language: Language = "en") -> str:
    plain = markdown(document(found, wording(language)), picture=None)
    return plain.replace("\N{NO-BREAK SPACE}", " ")


def test_the_first_page_answers_an_owner(seed: Findings) -> None:
    first_page = text(seed).split("## What a call is made of")[0]
    for answer in (
        "**A call costs $0.2545 (UAH 10.94). That is inside the target of $0.15 to $0.30.**",
        "Slukh as installed sends speech only: then a call costs $0.2425 (UAH 10.43), inside the target.",
        "**What to do first:** cache the prompt at the end of every request for 1 hour. It saves $64.54",
        "**Whisper at 38 calls a day: does not pay.** It needs 1 GPU for $245.00 a month.",
        "Google takes $72.00 for whole calls, and $60.00 if it gets speech only.",
        "**Whisper at 1,923 calls a day: pays, with Google for the overflow.**",
        "cheaper than Google on whole calls from 131 on calls a day",
        "cheaper than Google on speech only from 158 to 273 and from 315 on calls a day",
        "a call that a person takes costs $0.6702",
    ):
        assert answer in first_page


def test_the_reference_example_keeps_its_numbers(seed: Findings) -> None:
    said = text(seed)
    assert "| hearing (STT) | $72.00 | 28.3% |" in said
    assert "| answering (LLM) | $92.70 | 36.4% |" in said
    assert "from 11,781 calls a month" in said
    assert "**Use version 2 of Google's API.**" in said


def test_a_day_has_as_many_calls_as_its_month_needs(seed: Findings) -> None:
    """26 days: 3,403 calls a month are reached at 131 a day (3,406), and not at 130."""
    assert (seed.from_a_day(3403), seed.to_a_day(7111), seed.a_day(1000)) == (131, 273, 38)


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


def with_vat(found: Findings, vat: Vat) -> Findings:
    analysis = replace(found.report.analysis, scenario=replace(found.scenario, vat=vat))
    return replace(found, report=replace(found.report, analysis=analysis))


def test_tax_is_added_where_it_is_asked_for(seed: Findings) -> None:
    taxed = text(with_vat(seed, Vat(rate=Decimal("0.2"))))
    assert "Whoever cannot deduct 20% VAT pays $0.3054 (UAH 13.13) in place of $0.2545." in taxed
    assert "| per call with 20% VAT | $0.3054 | $0.2910 | $0.5130 |" in taxed
    assert "| pays from this share of calls on | 38.0% |" in taxed
    assert "| the same with 20% VAT | 45.6% |" in taxed
    assert "VAT pays" not in text(seed)
    assert "with 0% VAT" not in text(seed)


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


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_setup_that_loses_says_so(seed: Findings, market: PriceBook, language: Language) -> None:
    scenario = replace(seed.scenario, volume=replace(seed.scenario.volume, calls_per_month=30))
    book = PriceBook.load("seed-reference")
    said = text(findings_of(analysis_report(scenario, book, market), book, command=""), language)
    sentences = {
        "en": ("That is above the target", "the agent costs", "a month more than it saves"),
        "ru": ("Это выше цели", "агент обходится на", "в месяц дороже"),
    }[language]
    for sentence in sentences:
        assert sentence in said


def test_every_price_shows_its_day_and_not_its_age(shop: Findings) -> None:
    said = text(shop)
    assert (
        "| `google-stt-v2` | 0.016 USD per min of audio | fact | https://cloud.google.com/speech-to-text"
        in said
    )
    assert "| 2026-09-13 |" in said
    assert "days old" not in said


def test_the_two_levers_have_their_own_paragraphs(seed: Findings) -> None:
    said = text(seed)
    assert "### TTS cache hit rate\n\n0% of the characters come out of the phrase cache" in said
    assert "Every 10 points more save $0.48 a month." in said
    assert "### Prompt optimisation\n\nA call sends 10 requests with 26,900 prompt tokens together" in said


def test_savings_that_round_to_nothing_are_no_step(shop: Findings) -> None:
    done = replace(shop, report=replace(shop.report, waterfall=()))
    assert "nothing; no measure that callers do not notice saves money" in text(done)
    assert "waterfall" not in {b.name for b in document(done, wording("en")) if isinstance(b, Figure)}
