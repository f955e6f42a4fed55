"""Speaks an answer as it comes: its phrases are made a few ahead of the one that is played."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Final

from slukh.dialog.base import Leave, Say, Step
from slukh.errors import DialogError
from slukh.talking.answer import Answer, Phrase
from slukh.talking.mouth import Mouth
from slukh.tts.base import SpeechRequest
from slukh.tts.phrases import Templates, sentences, speakable
from slukh.tts.speaker import Speaker

# Phrases that are made ahead of the one that is played: more would be paid for in vain when interrupted.
_AHEAD: Final = 2

_Waiting = asyncio.Queue[Phrase | Leave]


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

    async def give(self, steps: AsyncGenerator[Step, None], answer: Answer) -> bool:
        """Speak an answer; whether it ends the call. Raises DialogError, TtsError."""
        waiting: _Waiting = asyncio.Queue(_AHEAD)
        reading = asyncio.create_task(self._read(steps, answer, waiting))
        try:
            while (item := await _next(waiting, reading)) is not None:
                if isinstance(item, Leave):
                    return True
                await self._mouth.play(aiter(item.speech), item.playing)
                item.is_over = True
            await reading
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, Exception):  # it is raised above, if anybody waits for it
                await reading
        return False

    async def _read(self, steps: AsyncGenerator[Step, None], answer: Answer, waiting: _Waiting) -> None:
        async with aclosing(steps):
            while (step := await self._step(steps)) is not None:
                match step:
                    case Say():
                        answer.says.append(step)
                        for request in self._requests(step):
                            answer.first_text_at = answer.first_text_at or self._loop.time()
                            phrase = Phrase(self._speaker.say(request))
                            answer.phrases.append(phrase)
                            await waiting.put(phrase)
                    case Leave():
                        answer.hands_over = step.reason == "handover"
                        await waiting.put(step)

    async def _step(self, steps: AsyncGenerator[Step, None]) -> Step | None:
        """The dialogue's next step, None after the last. Raises DialogError when it takes too long."""
        try:
            async with asyncio.timeout(self._step_seconds):
                return await anext(steps, None)
        except TimeoutError as error:
            detail = f"no words in {self._step_seconds:g} s"
            raise DialogError("dialog", detail, error_type="timeout", is_permanent=False) from error

    def _requests(self, said: Say) -> list[SpeechRequest]:
        return [
            SpeechRequest(text=piece, language_code=said.language_code)
            for sentence in sentences(speakable(said.text))
            for piece in self._templates.pieces(sentence)
        ]


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
