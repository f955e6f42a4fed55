"""Nobody waits for a store, and what is lost is told."""

import threading

import pytest

from slukh.errors import ExperimentError
from slukh.experiment.background import BackgroundWriter

FULL = ExperimentError("the disk is full", remedy="free some space")


class Store:
    """Takes numbers once it is let; the first of `faults` is raised by the first batch, and so on."""

    def __init__(self, *faults: Exception) -> None:
        self.is_open = threading.Event()
        self.told = threading.Event()
        self.faults = list(faults)
        self.written: list[int] = []
        self.lost: list[int] = []
        self.writer = BackgroundWriter(self.write, what="numbers", waiting=3, on_dropped=self.lose)

    def write(self, batch: list[int]) -> None:
        assert self.is_open.wait(60)
        if self.faults:
            raise self.faults.pop(0)
        self.written += batch

    def lose(self, number: int) -> None:
        self.lost.append(number)
        self.told.set()


def test_what_waits_is_written_in_order() -> None:
    store = Store()
    for number in (1, 2, 3):
        store.writer.put(number)
    store.is_open.set()
    store.writer.start()
    store.writer.stop()
    assert (store.written, store.lost) == ([1, 2, 3], [])


def test_what_finds_no_room_is_lost_at_once() -> None:
    store = Store()
    for number in (1, 2, 3, 4, 5):
        store.writer.put(number)
    assert store.lost == [1, 1]


@pytest.mark.parametrize("fault", [FULL, ZeroDivisionError()], ids=["disk", "defect"])
def test_what_cannot_be_written_is_lost_and_what_comes_later_is_not(fault: Exception) -> None:
    store = Store(fault)
    store.is_open.set()
    store.writer.put(1)
    store.writer.start()
    assert store.told.wait(60)
    store.writer.put(2)
    store.writer.stop()
    assert (store.written, store.lost) == ([2], [1])


def test_a_store_that_hangs_does_not_hang_the_end() -> None:
    store = Store()
    store.writer.put(1)
    store.writer.start()
    store.writer.stop(timeout_seconds=0.05)
    assert store.written == []
    store.is_open.set()


def test_what_was_never_started_ends_at_once() -> None:
    Store().writer.stop()
