"""What a call costs while it is under way, and what a gateway does when a budget is spent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from tests.integration.house import House, house, speech

from slukh.cost.drain import MeterSink
from slukh.cost.ledger.store import Ledger
from slukh.cost.live import Budget, LiveCosts
from slukh.cost.pricing.price import Price
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.spool import Spool
from slukh.serving.gateway import Admission, WhenDown

HEARD = Price(
    id="heard", component="stt", provider="*", unit="audio_ms", per=1000, amount=Decimal(1),
    basis="audio_sent", effective_from=date(2026, 1, 1), source="test", read_on=None, confidence="fact",
)  # fmt: skip
DEAR = PriceBook(
    name="dear",
    prices=(
        HEARD,
        replace(
            HEARD, id="line", component="line", unit="call_ms", amount=Decimal("0.01"), basis="call_time"
        ),
    ),
)


@asynccontextmanager
async def metered_house(
    folder: Path, budget: Budget, when_over_budget: WhenDown = "continue"
) -> AsyncIterator[House]:
    """A gateway that pays a dollar for each second that is heard, and a cent for each of the line."""
    costs = LiveCosts(DEAR, budget)
    with Ledger(f"sqlite:///{folder}/ledger.db") as ledger, Spool(folder / "spool") as spool:
        meter = MeterSink(spool, ledger, costs=costs)
        admission = Admission(
            max_calls=10,
            when_over_budget=when_over_budget,
            is_spent=lambda: costs.is_day_spent(datetime.now(UTC)),
        )
        async with house(admission=admission, costs_of=meter.costs_of) as opened:
            yield opened


async def test_a_calls_running_cost_is_on_its_event_stream_and_whole_before_its_end(tmp_path: Path) -> None:
    async with (
        metered_house(tmp_path, Budget()) as gateway,
        gateway.caller(call_id := str(uuid4())) as caller,
    ):
        await caller.say(speech([1, 2], [3]))
        await caller.hang_up()
        await gateway.ended()
        events = [event async for event in gateway.book.events(call_id, idle_seconds=1.0)]
    told = [event for _, event in (item for item in events if item is not None)]
    costs = [event for event in told if event["event"] == "call_cost"]
    assert [cost["component"] for cost in costs] == ["stt", "stt", "line"]
    amounts = [Decimal(str(cost["added_usd"])) for cost in costs]
    assert Decimal(str(costs[-1]["call_usd"])) == sum(amounts)
    assert costs[-1]["is_final"]
    assert [event["event"] for event in told[-2:]] == ["call_cost", "call_ended"]
    usage = gateway.record(call_id).detail()["usage"]
    assert isinstance(usage, dict)
    assert usage["cost_usd"] == costs[-1]["call_usd"]


async def test_a_call_that_spends_its_budget_is_given_back_to_the_dial_plan(tmp_path: Path) -> None:
    budget = Budget(call_usd=Decimal("0.5"))
    async with metered_house(tmp_path, budget, "hangup") as gateway, gateway.caller() as caller:
        await caller.say(speech([1, 2, 3]))
        assert (await gateway.ended()).reason == "gateway"


async def test_a_call_that_spends_its_budget_goes_on_where_that_is_only_logged(tmp_path: Path) -> None:
    budget = Budget(call_usd=Decimal("0.5"))
    async with metered_house(tmp_path, budget) as gateway, gateway.caller(call_id := str(uuid4())) as caller:
        await caller.say(speech([1, 2, 3], [4, 5]))
        await caller.hang_up()
        assert (await gateway.ended()).reason == "hangup"
        assert gateway.events.finals(call_id) == [(1, "1 2 3"), (2, "4 5")]


async def test_after_the_days_budget_a_running_call_goes_on_and_new_ones_are_refused(tmp_path: Path) -> None:
    budget = Budget(day_usd=Decimal("0.5"))
    async with metered_house(tmp_path, budget, "hangup") as gateway:
        async with gateway.caller() as caller:
            await caller.say(speech([1, 2, 3]))
            await caller.hang_up()
            assert (await gateway.ended()).reason == "hangup"
        assert gateway.gateway.refuse_reason() == "over_budget"
        async with gateway.caller() as second:
            await second.until_closed()
        assert gateway.refused == ["over_budget"]
