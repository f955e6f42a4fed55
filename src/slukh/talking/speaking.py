"""Speaks an answer as it comes: its phrases are made a few ahead of the one that is played."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final

from slukh.dialog.base import Leave, Say, Step
from slukh.errors import DialogError
from slukh.talking.answer import Answer, Phrase
from slukh.talking.mouth import Mouth
from slukh.telephony.line import FRAME_BYTES
from slukh.tts.base import SpeechRequest
from slukh.tts.joining import Joiner
from slukh.tts.phrases import Templates, sentences, speakable
from slukh.tts.speaker import Recording, Speaker, Speech

# Phrases that are made ahead of the one that is played: more would be paid for in vain when interrupted.
_AHEAD: Final = 2

_NO_WORDS: Final = SpeechRequest(text="", language_code="und")  # a recording's: they are nobody's

_Waiting = asyncio.Queue[Phrase | Leave]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A step of ours: audio that is there already, linear 16-bit 8 kHz."""

    linear16: bytes


async def as_steps(*steps: Step | Recorded) -> AsyncGenerator[Step | Recorded, None]:
    """Words that are known already, as a dialogue gives its own."""
    for step in steps:
        yield step


class Recital:
    """How the answers of one call are spoken.

    Args:
        speaker: the voices.
        mouth: of the call.
        templates: for the phrase cache.
        step_seconds: that a dialogue may take for its next words.
    """

    def __init__(self, speaker: Speaker, mouth: Mouth, templates: Templates, *, step_seconds: float) -> None:
        self._speaker = speaker
        self._mouth = mouth
        self._templates = templates
        self._step_seconds = step_seconds
        self._loop = asyncio.get_running_loop()

    async def give(self, steps: AsyncGenerator[Step | Recorded, None], answer: Answer) -> bool:
        """Speak an answer until the caller has heard it; whether it ends the call.

        What the call ends with is waited for by whoever hangs up.

        Raises: DialogError, TtsError.
        """
        waiting: _Waiting = asyncio.Queue(_AHEAD)
        reading = asyncio.create_task(self._read(steps, answer, waiting))
        try:
            while (item := await _next(waiting, reading)) is not None:
                if isinstance(item, Leave):
                    return True
                await self._mouth.play(item.audio(), item.playing)
                item.is_over = True
            await reading
            answer.is_said = True
            await self._mouth.until_heard()
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, Exception):  # it is raised above, if anybody waits for it
                await reading
        return False

    async def _read(
        self, steps: AsyncGenerator[Step | Recorded, None], answer: Answer, waiting: _Waiting
    ) -> None:
        """Have the phrases of an answer made. Raises DialogError: it failed, or nothing of it can be said."""
        is_mute = False
        async with aclosing(steps):
            while (step := await self._step(steps)) is not None:
                match step:
                    case Say():
                        said = sentences(speakable(step.text, step.language_code))
                        if said:
                            answer.says.append(step)
                        is_mute = not answer.says
                        for phrase in self._phrases_of(said, step.language_code):
                            answer.first_text_at = answer.first_text_at or self._loop.time()
                            answer.phrases.append(phrase)
                            await waiting.put(phrase)
                    case Recorded(linear16=linear16):
                        phrase = Phrase(Speech(request=_NO_WORDS, recording=Recording.of(linear16)))
                        answer.phrases.append(phrase)
                        await waiting.put(phrase)
                    case Leave():
                        answer.hands_over, is_mute = step.reason == "handover", False
                        await waiting.put(step)
        if is_mute:
            detail = "an answer of which nothing can be said"
            raise DialogError("dialog", detail, error_type="protocol", is_permanent=False)

    async def _step(self, steps: AsyncGenerator[Step | Recorded, None]) -> Step | Recorded | None:
        """The dialogue's next step, None after the last. Raises DialogError when it takes too long."""
        try:
            async with asyncio.timeout(self._step_seconds):
                return await anext(steps, None)
        except TimeoutError as error:
            detail = f"no words in {self._step_seconds:g} s"
            raise DialogError("dialog", detail, error_type="timeout", is_permanent=False) from error

    def _phrases_of(self, said: Sequence[str], language_code: str) -> Iterator[Phrase]:
        """Sentences, piece by piece; each is begun to be made when it is asked for."""
        for sentence in said:
            pieces = self._templates.pieces(sentence)
            joiner = Joiner(grain_samples=FRAME_BYTES // 2) if len(pieces) > 1 else None
            for number, piece in enumerate(pieces, 1):
                request = SpeechRequest(text=piece, language_code=language_code)
                yield Phrase(self._speaker.say(request), joiner, is_last=number == len(pieces))


async def _next(waiting: _Waiting, reading: "asyncio.Task[None]") -> Phrase | Leave | None:
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
