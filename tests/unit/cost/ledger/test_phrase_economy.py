from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from slukh.cost.ledger.phrase_economy import phrase_economy
from slukh.cost.pricing.price_book import PriceBook
from slukh.types import Usage

BOOK = PriceBook.load("market-2026-11")


def said(characters: int, outcome: str, number: int, voice: str = "uk-UA-Chirp3-HD-Kore") -> Usage:
    return Usage(
        call_id="c", component="tts", leg=1, sequence=number, provider="google", model=voice,
        unit="characters", quantity=characters, outcome=outcome,
        occurred_at=datetime(2026, 11, 26, tzinfo=UTC),
    )  # fmt: skip


def test_rates_are_by_characters_and_by_phrases_and_money_by_characters() -> None:
    rows = [said(100, "sent", 1), said(300, "cached", 2), said(40, "interrupted", 3), said(60, "cached", 4)]
    (economy,) = phrase_economy(rows, BOOK)
    assert economy.hit_rate_phrases == 0.5
    assert economy.hit_rate_characters == 0.72
    assert economy.usd_per_million == 30
    assert economy.saved_usd == Decimal(30) * 360 / 1_000_000
    assert economy.spent_usd == Decimal(30) * 140 / 1_000_000
    assert economy.unheard_usd == Decimal(30) * 40 / 1_000_000
    assert economy.as_json()["saved_usd"] == "0.0108"


def test_of_an_interrupted_phrase_what_was_heard_is_not_unheard() -> None:
    (economy,) = phrase_economy([replace(said(40, "interrupted", 1), heard_quantity=15)], BOOK)
    assert economy.unheard_characters == 25


def test_what_was_made_beforehand_is_spent_and_every_phrase_once_is_what_a_new_voice_costs() -> None:
    voice = ("google", "uk-UA-Chirp3-HD-Kore")
    made = [said(50, "sent", 1)]
    (economy,) = phrase_economy([said(50, "cached", 2)], BOOK, beforehand=made, unique={voice: 80})
    assert economy.hit_rate_characters == 1.0
    assert economy.spent_usd == Decimal(30) * 50 / 1_000_000
    assert economy.unique_usd == Decimal(30) * 80 / 1_000_000
    (unsaid,) = phrase_economy([], BOOK, beforehand=made)
    assert (unsaid.phrases, unsaid.hit_rate_phrases, unsaid.spent_usd) == (0, 0.0, economy.spent_usd)


def test_a_voice_without_a_price_has_rates_and_no_dollars() -> None:
    (economy,) = phrase_economy([said(100, "cached", 1, voice="Nobody")], BOOK)
    assert economy.hit_rate_characters == 1.0
    assert economy.saved_usd is None


def test_voices_are_told_apart_the_most_used_first_and_other_rows_passed_over() -> None:
    heard = Usage(
        call_id="c", component="stt", leg=1, sequence=9, provider="google", model="chirp_3",
        unit="audio_ms", quantity=1000, outcome="published", occurred_at=datetime(2026, 11, 26, tzinfo=UTC),
    )  # fmt: skip
    rows = [said(10, "sent", 1), said(90, "sent", 2, voice="uk-UA-Standard-A"), heard]
    assert [one.voice for one in phrase_economy(rows, BOOK)] == ["uk-UA-Standard-A", "uk-UA-Chirp3-HD-Kore"]
