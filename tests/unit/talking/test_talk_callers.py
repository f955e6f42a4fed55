"""Callers who say nothing, talk too long, interrupt, or press keys."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from tests.unit.talking.shop import Dialogue, FakeLine, Shop, in_virtual_time, say, shop

from slukh.dialog.base import (
    CallerPressed,
    CallerTurn,
    Step,
)
from slukh.talking.lines import EXCUSES, FAREWELLS, HANDOVERS
from slukh.talking.talk import TalkRules
from slukh.tts.fake import fake_speech
from slukh.tts.phrases import sentences
from slukh.types import (
    BargeIn,
    Dtmf,
    PhraseSpoken,
)

EXCUSE, HANDOVER, FAREWELL = EXCUSES["uk-UA"], HANDOVERS["uk-UA"], FAREWELLS["uk-UA"]


@in_virtual_time
async def test_a_caller_who_is_silent_for_a_minute_is_asked_and_then_let_go() -> None:
    own = shop()
    own.come()
    await own.line.is_over.wait()
    assert own.said() == ["Добрий день!", "Чим допомогти?", *["Ви тут?"] * 3]
    assert own.now < 60


@in_virtual_time
async def test_the_longest_call_ends_in_the_middle_of_an_answer_with_a_sentence() -> None:
    async def never_stops(_turn: CallerTurn) -> AsyncGenerator[Step, None]:
        while True:
            yield say("І ще одне речення, яке нічого не каже.")

    own = shop(never_stops, rules=TalkRules(longest_seconds=120))
    own.come()
    await own.spoken()
    own.say("Розкажіть")
    await own.line.is_over.wait()
    assert own.said()[-2:] == sentences(FAREWELL)
    assert 120 < own.now < 125


@in_virtual_time
async def test_a_key_in_the_middle_of_an_answer_is_answered() -> None:
    async def talks(turn: CallerTurn) -> AsyncGenerator[Step, None]:
        yield say("Кнопка." if isinstance(turn, CallerPressed) else "Довга відповідь, яку не дослухають.")

    own = shop(talks)
    own.come()
    await own.spoken()
    own.say("Шини")
    await own.spoken_to()
    await asyncio.sleep(0.4)  # the first word is over
    own._publish(Dtmf(position=0, digit="5"))
    await own.spoken()
    assert own.said()[-1] == "Кнопка."
    assert [event.outcome for _, event in own.events if isinstance(event, PhraseSpoken)][-2] == "interrupted"


@in_virtual_time
async def test_a_recording_asks_again_where_every_recogniser_failed_and_then_a_person() -> None:
    own, recording = shop(), fake_speech("Запис.")
    own.come()
    own.talk.unheard = recording
    await own.spoken()
    for _ in range(2):
        own.stop(own.speak())
        own.line.frames.clear()
        await own.spoken()
        assert b"".join(frame for _, frame in own.line.frames).startswith(recording)
    own.stop(own.speak())
    await own.line.is_over.wait()
    assert own.said()[2:] == sentences(HANDOVER)


@in_virtual_time
async def test_a_recording_does_not_ask_again_where_recognisers_heard_nothing() -> None:
    own = shop()
    own.come()
    own.talk.unheard = fake_speech("Запис.")
    await own.spoken()
    own.say("")
    await own.spoken()
    assert own.said()[2:] == sentences(EXCUSE)


@in_virtual_time
async def test_a_caller_waits_for_a_final_as_long_as_the_rules_say() -> None:
    own = shop(rules=TalkRules(hearing_seconds=22))
    own.come()
    await own.spoken()
    utterance = own.speak()
    own.stop(utterance)
    await asyncio.sleep(21)
    own.understand(utterance, "Шини")
    await own.spoken()
    assert own.said()[2:] == ["Шини?"]


@in_virtual_time
async def test_an_excuse_that_nobody_heard_takes_no_answer_back() -> None:
    own = shop()
    own.come()
    await own.spoken()
    own.say("Шини на машину")
    await own.spoken_to()
    await asyncio.sleep(0.3)
    own.stop(own.speak())  # they interrupt, and no final comes
    await own.spoken_to()
    own.say("Так")
    await own.spoken()
    assert own.said()[2:] == ["Шини на машину?", *sentences(EXCUSE), "Так?"]
    dialogue = own.answering.dialog
    assert isinstance(dialogue, Dialogue)
    assert dialogue.cut == ["Шини на"]


@in_virtual_time
async def test_an_answer_of_which_nothing_can_be_said_is_excused_and_not_what_is_asked_again() -> None:
    async def mute(turn: CallerTurn) -> AsyncGenerator[Step, None]:
        yield say("😀 ***")

    own = shop(mute)
    own.come()
    await own.spoken()
    own.say("Шини")
    await own.spoken()
    await own.talk.close()
    own.come(leg=2)
    await own.spoken()
    assert own.said()[2:] == [*sentences(EXCUSE), "Чим допомогти?"]


# Lines on which the caller hears us later than we speak.


async def cut_off(behind: float, after_seconds: float) -> Shop:
    """A caller who interrupts a long answer so many seconds after its first frame left."""
    own = shop()
    own.line = FakeLine(behind=behind)
    own.come()
    await own.spoken()
    own.say("Довга відповідь на довге запитання")
    await own.spoken_to()
    await asyncio.sleep(after_seconds)
    own.say("Так")
    await own.spoken()
    return own


@in_virtual_time
async def test_what_was_sent_and_not_played_yet_was_not_heard() -> None:
    own = await cut_off(behind=0.5, after_seconds=0.9)
    dialogue = own.answering.dialog
    assert isinstance(dialogue, Dialogue)
    assert dialogue.cut == ["Довга"]  # of 0.4 s; 0.9 s would be "Довга відповідь на довге"
    (cut,) = [event for _, event in own.events if isinstance(event, PhraseSpoken) and "запит" in event.text]
    assert cut.played_ms == pytest.approx(400, abs=40)
    assert any(isinstance(event, BargeIn) for _, event in own.events)


@in_virtual_time
async def test_an_answer_of_which_nothing_was_played_yet_was_not_given() -> None:
    own = await cut_off(behind=0.5, after_seconds=0.3)
    assert own.said()[-1] == "Довга відповідь на довге запитання Так?"
    assert not any(isinstance(event, BargeIn) for _, event in own.events)


@pytest.mark.parametrize(("behind", "waits"), [(None, 0.0), (0.5, 0.5), (1e6, 2.0)])
def test_last_words_are_played_before_we_hang_up_but_not_waited_for_for_long(
    behind: float | None, waits: float
) -> None:
    @in_virtual_time
    async def call() -> None:
        own = shop()
        own.line = FakeLine(behind=behind)
        own.come()
        await own.line.is_over.wait()
        assert own.line.hung_up_at == pytest.approx(own.line.frames[-1][0] + 0.02 + waits, abs=0.05)

    call()
