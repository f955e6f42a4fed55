"""What of a call was for nothing: each kind by hand, and never more than the call cost."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from slukh.cost.ledger.prompt_waste import prompt_waste
from slukh.cost.ledger.rated_rows import StoredLine, columns_of, line_of
from slukh.cost.ledger.waste import Waste, waste_of
from slukh.cost.meter import CallFacts
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import rate
from slukh.types import TOKEN_UNITS, UNANSWERED, UNITS_PER_REQUEST, Purpose, Unit, Usage

MARKET = PriceBook.load("market-2026-11")
MOMENT = datetime(2026, 11, 22, 10, tzinfo=UTC)


def usage(component: Any, sequence: int, unit: Unit, quantity: int, **values: Any) -> Usage:
    who = {
        "stt": ("google", "chirp_3"), "tts": ("google", "uk-UA-Chirp3-HD-Kore"), "line": ("kyiv", ""),
        "llm": ("anthropic", "claude-sonnet-4-5"),
    }[component]  # fmt: skip
    row = Usage(
        call_id="c-1", leg=1, component=component, sequence=sequence, provider=who[0], model=who[1],
        unit=unit, quantity=quantity, outcome="published", occurred_at=MOMENT,
    )  # fmt: skip
    return replace(row, **values)


def sent(utterance: int, attempt: int, milliseconds: int, purpose: Purpose = "serve", **values: Any) -> Usage:
    return usage("stt", utterance * 1000 + attempt, "audio_ms", milliseconds, purpose=purpose, **values)


def leg(voiced_ms: int, **values: Any) -> CallFacts:
    facts = CallFacts(
        call_id="c-1", leg=1, state="ended", started_at=MOMENT, ended_at=MOMENT, language_code="uk-UA",
        announced=True, provider="google", model="chirp_3", assigned_arm="google", voiced_ms=voiced_ms,
    )  # fmt: skip
    return replace(facts, **values)


def lines(rows: Sequence[Usage], book: PriceBook = MARKET) -> list[StoredLine]:
    return [line_of(columns_of(line, book.name)) for line in rate(rows, book)]


def wasted(rows: Sequence[Usage], *legs: CallFacts, book: PriceBook = MARKET) -> dict[tuple[str, str], Waste]:
    prices = {price.id: price for price in book.all_prices()}
    found = waste_of(rows, lines(rows, book), legs, prices)
    assert sum(waste.amount_pico_usd or 0 for waste in found) <= sum(
        line.amount_pico_usd for line in lines(rows, book)
    )
    return {(waste.what, waste.kind): waste for waste in found}


def dollars(pico: int | None) -> Any:
    assert pico is not None
    return pytest.approx(pico / 10**12, abs=1e-10)


def test_silence_is_what_was_sent_once_and_held_no_voice() -> None:
    found = wasted([sent(1, 1, 4000), sent(2, 1, 6000)], leg(7000))
    silence = found["stt", "silence"]
    assert (silence.quantity, silence.of_quantity) == (3000, 10_000)
    assert dollars(silence.amount_pico_usd) == 3 * 0.016 / 60


def test_audio_that_was_sent_again_is_named_after_the_reason_and_is_no_silence() -> None:
    rows = [
        sent(1, 1, 3000, outcome="timeout"),
        sent(1, 2, 5000, "retry"),  # 3 s again, 2 s for the first time
        sent(2, 1, 4000),
        sent(2, 2, 4000, "hedge", outcome="superseded"),
        sent(2, 3, 4000, "shadow"),
    ]
    found = wasted(rows, leg(9000))
    assert found["stt", "replay"].quantity == 3000
    assert found["stt", "hedge"].quantity == 4000
    assert found["stt", "shadow"].quantity == 4000
    assert found["stt", "silence"].quantity == 0  # 9 s were sent once, all of it voice
    assert dollars(found["stt", "replay"].amount_pico_usd) == 3 * 0.016 / 60


def test_what_is_billed_beyond_what_was_sent_is_rounding_whoever_says_so() -> None:
    found = wasted([sent(1, 1, 4200), sent(2, 1, 4200, reported_quantity=5000)], leg(8400))
    assert found["stt", "rounding"].quantity == 1600
    assert dollars(found["stt", "rounding"].amount_pico_usd) == 1.6 * 0.016 / 60
    assert found["stt", "silence"].amount_pico_usd == 0


def test_a_first_block_of_the_line_is_rounding_and_a_setup_fee_is_not(tariff: Any) -> None:
    fields = {"component": "line", "unit": "call_ms", "amount": "0.60", "initial": 60_000, "setup": "0.05"}
    found = wasted([usage("line", 0, "call_ms", 15_000)], leg(0), book=tariff(**fields))
    assert found["line", "rounding"].quantity == 45_000
    assert dollars(found["line", "rounding"].amount_pico_usd) == 0.45


def test_of_an_interrupted_phrase_what_was_not_heard_is_waste() -> None:
    rows = [
        usage("tts", 1, "characters", 100, outcome="interrupted", heard_quantity=30),
        usage("tts", 2, "characters", 50, outcome="sent", heard_quantity=50),
        usage("tts", 3, "characters", 80, outcome="cached", heard_quantity=10),
    ]
    barge_in = wasted(rows)["tts", "barge_in"]
    assert (barge_in.quantity, barge_in.of_quantity) == (70, 150)
    assert dollars(barge_in.amount_pico_usd) == 70 * 0.00003


def test_of_a_models_output_what_was_not_heard_is_waste_beside_what_its_voice_cost() -> None:
    model = {"model": "claude-sonnet-4-5"}
    rows = [
        usage("llm", 8, "input_tokens", 3000, **model),
        usage("llm", 9, "output_tokens", 80, outcome="aborted", heard_quantity=20, **model),
        usage("llm", 17, "output_tokens", 40, outcome="ok", heard_quantity=40, **model),
        usage("tts", 1, "characters", 100, outcome="interrupted", heard_quantity=50),
    ]
    found = wasted(rows)
    unheard = found["llm", "unheard"]
    assert (unheard.unit, unheard.quantity, unheard.of_quantity) == ("output_tokens", 60, 120)
    assert dollars(unheard.amount_pico_usd) == 60 * 15 / 10**6
    assert dollars(found["tts", "barge_in"].amount_pico_usd) == 50 * 0.00003


def test_output_that_was_heard_is_no_waste_and_neither_is_that_of_a_version_that_did_not_ask() -> None:
    heard = usage("llm", 9, "output_tokens", 40, outcome="ok", heard_quantity=40, model="claude-haiku-4-5")
    assert wasted([heard, replace(heard, sequence=17, heard_quantity=None)]) == {}


@pytest.mark.parametrize(
    ("rows", "legs", "kind"),
    [
        (
            [usage("llm", 9, "output_tokens", 40, outcome="aborted", model="claude-haiku-4-5")],
            [],
            ("llm", "unheard"),
        ),
        ([usage("tts", 1, "characters", 100, outcome="interrupted")], [], ("tts", "barge_in")),
        ([sent(1, 1, 4000)], [leg(0, state="started")], ("stt", "silence")),
        ([sent(1, 1, 4000)], [], ("stt", "silence")),
    ],
)
def test_what_is_not_known_is_said_and_is_not_zero(
    rows: list[Usage], legs: list[CallFacts], kind: tuple[str, str]
) -> None:
    waste = wasted(rows, *legs)[kind]
    assert (waste.quantity, waste.amount_pico_usd) == (None, None)
    assert waste.note


def asked(number: int, model: str = "claude-sonnet-4-5", **tokens: int) -> list[Usage]:
    return [
        usage(
            "llm", number * UNITS_PER_REQUEST + TOKEN_UNITS.index(unit), unit, tokens[unit], model=model,
        )
        for unit in TOKEN_UNITS
        if tokens.get(unit)
    ]  # fmt: skip


def test_prompts_that_a_working_cache_would_have_read_cost_the_difference() -> None:
    rows = [*asked(1, input_tokens=3000, output_tokens=80), *asked(2, input_tokens=3200, output_tokens=80)]
    found = prompt_waste(rows, MARKET)
    assert found is not None
    assert (found.quantity, found.of_quantity) == (3000, 6200)
    # $3, $3.75 and $0.30: 6,200 tokens as they are, against 3,200 written and 3,000 read
    assert dollars(found.amount_pico_usd) == (6200 * 3 - 3200 * 3.75 - 3000 * 0.30) / 1e6


def test_a_request_without_figures_is_no_prompt_that_a_cache_could_have_read() -> None:
    rows = [*asked(1, cache_write_tokens=3000), *asked(3, cache_read_tokens=3000, cache_write_tokens=200)]
    lost = usage("llm", 2 * UNITS_PER_REQUEST, "input_tokens", 0, outcome=UNANSWERED)
    assert prompt_waste([*rows, lost], MARKET) == prompt_waste(rows, MARKET)


def test_a_cache_that_works_wastes_nothing_and_one_that_breaks_off_does() -> None:
    first = asked(1, cache_write_tokens=1000, cache_read_tokens=2000)
    works = prompt_waste([*first, *asked(2, cache_read_tokens=3000, cache_write_tokens=200)], MARKET)
    assert works is not None
    assert (works.quantity, works.amount_pico_usd) == (0, 0)
    broke = prompt_waste([*first, *asked(2, cache_write_tokens=3200)], MARKET)
    assert broke is not None
    assert broke.quantity == 3000
    assert dollars(broke.amount_pico_usd) == 3000 * (3.75 - 0.30) / 1e6


def test_a_prompt_below_the_models_minimum_could_not_be_read_and_that_is_said() -> None:
    rows = [asked(n, "claude-haiku-4-5", input_tokens=2500 + n) for n in range(1, 4)]
    found = prompt_waste([row for request in rows for row in request], MARKET)
    assert found is not None
    assert (found.quantity, found.amount_pico_usd) == (0, 0)
    assert "4,096" in found.note


def test_without_a_known_minimum_the_waste_of_prompts_is_not_known() -> None:
    rows = [
        *asked(1, "claude-haiku-5-5", input_tokens=3000),
        *asked(2, "claude-haiku-5-5", input_tokens=3200),
    ]
    found = prompt_waste(rows, MARKET)
    assert found is not None
    assert (found.quantity, found.amount_pico_usd) == (None, None)
    assert "not in the price book" in found.note


def test_a_history_that_was_summed_up_reads_no_more_than_what_is_left_of_it() -> None:
    rows = [asked(1, input_tokens=6000), asked(2, input_tokens=1500), asked(3, input_tokens=6500)]
    found = prompt_waste([row for request in rows for row in request], MARKET)
    assert found is not None
    assert found.quantity == 1500
