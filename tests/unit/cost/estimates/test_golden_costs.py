"""The worked example to the last digit: a call of three minutes, ten turns, 1,000 calls a month.

Every figure was computed by hand, from the providers' own rules, before the code existed.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Any

import pytest

from slukh.cost.pricing.fixed import FixedItem, rate_fixed
from slukh.cost.pricing.llm_tokens import Caching, Conversation, TokenBuckets, buckets
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import RatingOptions, rate
from slukh.cost.pricing.tiers import amount_between
from slukh.types import TOKEN_UNITS, UNITS_PER_REQUEST, Usage

SEED = PriceBook.load("seed-reference")
MARKET = PriceBook.load("market-2026-11")
MOMENT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
MINUTE = 60_000
CALL = Conversation(turns=10, prefix_tokens=2000, user_tokens=60, answer_tokens=80)
TOOL_CALL = Conversation(
    turns=10,
    prefix_tokens=3500,
    user_tokens=60,
    answer_tokens=80,
    tool_turns=(2, 4, 6, 8),
    tool_call_tokens=60,
    tool_result_tokens=250,
)


def row(component: Any, unit: Any, quantity: int, sequence: int = 1001, **changes: Any) -> Usage:
    values: dict[str, Any] = {"provider": "google", "model": "chirp_3", "outcome": "published"} | changes
    return Usage(
        call_id="c-1", leg=1, component=component, sequence=sequence, unit=unit, quantity=quantity,
        occurred_at=MOMENT, **values,
    )  # fmt: skip


def cost(rows: list[Usage], book: PriceBook, **options: Any) -> Decimal:
    return sum((line.amount_usd for line in rate(rows, book, options=RatingOptions(**options))), Decimal(0))


def audio(*milliseconds: int, **changes: Any) -> list[Usage]:
    """An utterance each."""
    return [
        row("stt", "audio_ms", ms, number * 1000 + 1, **changes) for number, ms in enumerate(milliseconds)
    ]


def tokens(requests: tuple[TokenBuckets, ...], model: str) -> list[Usage]:
    return [
        row("llm", unit, getattr(request, unit), number * UNITS_PER_REQUEST + position,
            provider="anthropic", model=model, outcome="ok")
        for number, request in enumerate(requests)
        for position, unit in enumerate(TOKEN_UNITS)
        if getattr(request, unit)
    ]  # fmt: skip


def llm(
    caching: Caching, model: str, *, warm: bool = False, book: PriceBook = MARKET, of: Conversation = CALL
) -> Decimal:
    """Dollars of 1,000 such calls."""
    made = buckets(of.requests(), caching=caching, prefix_tokens=of.prefix_tokens, warm=warm)
    return 1000 * cost(tokens(made, model), book)


def total(requests: tuple[TokenBuckets, ...]) -> TokenBuckets:
    return reduce(add, requests)


# -- the seed's call


def test_the_seed_call_costs_a_quarter_of_a_dollar() -> None:
    stt = cost(audio(180_000), SEED)
    model = cost(tokens(buckets(CALL.requests(), caching="none", prefix_tokens=2000), "claude"), SEED)
    voice = cost([row("tts", "characters", 120, n, model="uk-UA-Standard-A") for n in range(10)], SEED)
    line = cost([row("line", "call_ms", 180_000, 0, provider="trunk", model="")], SEED)
    month = rate_fixed(
        (FixedItem(name="did"), FixedItem(name="server")),
        SEED,
        start=datetime(2026, 11, 1, tzinfo=UTC),
        end=datetime(2026, 12, 1, tzinfo=UTC),
    )
    fixed = sum((item.amount_usd for item in month), Decimal(0)) / 1000
    assert [stt, model, voice, line, fixed] == [
        Decimal(text) for text in ("0.072", "0.0927", "0.0048", "0.03", "0.055")
    ]
    assert stt + model + voice + line + fixed == Decimal("0.2545")


# -- recognisers


@pytest.mark.parametrize(
    ("rows", "book", "options", "dollars"),
    [
        (audio(180_000), MARKET, {}, "0.048"),
        (audio(180_000, provider="google-v1-logging"), MARKET, {}, "0.048"),
        (audio(180_000, provider="google-v1"), MARKET, {}, "0.072"),
        (audio(180_000, provider="google-batch"), MARKET, {}, "0.009"),
        (audio(180_000), MARKET, {"channels": 2}, "0.096"),
        (audio(185_000), SEED, {}, "0.078"),
        (audio(*[18_000] * 10), SEED, {}, "0.12"),
        (audio(*[4_200] * 10), SEED, {}, "0.060"),
        (audio(*[4_200] * 10, provider="google-v1"), MARKET, {}, "0.0200"),
    ],
)  # fmt: skip
def test_a_call_of_a_recogniser(
    rows: list[Usage], book: PriceBook, options: dict[str, Any], dollars: str
) -> None:
    assert cost(rows, book, **options) == Decimal(dollars)


def test_ten_short_utterances_on_v2() -> None:
    assert cost(audio(*[4_200] * 10), MARKET).quantize(Decimal("1e-18")) == Decimal("0.013333333333333333")


def test_a_thousand_calls_on_v1_with_the_free_hour() -> None:
    calls = audio(*[180_000] * 1000, provider="google-v1")
    assert cost(calls, MARKET) == Decimal("72.00")
    assert cost(calls, MARKET, free_tier=True) == Decimal("70.56")


@pytest.mark.parametrize(
    ("minutes", "dollars"),
    [(500_000, "8000"), (500_001, "8000.010"), (1_200_000, "14600"), (2_500_000, "23000")],
)
def test_the_tiers_of_a_month(minutes: int, dollars: str) -> None:
    price = MARKET.price("stt", "google", "chirp_3", "audio_ms", on=MOMENT.date())
    assert amount_between(price, 0, minutes * MINUTE) == Decimal(dollars)


# -- the telephone


@pytest.mark.parametrize(
    ("initial", "increment", "seconds", "dollars"),
    [(60_000, 60_000, 181, "0.04"), (1_000, 1_000, 181, "0.030167"), (30_000, 6_000, 45, "0.04")],
)
def test_a_telephone_leg(
    initial: int, increment: int, seconds: int, dollars: str, tariff: Callable[..., PriceBook]
) -> None:
    amount = "0.05" if initial == 30_000 else "0.01"
    book = tariff(
        component="line", unit="call_ms", per=MINUTE, amount=amount, initial=initial, increment=increment
    )
    paid = cost([row("line", "call_ms", seconds * 1000, 0, provider="trunk", model="")], book)
    assert paid.quantize(Decimal(dollars)) == Decimal(dollars)


# -- the voice back


@pytest.mark.parametrize(
    ("voice", "hit_percent", "dollars"),
    [
        ("uk-UA-Standard-A", 0, "4.80"), ("uk-UA-Standard-A", 40, "2.88"), ("uk-UA-Standard-A", 60, "1.92"),
        ("uk-UA-Standard-A", 80, "0.96"), ("uk-UA-Standard-A", 90, "0.48"), ("uk-UA-Wavenet-A", 60, "1.92"),
        ("uk-UA-Chirp3-HD-Kore", 0, "36.00"), ("uk-UA-Chirp3-HD-Kore", 60, "14.40"),
    ],
)  # fmt: skip
def test_a_thousand_calls_of_speech_at_a_hit_rate(voice: str, hit_percent: int, dollars: str) -> None:
    played = 1200 * hit_percent // 100
    rows = [
        row("tts", "characters", played, 1, model=voice, outcome="cached"),
        row("tts", "characters", 1200 - played, 2, model=voice, outcome="ok"),
    ]
    assert 1000 * cost(rows, MARKET) == Decimal(dollars)


# -- the language model


@pytest.mark.parametrize(
    ("model", "none", "static", "moving", "warm"),
    [
        ("claude-sonnet-4-5", "92.70", "45.60", "31.524", "24.624"),
        ("claude-sonnet-5-5", "61.80", "28.60", "18.658", "13.858"),
        ("claude-haiku-4-5", "30.90", "15.20", "10.508", "8.208"),
        ("claude-haiku-5-5", "3.09", "1.52", "1.0508", "0.8208"),
        ("claude-opus-5-5", "123.60", "57.20", "37.316", "27.716"),
    ],
)
def test_a_thousand_conversations(model: str, none: str, static: str, moving: str, warm: str) -> None:
    assert llm("none", model) == Decimal(none)
    assert llm("static", model) == Decimal(static)
    assert llm("moving", model) == Decimal(moving)
    assert llm("moving", model, warm=True) == Decimal(warm)


@pytest.mark.parametrize(
    ("caching", "warm", "expected"),
    [
        ("none", False, TokenBuckets(input_tokens=26_900, output_tokens=800)),
        ("static", False, TokenBuckets(
            input_tokens=6_900, cache_read_tokens=18_000, cache_write_tokens=2_000, output_tokens=800)),
        ("moving", False, TokenBuckets(
            cache_read_tokens=23_580, cache_write_tokens=3_320, output_tokens=800)),
        ("moving", True, TokenBuckets(
            cache_read_tokens=25_580, cache_write_tokens=1_320, output_tokens=800)),
    ],
)  # fmt: skip
def test_the_tokens_of_a_conversation(caching: Caching, *, warm: bool, expected: TokenBuckets) -> None:
    assert total(buckets(CALL.requests(), caching=caching, prefix_tokens=2000, warm=warm)) == expected


@pytest.mark.parametrize(
    ("turns", "dollars"), [(5, "0.0411"), (10, "0.0927"), (20, "0.2274"), (30, "0.4041")]
)
def test_the_history_grows_with_the_square_of_the_turns(turns: int, dollars: str) -> None:
    call = Conversation(turns=turns, prefix_tokens=2000, user_tokens=60, answer_tokens=80)
    assert llm("none", "claude-sonnet-4-5", of=call) == 1000 * Decimal(dollars)


def test_tool_round_trips_more_than_double_a_call() -> None:
    requests = TOOL_CALL.requests()
    assert (len(requests), sum(r.prompt_tokens for r in requests)) == (14, 67_680)
    assert sum(r.output_tokens for r in requests) == 1_040
    moving = total(buckets(requests, caching="moving", prefix_tokens=3500))
    assert (moving.cache_read_tokens, moving.cache_write_tokens) == (61_620, 6_060)


@pytest.mark.parametrize(
    ("model", "none", "moving"),
    [
        ("claude-sonnet-4-5", "218.64", "56.811"),
        ("claude-sonnet-5-5", "145.76", "31.712"),
        ("claude-haiku-4-5", "72.88", "18.937"),
    ],
)
def test_a_thousand_conversations_with_tools(model: str, none: str, moving: str) -> None:
    assert llm("none", model, of=TOOL_CALL) == Decimal(none)
    assert llm("moving", model, of=TOOL_CALL) == Decimal(moving)


def test_a_cache_pays_once_its_prefix_is_read_again() -> None:
    """Break-even reads: 0.28 for five minutes, 1.11 for an hour."""
    price = {unit: MARKET.price("llm", "anthropic", "claude-sonnet-4-5", unit, on=date(2026, 11, 22)).amount
             for unit in TOKEN_UNITS}  # fmt: skip
    saved = price["input_tokens"] - price["cache_read_tokens"]
    five_minutes = (price["cache_write_tokens"] - price["input_tokens"]) / saved
    hour = (price["cache_write_1h_tokens"] - price["input_tokens"]) / saved
    assert (round(five_minutes, 2), round(hour, 2)) == (Decimal("0.28"), Decimal("1.11"))
