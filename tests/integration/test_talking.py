"""A whole call over AudioSocket: a caller who speaks and listens, a gateway that hears and answers."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from slukh.answering import Answering
from slukh.callbook import CallBook
from slukh.cost.meter import Meter
from slukh.dialog.base import CallerTurn, Dialog, Say, Step, Used
from slukh.dialog.script import Script as DialogScript
from slukh.dialog.scripted import ScriptedDialog
from slukh.errors import SttStreamError, TtsConnectError
from slukh.gateway import Admission, Gateway, WhenDown
from slukh.handset import Handset, LineEcho, handset
from slukh.stt.fake import Script
from slukh.talking.talk import TalkRules
from slukh.testing.google_tts import LocalGoogleTts
from slukh.testing.numbered import numbered_speech, silence
from slukh.testing.parts import fake_parts
from slukh.tts.base import SpeechRequest, TtsProvider
from slukh.tts.cache import MemoryStore
from slukh.tts.chain import VoiceChain, spoken
from slukh.tts.fake import FakeTts, TtsScript, fake_speech
from slukh.tts.google import GoogleSpeech, GoogleTts
from slukh.tts.joining import Joiner
from slukh.tts.recorded import apology, apology_text
from slukh.tts.speaker import Speaker
from slukh.types import (
    BargeIn,
    CallEnded,
    CallEvent,
    CallStarted,
    Event,
    ModelAnswered,
    PhraseSpoken,
    TurnTimed,
    Usage,
)

HELLO, SIZE, AGAIN, BYE = "Алло, я вас уважно слухаю.", "Назвіть розмір?", "Ще раз.", "Бувайте."
LONG = "Довга відповідь, яку не всі дослухають."
SCRIPT = {
    "name": "test", "languages": ["uk-UA"], "start": "hello", "give_up": "bye", "patience": 2,
    "unclear": {"uk-UA": AGAIN}, "silence": {"uk-UA": AGAIN},
    "states": {
        "hello": {"say": {"uk-UA": HELLO}, "when": [
            {"hears": {"uk-UA": ["11"]}, "goto": "size"},
            {"hears": {"uk-UA": ["22"]}, "goto": "long"},
            {"hears": {"uk-UA": ["33"]}, "goto": "bye"},
        ]},
        "size": {"say": {"uk-UA": SIZE}, "when": [{"hears": {"uk-UA": ["33"]}, "goto": "bye"}]},
        "long": {"say": {"uk-UA": LONG}, "when": [{"hears": {"uk-UA": ["33"]}, "goto": "bye"}]},
        "bye": {"say": {"uk-UA": BYE}, "leave": "goodbye"},
    },
}  # fmt: skip


@dataclass
class Events:
    seen: list[CallEvent] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def observe(self, event: CallEvent) -> None:
        self.seen.append(event)
        if isinstance(event.event, CallEnded):
            self.ended.set()

    def of(self, kind: type[Event]) -> list[Event]:
        return [e.event for e in self.seen if isinstance(e.event, kind)]

    def said(self) -> list[tuple[str, str]]:
        return [(e.text, e.outcome) for e in self.of(PhraseSpoken) if isinstance(e, PhraseSpoken)]

    def usage(self) -> list[Usage]:
        meter = Meter()
        return [row for e in self.seen for row in meter.rows(e) if isinstance(row, Usage)]


@dataclass
class Shop:
    events: Events
    phone: Handset
    voice: FakeTts
    port: int


@asynccontextmanager
async def shop(
    scripts: Iterable[TtsScript] = (),
    *,
    echo: LineEcho | None = None,
    voices: Sequence[TtsProvider] | None = None,
    dialog: Dialog | None = None,
    ears: Iterable[Script] = (),
    when_down: WhenDown = "continue",
    **rules: float,
) -> AsyncIterator[Shop]:
    voice = FakeTts(scripts)
    answering = Answering(
        dialog=dialog or ScriptedDialog(DialogScript.model_validate(SCRIPT)),
        speaker=Speaker(VoiceChain(voices or [voice]), MemoryStore(max_bytes=10_000_000)),
        rules=TalkRules(**rules),  # type: ignore[arg-type]
    )
    events, refused = Events(), list[str]()
    gateway = Gateway(
        fake_parts(ears),
        CallBook(transcript_seconds=600),
        (events,),
        Admission(max_calls=10, when_down=when_down),
        refused.append,
        talks=answering.talk,
    )
    server = await asyncio.start_server(gateway.handle, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        async with handset("127.0.0.1", port, str(uuid4()), echo) as phone:
            yield Shop(events, phone, voice, port)
    finally:
        server.close()
        await gateway.drain(0)
        await answering.aclose()


def framed(text: str) -> bytes:
    """A phrase as it is on the line: the last 20 ms filled with silence."""
    speech = fake_speech(text)
    return speech + bytes(-len(speech) % 320)


async def test_a_caller_is_greeted_answered_and_let_go_sample_by_sample() -> None:
    async with shop() as own:
        assert framed(HELLO) in await own.phone.answered(quiet_seconds=0.4)
        await own.phone.say(numbered_speech([11]))
        assert framed(SIZE) in await own.phone.answered(quiet_seconds=0.4)
        await own.phone.say(numbered_speech([33]))
        assert framed(BYE) in await own.phone.answered(quiet_seconds=0.4)
        assert own.phone.was_hung_up
        await own.events.ended.wait()
    assert own.events.said() == [(HELLO, "sent"), (SIZE, "sent"), (BYE, "sent")]
    (ended,) = own.events.of(CallEnded)
    assert isinstance(ended, CallEnded)
    assert ended.reason == "gateway"


async def test_every_turn_is_timed_and_every_phrase_is_on_the_bill_once() -> None:
    async with shop() as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([11]))
        await own.phone.answered(quiet_seconds=0.2)
    (turn,) = own.events.of(TurnTimed)
    assert isinstance(turn, TurnTimed)
    assert 0.5 <= turn.endpoint_seconds < 0.7
    assert turn.final_seconds + turn.first_text_seconds + turn.first_audio_seconds < 0.2
    rows = [row for row in own.events.usage() if row.component == "tts"]
    assert [(row.sequence, row.unit, row.quantity, row.outcome) for row in rows] == [
        (1, "characters", len(HELLO), "sent"),
        (2, "characters", len(SIZE), "sent"),
    ]


async def test_frames_leave_every_twenty_milliseconds_and_never_in_a_burst() -> None:
    async with shop() as own:
        await own.phone.answered(quiet_seconds=0.2)
        times = [at for at, _ in own.phone.arrivals][: len(framed(HELLO)) // 320]
    assert np.diff(times) == pytest.approx(0.02, abs=0.001)


async def test_a_caller_who_speaks_stops_us_within_200_ms_and_is_answered() -> None:
    async with shop() as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([22]))
        await own.phone.speaks()
        await own.phone.say(np.concatenate([silence(0.4), numbered_speech([33])]))
        assert framed(BYE) in await own.phone.answered(quiet_seconds=0.3)
        await own.events.ended.wait()
    (barge_in,) = own.events.of(BargeIn)
    assert isinstance(barge_in, BargeIn)
    assert barge_in.reaction_seconds <= 0.2
    spoken_phrases = {e.text: e for e in own.events.of(PhraseSpoken) if isinstance(e, PhraseSpoken)}
    cut = spoken_phrases[LONG]
    assert cut.outcome == "interrupted"
    assert 400 < cut.played_ms < 900
    assert cut.audio_ms == len(fake_speech(LONG)) // 16
    tts = [row for row in own.events.usage() if row.component == "tts"]
    assert [row.quantity for row in tts if row.outcome == "interrupted"] == [len(LONG)]


async def test_a_caller_who_speaks_before_the_first_word_is_over_has_heard_nothing_of_it() -> None:
    async with shop() as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([22]))
        await own.phone.speaks()
        await own.phone.say(numbered_speech([44]))
        assert framed(LONG) in await own.phone.answered(quiet_seconds=0.3)
    assert [one for one in own.events.said() if one[0] == LONG] == [(LONG, "interrupted"), (LONG, "cached")]


async def test_the_echo_of_our_own_voice_neither_stops_us_nor_is_answered() -> None:
    async with shop(echo=LineEcho(delay_ms=80, loss_db=12)) as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([22]))
        assert framed(LONG) in await own.phone.answered(quiet_seconds=0.8)
    assert own.events.of(BargeIn) == []
    assert own.events.said()[:2] == [(HELLO, "sent"), (LONG, "sent")]


async def test_a_caller_is_heard_over_the_echo_of_our_own_voice() -> None:
    async with shop(echo=LineEcho(delay_ms=80, loss_db=12)) as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([22]))
        await own.phone.speaks()
        await own.phone.say(np.concatenate([silence(0.4), numbered_speech([33])]))
        await own.events.ended.wait()
    (barge_in,) = own.events.of(BargeIn)
    assert isinstance(barge_in, BargeIn)
    assert own.events.said()[-1][0] == BYE


async def test_a_noise_that_interrupted_us_lets_us_begin_again() -> None:
    """120 ms of a tone are a voice to the detector and no word to the recogniser."""
    async with shop() as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([22]))
        await own.phone.speaks()
        await own.phone.say(numbered_speech([44])[:1400])
        assert framed(LONG) in await own.phone.answered(quiet_seconds=0.6)
    assert len(own.events.of(BargeIn)) == 1
    assert [(text, outcome) for text, outcome in own.events.said() if text == LONG] == [
        (LONG, "interrupted"),
        (LONG, "cached"),
    ]


async def test_a_key_that_means_nothing_does_not_cost_the_caller_the_answer() -> None:
    async with shop() as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([22]))
        await own.phone.speaks()
        own.phone.press("5")
        assert framed(LONG) in await own.phone.answered(quiet_seconds=0.4)
    assert own.events.said()[-1] == (LONG, "cached")


async def test_a_caller_whom_no_recogniser_heard_is_asked_again() -> None:
    down = [Script(error=SttStreamError("fake", "down"))] * 4
    async with shop(ears=down) as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([11]))
        await own.phone.answered(quiet_seconds=0.3)
        await own.phone.say(numbered_speech([11]))
        assert framed(SIZE) in await own.phone.answered(quiet_seconds=0.2)
    assert own.events.said()[1][0] == "Перепрошую, я не розчула."


async def test_a_caller_whom_no_recogniser_heard_hears_the_recording_that_is_set_for_it() -> None:
    down, recording = [Script(error=SttStreamError("fake", "down"))] * 4, framed("запис")
    async with shop(ears=down, when_down=recording) as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([11]))
        assert recording in await own.phone.answered(quiet_seconds=0.3)
        await own.phone.say(numbered_speech([11]))
        assert framed(SIZE) in await own.phone.answered(quiet_seconds=0.2)
    assert own.events.said() == [(HELLO, "sent"), (SIZE, "sent")]


async def test_a_caller_who_speaks_over_the_hand_over_is_handed_over() -> None:
    script = SCRIPT | {"states": SCRIPT["states"] | {"bye": {"say": {"uk-UA": LONG}, "leave": "handover"}}}  # type: ignore[operator]
    async with shop(dialog=ScriptedDialog(DialogScript.model_validate(script))) as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([33]))
        await own.phone.speaks()
        await own.phone.say(numbered_speech([11]))
        async with asyncio.timeout(2):
            await own.events.ended.wait()
    assert own.events.said()[-1] == (LONG, "interrupted")


async def test_the_pieces_of_a_sentence_with_a_hole_are_joined_on_the_line() -> None:
    order = {"say": {"uk-UA": "Ваше замовлення {number} готове."}, "leave": "goodbye"}
    asking = {"say": {"uk-UA": HELLO}, "collect": "number", "goto": "order"}
    script = SCRIPT | {"states": SCRIPT["states"] | {"hello": asking, "order": order}}  # type: ignore[operator]
    async with shop(dialog=ScriptedDialog(DialogScript.model_validate(script))) as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([11, 12]))
        heard = await own.phone.answered(quiet_seconds=0.4)
    pieces = ["Ваше замовлення", "1112", "готове."]
    joiner = Joiner()
    whole = b"".join(
        joiner.push(fake_speech(piece)) + joiner.finish(is_last=piece == pieces[-1]) for piece in pieces
    )
    assert whole in heard
    assert own.events.said() == [(HELLO, "sent"), *((piece, "sent") for piece in pieces)]


@dataclass
class Parrot:
    """A dialogue that greets, and answers everything with the same words, whatever they are."""

    answer_text: str
    name: str = "parrot"
    templates: tuple[str, ...] = ()

    async def start(self) -> None:
        pass

    def phrases(self) -> list[SpeechRequest]:
        return []

    def converse(self, _call: CallStarted, _used: Used, /) -> "Parrot":
        return self

    async def greet(self) -> AsyncGenerator[Step, None]:
        yield Say(text=HELLO, language_code="uk-UA")

    async def answer(self, _turn: CallerTurn) -> AsyncGenerator[Step, None]:
        yield Say(text=self.answer_text, language_code="uk-UA")

    def interrupted(self, heard: str) -> None:
        pass

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


async def answered_with(text: str, *, hears: str) -> Events:
    """A call whose caller is answered with a text; `hears` is what they are to hear of it first."""
    async with shop(dialog=Parrot(text)) as own:
        await own.phone.answered(quiet_seconds=0.2)
        mark = len(own.phone.heard)
        await own.phone.say(numbered_speech([11]))
        while framed(hears) not in bytes(own.phone.heard[mark:]):
            assert not own.phone.was_hung_up
            await own.phone.speaks()
    return own.events


@pytest.mark.parametrize(
    ("text", "hears"),
    [
        ("**Так** 😀\n<b>є</b> [тут](https://shop.example)", "Так"),
        ("Michelin Pilot Sport.", "Michelin Pilot Sport."),
        ("", "Перепрошую, я не розчула."),
        ("😀 ***", "Перепрошую, я не розчула."),
    ],
)
async def test_whatever_a_model_writes_the_caller_hears_words(
    text: str, hears: str, caplog: pytest.LogCaptureFixture
) -> None:
    events = await answered_with(text, hears=hears)
    is_said_why = "nothing can be said" in str([vars(record) for record in caplog.records])
    assert is_said_why == (hears == "Перепрошую, я не розчула.")
    rows = [row for row in events.usage() if row.component == "tts"]
    assert len({row.sequence for row in rows}) == len(rows)


async def test_of_ten_thousand_characters_only_what_was_begun_is_paid_for_and_once() -> None:
    sentence = "Це речення не має кінця й краю."
    events = await answered_with(" ".join([sentence] * 320), hears=sentence)
    rows = [row for row in events.usage() if row.component == "tts"][1:]
    assert [row.outcome for row in rows].count("cached") == len(rows) - 1
    assert sum(row.quantity for row in rows if row.outcome != "cached") == len(sentence)


async def test_a_voice_that_does_not_exist_is_replaced_and_nothing_is_paid_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with LocalGoogleTts() as server:
        nobody = GoogleSpeech(voices={"uk-UA": "uk-UA-Chirp3-HD-Nobody"}, endpoint=server.endpoint)
        google = GoogleTts(nobody)
        await google.start()
        async with shop(voices=[google, FakeTts(name="second")]) as own:
            assert framed(HELLO) in await own.phone.answered(quiet_seconds=0.2)
    (row,) = (row for row in own.events.usage() if row.component == "tts")
    assert (row.provider, row.quantity) == ("second", len(HELLO))
    assert "uk-UA-Chirp3-HD-Nobody" in str([vars(record) for record in caplog.records])


def says_why(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says came last before we hung up."""
    return [record.__dict__["after"] for record in caplog.records if record.message == "talk_over"]


