"""Differences of statements, booked in the ledger of either database."""

import math
import threading
from datetime import UTC, datetime, timedelta

import pytest

from slukh.cost.ledger.adjustments import Adjustments
from slukh.cost.ledger.reconcile import Comparison
from slukh.cost.ledger.store import Ledger
from slukh.errors import StatementError

START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)


def found(metered: int, invoiced: int, *, sku: str = "speech", component: str = "stt") -> Comparison:
    return Comparison(
        provider="google", component=component, sku=sku, metered_pico_usd=metered, invoiced_pico_usd=invoiced
    )


def book(
    ledger: Ledger, *comparisons: Comparison, start: datetime = START, end: datetime = END
) -> tuple[int, ...]:
    return Adjustments(ledger, "market").book(comparisons, started_at=start, ended_at=end, source="bill.csv")


def test_a_difference_is_booked_once(ledger: Ledger) -> None:
    assert book(ledger, found(100, 103)) == (3,)
    assert book(ledger, found(100, 103)) == (0,)
    (row,) = Adjustments(ledger, "market").all()
    assert (row.amount_pico_usd, row.source, row.started_at) == (3, "bill.csv", START)


def test_usage_that_was_metered_late_is_taken_back_from_the_adjustment(ledger: Ledger) -> None:
    book(ledger, found(100, 103))
    assert book(ledger, found(102, 103)) == (-2,)
    assert book(ledger, found(102, 103)) == (0,)
    assert sum(row.amount_pico_usd for row in Adjustments(ledger, "market").all()) == 1


def test_a_difference_that_goes_and_comes_back_is_booked_each_time(ledger: Ledger) -> None:
    amounts = [book(ledger, found(100, invoiced))[0] for invoiced in (103, 100, 103, 100)]
    assert amounts == [3, -3, 3, -3]


def test_statements_of_days_and_of_their_month_book_the_difference_once(ledger: Ledger) -> None:
    book(ledger, found(10, 13), end=START + timedelta(days=1))
    assert book(ledger, found(100, 105)) == (2,)


def test_a_statement_that_crosses_another_is_refused_and_books_nothing(ledger: Ledger) -> None:
    book(ledger, found(100, 103))
    with pytest.raises(StatementError, match=r"bill\.csv: speech .* crosses the time of bill\.csv"):
        book(
            ledger, found(1, 2, sku="other"), found(100, 110), start=START + timedelta(days=5),
            end=END + timedelta(days=5),
        )  # fmt: skip
    assert len(Adjustments(ledger, "market").all()) == 1


def test_two_who_book_the_same_statement_at_once_book_it_once(url: str, ledger: Ledger) -> None:
    together = threading.Barrier(4)
    booked: list[int] = []

    def reconcile() -> None:
        with Ledger(url) as mine:
            together.wait()
            booked.extend(book(mine, found(100, 103)))

    threads = [threading.Thread(target=reconcile) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(booked) == [0, 0, 0, 3]


def test_the_drift_is_that_of_the_newest_statement_over_all_its_names(ledger: Ledger) -> None:
    adjustments = Adjustments(ledger, "market")
    assert adjustments.drifts() == {}
    book(ledger, found(100, 200), found(7, 0, component="tts"))
    assert adjustments.drifts() == {("stt", "google"): 0.5, ("tts", "google"): -math.inf}
    book(ledger, found(96, 100), found(100, 100, sku="batch"), start=END, end=END + timedelta(days=31))
    assert adjustments.drifts()["stt", "google"] == pytest.approx(0.02)
    book(ledger, found(98, 100), start=END, end=END + timedelta(days=31))
    assert adjustments.drifts()["stt", "google"] == pytest.approx(0.01)


def test_another_book_has_its_own_adjustments(ledger: Ledger) -> None:
    book(ledger, found(100, 103))
    other = Adjustments(ledger, "seed")
    assert other.all() == ()
    assert other.book([found(50, 103)], started_at=START, ended_at=END, source="bill.csv") == (53,)
