"""Finals first, stale interims never."""

from hypothesis import given
from hypothesis import strategies as st

from slukh.stt.whisper.decoding import DecodeRequest, Kind
from slukh.stt.whisper.queueing import DecodeQueue


def request(kind: Kind, stream: int = 1) -> DecodeRequest:
    return DecodeRequest(pcm=b"", kind=kind, stream=stream, language_code="uk-UA")


def order(queue: DecodeQueue) -> list[int]:
    numbers = []
    while (ticket := queue.take()) is not None:
        numbers.append(ticket.number)
    return numbers


def queue_of(*kinds: Kind) -> DecodeQueue:
    queue = DecodeQueue()
    for number, kind in enumerate(kinds):
        queue.put(number, request(kind, stream=number), now=float(number))
    return queue


def test_finals_go_before_speculations_and_those_before_interims() -> None:
    assert order(queue_of("interim", "speculative", "final", "interim", "final")) == [2, 4, 1, 0, 3]


def test_what_runs_in_the_background_comes_last_and_is_no_backlog() -> None:
    queue = queue_of("background", "interim", "background", "final")
    assert queue.oldest() == 3.0
    assert order(queue) == [3, 1, 0, 2]
    assert queue_of("background").oldest() is None


def test_a_newer_interim_replaces_the_waiting_one_of_its_stream_only() -> None:
    queue = DecodeQueue()
    queue.put(1, request("interim", stream=1), now=0.0)
    queue.put(2, request("interim", stream=2), now=0.0)
    queue.put(3, request("speculative", stream=1), now=0.0)
    assert queue.put(4, request("interim", stream=1), now=0.0) == (1,)
    assert order(queue) == [3, 2, 4]


def test_a_cancelled_request_leaves_the_queue() -> None:
    queue = queue_of("final", "final")
    queue.discard([0, 7])
    assert order(queue) == [1]


def test_a_speculation_that_is_waited_for_goes_with_the_finals() -> None:
    queue = queue_of("final", "interim")
    speculative = request("speculative", stream=9)
    queue.put(8, speculative, now=1.0)
    queue.put(9, request("speculative", stream=10), now=1.0)
    queue.put(10, request("final", stream=11), now=1.0)
    queue.hasten(speculative)
    assert order(queue) == [0, 8, 10, 9, 1]


def test_hastening_one_that_is_gone_changes_nothing() -> None:
    queue = queue_of("interim")
    queue.hasten(request("speculative"))
    assert order(queue) == [0]


def test_the_queue_knows_how_long_its_oldest_final_waits() -> None:
    queue = queue_of("interim", "speculative", "final")
    assert queue.oldest() == 1.0
    assert len(queue) == 3
    order(queue)
    assert queue.oldest() is None


@given(st.lists(st.sampled_from(["final", "speculative", "interim"]), max_size=30))
def test_every_request_is_served_once_and_in_order_of_rank(kinds: list[Kind]) -> None:
    rank: dict[Kind, int] = {"final": 0, "speculative": 1, "interim": 2}
    served = order(queue_of(*kinds))
    assert served == sorted(range(len(kinds)), key=lambda number: (rank[kinds[number]], number))


def test_the_last_free_worker_takes_only_what_a_caller_waits_for() -> None:
    queue = queue_of("interim", "background", "speculative", "final")
    assert [getattr(queue.take(finals_only=True), "number", None) for _ in range(3)] == [3, 2, None]
    assert order(queue) == [0, 1]