async def test_a_silent_caller_is_asked_twice_and_let_go(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with shop(silence_seconds=0.3) as own:
        await own.events.ended.wait()
        heard = bytes(own.phone.heard)
    assert [text for text, _ in own.events.said()] == [HELLO, AGAIN, AGAIN, BYE]
    assert [outcome for _, outcome in own.events.said()] == ["sent", "sent", "cached", "sent"]
    assert heard.count(framed(AGAIN)) == 2
    assert says_why(caplog) == ["caller_silent"]


async def test_a_caller_who_comes_back_is_asked_the_last_question_and_not_greeted() -> None:
    async with shop() as own:
        call_id = str(uuid4())
        async with handset("127.0.0.1", own.port, call_id) as phone:
            await phone.answered(quiet_seconds=0.3)
            await phone.say(numbered_speech([11]))
            await phone.answered(quiet_seconds=0.3)
        async with handset("127.0.0.1", own.port, call_id) as phone:
            again = await phone.answered(quiet_seconds=0.4)
            await phone.say(numbered_speech([33]))
            assert framed(BYE) in await phone.answered(quiet_seconds=0.3)
    assert framed(SIZE) in again
    assert framed(HELLO) not in again
    said = [e for e in own.events.seen if isinstance(e.event, PhraseSpoken) and e.call_id == call_id]
    assert [(e.leg, e.event.text) for e in said if isinstance(e.event, PhraseSpoken)] == [
        (1, HELLO), (1, SIZE), (2, SIZE), (2, BYE),
    ]  # fmt: skip


async def test_a_call_that_lasts_too_long_ends_with_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with shop(longest_seconds=1.5) as own:
        await own.events.ended.wait()
    assert says_why(caplog) == ["longest_call"]
    assert own.events.said()[-1][0].endswith("До побачення.")


async def test_a_voice_that_fails_in_mid_call_is_replaced_by_the_next() -> None:
    first = FakeTts([TtsScript(), *[TtsScript(error=TtsConnectError("first", "down"))] * 5], name="first")
    async with shop(voices=[first, FakeTts(name="second")]) as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([11]))
        assert framed(SIZE) in await own.phone.answered(quiet_seconds=0.2)
    providers = [e.provider for e in own.events.of(PhraseSpoken) if isinstance(e, PhraseSpoken)]
    assert providers == ["first", "second"]


