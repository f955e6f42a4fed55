"""A talk whose caller, line and clock are the test's: whatever stalls, a caller is not left waiting."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from anthropic import AsyncStream
from anthropic.types import (
    RawContentBlockStartEvent,
    RawMessageDeltaEvent,
    RawMessageStartEvent,
    RawMessageStreamEvent,
)

from slukh.answering import Answering
from slukh.dialog.base import (
    CallerPressed,
    CallerSaid,
    CallerSilent,
    CallerTurn,
    Conversation,
    Leave,
    Say,
    Step,
    Used,
)
from slukh.dialog.claude import ClaudeConversation, ClaudeDialog, ClaudeRules
from slukh.dialog.script import read_script
from slukh.dialog.scripted import ScriptedDialog
from slukh.speech.segmenter import Utterance, UtteranceEnded, UtteranceStarted
from slukh.talking.lines import EXCUSES, FAREWELLS, HANDOVERS
from slukh.talking.talk import Talk, TalkRules
from slukh.talking.thread import Thread
from slukh.telephony.clock import Heard
from slukh.telephony.line import LineEvent
from slukh.testing.virtual_time import VirtualTimeLoop
from slukh.tts.base import SpeechRequest, TtsProvider
from slukh.tts.cache import MemoryStore
from slukh.tts.chain import VoiceChain, spoken
from slukh.tts.fake import FakeTts, TtsScript, fake_speech
from slukh.tts.phrases import sentences
from slukh.tts.recorded import apology, apology_text
from slukh.tts.speaker import Speaker
from slukh.types import (
    SAMPLE_RATE_HERTZ,
    AudioChunk,
    BargeIn,
    CallStarted,
    Dtmf,
    Event,
    PhraseSpoken,
    SpeechEnded,
    Transcript,
    samples_from_ms,
)

EXCUSE, HANDOVER, FAREWELL = EXCUSES["uk-UA"], HANDOVERS["uk-UA"], FAREWELLS["uk-UA"]
EXAMPLE = Path(__file__).parents[3] / "examples" / "dialog" / "tyre-shop.yaml"
NEVER = TtsScript(first_after_seconds=1e9)


class FakeLine:
    """Takes audio, unless it is blocked."""

    def __init__(self) -> None:
        self.frames: list[tuple[float, bytes]] = []
        self.hung_up_at: float | None = None
        self.is_over = asyncio.Event()
        self.is_blocked = False

    def events(self, hear: Callable[[Heard], None] | None = None) -> AsyncIterator[LineEvent]:
        raise NotImplementedError

    async def send_audio(self, linear16: bytes) -> None:
        if self.is_blocked:
            await asyncio.Event().wait()
        self.frames.append((asyncio.get_running_loop().time(), linear16))

    def flush(self) -> None:
        pass

    async def hang_up(self, reason: str = "gateway") -> None:
        self.hung_up_at = asyncio.get_running_loop().time()
        self.is_over.set()


Answers = Callable[[CallerTurn], AsyncGenerator[Step, None]]


@dataclass
class Dialogue:
    """A dialogue of one function; it is its own conversation."""

    answers: Answers
    name: str = "test"
    templates: Sequence[str] = ()
    cut: list[str] = field(default_factory=list)

    async def start(self) -> None:
        pass

    def phrases(self) -> list[SpeechRequest]:
        return []

    def converse(self, call: CallStarted, used: object, /) -> Conversation:
        return self

    async def greet(self) -> AsyncGenerator[Step, None]:
        yield say("Добрий день! Чим допомогти?")

    def answer(self, turn: CallerTurn) -> AsyncGenerator[Step, None]:
        return self.answers(turn)

    def interrupted(self, heard: str) -> None:
        self.cut.append(heard)

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Events:
    """An answer of Claude's as its client gives it: the events of a stream, already there."""

    def __init__(self, text: str) -> None:
        message = {"id": "m", "type": "message", "role": "assistant", "model": "fake", "content": []}
        usage = {"input_tokens": 1, "output_tokens": 1}
        self._events: list[RawMessageStreamEvent] = [
            RawMessageStartEvent.model_validate(
                {"type": "message_start", "message": {**message, "usage": usage}}
            ),
            RawContentBlockStartEvent.model_validate(
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": text}}
            ),
            RawMessageDeltaEvent.model_validate(
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}
            ),
        ]

    async def __anext__(self) -> RawMessageStreamEvent:
        if not self._events:
            raise StopAsyncIteration
        return self._events.pop(0)

    async def close(self) -> None:
        pass


