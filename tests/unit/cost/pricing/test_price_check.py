"""A second opinion: genai-prices agrees with every cell it knows, except where we know why not."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from slukh.cost.pricing.llm_tokens import TokenBuckets
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.price_check import Cell, compared_with_genai, in_force, left_to_genai
from slukh.cost.pricing.rating import rate
from slukh.types import TOKEN_UNITS, UNITS_PER_REQUEST, Usage

MARKET = PriceBook.load("market-2026-11")
TODAY = date(2026, 11, 22)
CELLS = compared_with_genai(MARKET, TODAY)
CLAUDE = tuple(dict.fromkeys(cell.model for cell in CELLS if cell.price.provider == "anthropic"))


def changed(amount: str, *, known: str = "") -> Cell:
    """Haiku 4.5's input price, if our book had another one."""
    [price] = [price for price in MARKET.prices if price.id == "claude-haiku-4-5/input_tokens"]
    book = PriceBook(name="b", prices=(replace(price, amount=Decimal(amount), known_difference=known),))
    [cell] = compared_with_genai(book, TODAY)
    return cell


def test_genai_prices_agrees_on_every_claude_cell_but_one() -> None:
    assert len([cell for cell in CELLS if cell.model in CLAUDE]) == 13 * 5
    others = {cell.price.id: (cell.verdict, cell.on) for cell in CELLS if cell.verdict != "same"}
    # It has today's cache read price of Sonnet 5.5 for every day; before 2026-10-07 it was twice that.
    assert others == {"claude-sonnet-5-5-launch/cache_read_tokens": ("known", date(2026, 9, 28))}


def test_recognisers_and_voices_that_both_books_have_are_compared_too() -> None:
    compared = {cell.model for cell in CELLS if cell.price.component != "llm"}
    assert compared == {
        "whisper-1", "gpt-transcribe", "gpt-live-transcribe", "gpt-realtime-whisper", "whisper-large-v3",
        "whisper-large-v3-turbo", "voxtral-mini-transcribe-realtime-2602",
        "voxtral-mini-transcribe-realtime-3-0", "tts-1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "verdict", "is_fine"),
    [
        (changed("1"), "same", True),
        (changed("1.00"), "same", True),
        (changed("2"), "differs", False),
        (changed("2", known="theirs is old"), "known", True),
        (changed("1", known="theirs is old"), "outdated", False),
    ],
)
def test_a_difference_is_fine_only_when_the_book_says_why(cell: Cell, verdict: str, *, is_fine: bool) -> None:
    assert (cell.verdict, cell.is_fine) == (verdict, is_fine)


def test_a_long_prompts_price_is_compared_too() -> None:
    [price] = [price for price in MARKET.prices if price.id == "claude-haiku-5-5/input_tokens"]
    book = PriceBook(name="b", prices=(replace(price, cliff=()),))
    assert [cell.verdict for cell in compared_with_genai(book, TODAY)] == ["differs"]


def test_a_claude_model_of_the_book_is_not_left_to_genai_prices() -> None:
    assert "claude-fable-5-1" in left_to_genai(MARKET)
    assert "claude-sonnet-5-5" not in left_to_genai(MARKET)
    assert left_to_genai(PriceBook.load("seed-reference")) == ()


def test_an_entry_that_another_one_followed_is_not_in_force() -> None:
    by_id = {price.id: price for price in MARKET.prices}
    ids = ("claude-sonnet-5-5-launch/input_tokens", "claude-sonnet-5-5/input_tokens", "gpu-gex44-2026-04")
    assert [in_force(MARKET, by_id[name], TODAY) for name in ids] == [False, True, False]


@given(
    model=st.sampled_from(CLAUDE),
    made=st.builds(TokenBuckets, **{unit: st.integers(0, 150_000) for unit in TOKEN_UNITS}),
)
def test_a_request_costs_what_genai_prices_says(model: str, made: TokenBuckets) -> None:
    """Their `input_tokens` are the whole prompt, ours what was not cached; both cliffs are in here."""
    moment = datetime(2026, 11, 22, 12, tzinfo=UTC)
    rows = [
        Usage(
            call_id="c", leg=1, component="llm", sequence=UNITS_PER_REQUEST + position, provider="anthropic",
            model=model, unit=unit, quantity=getattr(made, unit), outcome="ok", occurred_at=moment,
        )
        for position, unit in enumerate(TOKEN_UNITS)
    ]  # fmt: skip
    theirs = calc_price(
        TheirUsage(
            input_tokens=made.prompt_tokens,
            output_tokens=made.output_tokens,
            cache_read_tokens=made.cache_read_tokens,
            cache_write_tokens=made.cache_write_tokens + made.cache_write_1h_tokens,
            cache_write_1h_tokens=made.cache_write_1h_tokens,
        ),
        model,
        provider_id="anthropic",
        genai_request_timestamp=moment,
    )
    assert sum(line.amount_usd for line in rate(rows, MARKET)) == theirs.total_price
