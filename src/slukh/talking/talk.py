"""One call's talk: what was heard goes to the dialogue, what it answers is spoken, until one of them leaves.

    hear, observe      from the line and the router, at once: who speaks, what they said, which keys
    run                one answer after the other; the caller's voice cancels the one that is being given

What it says and what that took are events like any others: `PhraseSpoken`, `BargeIn`, `TurnTimed`,
`ModelAnswered`.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final

from slukh.audio import samples_from_linear16
from slukh.dialog.base import CallerPressed, CallerSaid, Conversation, Leave, Say, Step
from slukh.errors import DialogError, TtsError
from slukh.speech.segmenter import SegmentEvent, Utterance, UtteranceEnded, UtteranceGrew, UtteranceStarted
from slukh.talking.answer import Answer, Ended, Phrase
from slukh.talking.echo import HEARD_SAMPLES, EchoGuard
from slukh.talking.lines import EXCUSES, FAREWELLS, HANDOVERS
from slukh.talking.mouth import Mouth, Playing
from slukh.talking.turns import Said, Turn, Turns
from slukh.telephony.line import FRAME_BYTES, Line
from slukh.tts.base import SpeechRequest
from slukh.tts.joining import Joiner
from slukh.tts.phrases import Templates, sentences, speakable
from slukh.tts.recorded import apology, apology_text
from slukh.tts.speaker import Recording, Speaker, Speech
from slukh.types import (
    BargeIn,
    CallStarted,
    Dtmf,
    Event,
    SpeechEnded,
    Transcript,
    seconds,
)

logger = logging.getLogger(__name__)

# Phrases that are made ahead of the one that is played: more would be paid for in vain when interrupted.
_AHEAD: Final = 2
_FAILURES: Final = 2
_GUARD_CHUNKS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkRules:
    """How a call is talked to.

    Attributes:
        silence_seconds: of nobody speaking until the caller is asked whether they are there.
        longest_seconds: of a call; then it is ended with a sentence.
        barge_in: whether the caller's voice stops ours.
    """

    silence_seconds: float = 8.0
    longest_seconds: float = 900.0
    barge_in: bool = True


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A step of ours: audio that is there already."""

    linear16: bytes


