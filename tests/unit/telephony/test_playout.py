"""What of our audio a caller has heard, as the marks of a peer tell it."""

from slukh.telephony.playout import Playout

SECOND = 16_000  # bytes


def sent(own: Playout, seconds: float, began: float) -> None:
    """Speech at its own pace, 20 ms at a time."""
    for frame in range(round(seconds / 0.02)):
        own.sent(320, began + 0.02 * frame)


def half_a_second_behind() -> Playout:
    """A peer that has played a first phrase, from 0 s to 1 s, and said so at 1.5 s."""
    own = Playout()
    sent(own, 1.0, 0.0)
    own.mark("1")
    own.returned("1", 1.5)
    return own


def test_a_peer_that_has_returned_no_mark_is_believed_to_play_at_once() -> None:
    own = Playout()
    sent(own, 1.0, 0.0)
    assert own.unheard(0.5) == 0
    own.mark("1")
    assert not own.is_over
    assert own.unheard(30.0) == 0


def test_the_delay_of_a_mark_is_that_of_what_follows() -> None:
    own = half_a_second_behind()
    assert own.is_over
    sent(own, 1.0, 2.0)
    assert own.unheard(3.0) == SECOND // 2
    assert own.unheard(3.25) == SECOND // 4
    assert own.unheard(4.0) == 0


def test_a_mark_that_comes_too_soon_is_no_delay_below_none() -> None:
    own = Playout()
    sent(own, 1.0, 0.0)
    own.mark("1")
    own.returned("1", 0.8)
    own.sent(SECOND, 2.0)
    own.mark("2")
    assert own.unheard(2.5) == SECOND // 2


def test_what_was_played_for_certain_is_not_unheard() -> None:
    own = half_a_second_behind()
    sent(own, 0.1, 2.0)
    assert own.unheard(2.1) == SECOND // 10


def test_a_mark_that_is_overdue_tells_of_a_longer_delay() -> None:
    own = half_a_second_behind()
    sent(own, 1.0, 2.0)
    own.mark("2")
    sent(own, 2.0, 3.0)
    assert own.unheard(3.4) == SECOND * 21 // 10  # the mark may still be in time
    assert own.unheard(5.0) == SECOND * 2  # the mark should have come at 3.5 s


def test_what_is_taken_back_is_told_once_and_its_marks_are_void() -> None:
    own = half_a_second_behind()
    sent(own, 1.0, 2.0)
    own.mark("2")
    assert own.take_back(3.0) == SECOND // 2
    assert own.is_over
    own.returned("2", 3.01)  # after a clear they come at once
    sent(own, 1.0, 4.0)
    assert own.take_back(5.0) == SECOND // 2  # and say nothing of the delay
    assert own.take_back(5.0) == 0


def test_a_later_mark_stands_for_all_before_it_and_an_unknown_one_for_nothing() -> None:
    own = Playout()
    sent(own, 1.0, 0.0)
    own.mark("1")
    own.mark("2")
    own.returned("whose", 0.9)
    assert not own.is_over
    own.returned("2", 1.2)
    assert own.is_over


def test_marks_that_never_come_back_cost_no_memory() -> None:
    own = Playout()
    for number in range(10_000):
        own.mark(str(number))
    own.returned("1", 0.0)  # long forgotten
    assert not own.is_over
    own.returned("9999", 0.0)
    assert own.is_over
