"""A call over Twilio Media Streams: a real WebSocket client, a signature, speech both ways, a barge-in."""

import asyncio
import base64
import json
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from slukh.answering import Answering
from slukh.audio import mulaw_from_linear16
from slukh.callbook import CallBook
from slukh.dialog.script import Script
from slukh.dialog.scripted import ScriptedDialog
from slukh.gateway import Admission, Gateway
from slukh.talking.talk import TalkRules
from slukh.telephony.twilio import TwilioCodec, signature
from slukh.testing.numbered import numbered_speech, silence
from slukh.testing.parts import fake_parts
from slukh.tts.cache import MemoryStore
from slukh.tts.chain import VoiceChain
from slukh.tts.fake import FakeTts, fake_speech
from slukh.tts.speaker import Speaker

URL, TOKEN = "wss://voice.example.com/", "12345"
HELLO, LONG = "Алло, слухаю вас.", "Довга відповідь, яку не всі дослухають до її кінця."
SCRIPT = {
    "name": "test", "languages": ["uk-UA"], "start": "hello", "give_up": "long",
    "unclear": {"uk-UA": "Ще раз."}, "silence": {"uk-UA": "Алло?"},
    "states": {
        "hello": {"say": {"uk-UA": HELLO}, "when": [{"hears": {"uk-UA": ["11"]}, "goto": "long"}]},
        "long": {"say": {"uk-UA": LONG}, "when": [{"hears": {"uk-UA": ["11"]}, "goto": "hello"}]},
    },
}  # fmt: skip


class Twilio:
    """Twilio's side of one stream."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.played = bytearray()
        self.cleared = asyncio.Event()

    async def start(self) -> None:
        await self._say(event="connected", protocol="Call", version="1.0.0")
        media_format = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start = {"callSid": "CA1", "customParameters": {}, "mediaFormat": media_format}
        await self._say(event="start", streamSid="MZ1", start=start)

    async def hear(self) -> None:
        async for data in self._connection:
            message = json.loads(data)
            assert message["streamSid"] == "MZ1"
            if message["event"] == "clear":
                self.cleared.set()
            else:
                self.played += base64.b64decode(message["media"]["payload"])

    async def speak(self, linear16: bytes) -> None:
        mulaw = mulaw_from_linear16(linear16)
        for at in range(0, len(mulaw), 160):
            payload = base64.b64encode(mulaw[at : at + 160]).decode()
            await self._say(event="media", streamSid="MZ1", media={"payload": payload})
            await asyncio.sleep(0.02)

    async def until_played(self, mulaw: bytes) -> None:
        async with asyncio.timeout(10):
            while mulaw not in self.played:
                await self.speak(bytes(320))

    async def _say(self, **message: Any) -> None:
        await self._connection.send(json.dumps(message))


async def test_a_cloud_number_talks_and_what_it_holds_is_cleared_when_the_caller_interrupts() -> None:
    answering = Answering(
        dialog=ScriptedDialog(Script.model_validate(SCRIPT)),
        speaker=Speaker(VoiceChain([FakeTts()]), MemoryStore(max_bytes=10_000_000)),
        rules=TalkRules(),
    )
    refused: list[str] = []
    gateway = Gateway(
        fake_parts(),
        CallBook(transcript_seconds=600),
        (),
        Admission(max_calls=2),
        refused.append,
        talks=answering.talk,
    )
    server = await asyncio.start_server(
        lambda r, w: gateway.handle(r, w, TwilioCodec(url=URL, auth_token=TOKEN)), "127.0.0.1", 0
    )
    here = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        async with connect(
            here, additional_headers={"X-Twilio-Signature": signature(URL, TOKEN)}
        ) as connection:
            twilio = Twilio(connection)
            await twilio.start()
            hearing = asyncio.create_task(twilio.hear())
            await twilio.until_played(mulaw_from_linear16(fake_speech(HELLO)))
            await twilio.speak(numbered_speech([11]).tobytes() + silence(0.7).tobytes())
            await twilio.until_played(mulaw_from_linear16(fake_speech(LONG)[:6400]))
            assert not twilio.cleared.is_set()
            await twilio.speak(numbered_speech([11]).tobytes())
            async with asyncio.timeout(5):
                await twilio.cleared.wait()
            hearing.cancel()
        with pytest.raises(websockets.exceptions.InvalidStatus, match="403"):
            await connect(here, additional_headers={"X-Twilio-Signature": "forged"})
        assert refused == ["unauthorized"]
    finally:
        server.close()
        await gateway.drain(0)
        await answering.aclose()
