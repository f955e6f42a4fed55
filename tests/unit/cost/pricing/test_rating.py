"""Rating: each rule of a provider's bill, and each mistake that meters make."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.cost.pricing.price import Tier
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import PICO, RatedLine, Rater, RatingOptions, rate
from slukh.errors import PriceError
from slukh.types import PURPOSES, TOKEN_UNITS, UNITS_PER_REQUEST, Usage

SEED = PriceBook.load("seed-reference")
MARKET = PriceBook.load("market-2026-11")
MOMENT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
GOOGLE = MARKET.price("stt", "google", "chirp_3", "audio_ms", on=MOMENT.date())
NOTHING = Decimal(0)
TIERED_PRICE = replace(
    GOOGLE,
    increment=7_000,
    graduated=(Tier(over=50_000, amount=Decimal("0.010")), Tier(over=90_000, amount=Decimal("0.002"))),
)
TIERED = PriceBook(name="tiered", prices=(TIERED_PRICE,))
Tariff = Callable[..., PriceBook]


def heard(milliseconds: int, sequence: int = 1001, **changes: Any) -> Usage:
    """An Attempt at Google, unless told otherwise."""
    row = Usage(
        call_id="c-1", leg=1, component="stt", sequence=sequence, provider="google", model="chirp_3",
        unit="audio_ms", quantity=milliseconds, outcome="published", occurred_at=MOMENT,
    )  # fmt: skip
    return replace(row, **changes)


def asked(request: int = 1, model: str = "claude-haiku-5-5", **quantities: int) -> list[Usage]:
    """A request to Claude: `asked(input_tokens=100, output_tokens=10)`."""
    return [
        heard(quantity, request * UNITS_PER_REQUEST + TOKEN_UNITS.index(unit), component="llm",
              provider="anthropic", model=model, unit=unit, outcome="ok")
        for unit, quantity in quantities.items()
    ]  # fmt: skip


def spoken(characters: int, sequence: int, outcome: str = "ok") -> Usage:
    return heard(
        characters,
        sequence,
        component="tts",
        unit="characters",
        model="uk-UA-Chirp3-HD-Kore",
        outcome=outcome,
    )


def dialled(milliseconds: int) -> Usage:
    return heard(milliseconds, 0, component="line", provider="trunk", model="", unit="call_ms")


def dollars(lines: list[RatedLine]) -> Decimal:
    return sum((line.amount_usd for line in lines), Decimal(0))


# -- rounding


def test_rounding_is_per_request_and_then_the_sum() -> None:
    lines = rate([heard(4_200, n * 1000 + 1) for n in range(10)], SEED)
    assert sum(line.billed_quantity for line in lines) == 150_000  # not 45,000: 42 s rounded once
    assert dollars(lines) == Decimal("0.060")


def test_one_long_stream_is_cheaper_than_its_utterances_under_the_old_rule() -> None:
    whole, cut = rate([heard(180_000)], SEED), rate([heard(18_000, n * 1000 + 1) for n in range(10)], SEED)
    assert (dollars(whole), dollars(cut)) == (Decimal("0.072"), Decimal("0.12"))


def test_the_mean_of_bills_is_not_the_bill_of_the_mean() -> None:
    calls = [heard(1_000, 1001), heard(29_000, 2001)]
    assert dollars(rate(calls, SEED)) / 2 > dollars(rate([heard(15_000)], SEED))


def test_an_abandoned_call_of_five_seconds_is_billed_too() -> None:
    assert dollars(rate([heard(5_000), dialled(5_000)], SEED)) > 0


def test_nothing_sent_is_nothing_billed(tariff: Tariff) -> None:
    book = tariff(amount="1", minimum=10_000, setup="5")
    assert dollars(rate([heard(0)], book)) == 0


def test_money_is_quantised_once_half_to_even(tariff: Tariff) -> None:
    book = tariff(amount="0.0000000000005", per=1)
    assert [rate([heard(n)], book)[0].amount_pico_usd for n in (1, 3)] == [0, 2]


def test_the_sum_of_stored_amounts_is_exact() -> None:
    lines = rate([heard(4_200, n * 1000 + 1) for n in range(1000)], MARKET)
    assert sum(line.amount_pico_usd for line in lines) == 1000 * lines[0].amount_pico_usd
    assert abs(Decimal(lines[0].amount_pico_usd) / PICO - lines[0].amount_usd) <= Decimal("5e-13")


# -- what is billed


def test_an_empty_answer_is_billed_and_a_server_error_is_not() -> None:
    silence, error = rate([heard(3_000, outcome="empty"), heard(3_000, 2001, outcome="stream")], MARKET)
    assert silence.amount > 0
    assert error.amount == 0
    assert error.rule == "3 s: google does not bill what ends as stream"


@pytest.mark.parametrize("outcome", ["cancelled", "superseded", "timeout", "stalled"])
def test_what_we_gave_up_is_billed(outcome: str) -> None:
    assert rate([heard(3_000, outcome=outcome)], MARKET)[0].amount > 0


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_purpose_is_billed_and_says_what_it_was(purpose: Any) -> None:
    [line] = rate([heard(3_000, purpose=purpose)], MARKET)
    assert (line.amount, line.purpose) == (rate([heard(3_000)], MARKET)[0].amount, purpose)


def test_audio_that_a_failover_sends_again_is_billed_again_and_counted() -> None:
    lines = rate(
        [
            heard(2_000, 7001, outcome="stalled"),
            heard(1_000, 7002, outcome="stream", purpose="retry"),
            heard(5_000, 7003, purpose="retry", provider="google-v1"),
            heard(5_000, 7004, purpose="shadow", provider="deepgram", model="nova-3-multi"),
            heard(4_000, 8001),
        ],
        MARKET,
    )
    assert [line.repeated_quantity for line in lines] == [0, 1_000, 2_000, 5_000, 0]
    assert [line.billed_quantity for line in lines] == [2_000, 0, 5_000, 5_000, 4_000]


def test_both_channels_of_a_stereo_stream_are_billed() -> None:
    [line] = rate([heard(4_200)], MARKET, options=RatingOptions(channels=2))
    assert line.billed_quantity == 10_000
    assert line.rule == "4.2 s billed as 10 s (each started 1 s, 2 channels) at USD 0.016 per 60 s"


def test_channels_multiply_no_words_and_no_tokens() -> None:
    rows = [*asked(input_tokens=100), spoken(50, 1), dialled(9_000)]
    assert dollars(rate(rows, MARKET, options=RatingOptions(channels=2))) == dollars(rate(rows, MARKET))


def test_the_providers_own_figure_goes_before_ours() -> None:
    row = heard(4_200, reported_quantity=6_000)
    reported, measured = (
        rate([row], MARKET, options=RatingOptions(quantity=quantity, channels=2))[0]
        for quantity in ("reported", "measured")
    )  # fmt: skip
    assert (reported.quantity, reported.billed_quantity) == (6_000, 6_000)  # it has the channels in it
    assert (measured.quantity, measured.billed_quantity) == (4_200, 10_000)


def test_a_failed_request_that_the_provider_says_it_billed_is_billed() -> None:
    [line] = rate([heard(4_200, outcome="stream", reported_quantity=5_000)], MARKET)
    assert line.billed_quantity == 5_000


def test_a_vendor_that_bills_the_open_socket_has_no_price_for_audio() -> None:
    row = heard(60_000, provider="assemblyai", model="universal-streaming")
    with pytest.raises(PriceError, match="no price of stt assemblyai universal-streaming per audio_ms"):
        rate([row], MARKET)
    assert dollars(rate([replace(row, unit="connection_ms", quantity=3_600_000)], MARKET)) == Decimal("0.15")


def test_a_short_file_at_groq_is_billed_as_ten_seconds() -> None:
    [line] = rate([heard(2_000, provider="groq", model="whisper-large-v3-turbo")], MARKET)
    assert line.rule == "2 s billed as 10 s (at least 10 s, each started 1 s) at USD 0.04 per 3600 s"


def test_our_own_whisper_costs_nothing_per_second() -> None:
    [line] = rate([heard(5_000, provider="whisper", model="base")], MARKET)
    assert (line.amount, line.price_id) == (NOTHING, "own-whisper")


# -- the voice back


def test_a_hit_rate_is_of_characters_not_of_requests() -> None:
    rows = [*(spoken(10, n, outcome="cached") for n in range(9)), spoken(910, 9)]
    assert dollars(rate(rows, MARKET)) == Decimal("0.0273")  # 91 % of the characters were bought


def test_cached_speech_is_there_with_nothing_to_pay() -> None:
    [line] = rate([spoken(120, 1, outcome="cached")], MARKET)
    assert (line.amount, line.quantity, line.price_id, line.rule) == (
        NOTHING,
        120,
        "",
        "played from the cache",
    )


def test_a_free_tier_is_off_until_it_is_asked_for() -> None:
    row = heard(60_000, provider="google-v1")
    [listed], [free] = rate([row], MARKET), rate([row], MARKET, options=RatingOptions(free_tier=True))
    assert (listed.amount, listed.free_tier_amount) == (Decimal("0.024"), NOTHING)
    assert (free.amount, free.free_tier_amount) == (NOTHING, Decimal("0.024"))


def test_a_batch_price_is_not_the_price_of_a_live_call() -> None:
    live, batch = (dollars(rate([heard(60_000, provider=p)], MARKET)) for p in ("google", "google-batch"))
    assert (live, batch) == (Decimal("0.016"), Decimal("0.003"))


# -- the language model


def test_a_long_prompt_is_dear_in_all_of_its_tokens() -> None:
    short = rate(asked(input_tokens=40_000, cache_read_tokens=60_000, output_tokens=100), MARKET)
    long = rate(asked(input_tokens=40_000, cache_read_tokens=60_001, output_tokens=100), MARKET)
    assert dollars(short) == Decimal("0.00465")
    assert dollars(long) == Decimal("0.02325005")
    assert long[0].rule.endswith(
        "at USD 0.50 per 1,000,000 input tokens, the amount for a prompt of 100,001 tokens"
    )


def test_a_thousand_short_prompts_are_not_one_long_one() -> None:
    calls = [row for n in range(1000) for row in asked(n, input_tokens=26_900, output_tokens=800)]
    together = asked(input_tokens=26_900_000, output_tokens=800_000)
    assert (dollars(rate(calls, MARKET)), dollars(rate(together, MARKET))) == (
        Decimal("3.09"),
        Decimal("15.45"),
    )


def test_tokens_from_the_cache_are_not_billed_as_input_too() -> None:
    rows = asked(model="claude-sonnet-4-5", input_tokens=60, cache_read_tokens=2_000, output_tokens=80)
    assert dollars(rate(rows, MARKET)) == Decimal("0.00018") + Decimal("0.0006") + Decimal("0.0012")


def test_an_hour_of_cache_costs_twice_the_input() -> None:
    [line] = rate(asked(model="claude-sonnet-5", cache_write_1h_tokens=1_000_000), MARKET)
    assert line.amount == 4


# -- months


def test_a_line_costs_what_its_place_in_the_month_costs(tariff: Tariff) -> None:
    book = tariff(amount="6", graduated='[{over: 60_000, amount: "3"}, {over: 120_000, amount: "0"}]')
    rows = [heard(40_000, n * 1000 + 1, occurred_at=MOMENT + timedelta(seconds=n)) for n in range(4)]
    lines = rate(rows, book)
    assert [line.amount for line in lines] == [4, 3, 2, 0]
    assert lines[1].rule == "40 s at USD 6 to 3 per 60 s, the month's tiers from 40 s on"


def test_a_month_begins_at_its_first_tier(tariff: Tariff) -> None:
    book = tariff(amount="6", graduated='[{over: 60_000, amount: "3"}]')
    december = datetime(2026, 12, 1, tzinfo=UTC)
    rows = [heard(60_000, 1001), heard(60_000, 2001), heard(60_000, 3001, occurred_at=december)]
    assert [line.amount for line in rate(rows, book)] == [6, 3, 6]


def test_the_month_before_the_first_row_can_be_told(tariff: Tariff) -> None:
    book = tariff(amount="6", graduated='[{over: 60_000, amount: "3"}]')
    options = RatingOptions(month_quantity={("tariff", "2026-11"): 60_000})
    assert [line.amount for line in rate([heard(60_000)], book, options=options)] == [3]


def test_prices_of_one_sku_share_a_month() -> None:
    models = (
        replace(TIERED_PRICE, id=name, models=(name,), increment=1, per=1_000) for name in ("long", "short")
    )
    book = PriceBook(name="two", prices=tuple(models))
    [long, short] = rate([heard(50_000, model="long"), heard(60_000, 2001, model="short")], book)
    assert (long.amount, short.amount) == (
        50 * Decimal("0.016"),
        40 * Decimal("0.010") + 20 * Decimal("0.002"),
    )


def test_batches_climb_the_tiers_like_one_batch(tariff: Tariff) -> None:
    book = tariff(amount="6", graduated='[{over: 60_000, amount: "3"}]')
    rows = [heard(40_000, n * 1000 + 1, occurred_at=MOMENT + timedelta(seconds=n)) for n in range(4)]
    rater = Rater(book)
    assert rater.rate(rows[:1]) + rater.rate(rows[1:]) == rate(rows, book)


# -- the telephone


def test_a_tariff_has_a_free_start_a_first_block_and_a_fee(tariff: Tariff) -> None:
    book = tariff(
        component="line",
        unit="call_ms",
        amount="0.60",
        initial=60_000,
        increment=1_000,
        free=3_000,
        setup="0.10",
    )
    lines = [rate([dialled(ms)], book)[0] for ms in (3_000, 3_001, 61_500)]
    assert [line.amount for line in lines] == [0, Decimal("0.70"), Decimal("0.72")]
    assert lines[0].rule == "3 s: free up to 3 s at USD 0.60 per 60 s"
    assert lines[2].rule == (
        "61.5 s billed as 62 s (first 60 s, each started 1 s) at USD 0.60 per 60 s, USD 0.10 to set up"
    )


# -- currencies and days


def test_an_amount_becomes_dollars_at_the_rate_of_its_day(tmp_path: Any) -> None:
    path = tmp_path / "uah.yaml"
    path.write_text(
        """
