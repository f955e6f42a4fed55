"""One call's talk: what was heard goes to the dialogue, what it answers is spoken, until one of them leaves.

    hear, observe      from the line and the router, at once: who speaks, what they said, which keys
    run                one answer after the other; the caller's voice cancels the one that is being given

What it says and what that took are events like any others: `PhraseSpoken`, `BargeIn`, `TurnTimed`,
`ModelAnswered`.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from slukh.dialog.base import CallerPressed, CallerSaid, CallerSilent, Step
from slukh.errors import DialogError, TtsError
from slukh.speech.segmenter import SegmentEvent, Utterance
from slukh.talking.answer import Answer, Ended, last_question
from slukh.talking.echo import EchoGuard
from slukh.talking.lines import EXCUSES, FAREWELLS, HANDOVERS, Lines, own_words, recorded_apology
from slukh.talking.mouth import Mouth, Playing
from slukh.talking.speaking import Recital, Recorded, as_steps
from slukh.talking.suspects import Suspects
from slukh.talking.thread import Thread
from slukh.talking.turns import PATIENCE, Repeat, Said, Turn, Unheard
from slukh.telephony.line import Earpiece
from slukh.tts.phrases import Templates
from slukh.tts.speaker import Speaker
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

_FAILURES: Final = 2
_LAST_WORDS_SECONDS: Final = 15.0
# What a peer may be behind with our last words before we close on it.
_LAST_MARK_SECONDS: Final = 2.0
# What came last before we hung up, for the log; a hand-over and a goodbye follow what the caller did.
_AFTER: Final = {
    CallerSaid: "caller_said",
    CallerPressed: "caller_pressed",
    CallerSilent: "caller_silent",
    Unheard: "caller_unheard",
    Repeat: "caller_back",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkRules:
    """How a call is talked to.

    Attributes:
        silence_seconds: of nobody speaking until the caller is asked whether they are there.
        hearing_seconds: from our endpoint to a final; then the caller is asked to say it again. A first
            Attempt has 8 s (`AttemptPolicy.final_seconds`), a second a moment.
        longest_seconds: of a call, over all its legs; then it is ended with a sentence.
        step_seconds: that the dialogue may take for its next words; then the caller is asked to say it again.
        barge_in: whether the caller's voice stops ours.
    """

    silence_seconds: float = 8.0
    hearing_seconds: float = 10.0
    longest_seconds: float = 900.0
    step_seconds: float = 10.0
    barge_in: bool = True


class Talk:
    """See the module.

    Args:
        call: whose; its present leg.
        line: whom it speaks to.
        thread: what the talk has come to; told from now on of what this leg brings.
        speaker: the voices.
        rules: see there.
        templates: for the phrase cache.

    Attributes:
        thread: as it was given, for a further leg.
        unheard: linear 16-bit 8 kHz audio that is played when every recogniser failed on what the caller
            said; None: they are asked to say it again.
    """

    def __init__(
        self,
        call: CallStarted,
        line: Earpiece,
        thread: Thread,
        speaker: Speaker,
        *,
        rules: TalkRules,
        templates: Templates,
    ) -> None:
        self.thread = thread
        self.unheard: bytes | None = None
        self._loop = asyncio.get_running_loop()
        self._call = call
        self._line = line
        self._conversation = thread.conversation
        self._turns = thread.turns
        self._publish = thread.report.publish
        self._rules = rules
        guard = EchoGuard()
        self._mouth = Mouth(line, guard)
        self._recital = Recital(speaker, self._mouth, templates, step_seconds=rules.step_seconds)
        self._ends_at = thread.began + rules.longest_seconds
        self._bell = asyncio.Event()
        self._suspects = Suspects(guard)
        self._ended: dict[int, Ended] = {}
        self._answer = Answer()
        self._answering: asyncio.Task[bool] | None = None
        self._running: asyncio.Task[None] | None = None
        self._phrases = 0

    def begin(self) -> None:
        """Greet the caller, or go on where the last leg broke off."""
        self._running = asyncio.create_task(self._run())

    async def close(self) -> None:
        """The line is gone: stop, and book what was said. Never raises."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
        self._conversation.close()
        self._suspects.close()  # finals are still to come

    def hear(self, event: SegmentEvent) -> None:
        """What endpointing found, the moment it did."""
        if self._suspects.hear(event, self._loop.time()):
            self._caller_speaks(event.utterance)

    def observe(self, event: Event) -> None:
        """What was published of this call."""
        now = self._loop.time()
        match event:
            case SpeechEnded(utterance_id=utterance_id):
                self._ended[utterance_id] = Ended(event=event, at=now)
                self._turns.ended(utterance_id, now)
                self._bell.set()
            case Transcript(is_final=True, utterance_id=utterance_id):
                if self._suspects.is_echo(utterance_id):
                    self._ended.pop(utterance_id, None)
                    return
                self._heard(event, now)
                self._bell.set()
            case Dtmf(digit=digit):
                self._turns.pressed(digit, now)
                self._stop()
                self._bell.set()

    def _heard(self, final: Transcript, now: float) -> None:
        """The caller said something, or made a noise."""
        text = final.text.strip()
        if not text and not final.is_salvage and self.thread.cut is not None:
            self._turns.noise(final.utterance_id)
            if not self._turns.caller_speaks:
                self._take_back()  # it was a noise that had interrupted us
            return
        self._turns.final(
            Said(
                utterance_id=final.utterance_id,
                text=text,
                language_code=final.language_code,
                at=now,
                voice_seconds=seconds(final.end - final.start),
                is_lost=final.is_salvage,
            )
        )

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
        self._answering.cancel()
        if any(phrase.playing.played for phrase in self._answer.phrases):
            self._mouth.hush()
        return any(phrase.playing.heard for phrase in self._answer.phrases)

    async def _run(self) -> None:
        after = "greeting"
        try:
            is_over = await self._begin()
            while not is_over:
                turn = await self._next_turn()
                if turn is None:
                    after = "longest_call"
                    self._ends_at = self._loop.time() + _LAST_WORDS_SECONDS
                    await self._give(self._say(FAREWELLS), Answer(is_ours=True))
                    break
                after = _AFTER[type(turn.turn)]
                is_over = await self._take_turn(turn)
        except Exception:  # a defect of ours: the dial plan takes the caller over
            after = "defect"
            logger.exception("talk_defect", extra={"call_id": self._call.call_id})
            with suppress(Exception):
                await self._apologise()
        self.thread.is_over = True
        await asyncio.sleep(max(0.0, self._mouth.quiet_at - self._loop.time()))
        await self._line.until_played(within=_LAST_MARK_SECONDS)
        logger.info("talk_over", extra={"call_id": self._call.call_id, "after": after})
        await self._line.hang_up("gateway")

    async def _begin(self) -> bool:
        """Greet the caller, unless this is a further leg; whether the call is over with it."""
        if not self.thread.has_begun:
            self.thread.has_begun = True
            return await self._greet()
        self._turns.spoke(self._loop.time())
        self._turns.repeat()
        return False

    async def _greet(self) -> bool:
        return await self._give(self._conversation.greet(), Answer())

    async def _take_turn(self, turn: Turn) -> bool:
        """Answer a turn; whether the call is over with it."""
        thread, asked = self.thread, turn.turn
        match asked:
            case Repeat():
                return await self._repeat()
            case Unheard(times=times, is_empty=is_empty):
                return await self._ask_again(
                    is_last=times > PATIENCE, recording=None if is_empty else self.unheard
                )
        cut = thread.cut
        if cut is not None and not isinstance(asked, CallerPressed):
            self._conversation.interrupted(cut.heard())
            thread.cut = None
        if isinstance(asked, CallerSaid):
            thread.language_code = asked.language_code
        answer = Answer(turn=turn, asked_at=self._loop.time())
        is_over = await self._give(self._conversation.answer(asked), answer)
        if cut is not None and thread.cut is cut:
            if answer.phrases or is_over:
                thread.cut = None
            else:
                self._take_back()  # the key that had interrupted us means nothing here
        return is_over

    async def _repeat(self) -> bool:
        """Ask again what the dialogue asked last; with nothing of it heard, that is the greeting."""
        last = self.thread.last
        if last is None:
            return await self._greet()
        return await self._give(as_steps(last_question(last.says)), Answer(is_ours=True))

    async def _ask_again(self, *, is_last: bool, recording: bytes | None = None) -> bool:
        """The caller was not heard: they are to say it again; when that does not help, to a person.

        Args:
            is_last: it does not help.
            recording: that asks them, instead of a voice.
        """
        if not is_last:
            steps = self._say(EXCUSES) if recording is None else as_steps(Recorded(recording))
            return await self._give(steps, Answer(is_ours=True))
        await self._give(self._say(HANDOVERS), Answer(is_ours=True))
        return True

    async def _next_turn(self) -> Turn | None:
        """Wait for what is to be answered; None when the call has lasted long enough."""
        while True:
            now = self._loop.time()
            if now >= self._ends_at:
                return None
            if (turn := self._turns.due(now)) is not None:
                return turn
            self._bell.clear()
            deadline = min(self._ends_at, self._turns.next_deadline() or self._ends_at)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._bell.wait()

    async def _give(self, steps: AsyncGenerator[Step | Recorded, None], answer: Answer) -> bool:
        """Give an answer until it is over or the caller interrupts; whether the call is over with it."""
        thread = self.thread
        self._answer = answer
        task = self._answering = asyncio.create_task(self._recital.give(steps, answer))
        try:
            await asyncio.wait({task}, timeout=max(0.0, self._ends_at - self._loop.time()))
        except asyncio.CancelledError:
            if not answer.is_ours:
                thread.cut = answer  # the line is gone
                self._take_back()
            raise
        finally:
            task.cancel()
            await asyncio.wait({task})
            self._book(answer)
        if answer.is_of_the_dialogue and answer.says:
            thread.last = answer
        self._turns.spoke(max(self._loop.time(), self._mouth.quiet_at))
        if task.cancelled():
            if not answer.is_ours:  # what we say by ourselves says nothing about the answer before it
                thread.cut = answer
                if not answer.heard():
                    self._take_back()
            return answer.hands_over  # whoever speaks over "I connect you" is connected
        error = task.exception()
        if error is None:
            if answer.turn is not None:
                thread.failures = 0
            return task.result()
        return await self._excuse(error, answer)

    def _take_back(self) -> None:
        """The answer that was cut off counts as not given: what it was to is to be answered again."""
        cut, self.thread.cut = self.thread.cut, None
        if cut is None:
            return
        if self.thread.last is cut:
            self.thread.last = None
        if cut.turn is None:
            self._turns.repeat()  # the greeting
        else:
            self._conversation.interrupted("")
            self._turns.unanswered(cut.turn)

    async def _excuse(self, error: BaseException, answer: Answer) -> bool:
        """Who answers, or who speaks, failed: say so, and after a second time give the caller to a person."""
        fields = {"call_id": self._call.call_id, "error": str(error)}
        if isinstance(error, TtsError):
            logger.warning("answer_failed", extra=fields)
            await self._apologise()
            return True
        if isinstance(error, DialogError):
            logger.warning("answer_failed", extra=fields)
        else:  # a defect, perhaps of a dialogue that is not ours
            logger.error("answer_defect", extra=fields, exc_info=error)
        self._conversation.interrupted(answer.heard())
        self.thread.failures += 1
        is_permanent = isinstance(error, DialogError) and error.is_permanent
        return await self._ask_again(is_last=is_permanent or self.thread.failures >= _FAILURES)

    async def _apologise(self) -> None:
        """Nobody can speak: what is left is a recording."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await self._mouth.play(recorded_apology(self.thread.language_code), Playing())

    def _say(self, lines: Lines) -> AsyncGenerator[Step | Recorded, None]:
        return as_steps(own_words(lines, self.thread.language_code))

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
