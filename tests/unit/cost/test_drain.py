import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from slukh.cost.drain import Drain, MeterSink
from slukh.cost.ledger.store import Ledger, Recorded
from slukh.cost.live import LiveCosts
from slukh.cost.meter import UsageStage
from slukh.cost.pricing.price import Price
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.spool import Spool
from slukh.errors import LedgerError
from slukh.types import AttemptEnded, CallEnded, CallEvent, CallSettled, CallStarted, Usage

MakeUsage = Callable[..., Usage]
Stamp = Callable[..., CallEvent]

STARTED = CallStarted(call_id="c-1", language_code="uk-UA")
ATTEMPT = AttemptEnded(
    utterance_id=1, attempt=1, provider="whisper", model="base", purpose="serve", outcome="published",
    audio_samples=8000,
)  # fmt: skip
ENDED = CallEnded(position=16_000, reason="hangup", heard=16_000)


class Drains:
    """Hears of every drain; a test waits for the next one and does not sleep."""

    def __init__(self) -> None:
        self.waiting: list[int] = []
        self._next = threading.Condition()

    def __call__(self, rows: int) -> None:
        with self._next:
            self.waiting.append(rows)
            self._next.notify_all()

    def wait_until(self, done: Callable[[], bool]) -> bool:
        with self._next:
            return self._next.wait_for(done, 60)


def test_what_the_ledger_has_committed_leaves_the_spool(
    spool: Spool, ledger: Ledger, usage: MakeUsage
) -> None:
    for number in range(3):
        spool.append(usage(number))
    assert spool.flush()
    assert Drain(spool, ledger).drain_once() == Recorded(inserted=3)
    assert spool.waiting_rows == 0
    assert Drain(spool, ledger).drain_once() == Recorded()


def test_a_crash_between_commit_and_removal_books_nothing_twice(
    spool: Spool, ledger: Ledger, usage: MakeUsage
) -> None:
    spool.append(usage(1))
    assert spool.flush()
    (batch,) = spool.batches()
    ledger.record(batch.rows)  # and here the process dies: no acknowledge
    spool.append(usage(2))
    assert spool.flush()
    drain = Drain(spool, ledger)
    assert drain.drain_once() == Recorded(duplicates=1)
    assert drain.drain_once() == Recorded(inserted=1)


def test_an_outage_of_the_ledger_leaves_everything_in_the_spool(
    spool: Spool, tmp_path: Path, usage: MakeUsage
) -> None:
    with Ledger(f"sqlite:///{tmp_path}/ledger.db", busy_timeout_ms=1) as ledger:
        holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        drain = Drain(spool, ledger)
        for number in range(5):
            spool.append(usage(number))
            assert spool.flush()
            with pytest.raises(LedgerError):
                drain.drain_once()
        assert spool.waiting_rows == 5
        # One sealed and one open segment, not one per attempt.
        assert len(list((tmp_path / "spool").glob("*.jsonl"))) == 2
        holder.execute("ROLLBACK")
        holder.close()
        assert drain.drain_once() + drain.drain_once() == Recorded(inserted=5)


def test_a_call_is_booked_by_the_time_the_sink_stops(spool: Spool, ledger: Ledger, stamp: Stamp) -> None:
    sink = MeterSink(spool, ledger, interval_seconds=60)
    sink.start()
    for event in (STARTED, ATTEMPT, ENDED):
        sink.observe(stamp(event))
    assert sink.stop()
    assert sink.healthy
    record = ledger.call("c-1")
    assert record is not None
    assert [(row.component, row.quantity) for row in record.usage] == [("line", 2000), ("stt", 1000)]
    assert [(leg.state, leg.withheld_ms) for leg in record.legs] == [("ended", 1000)]


def test_a_call_is_booked_while_the_sink_runs(spool: Spool, ledger: Ledger, stamp: Stamp) -> None:
    drains = Drains()
    sink = MeterSink(spool, ledger, interval_seconds=0.01, on_rows=drains)
    sink.start()
    sink.observe(stamp(ATTEMPT))
    assert drains.wait_until(lambda: ledger.call("c-1") is not None)
    assert sink.stop()
    assert drains.waiting[-1] == 0