class SlowToSumUp(ClaudeDialog):
    """A Claude who answers at once, and sums up until it is given up."""

    def __init__(self) -> None:
        rules = ClaudeRules(model="fake", longest_history=0, summary_seconds=1800.0)
        super().__init__(rules, api_key="none")
        self.talks: list[ClaudeConversation] = []
        self.given_up = 0

    async def ask(self, _messages: object, _through: object) -> AsyncStream[RawMessageStreamEvent]:
        return cast("AsyncStream[RawMessageStreamEvent]", Events("Звісно, є."))

    async def sum_up(self, _text: str, _through: object) -> AsyncStream[RawMessageStreamEvent]:
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up += 1
        raise AssertionError

    def converse(self, call: CallStarted, used: Used) -> ClaudeConversation:
        self.talks.append(super().converse(call, used))
        return self.talks[-1]


def say(text: str) -> Say:
    return Say(text=text, language_code="uk-UA")


async def echoes(turn: CallerTurn) -> AsyncGenerator[Step, None]:
    match turn:
        case CallerSaid(text=text):
            yield say(f"{text}?")
        case CallerPressed(digit=digit):
            yield say(f"Кнопка {digit}.")
        case CallerSilent(times=times):
            yield say("Ви тут?")
            if times > 2:
                yield Leave(reason="goodbye")


@dataclass
class Shop:
    """A call, and a caller whose words a test says."""

    answering: Answering
    line: FakeLine = field(default_factory=FakeLine)
    events: list[tuple[float, Event]] = field(default_factory=list)
    thread: Thread | None = None
    utterances: int = 0
    _talk: Talk | None = None

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def talk(self) -> Talk:
        assert self._talk is not None
        return self._talk

    def come(self, leg: int = 1) -> None:
        """A leg of the call begins."""
        call = CallStarted(call_id="c", language_code="uk-UA", leg=leg)
        self._talk = self.answering.talk(call, self.line, self._publish, self.thread)
        self.thread = self._talk.thread
        self._talk.begin()

    def _publish(self, event: Event) -> None:
        self.events.append((self.now, event))
        self.talk.observe(event)

    def speak(self) -> Utterance:
        """The caller begins to speak."""
        self.utterances += 1
        utterance = Utterance(utterance_id=self.utterances, start=0)
        noise = np.random.default_rng(1).normal(0, 3000, samples_from_ms(160)).astype("<i2")
        utterance.take(AudioChunk(pcm=noise.tobytes(), voiced=True))
        self.talk.hear(UtteranceStarted(utterance))
        return utterance

    def stop(self, utterance: Utterance) -> None:
        """Our endpoint."""
        utterance.endpoint = utterance.end
        self.talk.hear(UtteranceEnded(utterance))
        self._publish(SpeechEnded(utterance_id=utterance.id, position=0, endpoint=4000))

    def understand(self, utterance: Utterance, text: str, seconds: float = 2.0) -> None:
        """Its final."""
        final = Transcript(
            utterance_id=utterance.id,
            text=text,
            is_final=True,
            stable_length=len(text),
            language_code="uk-UA",
            start=0,
            end=round(seconds * SAMPLE_RATE_HERTZ),
        )
        self._publish(final)

    def say(self, text: str) -> None:
        utterance = self.speak()
        self.stop(utterance)
        self.understand(utterance, text)

    def said(self) -> list[str]:
        return [event.text for _, event in self.events if isinstance(event, PhraseSpoken)]

    async def spoken(self) -> None:
        """Wait for speech, and for a second without any after it; or for the end of the call."""
        await self.spoken_to()
        while self.line.hung_up_at is None and self.now - self.line.frames[-1][0] < 1.0:  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    async def spoken_to(self) -> float:
        """Wait for speech; how long that took."""
        began, heard = self.now, len(self.line.frames)
        while len(self.line.frames) == heard and self.line.hung_up_at is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return self.now - began