class Talk:
    """See the module.

    Attributes:
        unheard: linear 16-bit 8 kHz audio that is played when no recogniser heard the caller; None: they are
            asked to say it again.

    Args:
        call: whose.
        line: whom it speaks to.
        conversation: who answers.
        speaker: the voices.
        publish: where events go.
        rules: see there.
        templates: for the phrase cache.
    """

    def __init__(
        self,
        call: CallStarted,
        line: Line,
        conversation: Conversation,
        speaker: Speaker,
        publish: Callable[[Event], None],
        *,
        rules: TalkRules,
        templates: Templates,
    ) -> None:
        self.unheard: bytes | None = None
        self._loop = asyncio.get_running_loop()
        self._call = call
        self._language = call.language_code
        self._line = line
        self._conversation = conversation
        self._speaker = speaker
        self._publish = publish
        self._rules = rules
        self._templates = templates
        self._guard = EchoGuard()
        self._mouth = Mouth(line, self._guard)
        self._began = self._loop.time()
        self._turns = Turns(silence_seconds=rules.silence_seconds, now=self._began)
        self._bell = asyncio.Event()
        self._suspects: dict[int, Utterance] = {}  # voices that may be our own
        self._echoes: set[int] = set()
        self._ended: dict[int, Ended] = {}
        self._answer = Answer()
        self._answering: asyncio.Task[bool] | None = None
        self._cut: Answer | None = None  # an answer that was interrupted, until it is clear by what
        self._running: asyncio.Task[None] | None = None
        self._phrases = 0
        self._failures = 0

    def begin(self) -> None:
        """Greet the caller."""
        self._running = asyncio.create_task(self._run())

    async def close(self) -> None:
        """The line is gone: stop, and book what was said. Never raises."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    def hear(self, event: SegmentEvent) -> None:
        """What endpointing found, the moment it did."""
        utterance, now = event.utterance, self._loop.time()
        if isinstance(event, UtteranceStarted):
            if self._guard.is_speaking(now):
                self._suspects[utterance.id] = utterance
                self._judge(utterance, now)
            else:
                self._caller_speaks(utterance)
        elif utterance.id in self._suspects:
            if isinstance(event, UtteranceGrew):
                self._judge(utterance, now)
            elif isinstance(event, UtteranceEnded):
                del self._suspects[utterance.id]
                self._echoes.add(utterance.id)

    def observe(self, event: Event) -> None:
        """What was published of this call."""
        now = self._loop.time()
        match event:
            case SpeechEnded(utterance_id=utterance_id):
                self._ended[utterance_id] = Ended(event=event, at=now)
            case Transcript(is_final=True, utterance_id=utterance_id, text=text, language_code=code):
                if event.is_salvage and not text:
                    self._turns.unheard()
                if utterance_id in self._echoes:
                    self._echoes.discard(utterance_id)
                    self._ended.pop(utterance_id, None)
                    return
                said = Said(utterance_id=utterance_id, text=text.strip(), language_code=code, at=now)
                self._turns.final(said)
                is_noise = not said.text and not event.is_salvage
                if self._cut is not None and is_noise and not self._turns.caller_speaks:
                    self._take_back()  # it was a noise that had interrupted us
                self._bell.set()
            case Dtmf(digit=digit):
                self._turns.pressed(digit, now)
                self._stop()
                self._bell.set()

    def _judge(self, utterance: Utterance, now: float) -> None:
        """Whether a voice that came while we spoke is the caller's."""
        chunks = utterance.chunks[-_GUARD_CHUNKS:]
        if not chunks or not chunks[-1].voiced:
            return
        heard = samples_from_linear16(b"".join(chunk.pcm for chunk in chunks))[-HEARD_SAMPLES:]
        if not self._guard.is_echo(heard, now):
            del self._suspects[utterance.id]
            self._caller_speaks(utterance)

    def _caller_speaks(self, utterance: Utterance) -> None:
        self._turns.started(utterance.id)
        if self._rules.barge_in and self._stop():
            self._publish(
                BargeIn(
                    utterance_id=utterance.id,
                    position=utterance.speech_start,
                    reaction_seconds=seconds(utterance.end - utterance.speech_start),
                )
            )

    def _stop(self) -> bool:
        """Stop the answer that is being given; whether there was one that the caller could hear."""
        if self._answering is None or self._answering.done():
            return False
        is_heard = any(phrase.playing.played for phrase in self._answer.phrases)
        self._answering.cancel()
        if is_heard:
            self._line.flush()
        return is_heard

    async def _run(self) -> None:
        try:
            is_over = await self._give(self._conversation.greet(), Answer())
            while not is_over:
                turn = await self._next_turn()
                if turn is None:
                    await self._give(self._say(FAREWELLS, Leave(reason="goodbye")), Answer(is_ours=True))
                    is_over = True
                else:
                    is_over = await self._take_turn(turn)
            await asyncio.sleep(max(0.0, self._mouth.quiet_at - self._loop.time()))
            await self._line.hang_up("gateway")
        except Exception:  # a defect of ours: the dial plan takes the caller over
            logger.exception("talk_defect", extra={"call_id": self._call.call_id})
            await self._line.hang_up("gateway")

    async def _take_turn(self, turn: Turn) -> bool:
        """Answer a turn; whether the call is over with it."""
        if turn.turn is None:
            return await self._give(self._ask_again(), Answer(is_ours=True))
        cut = self._cut
        if cut is not None and not isinstance(turn.turn, CallerPressed):
            self._conversation.interrupted(cut.heard())
            self._cut = None
        if isinstance(turn.turn, CallerSaid):
            self._language = turn.turn.language_code
        answer = Answer(turn=turn)
        is_over = await self._give(self._conversation.answer(turn.turn), answer)
        if cut is not None and self._cut is cut:
            if answer.phrases or is_over:
                self._cut = None
            else:
                self._take_back()  # the key that had interrupted us means nothing here
        return is_over

    async def _next_turn(self) -> Turn | None:
        """Wait for what is to be answered; None when the call has lasted long enough."""
        while True:
            now = self._loop.time()
            if now - self._began >= self._rules.longest_seconds:
                return None
            if (turn := self._turns.due(now)) is not None:
                return turn
            self._bell.clear()
            longest = self._began + self._rules.longest_seconds
            deadline = min(longest, self._turns.next_deadline() or longest)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._bell.wait()

    async def _give(self, steps: AsyncGenerator[Step | _Recorded, None], answer: Answer) -> bool:
        """Give an answer until it is over or the caller interrupts; whether the call is over with it."""
        self._answer = answer
        task = self._answering = asyncio.create_task(self._speak(steps, answer))
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            await asyncio.wait({task})
            self._book(answer)
        self._turns.spoke(max(self._loop.time(), self._mouth.quiet_at))
        if task.cancelled():
            if not answer.is_ours:
                self._cut = answer
            if not answer.heard():
                self._take_back()
            return answer.hands_over  # whoever speaks over "I connect you" is connected
        error = task.exception()
        if error is None:
            if answer.turn is not None:
                self._failures = 0
            return task.result()
        return await self._excuse(error, answer)

    def _take_back(self) -> None:
        """The answer that was cut off counts as not given: what it was to is to be answered again."""
        cut, self._cut = self._cut, None
        if cut is None:
            return
        self._conversation.interrupted("")
        if cut.turn is not None:
            self._turns.unanswered(cut.turn)

    async def _excuse(self, error: BaseException, answer: Answer) -> bool:
        """Who answers, or who speaks, failed: say so, and after a second time give the caller to a person."""
        if not isinstance(error, DialogError | TtsError):
            raise error
        logger.warning("answer_failed", extra={"call_id": self._call.call_id, "error": str(error)})
        if isinstance(error, TtsError):
            await self._apologise()
            return True
        self._conversation.interrupted(answer.heard())
        self._failures += 1
        if error.is_permanent or self._failures >= _FAILURES:
            await self._give(self._say(HANDOVERS, Leave(reason="handover")), Answer(is_ours=True))
            return True
        return await self._give(self._say(EXCUSES), Answer(is_ours=True))

    async def _apologise(self) -> None:
        """Nobody can speak: what is left is a recording."""
        pack, text = apology(), apology_text(self._language)
        code = self._language if self._language in pack.phrases else "uk-UA"
        playing = Playing()
        await self._mouth.play(pack.synthesize(SpeechRequest(text=text, language_code=code)), playing)

    async def _say(self, lines: dict[str, str], *more: Step) -> AsyncGenerator[Step, None]:
        code = self._language if self._language in lines else "uk-UA"
        yield Say(text=lines[code], language_code=code)
        for step in more:
            yield step

    async def _ask_again(self) -> AsyncGenerator[Step | _Recorded, None]:
        if self.unheard is not None:
            yield _Recorded(self.unheard)
            return
        async for step in self._say(EXCUSES):
            yield step

    async def _speak(self, steps: AsyncGenerator[Step | _Recorded, None], answer: Answer) -> bool:
        """Speak an answer; whether it ends the call. Raises DialogError, TtsError."""
        waiting: asyncio.Queue[Phrase | Leave | None] = asyncio.Queue(_AHEAD)
        reading = asyncio.create_task(self._read(steps, answer, waiting))
        try:
            while (item := await self._next_phrase(waiting, reading)) is not None:
                if isinstance(item, Leave):
                    return True
                await self._mouth.play(item.audio(), item.playing)
                item.is_over = True
            await reading
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, DialogError):
                await reading
        return False

    @staticmethod
    async def _next_phrase(
        waiting: "asyncio.Queue[Phrase | Leave | None]", reading: "asyncio.Task[None]"
    ) -> Phrase | Leave | None:
        """What is to be played next; None when there is no more, because the answer is over or failed."""
        if waiting.empty() and not reading.done():
            getting = asyncio.ensure_future(waiting.get())
            try:
                await asyncio.wait({getting, reading}, return_when=asyncio.FIRST_COMPLETED)
                if getting.done():
                    return getting.result()
            finally:
                getting.cancel()
        return None if waiting.empty() else waiting.get_nowait()

    async def _read(
        self,
        steps: AsyncGenerator[Step | _Recorded, None],
        answer: Answer,
        waiting: "asyncio.Queue[Phrase | Leave | None]",
    ) -> None:
        """Have the answer's phrases made, a few ahead of the one that is played.

        Raises:
            DialogError: it failed, or none of its words can be said.
        """
        is_mute = False
        async with aclosing(steps):
            async for step in steps:
                match step:
                    case Say():
                        for phrase in self._phrases_of(step):
                            answer.first_text_at = answer.first_text_at or self._loop.time()
                            answer.phrases.append(phrase)
                            await waiting.put(phrase)
                        is_mute = not answer.phrases
                    case _Recorded(linear16=linear16):
                        silent = SpeechRequest(text="", language_code=self._language)  # of no cost, no words
                        phrase = Phrase(Speech(request=silent, recording=Recording.of(linear16)))
                        answer.phrases.append(phrase)
                        await waiting.put(phrase)
                    case Leave():
                        answer.hands_over, is_mute = step.reason == "handover", False
                        await waiting.put(step)
        if is_mute:
            raise DialogError(
                "dialog", "an answer of which nothing can be said", error_type="protocol", is_permanent=False
            )

    def _phrases_of(self, said: Say) -> Iterator[Phrase]:
        """What is said, piece by piece; each is begun to be made when it is asked for."""
        for sentence in sentences(speakable(said.text)):
            pieces = self._templates.pieces(sentence)
            joiner = Joiner(grain_samples=FRAME_BYTES // 2) if len(pieces) > 1 else None
            for number, piece in enumerate(pieces, 1):
                request = SpeechRequest(text=piece, language_code=said.language_code)
                yield Phrase(self._speaker.say(request), joiner, is_last=number == len(pieces))

    def _book(self, answer: Answer) -> None:
        """Tell what was said, and how long the caller waited for it."""
        spoken = answer.spoken(after=self._phrases)
        self._phrases += len(spoken)
        for phrase in spoken:
            self._publish(phrase)
        if answer.turn is not None:
            timed = answer.timed(self._ended.pop(answer.turn.utterance_id, None))
            if timed is not None:
                self._publish(timed)
