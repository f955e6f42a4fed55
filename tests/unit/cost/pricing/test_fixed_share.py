"""A month's rent, shared: all calls together bear all of it, whatever the rule."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.cost.pricing.fixed import FixedItem
from slukh.cost.pricing.fixed_share import FixedShare, MonthOfCalls, Rented, fixed_part, month_around
from slukh.cost.pricing.price_book import PriceBook

MARKET = PriceBook.load("market-2026-11")
NOVEMBER, DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
SERVER, GPU = FixedItem(name="server"), FixedItem(name="gpu-reference")


def shares(rented: Rented, month: MonthOfCalls, whisper_ms: int = 0) -> dict[str, Decimal]:
    found = fixed_part(rented, MARKET, month, whisper_ms=whisper_ms)
    assert found.unknown == ()
    return {named(share): share.amount_usd for share in found.shares}


def named(share: FixedShare) -> str:
    return f"{share.name} {share.use}"


def november(calls: int, *, whisper_ms: int = 0, end: datetime = DECEMBER) -> MonthOfCalls:
    return MonthOfCalls(start=NOVEMBER, end=end, calls=calls, whisper_ms=whisper_ms)


def test_a_month_that_is_over_is_shared_by_its_calls() -> None:
    assert shares(Rented(items=(SERVER,)), november(1000)) == {"server rented": Decimal("0.05")}


def test_a_month_that_runs_is_shared_as_far_as_it_has_come() -> None:
    half = november(1000, end=NOVEMBER + timedelta(days=15))
    assert shares(Rented(items=(SERVER,)), half) == {"server rented": Decimal("0.025")}


def test_a_plan_shares_a_whole_month_whatever_came() -> None:
    rented = Rented(items=(SERVER,), planned_calls=5000)
    for month in (november(1), november(1, end=NOVEMBER + timedelta(days=1))):
        assert shares(rented, month) == {"server rented": Decimal("0.01")}


def test_a_gpu_is_borne_by_who_used_it_and_its_idle_hours_by_all() -> None:
    month_ms = 30 * 86_400_000
    month = november(10, whisper_ms=month_ms)  # an eighth of eight streams
    rented = Rented(items=(GPU,), gpu_streams=8)
    assert shares(rented, month, month_ms) == {
        "gpu-reference busy": Decimal(245) / 8,
        "gpu-reference idle": Decimal(245) * 7 / 80,
    }
    assert shares(rented, month) == {"gpu-reference idle": Decimal(245) * 7 / 80}
    assert shares(Rented(items=(GPU,)), month) == {"gpu-reference undivided": Decimal("24.5")}


@given(
    heard=st.lists(st.integers(0, 900_000), min_size=1, max_size=30),
    streams=st.integers(1, 50),
    items=st.lists(st.sampled_from([SERVER, GPU, FixedItem(name="did", count=3)]), min_size=1, unique=True),
)
def test_all_calls_together_bear_the_rent(heard: list[int], streams: int, items: list[FixedItem]) -> None:
    rented = Rented(items=tuple(items), gpu_streams=streams)
    end = NOVEMBER + timedelta(minutes=30)
    month = november(len(heard), whisper_ms=sum(heard), end=end)
    borne = sum(sum(shares(rented, month, own).values()) for own in heard)
    rent = {"server": 50, "gpu-reference": 245, "did": 15}
    cost = sum(Decimal(rent[item.name]) for item in items) / (30 * 48)
    assert borne == pytest.approx(cost, abs=Decimal(len(heard)) / 10**11)
    planned = Rented(items=tuple(items), gpu_streams=streams, planned_calls=400)
    whole = sum(Decimal(rent[item.name]) for item in items) / 400
    assert sum(shares(planned, month, heard[0]).values()) == pytest.approx(whole, abs=Decimal(1) / 10**11)


def test_an_item_without_a_price_is_unknown_and_the_others_are_not() -> None:
    found = fixed_part(Rented(items=(SERVER, FixedItem(name="yacht"))), MARKET, november(10), whisper_ms=0)
    assert [share.name for share in found.shares] == ["server"]
    (unknown,) = found.unknown
    assert "no price of fixed yacht" in unknown


def test_every_share_proves_itself() -> None:
    (share,) = fixed_part(Rented(items=(SERVER,)), MARKET, november(200), whisper_ms=0).shares
    assert share.rule == (
        "1 x 1 months, USD 50 a month; shared by 200 calls from 2026-11-01 to 2026-12-01 00:00"
    )
    assert (share.price.id, share.as_json()["confidence"]) == ("server", "assumption")


def test_a_month_begins_when_the_ledger_does_and_ends_now() -> None:
    call, now = datetime(2026, 11, 22, 10, tzinfo=UTC), datetime(2026, 11, 26, tzinfo=UTC)
    opened = datetime(2026, 11, 20, 15, tzinfo=UTC)
    assert month_around(call, first_call=opened, now=now) == (datetime(2026, 11, 20, tzinfo=UTC), now)
    years_ago = datetime(2025, 1, 1, tzinfo=UTC)
    assert month_around(call, first_call=years_ago, now=now) == (NOVEMBER, now)
    later = datetime(2027, 1, 5, tzinfo=UTC)
    assert month_around(call, first_call=years_ago, now=later) == (NOVEMBER, DECEMBER)