async def test_when_nobody_can_speak_a_recording_apologises_and_the_dial_plan_goes_on() -> None:
    down = [TtsScript(error=TtsConnectError("fake", "down"))] * 9
    async with shop(down) as own:
        heard = await own.phone.answered()
    recording = await spoken(apology(), SpeechRequest(text=apology_text("uk-UA"), language_code="uk-UA"))
    assert recording[:16000] in heard
    assert own.events.said() == []


def test_the_example_dialogue_is_read() -> None:
    from slukh.dialog.script import read_script

    assert read_script(Path(__file__).parents[2] / "examples" / "dialog" / "tyre-shop.yaml").languages


async def test_claude_answers_a_call_and_its_tokens_are_on_the_bill() -> None:
    from slukh.dialog.claude import ClaudeDialog, ClaudeRules
    from slukh.testing.anthropic_server import KEY, Answer, AnthropicServer, Calls, Speaks

    answers: list[Answer] = [Speaks("Так."), Calls("end_call", {}, "Бувайте.")]
    async with AnthropicServer(answers) as server:
        dialog = ClaudeDialog(ClaudeRules(model="claude-haiku-4-5"), api_key=KEY, base_url=server.url)
        async with shop(dialog=dialog) as own:
            await own.phone.answered(quiet_seconds=0.2)
            await own.phone.say(numbered_speech([11]))
            assert framed("Так.") in await own.phone.answered(quiet_seconds=0.2)
            await own.phone.say(numbered_speech([33]))
            await own.events.ended.wait()
        assert [request["messages"][-1]["content"][0]["text"] for request in server.requests] == ["11", "33"]
    rows = [row for row in own.events.usage() if row.component == "llm"]
    assert [row.unit for row in rows[:4]] == [
        "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    ]  # fmt: skip
    assert len({row.sequence for row in rows}) == len(rows) == 8
    assert sum(row.quantity for row in rows if row.unit == "cache_read_tokens") > 0


async def test_what_a_request_used_is_told_when_the_caller_hangs_up_before_its_first_event() -> None:
    from slukh.dialog.claude import ClaudeDialog, ClaudeRules
    from slukh.testing.anthropic_server import KEY, AnthropicServer, Speaks

    async with AnthropicServer([Speaks("Так.", after_seconds=1.0)]) as server:
        dialog = ClaudeDialog(ClaudeRules(model="claude-haiku-4-5"), api_key=KEY, base_url=server.url)
        async with shop(dialog=dialog) as own:
            await own.phone.answered(quiet_seconds=0.2)
            await own.phone.say(numbered_speech([11]))
            await server.asked.wait()  # and hangs up
    kinds = [type(event.event) for event in own.events.seen]
    assert kinds.index(CallEnded) < kinds.index(ModelAnswered)
    rows = [row for row in own.events.usage() if row.component == "llm"]
    assert [row.quantity for row in rows if row.unit == "cache_write_tokens"] == [
        server.usages[0]["cache_creation_input_tokens"]
    ]
    assert len({row.call_id for row in own.events.usage()}) == 1


async def test_a_model_that_is_down_is_excused_and_then_replaced_by_a_person() -> None:
    from slukh.dialog.claude import ClaudeDialog, ClaudeRules
    from slukh.testing.anthropic_server import KEY, AnthropicServer, Refuses

    async with AnthropicServer([Refuses(500)]) as server:
        rules = ClaudeRules(model="claude-haiku-4-5", retries=0)
        async with shop(dialog=ClaudeDialog(rules, api_key=KEY, base_url=server.url)) as own:
            await own.phone.answered(quiet_seconds=0.2)
            for word in (11, 12):
                await own.phone.say(numbered_speech([word]))
                await own.phone.answered(quiet_seconds=0.7)
            await own.events.ended.wait()
    said = [text for text, _ in own.events.said()]
    assert said[2] == "Перепрошую, я не розчула."
    assert said[-1] == "Перепрошую, з'єдную вас з оператором."
