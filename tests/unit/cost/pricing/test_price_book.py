"""Which price holds: the most specific entry of the day, or an error that names what was looked for."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from slukh.cost.pricing.price import Price, PriceUnit
from slukh.cost.pricing.price_book import PriceBook
from slukh.errors import PriceError

MARKET = PriceBook.load("market-2026-11")
SEED = PriceBook.load("seed-reference")
TODAY = date(2026, 11, 22)


def priced(name: str, day: str = "2026-01-01", **changes: object) -> Price:
    values: dict[str, object] = {
        "id": name, "component": "stt", "provider": "google", "models": ("*",), "unit": "audio_ms",
        "amount": Decimal(1), "basis": "audio_sent", "effective_from": date.fromisoformat(day),
        "source": "x", "read_on": TODAY, "confidence": "fact",
    }  # fmt: skip
    return Price(**values | changes)  # type: ignore[arg-type]  # fields by name


def found(*prices: Price, provider: str = "google", model: str = "chirp_3", on: date = TODAY,
          region: str | None = None) -> str:  # fmt: skip
    book = PriceBook(name="mine", prices=prices)
    return book.price("stt", provider, model, "audio_ms", on=on, region=region).id


def test_a_later_entry_ends_the_one_before() -> None:
    prices = (priced("old"), priced("new", "2026-06-01"), priced("announced", "2027-01-01"))
    days = [date(2026, 5, 31), date(2026, 6, 1), date(2026, 12, 31), date(2027, 1, 1)]
    assert [found(*prices, on=day) for day in days] == ["old", "new", "new", "announced"]


def test_a_version_is_that_of_a_day_and_knows_every_entry_that_holds_by_then() -> None:
    def version(*prices: Price, base: PriceBook | None = None) -> str:
        return PriceBook(name="mine", prices=prices, base=base).version(TODAY)

    now = version(priced("a"), priced("b"))
    assert now.startswith("mine@")
    assert version(priced("b"), priced("a"), priced("announced", "2027-01-01")) == now
    assert version(priced("a"), priced("b", amount=Decimal(2))) != now
    assert version(priced("a"), base=PriceBook(name="theirs", prices=(priced("b"),))) == now
    assert len({MARKET.version(TODAY), MARKET.version(date(2020, 1, 1)), SEED.version(TODAY)}) == 3


def test_a_named_model_goes_before_a_pattern_and_a_long_pattern_before_a_short_one() -> None:
    prices = (
        priced("any"),
        priced("family", models=("chirp*",)),
        priced("generation", models=("chirp_?",)),
        priced("model", models=("chirp_3",)),
    )
    assert found(*prices) == "model"
    assert [found(*prices[:3], model=model) for model in ("long", "chirp_22", "chirp_2")] == [
        "any",
        "family",
        "generation",
    ]


def test_a_named_provider_goes_before_any_other() -> None:
    trunks = (priced("any", provider="*"), priced("kyiv", provider="kyivstar"))
    assert [found(*trunks, provider=name) for name in ("kyivstar", "lifecell")] == ["kyiv", "any"]


def test_a_price_of_a_region_holds_there_only() -> None:
    prices = (priced("everywhere"), priced("eu", region="eu"))
    assert [found(*prices, region=region) for region in (None, "us", "eu")] == [
        "everywhere",
        "everywhere",
        "eu",
    ]


def test_an_ended_price_is_none() -> None:
    ended = priced("promotion", effective_to=date(2026, 6, 30))
    assert found(ended, on=date(2026, 6, 30)) == "promotion"
    with pytest.raises(PriceError, match="no price of stt google chirp_3 per audio_ms on 2026-07-01"):
        found(ended, on=date(2026, 7, 1))


def test_two_entries_that_fit_as_closely_are_refused() -> None:
    with pytest.raises(PriceError, match="front and back both price chirp_3"):
        found(priced("front", models=("chirp*",)), priced("back", models=("*irp_3",)))


@pytest.mark.parametrize(
    ("provider", "model", "unit", "day", "said"),
    [
        ("anthropic", "claude-haiku-5-5", "input_tokens", date(2026, 10, 6),
         "haiku-5-5 per input_tokens on 2026-10-06; the first one holds from 2026-10-07"),
        ("anthropic", "claude-unheard-of", "input_tokens", TODAY,
         "price book market-2026-11 has no price of llm anthropic claude-unheard-of per input_tokens on"),
        ("nobody", "claude-haiku-5-5", "output_tokens", TODAY, "no price of llm nobody claude-haiku-5-5"),
        ("openai", "gpt-4o", "cache_write_1h_tokens", TODAY, "per cache_write_1h_tokens on 2026-11-22"),
    ],
)  # fmt: skip
def test_what_has_no_price_is_never_guessed(
    provider: str, model: str, unit: PriceUnit, day: date, said: str
) -> None:
    with pytest.raises(PriceError, match=said):
        MARKET.price("llm", provider, model, unit, on=day)


def test_a_model_that_no_entry_names_is_priced_by_genai_prices() -> None:
    price = MARKET.price("llm", "anthropic", "claude-fable-5-1", "cache_read_tokens", on=TODAY)
    assert (price.amount, price.per, price.id) == (
        Decimal("0.25"),
        1_000_000,
        "genai-prices/anthropic/claude-fable-5-1/cache_read_tokens",
    )
    assert price.source.startswith("genai-prices ")


def test_the_reference_book_leaves_nothing_to_genai_prices() -> None:
    with pytest.raises(PriceError, match="seed-reference has no price of llm openai gpt-4o"):
        SEED.price("llm", "openai", "gpt-4o", "input_tokens", on=TODAY)


def test_a_dated_snapshot_has_the_price_of_its_model() -> None:
    price = MARKET.price("llm", "anthropic", "claude-haiku-4-5-20251001", "input_tokens", on=TODAY)
    assert price.id == "claude-haiku-4-5/input_tokens"


def test_fixed_items_are_found_by_name() -> None:
    assert MARKET.monthly("gpu-gex44", date(2026, 5, 1)).amount == 187
    assert MARKET.monthly("gpu-gex44", TODAY).amount == 212
    assert MARKET.monthly("gpu-gcp-l4", TODAY).unit == "hour"
    with pytest.raises(PriceError, match="no price of fixed gpu-unheard-of per month on 2026-11-22"):
        MARKET.monthly("gpu-unheard-of", TODAY)


def test_a_rate_is_that_of_the_latest_day_before() -> None:
    assert MARKET.rate("USD", TODAY) == 1
    assert [MARKET.rate("UAH", day) for day in (date(2025, 10, 23), TODAY)] == [
        Decimal("41.755"),
        Decimal(43),
    ]
    with pytest.raises(PriceError, match="no rate of UAH on 2025-10-22"):
        MARKET.rate("UAH", date(2025, 10, 22))


def test_the_shortest_cached_prefix_is_known_by_model() -> None:
    lengths = [
        MARKET.minimum_prefix_tokens("anthropic", model, TODAY)
        for model in ("claude-haiku-4-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-unheard-of")
    ]
    assert lengths == [4_096, 512, None, None]


def test_a_book_of_ones_own_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        """
book: own
extends: market-2026-11
prices:
  - {id: trunk, component: line, provider: kyivstar, unit: call_ms, per: 60_000, amount: "0.5",
     currency: UAH, effective_from: 2026-11-01, source: contract 17, read_on: 2026-11-01, confidence: fact}
