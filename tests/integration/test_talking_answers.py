"""What is said in a whole call over AudioSocket: whatever a model writes, whoever speaks it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest
from tests.integration.talking_shop import HELLO, SCRIPT, SIZE, Events, framed, shop

from slukh.dialog.base import CallerTurn, Say, Step, Used
from slukh.dialog.script import Script as DialogScript
from slukh.dialog.scripted import ScriptedDialog
from slukh.errors import TtsConnectError
from slukh.testing.google_tts import LocalGoogleTts
from slukh.testing.numbered import numbered_speech
from slukh.tts.base import SpeechRequest
from slukh.tts.chain import spoken
from slukh.tts.fake import FakeTts, TtsScript, fake_speech
from slukh.tts.google import GoogleSpeech, GoogleTts
from slukh.tts.joining import Joiner
from slukh.tts.recorded import apology, apology_text
from slukh.types import (
    CallEnded,
    CallSettled,
    CallStarted,
    ModelAnswered,
    PhraseSpoken,
)


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

    @property
    def is_settled(self) -> bool:
        return True

    async def settled(self) -> None:
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
    told = [event.event for event in own.events.seen]
    kinds = [type(event) for event in told]
    assert kinds.index(CallEnded) < kinds.index(ModelAnswered) < kinds.index(CallSettled)
    assert not next(event for event in told if isinstance(event, CallEnded)).is_settled
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
