"""A talk in which something stalls: a caller is not left waiting, whatever it is."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from tests.unit.talking.shop import Dialogue, Shop, echoes, in_virtual_time, say, shop

from slukh.assembly.answering import Answering
from slukh.dialog.base import (
    CallerTurn,
    Step,
)
from slukh.talking.lines import EXCUSES, HANDOVERS
from slukh.talking.talk import TalkRules
from slukh.tts.base import SpeechRequest
from slukh.tts.cache import MemoryStore
from slukh.tts.chain import VoiceChain, spoken
from slukh.tts.fake import FakeTts, TtsScript, fake_speech
from slukh.tts.phrases import sentences
from slukh.tts.recorded import apology, apology_text
from slukh.tts.speaker import Speaker

EXCUSE, HANDOVER = EXCUSES["uk-UA"], HANDOVERS["uk-UA"]
NEVER = TtsScript(first_after_seconds=1e9)


@in_virtual_time
async def test_a_caller_is_greeted_and_answered() -> None:
    own = shop()
    own.come()
    await own.spoken()
    own.say("Шини")
    assert await own.spoken_to() < 0.1
    await own.spoken()
    assert own.said() == ["Добрий день!", "Чим допомогти?", "Шини?"]


# What stalls, and how long a caller waits then.


@in_virtual_time
async def test_a_final_that_never_comes_is_asked_for_again_after_ten_seconds_and_then_by_a_person() -> None:
    own = shop()
    own.come()
    waits = []
    for _ in range(3):
        await own.spoken()
        own.stop(own.speak())
        waits.append(await own.spoken_to())
    await own.line.is_over.wait()
    assert max(waits) < 10.1
    assert own.said()[2:] == [*sentences(EXCUSE), *sentences(EXCUSE), *sentences(HANDOVER)]


@in_virtual_time
async def test_an_empty_final_for_a_long_voice_is_asked_for_again_at_once() -> None:
    own = shop()
    own.come()
    await own.spoken()
    utterance = own.speak()
    own.stop(utterance)
    own.understand(utterance, "")
    assert await own.spoken_to() < 0.1
    await own.spoken()
    assert own.said()[2:] == sentences(EXCUSE)


@in_virtual_time
async def test_a_dialogue_that_hangs_is_excused_after_ten_seconds_and_then_replaced_by_a_person() -> None:
    async def hangs(_turn: CallerTurn) -> AsyncGenerator[Step, None]:
        await asyncio.Event().wait()
        yield say("Ніколи.")

    own = shop(hangs)
    own.come()
    waits = []
    for _ in range(2):
        await own.spoken()
        own.say("Шини")
        waits.append(await own.spoken_to())
    await own.line.is_over.wait()
    assert max(waits) < 10.1
    assert own.said()[2:] == [*sentences(EXCUSE), *sentences(HANDOVER)]


@in_virtual_time
async def test_a_dialogue_that_hangs_in_the_middle_is_excused_as_well() -> None:
    async def begins(_turn: CallerTurn) -> AsyncGenerator[Step, None]:
        yield say("Зараз.")
        await asyncio.Event().wait()

    own = shop(begins)
    own.come()
    await own.spoken()
    own.say("Шини")
    await own.spoken()
    await own.spoken()
    assert own.said()[2:] == ["Зараз.", *sentences(EXCUSE)]
    dialogue = own.answering.dialog
    assert isinstance(dialogue, Dialogue)
    assert dialogue.cut == ["Зараз."]


def test_a_dialogue_that_raises_what_it_should_not_is_excused_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def raises(turn: CallerTurn) -> AsyncGenerator[Step, None]:
        if turn:
            raise ZeroDivisionError
        yield say("Ніколи.")

    @in_virtual_time
    async def call() -> None:
        own = shop(raises)
        own.come()
        for _ in range(2):
            await own.spoken()
            own.say("Шини")
            assert await own.spoken_to() < 0.1
        await own.line.is_over.wait()
        assert own.said()[2:] == [*sentences(EXCUSE), *sentences(HANDOVER)]

    with caplog.at_level(logging.ERROR):
        call()
    assert [record.message for record in caplog.records] == ["answer_defect", "answer_defect"]


@in_virtual_time
async def test_a_voice_that_hangs_is_replaced_by_the_next_after_eight_seconds_and_rests() -> None:
    own = shop(voices=[FakeTts([NEVER], name="first"), FakeTts(name="second")])
    own.come()
    assert await own.spoken_to() < 8.1
    await own.spoken()
    own.say("Шини")
    assert await own.spoken_to() < 0.1


class BreaksOff(FakeTts):
    """A voice that begins a sentence and hangs."""

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[bytes]:
        yield fake_speech(request.text)[:1600]
        await asyncio.Event().wait()


@in_virtual_time
async def test_a_voice_that_hangs_in_the_middle_is_replaced_as_well() -> None:
    own = shop(voices=[BreaksOff(name="first"), FakeTts(name="second")])
    own.come()
    await own.spoken()
    await own.spoken()
    assert own.said() == ["Добрий день!", "Чим допомогти?"]
    whole = b"".join(frame for _, frame in own.line.frames)
    assert fake_speech("Добрий день!") in whole


@in_virtual_time
async def test_when_the_only_voice_hangs_a_recording_apologises_and_the_dial_plan_goes_on() -> None:
    own = shop(voices=[FakeTts([NEVER] * 9)])
    own.come()
    assert await own.spoken_to() < 8.1
    await own.line.is_over.wait()
    recording = await spoken(apology(), SpeechRequest(text=apology_text("uk-UA"), language_code="uk-UA"))
    assert b"".join(frame for _, frame in own.line.frames)[: len(recording)] == recording


@in_virtual_time
async def test_callers_who_want_the_phrase_of_a_voice_that_hangs_do_not_wait_for_ever_either() -> None:
    speaker = Speaker(VoiceChain([FakeTts([NEVER]), FakeTts(name="second")]), MemoryStore(max_bytes=10**7))
    answering = Answering(dialog=Dialogue(echoes), speaker=speaker, rules=TalkRules())
    calls = [Shop(answering) for _ in range(3)]
    for call in calls:
        call.come()
    assert max(await asyncio.gather(*(call.spoken_to() for call in calls))) < 8.1


@in_virtual_time
async def test_a_line_that_takes_no_audio_ends_with_the_longest_call() -> None:
    own = shop(rules=TalkRules(longest_seconds=60))
    own.line.is_blocked = True
    own.come()
    await own.line.is_over.wait()
    assert own.now == pytest.approx(75, abs=1)  # and as long as last words may take
