"""A call over Twilio Media Streams: a real WebSocket, a signature, speech both ways, marks, a barge-in."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from slukh.assembly.answering import Answering
from slukh.audio import mulaw_from_linear16
from slukh.dialog.script import Script
from slukh.dialog.scripted import ScriptedDialog
from slukh.serving.callbook import CallBook
from slukh.serving.gateway import Admission, Gateway
from slukh.talking.talk import TalkRules
from slukh.telephony.twilio import TwilioCodec, signature
from slukh.testing.numbered import numbered_speech, silence
from slukh.testing.parts import fake_parts
from slukh.tts.cache import MemoryStore
from slukh.tts.chain import VoiceChain
from slukh.tts.fake import FakeTts, fake_speech
from slukh.tts.speaker import Speaker
from slukh.types import BargeIn, CallEvent, PhraseSpoken

URL, TOKEN = "wss://voice.example.com/", "12345"
HELLO, LONG, BYE = "Алло, слухаю вас.", "Довга відповідь, яку не всі дослухають до її кінця.", "До побачення!"
SCRIPT = {
    "name": "test", "languages": ["uk-UA"], "start": "hello", "give_up": "long",
    "unclear": {"uk-UA": "Ще раз."}, "silence": {"uk-UA": "Алло?"}, "keys": {"0": "bye"},
    "states": {
        "hello": {"say": {"uk-UA": HELLO}, "when": [{"hears": {"uk-UA": ["11"]}, "goto": "long"}]},
        "long": {"say": {"uk-UA": LONG}, "when": [{"hears": {"uk-UA": ["11"]}, "goto": "hello"}]},
        "bye": {"say": {"uk-UA": BYE}, "leave": "goodbye"},
    },
}  # fmt: skip


class Twilio:
    """Twilio's side of one stream: it plays what comes, and returns marks where they stand in it.

    Args:
        connection: of the stream.
        behind: seconds that it holds audio before it plays it.
        returns_marks: whether it does.

    Attributes:
        played: what the caller has heard, mu-law.
        received: what was to be played.
        cleared: it was told to forget what it holds.
        returned: names of marks it gave back.
    """

    def __init__(self, connection: ClientConnection, *, behind: float, returns_marks: bool) -> None:
        self.played = bytearray()
        self.received = bytearray()
        self.cleared = asyncio.Event()
        self.returned: list[str] = []
        self._connection = connection
        self._behind = behind
        self._returns_marks = returns_marks
        self._loop = asyncio.get_running_loop()
        self._plays_until = 0.0
        self._held: list[asyncio.TimerHandle] = []
        self._marks: list[str] = []
        self._writing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        await self._say(event="connected", protocol="Call", version="1.0.0")
        media_format = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start = {"callSid": "CA1", "customParameters": {}, "mediaFormat": media_format}
        await self._say(event="start", streamSid="MZ1", start=start)

    async def hear(self) -> None:
        """Take what comes, until the gateway closes."""
        async for data in self._connection:
            message = json.loads(data)
            assert message["streamSid"] == "MZ1"
            match message:
                case {"event": "clear"}:
                    self._clear()
                case {"event": "mark", "mark": {"name": name}}:
                    self._marks.append(name)
                    self._at(max(self._plays_until, self._loop.time()), self._return)
                case {"event": "media", "media": {"payload": payload}}:
                    mulaw = base64.b64decode(payload)
                    self.received += mulaw
                    starts = max(self._plays_until, self._loop.time() + self._behind)
                    self._plays_until = starts + len(mulaw) / 8000
                    self._at(self._plays_until, self.played.extend, mulaw)

    def _at(self, moment: float, then: Any, *given: Any) -> None:
        self._held.append(self._loop.call_at(moment, then, *given))

    def _clear(self) -> None:
        """ "This empties all buffered audio and causes any mark messages to be sent back"."""
        for handle in self._held:
            handle.cancel()
        self._plays_until = 0.0
        while self._marks:
            self._return()
        self.cleared.set()

    def _return(self) -> None:
        name = self._marks.pop(0)
        if self._returns_marks:
            self.returned.append(name)
            task = asyncio.create_task(self._say(event="mark", streamSid="MZ1", mark={"name": name}))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def speak(self, linear16: bytes) -> None:
        mulaw = mulaw_from_linear16(linear16)
        for at in range(0, len(mulaw), 160):
            payload = base64.b64encode(mulaw[at : at + 160]).decode()
            await self._say(event="media", streamSid="MZ1", media={"payload": payload})
            await asyncio.sleep(0.02)

    async def press(self, digit: str) -> None:
        await self._say(event="dtmf", streamSid="MZ1", dtmf={"digit": digit})

    async def until_played(self, mulaw: bytes) -> None:
        async with asyncio.timeout(10):
            while mulaw not in self.played:
                await self.speak(bytes(320))

    async def _say(self, **message: Any) -> None:
        await self._connection.send(json.dumps(message))


class Events(list[Any]):
    """A sink: what happened in the call."""

    def observe(self, event: CallEvent) -> None:
        self.append(event.event)


@asynccontextmanager
async def a_gateway(events: Events, refused: list[str]) -> AsyncIterator[str]:
    """Its address for Twilio."""
    answering = Answering(
        dialog=ScriptedDialog(Script.model_validate(SCRIPT)),
        speaker=Speaker(VoiceChain([FakeTts()]), MemoryStore(max_bytes=10_000_000)),
        rules=TalkRules(),
    )
    gateway = Gateway(
        fake_parts(),
        CallBook(transcript_seconds=600),
        [events],
        Admission(max_calls=2),
        refused.append,
        talks=answering.talk,
    )
    server = await asyncio.start_server(
        lambda r, w: gateway.handle(r, w, TwilioCodec(url=URL, auth_token=TOKEN)), "127.0.0.1", 0
    )
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        await gateway.drain(0)
        await answering.aclose()


@asynccontextmanager
async def a_call(
    here: str, *, behind: float = 0.0, returns_marks: bool = True
) -> AsyncIterator[tuple[Twilio, "asyncio.Task[None]"]]:
    """A stream that has begun, and who takes what comes until it is closed."""
    signed = {"X-Twilio-Signature": signature(URL, TOKEN)}
    async with connect(here, additional_headers=signed) as connection:
        twilio = Twilio(connection, behind=behind, returns_marks=returns_marks)
        await twilio.start()
        hearing = asyncio.create_task(twilio.hear())
        try:
            yield twilio, hearing
        finally:
            hearing.cancel()


async def test_a_cloud_number_talks_and_what_it_holds_is_cleared_when_the_caller_interrupts() -> None:
    refused: list[str] = []
    async with a_gateway(Events(), refused) as here:
        async with a_call(here) as (twilio, _):
            await twilio.until_played(mulaw_from_linear16(fake_speech(HELLO)))
            await twilio.speak(numbered_speech([11]).tobytes() + silence(0.7).tobytes())
            await twilio.until_played(mulaw_from_linear16(fake_speech(LONG)[:6400]))
            assert not twilio.cleared.is_set()
            await twilio.speak(numbered_speech([11]).tobytes())
            async with asyncio.timeout(5):
                await twilio.cleared.wait()
        with pytest.raises(websockets.exceptions.InvalidStatus, match="403"):
            await connect(here, additional_headers={"X-Twilio-Signature": "forged"})
        assert refused == ["unauthorized"]


async def test_what_was_heard_at_a_barge_in_is_what_twilio_had_played() -> None:
    """It is half a second behind, and returns its marks at once when it is cleared."""
    events = Events()
    async with a_gateway(events, []) as here, a_call(here, behind=0.5) as (twilio, _):
        await twilio.until_played(mulaw_from_linear16(fake_speech(HELLO)))
        await twilio.speak(numbered_speech([11]).tobytes() + silence(0.7).tobytes())
        await twilio.until_played(mulaw_from_linear16(fake_speech(LONG)[:6400]))
        await twilio.speak(numbered_speech([11]).tobytes())
        async with asyncio.timeout(5):
            await twilio.cleared.wait()
        heard = twilio.played[len(fake_speech(HELLO)) // 2 :]
        sent = twilio.received[len(fake_speech(HELLO)) // 2 :]
    (cut,) = [event for event in events if isinstance(event, PhraseSpoken) and event.text == LONG]
    assert any(isinstance(event, BargeIn) for event in events)
    assert len(sent) - len(heard) > 3000  # what a count of what was sent would be wrong by, 1/8000 s
    assert cut.played_ms == pytest.approx(len(heard) / 8, abs=150)
    assert cut.outcome == "interrupted"


async def test_a_caller_who_speaks_while_twilio_plays_the_end_of_an_answer_clears_it() -> None:
    """All of it has left us; Twilio is a second and a half behind."""
    events, whole = Events(), mulaw_from_linear16(fake_speech(LONG))
    async with a_gateway(events, []) as here, a_call(here, behind=1.5) as (twilio, _):
        await twilio.until_played(mulaw_from_linear16(fake_speech(HELLO)))
        await twilio.speak(numbered_speech([11]).tobytes() + silence(0.7).tobytes())
        async with asyncio.timeout(10):
            while whole not in twilio.received:
                await twilio.speak(bytes(320))
        await twilio.speak(numbered_speech([11]).tobytes())
        async with asyncio.timeout(5):
            await twilio.cleared.wait()
    (cut,) = [event for event in events if isinstance(event, PhraseSpoken) and event.text == LONG]
    assert cut.outcome == "interrupted"
    assert 0 < cut.played_ms < cut.audio_ms - 500
    assert any(isinstance(event, BargeIn) for event in events)


@pytest.mark.parametrize("returns_marks", [True, False], ids=["late", "never"])
async def test_a_goodbye_is_played_to_its_end_before_we_close_but_a_peer_without_marks_holds_nobody(
    *, returns_marks: bool
) -> None:
    async with a_gateway(Events(), []) as here:
        async with a_call(here, behind=0.8, returns_marks=returns_marks) as (twilio, hearing):
            await twilio.press("0")
            await twilio.until_played(mulaw_from_linear16(fake_speech(BYE)[-3200:]))
            began = asyncio.get_running_loop().time()
            async with asyncio.timeout(5):
                await hearing  # it ends when the gateway closes
            assert asyncio.get_running_loop().time() - began < (0.5 if returns_marks else 1.7)
        assert bool(twilio.returned) == returns_marks
        assert mulaw_from_linear16(fake_speech(BYE)) in twilio.played
