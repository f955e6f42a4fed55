"""A shop that talks, for the tests: the caller, the line and the clock are a test's."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from slukh.assembly.answering import Answering
from slukh.dialog.base import (
    CallerPressed,
    CallerSaid,
    CallerSilent,
    CallerTurn,
    Conversation,
    Leave,
    Say,
    Step,
)
from slukh.speech.segmenter import Utterance, UtteranceEnded, UtteranceStarted
from slukh.talking.talk import Talk, TalkRules
from slukh.talking.thread import Thread
from slukh.telephony.playout import Playout
from slukh.testing.virtual_time import VirtualTimeLoop
from slukh.tts.base import SpeechRequest, TtsProvider
from slukh.tts.cache import MemoryStore
from slukh.tts.chain import VoiceChain
from slukh.tts.fake import FakeTts
from slukh.tts.speaker import Speaker
from slukh.types import (
    SAMPLE_RATE_HERTZ,
    AudioChunk,
    CallStarted,
    Event,
    PhraseSpoken,
    SpeechEnded,
    Transcript,
    samples_from_ms,
)


class FakeLine:
    """What a caller hears (`Earpiece`): takes audio, unless it is blocked.

    Args: behind: seconds after which it plays what it takes, and says so; None: it returns no marks.
    """

    def __init__(self, *, behind: float | None = None) -> None:
        self.frames: list[tuple[float, bytes]] = []
        self.hung_up_at: float | None = None
        self.is_over = asyncio.Event()
        self.is_blocked = False
        self._behind = behind
        self._loop = asyncio.get_running_loop()
        self._playout = Playout()
        self._has_played = asyncio.Event()
        self._has_played.set()
        self._may_return_marks = True

    async def send_audio(self, linear16: bytes) -> None:
        if self.is_blocked:
            await asyncio.Event().wait()
        self.frames.append((self._loop.time(), linear16))
        self._playout.sent(len(linear16), self._loop.time())

    def mark(self) -> None:
        if self._behind is not None:
            self._playout.mark(name := str(len(self.frames)))
            self._has_played.clear()
            self._loop.call_later(self._behind + 0.02, self._return, name)

    def _return(self, name: str) -> None:
        self._playout.returned(name, self._loop.time())
        if self._playout.is_over:
            self._has_played.set()

    async def until_played(self, within: float) -> None:
        if not self._may_return_marks:
            return
        try:
            async with asyncio.timeout(within):
                await self._has_played.wait()
        except TimeoutError:
            self._may_return_marks = self._playout.has_returned

    def flush(self) -> int:
        self._has_played.set()
        return self._playout.take_back(self._loop.time())

    async def hang_up(self, reason: str = "gateway") -> None:
        self.hung_up_at = self._loop.time()
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

    @property
    def is_settled(self) -> bool:
        return True

    async def settled(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


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