def test_health_tells_of_an_outage_and_of_its_end(spool: Spool, tmp_path: Path, stamp: Stamp) -> None:
    drains, stages = Drains(), list[UsageStage]()
    with Ledger(f"sqlite:///{tmp_path}/ledger.db", busy_timeout_ms=1) as ledger:
        holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        sink = MeterSink(spool, ledger, interval_seconds=0.01, on_rows=drains, on_error=stages.append)
        sink.start()
        sink.observe(stamp(ATTEMPT))
        assert drains.wait_until(lambda: not sink.healthy)
        assert "another program holds it" in str(sink.last_error)
        assert "ledger" in stages
        holder.execute("ROLLBACK")
        holder.close()
        assert drains.wait_until(lambda: sink.healthy)
        assert sink.stop()
        assert ledger.call("c-1") is not None


def test_a_conflict_raises_the_alarm(spool: Spool, ledger: Ledger, usage: MakeUsage) -> None:
    stages: list[UsageStage] = []
    ledger.record([usage(1, quantity=100)])
    spool.append(usage(1, quantity=999))
    sink = MeterSink(spool, ledger, interval_seconds=60, on_error=stages.append)
    sink.start()
    assert sink.stop()
    assert stages == ["conflict"]


def test_what_cannot_be_metered_is_counted_and_not_raised(spool: Spool, ledger: Ledger) -> None:
    stages: list[UsageStage] = []
    sink = MeterSink(spool, ledger, on_error=stages.append)
    sink.observe("not an event")  # type: ignore[arg-type]  # a fault of ours elsewhere
    assert stages == ["meter"]


def test_rejected_lines_do_not_keep_the_rest_from_the_last_drain(
    tmp_path: Path, ledger: Ledger, usage: MakeUsage
) -> None:
    directory = tmp_path / "old"
    directory.mkdir()
    (directory / "000000000001.jsonl").write_bytes(b"rubbish\n")
    with Spool(directory) as spool:
        sink = MeterSink(spool, ledger, interval_seconds=60)
        spool.append(usage(1))
        sink.start()
        assert sink.stop()
    assert ledger.call("c-1") is not None


class BrokenBook(PriceBook):
    """A price book with a defect."""

    def price(self, *_: object, **__: object) -> Price:
        raise ZeroDivisionError


def test_a_defect_of_the_rating_loses_no_usage_and_ends_no_call(
    spool: Spool, ledger: Ledger, stamp: Stamp
) -> None:
    stages: list[UsageStage] = []
    costs = LiveCosts(BrokenBook(name="broken", prices=()))
    sink = MeterSink(spool, ledger, costs=costs, on_error=stages.append)
    assert sink.costs_of(stamp(ATTEMPT)) == ()
    assert spool.waiting_rows == 1
    assert stages == ["meter"]


def test_what_an_event_used_is_said_with_its_cost(spool: Spool, ledger: Ledger, stamp: Stamp) -> None:
    sink = MeterSink(spool, ledger, costs=LiveCosts(PriceBook.load("seed-reference")))
    assert sink.costs_of(stamp(STARTED)) == ()
    (attempt,) = sink.costs_of(stamp(ATTEMPT))
    assert (attempt.component, attempt.quantity, attempt.is_final) == ("stt", 1000, False)
    (line,) = sink.costs_of(stamp(ENDED))
    assert (line.component, line.quantity, line.is_final) == ("line", 2000, True)


def test_a_leg_with_something_to_come_is_final_when_that_is_over(
    spool: Spool, ledger: Ledger, stamp: Stamp
) -> None:
    sink = MeterSink(spool, ledger, costs=LiveCosts(PriceBook.load("seed-reference")))
    told = [
        cost
        for event in (STARTED, replace(ENDED, is_settled=False), ATTEMPT, CallSettled())
        for cost in sink.costs_of(stamp(event))
    ]
    assert [(cost.component, cost.quantity, cost.is_final) for cost in told] == [
        ("line", 2000, False), ("stt", 1000, False), ("line", 0, True),
    ]  # fmt: skip
    assert told[-1].leg_usd == sum(cost.added_usd or 0 for cost in told)