book: uah
extends: market-2026-11
prices:
  - {id: sip, component: line, provider: kyiv, unit: call_ms, per: 60_000, amount: "0.43", currency: UAH,
     effective_from: 2026-01-01, source: contract, read_on: 2026-11-01, confidence: fact}
rates:
  - {currency: UAH, per_usd: "40", effective_from: 2026-12-01, source: bank, read_on: 2026-11-30,
     confidence: fact}
""",
        encoding="utf-8",
    )
    book = PriceBook.load(path)
    november = replace(dialled(60_000), provider="kyiv")
    december = replace(november, leg=2, occurred_at=datetime(2026, 12, 5, tzinfo=UTC))
    assert [line.amount_usd for line in rate([november, december], book)] == [
        Decimal("0.01"),
        Decimal("0.01075"),
    ]


def test_the_price_is_that_of_the_day_it_was_used() -> None:
    before, after = (
        replace(row, occurred_at=datetime(2026, 10, day, tzinfo=UTC))
        for day in (6, 7)
        for row in asked(day, model="claude-sonnet-5-5", cache_read_tokens=1_000_000)
    )
    assert [line.amount for line in rate([before, after], MARKET)] == [Decimal("0.20"), Decimal("0.10")]


# -- rows


def test_two_different_rows_of_one_key_are_refused() -> None:
    with pytest.raises(ValueError, match="two different usage rows"):
        rate([heard(1_000), heard(2_000)], MARKET)


def test_a_negative_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="the quantity -1"):
        rate([heard(-1)], MARKET)


ROWS = st.lists(
    st.tuples(st.integers(0, 90_000), st.integers(0, 5), st.sampled_from(["published", "empty", "stream"])),
    max_size=12,
).map(
    lambda items: [
        heard(ms, n * 1000 + 1, outcome=outcome, occurred_at=MOMENT + timedelta(seconds=second))
        for n, (ms, second, outcome) in enumerate(items)
    ]
)


@given(rows=ROWS, data=st.data())
def test_order_and_duplicates_do_not_change_the_bill(rows: list[Usage], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows + rows[:3]))
    assert rate(shuffled, TIERED) == rate(rows, TIERED)


@given(quantity=st.integers(0, 150_000), more=st.integers(0, 50_000), used=st.integers(0, 120_000))
def test_a_longer_utterance_never_costs_less(quantity: int, more: int, used: int) -> None:
    options = RatingOptions(month_quantity={(TIERED_PRICE.sku, "2026-11"): used})
    shorter, longer = (rate([heard(ms)], TIERED, options=options) for ms in (quantity, quantity + more))
    assert shorter[0].amount <= longer[0].amount


@given(rows=ROWS)
def test_rating_again_gives_the_same_lines(rows: list[Usage]) -> None:
    assert rate(rows, MARKET) == rate(rows, MARKET)
