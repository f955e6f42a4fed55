"""The arithmetic of one price: monotone, without gaps, and never cheaper in pieces."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from slukh.cost.pricing.price import Price, Tier
from slukh.cost.pricing.tiers import amount_between, billed_quantity, free_amount_between

GOOGLE = Price(
    id="google", component="stt", provider="google", unit="audio_ms", per=60_000, amount=Decimal("0.016"),
    basis="audio_sent", effective_from=date(2026, 1, 1), source="x", read_on=None, confidence="fact",
)  # fmt: skip
TIERED_PRICE = replace(
    GOOGLE,
    graduated=(Tier(over=50_000, amount=Decimal("0.010")), Tier(over=90_000, amount=Decimal("0.002"))),
)

# A first block is a whole number of increments (60/60, 60/1, 30/6), as in every tariff that was read.
PRICES = st.builds(
    lambda increment, blocks, field, free: replace(
        GOOGLE, increment=increment, free=free, **{field: blocks * increment}
    ),
    st.integers(1, 20_000),
    st.integers(0, 5),
    st.sampled_from(["initial", "minimum"]),
    st.integers(0, 5_000),
)


@given(price=PRICES, quantity=st.integers(0, 200_000), more=st.integers(0, 50_000))
def test_more_is_never_cheaper(price: Price, quantity: int, more: int) -> None:
    assert billed_quantity(price, quantity) <= billed_quantity(price, quantity + more)
    assert quantity <= billed_quantity(price, quantity) or quantity <= price.free


@given(price=PRICES, first=st.integers(0, 90_000), second=st.integers(0, 90_000))
def test_what_is_cut_in_two_is_never_cheaper(price: Price, first: int, second: int) -> None:
    price = replace(price, free=0)  # a tariff with a free start rewards short calls: that is its point
    assert billed_quantity(price, first) + billed_quantity(price, second) >= billed_quantity(
        price, first + second
    )


@given(start=st.integers(0, 200_000), middle=st.integers(0, 200_000), end=st.integers(0, 200_000))
def test_tiers_join_without_gap_or_overlap(start: int, middle: int, end: int) -> None:
    start, middle, end = sorted((start, middle, end))
    whole = amount_between(TIERED_PRICE, start, end)
    parts = amount_between(TIERED_PRICE, start, middle) + amount_between(TIERED_PRICE, middle, end)
    assert abs(whole - parts) < Decimal("1e-24")
    one_more = amount_between(TIERED_PRICE, start, end + 1) - whole
    assert 0 < one_more < TIERED_PRICE.amount / TIERED_PRICE.per + Decimal("1e-24")


@given(used=st.integers(0, 200_000), more=st.integers(0, 200_000))
def test_a_free_tier_takes_off_what_its_units_cost(used: int, more: int) -> None:
    price = replace(TIERED_PRICE, free_tier=70_000)
    free = free_amount_between(price, used, used + more)
    paid = amount_between(price, used, used + more) - free
    assert free >= 0
    assert abs(paid - amount_between(price, max(used, 70_000), max(used + more, 70_000))) < Decimal("1e-24")
