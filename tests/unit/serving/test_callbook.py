"""The calls a gateway knows, on a clock that is a number."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import pytest

from slukh.serving.callbook import CallBook
from slukh.types import (
    AttemptEnded,
    CallEnded,
    CallEvent,
    CallStarted,
    Dtmf,
    Event,
    SpeechStarted,
    Transcript,
)

CALL = CallStarted(call_id="c1", language_code="uk-UA")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(clock: Clock) -> CallBook:
    return CallBook(transcript_seconds=600.0, now=clock)


def tell(book: CallBook, event: Event) -> None:
    book.observe(
        CallEvent(call_id="c1", leg=1, provider="whisper", model="base", assigned_arm="whisper",
                  received_at=datetime.now(UTC), event=event)
    )  # fmt: skip


def final(text: str) -> Transcript:
    return Transcript(
        utterance_id=1,
        text=text,
        is_final=True,
        stable_length=len(text),
        language_code="uk-UA",
        start=0,
        end=8000,
    )


def test_an_announcement_lapses_after_30_seconds(book: CallBook, clock: Clock) -> None:
    assert book.announce(CALL) is not None
    clock.now = 30.1
    assert book.get("c1") is None


def test_a_call_cannot_be_announced_twice(book: CallBook) -> None:
    book.announce(CALL)
    assert book.announce(CALL) is None


def test_a_record_tells_the_call(book: CallBook) -> None:
    book.attach(CALL)
    tell(book, final("добрий день"))
    tell(book, AttemptEnded(utterance_id=1, attempt=1, provider="whisper", model="base", purpose="serve",
                            outcome="published", audio_samples=16000))  # fmt: skip
    tell(book, CallEnded(position=80000, reason="hangup", heard=80000, voiced=12000))
    record = book.get("c1")
    assert record is not None
    assert record.is_done
    detail = record.detail()
    assert detail["usage"] == {
        "attempts": 1,
        "call_seconds": 10.0,
        "speech_seconds": 1.5,
        "sent_seconds": 2.0,
        "withheld_seconds": 8.0,
        "cost_usd": None,  # nothing was rated
        "cost_is_whole": False,
    }
    assert [final.text for final in record.finals] == ["добрий день"]


@pytest.mark.parametrize(
    ("reason", "is_done"), [("hangup", True), ("gateway", True), ("drained", False), ("error", False)]
)
def test_a_call_that_was_given_back_to_the_dial_plan_is_not_done(
    book: CallBook, reason: Literal["hangup", "gateway", "drained", "error"], *, is_done: bool
) -> None:
    book.attach(CALL)
    tell(book, CallEnded(position=0, reason=reason))
    record = book.get("c1")
    assert record is not None
    assert record.is_done is is_done


def test_a_transcript_leaves_memory_after_its_time(book: CallBook, clock: Clock) -> None:
    book.attach(CALL)
    tell(book, final("таємниця"))
    tell(book, CallEnded(position=0, reason="hangup"))
    clock.now = 599.0
    assert book.get("c1") is not None
    clock.now = 601.0
    book.expire()
    assert len(book) == 0


def test_a_broken_connection_leaves_the_call_open_for_30_seconds(book: CallBook, clock: Clock) -> None:
    book.attach(CALL)
    tell(book, CallEnded(position=0, reason="detached"))

    def state() -> tuple[bool, bool]:
        record = book.get("c1")
        assert record is not None
        return record.is_done, book.can_reattach(record)

    assert state() == (False, True)
    clock.now = 31.0
    assert state() == (True, False)


async def test_a_follower_hears_what_was_and_what_comes_to_the_end(book: CallBook) -> None:
    book.attach(CALL)
    tell(book, CALL)
    following = book.events("c1")
    assert await anext(following) == (1, {"event": "call_started", **_plain(CALL)})
    tell(book, SpeechStarted(utterance_id=1, position=4000))
    item = await anext(following)
    assert item is not None
    assert item[1]["position"] == 0.5
    tell(book, CallEnded(position=0, reason="hangup"))
    assert [item[1]["event"] async for item in following if item] == ["call_ended"]


async def test_a_follower_that_comes_back_gets_only_what_is_new(book: CallBook) -> None:
    book.attach(CALL)
    tell(book, CALL)
    tell(book, CallEnded(position=0, reason="hangup"))
    assert [item[0] async for item in book.events("c1", after=1) if item] == [2]


async def test_a_quiet_call_keeps_its_follower_awake(book: CallBook) -> None:
    book.attach(CALL)
    assert await anext(book.events("c1", idle_seconds=0.01)) is None


async def test_a_digit_is_an_event_without_the_digit(book: CallBook) -> None:
    book.attach(CALL)
    tell(book, Dtmf(position=8000, digit="7"))
    assert await anext(book.events("c1")) == (1, {"event": "dtmf", "position": 1.0})


def _plain(call: CallStarted) -> dict[str, object]:
    return {"call_id": call.call_id, "leg": 1, "caller": None, "language_code": "uk-UA",
            "alternative_language_codes": (), "trunk": None, "announced": True}  # fmt: skip


def test_a_call_that_is_over_is_forgotten_and_one_that_is_not_stays(book: CallBook) -> None:
    over, live = replace(CALL, caller="hash"), replace(CALL, call_id="c2", caller="hash")
    other = replace(CALL, call_id="c3", caller="another")
    for call in (over, live, other):
        book.attach(call)
    tell(book, final("так"))
    tell(book, CallEnded(position=0, reason="hangup"))
    assert book.forget(caller="hash") == (["c1"], 1)
    assert [record.call.call_id for record in book.all()] == ["c2", "c3"]
    assert book.forget(call_id="c3") == ([], 1)
    assert book.forget(call_id="c1") == ([], 0)