def shop(
    answers: Answers = echoes, voices: Sequence[TtsProvider] = (), rules: TalkRules | None = None
) -> Shop:
    speaker = Speaker(VoiceChain(voices or [FakeTts()]), MemoryStore(max_bytes=10_000_000))
    return Shop(Answering(dialog=Dialogue(answers), speaker=speaker, rules=rules or TalkRules()))


def in_virtual_time(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """A test whose hours take as long as their arithmetic."""

    async def bounded() -> None:
        async with asyncio.timeout(3 * 3600):
            await test()

    def run() -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(bounded())

    run.__name__ = test.__name__
    return run


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


# Callers who say nothing, talk too long, or press keys.


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


# Connections that break.


@in_virtual_time
async def test_a_caller_who_comes_back_is_asked_the_last_question_again_and_not_greeted() -> None:
    own = shop()
    own.come()
    await own.spoken()
    await own.talk.close()
    await asyncio.sleep(10)
    own.come(leg=2)
    await own.spoken()
    own.say("Шини")
    await own.spoken()
    assert own.said() == ["Добрий день!", "Чим допомогти?", "Чим допомогти?", "Шини?"]


@in_virtual_time
async def test_an_answer_that_the_line_cut_off_is_given_again() -> None:
    own = shop()
    own.come()
    await own.spoken()
    own.say("Шини на машину")
    await own.spoken_to()
    await own.talk.close()
    own.come(leg=2)
    await own.spoken()
    assert own.said()[2:] == ["Шини на машину?", "Шини на машину?"]
    dialogue = own.answering.dialog
    assert isinstance(dialogue, Dialogue)
    assert dialogue.cut == [""]


@in_virtual_time
async def test_a_greeting_that_the_line_cut_off_is_said_again() -> None:
    own = shop()
    own.come()
    await own.spoken_to()
    await own.talk.close()
    own.come(leg=2)
    await own.spoken()
    assert own.said() == ["Добрий день!", "Чим допомогти?", "Добрий день!", "Чим допомогти?"]


@in_virtual_time
async def test_what_the_caller_said_before_the_line_broke_is_answered_when_they_are_back() -> None:
    own = shop()
    own.come()
    await own.spoken()
    utterance = own.speak()
    await own.talk.close()
    own.stop(utterance)
    own.understand(utterance, "Шини")
    own.come(leg=2)
    await own.spoken()
    assert own.said()[2:] == ["Шини?"]


@in_virtual_time
async def test_a_call_over_several_legs_is_no_longer_than_one() -> None:
    own = shop(rules=TalkRules(longest_seconds=40))
    own.come()
    await own.spoken()
    await own.talk.close()
    await asyncio.sleep(25)
    own.come(leg=2)
    await own.line.is_over.wait()
    assert 40 < own.now < 45


@in_virtual_time
async def test_a_call_whose_dialogue_has_left_begins_anew() -> None:
    own = shop()
    own.come()
    await own.line.is_over.wait()
    own.line = FakeLine()
    own.come(leg=2)
    await own.spoken()
    assert own.said()[-2:] == ["Добрий день!", "Чим допомогти?"]


@in_virtual_time
async def test_a_script_goes_on_in_the_state_where_the_line_broke() -> None:
    own = shop()
    own.answering.dialog = ScriptedDialog(read_script(EXAMPLE))
    own.come()
    await own.spoken()
    own.say("Потрібні шини")
    await own.spoken()
    await own.talk.close()
    own.come(leg=2)
    await own.spoken()
    own.say("двісті п'ять п'ятдесят п'ять шістнадцять")
    await own.spoken()
    assert own.said()[-1] == "Шини літні, зимові чи всесезонні?"


@in_virtual_time
async def test_an_answer_that_was_heard_whole_is_not_interrupted_while_the_call_is_told_in_short() -> None:
    claude = SlowToSumUp()
    own = shop()
    own.answering.dialog = claude
    own.come()
    for turn in range(8):
        await own.spoken()
        own.say(f"Запитання {turn}")
    await own.spoken()
    (talk,) = claude.talks
    texts = [message["content"][0]["text"] for message in talk.history.messages]
    assert texts[2:] == [text for turn in range(8) for text in (f"Запитання {turn}", "Звісно, є.")]
    assert not [event for _, event in own.events if isinstance(event, BargeIn)]
    assert claude.given_up == 0
    await own.talk.close()
    await claude.settled()
    assert claude.given_up == 1
    await claude.aclose()
