"""A whole call over AudioSocket, for the tests: a caller who speaks and listens, a gateway that answers."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from slukh.assembly.answering import Answering
from slukh.cost.meter import Meter
from slukh.dialog.base import Dialog
from slukh.dialog.script import Script as DialogScript
from slukh.dialog.scripted import ScriptedDialog
from slukh.handset import Handset, LineEcho, handset
from slukh.serving.callbook import CallBook
from slukh.serving.gateway import Admission, Gateway, WhenDown
from slukh.stt.fake import Script
from slukh.talking.talk import TalkRules
from slukh.testing.parts import fake_parts
from slukh.tts.base import TtsProvider
from slukh.tts.cache import MemoryStore
from slukh.tts.chain import VoiceChain
from slukh.tts.fake import FakeTts, TtsScript, fake_speech
from slukh.tts.speaker import Speaker
from slukh.types import (
    CallEnded,
    CallEvent,
    Event,
    PhraseSpoken,
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