""",
        encoding="utf-8",
    )
    book = PriceBook.load(path)
    ids = [
        book.price("line", trunk, "", "call_ms", on=day).id
        for trunk, day in (("kyivstar", TODAY), ("other", TODAY), ("kyivstar", date(2026, 10, 31)))
    ]
    assert ids == ["trunk", "sip-inbound", "sip-inbound"]
    assert book.price("llm", "anthropic", "claude-fable-5", "input_tokens", on=TODAY).amount == 10
    assert len(book.all_prices()) == len(MARKET.all_prices()) + 1


def test_every_shipped_price_says_where_it_was_read() -> None:
    for price in SEED.prices + MARKET.prices:
        assert price.source, price.id
        assert price.read_on is not None, price.id
        assert price.read_on <= TODAY, price.id


@pytest.mark.parametrize("provider", ["google", "whisper", "fake"])
def test_every_recogniser_that_ships_has_a_price(provider: str) -> None:
    assert MARKET.price("stt", provider, "any", "audio_ms", on=TODAY).basis == "audio_sent"


@pytest.mark.parametrize(
    ("provider", "voice"),
    [
        ("google", "uk-UA-Chirp3-HD-Kore"),
        ("google", "uk-UA-Wavenet-A"),
        ("google", "ru-RU-Standard-C"),
        ("espeak", "uk"),
        ("piper", "uk_UA-ukrainian_tts-medium"),
        ("rhvoice", "anatol"),
        ("recorded", ""),
        ("fake", ""),
    ],
)
def test_every_voice_that_ships_has_a_price(provider: str, voice: str) -> None:
    assert MARKET.price("tts", provider, voice, "characters", on=TODAY).basis == "characters_sent"
