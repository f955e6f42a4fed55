"""Voices one after the other: who is asked first, who takes over, and what is left when nobody can speak.

    google -> espeak -> the recorded apology

A voice that failed for good (a wrong key, a voice that does not exist) is left alone for a minute, one that
failed for now for some seconds, so that a call does not wait for it at every sentence. What a voice merely
cannot say (a pack of recordings, a language) is no failure of it.

One that could not be started is started again behind the calls, each time that its rest is over and somebody
wants to speak; the next voice speaks meanwhile.

A sentence that broke off is said again, whole, by the next voice: half a number is worse than one and a half.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from slukh.errors import TtsError, TtsRequestError
from slukh.tts.base import SpeechRequest, TtsProvider, Voice

logger = logging.getLogger(__name__)

REST_SECONDS = 10.0
LONG_REST_SECONDS = 60.0


@dataclass(slots=True)
class VoiceChain:
    """The voices of a process, in the order they are asked.

    Attributes:
        providers: at least one.
        on_failed: told of every failure: the provider, and the error.
        now: monotonic seconds.
    """

    providers: Sequence[TtsProvider]
    on_failed: Callable[[TtsError], None] = lambda _: None
    now: Callable[[], float] = time.monotonic
    _rested: dict[str, float] = field(default_factory=dict)
    _away: dict[str, float] = field(default_factory=dict)  # not started -> when that is tried again
    _starting: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def start(self) -> None:
        """Start all of them; one that cannot be reached is tried again. Raises TtsError when none is left."""
        failed: list[TtsError] = []
        for provider in self.providers:
            try:
                await provider.start()
            except TtsError as error:
                failed.append(error)
                self.failed(error)
                self._away[provider.name] = self._rested[provider.name]
        if len(failed) == len(self.providers):
            raise failed[0]

    def voices(self, language_code: str) -> list[tuple[TtsProvider, Voice]]:
        """Who may say a sentence, first to last; those that rest stand last, for when all others fail."""
        self._start_again()
        able = [
            (provider, provider.voice(language_code))
            for provider in self.providers
            if language_code in provider.capabilities.languages
        ]
        return sorted(able, key=lambda one: self._rests(one[0].name))

    def failed(self, error: TtsError) -> None:
        """A voice failed: log it, and let it rest."""
        logger.warning("voice_failed", extra={"provider": error.provider, "error": str(error)})
        rest = LONG_REST_SECONDS if error.is_permanent else REST_SECONDS
        self._rested[error.provider] = self.now() + rest
        self.on_failed(error)

    def worked(self, name: str) -> None:
        """A voice spoke: it need not rest any more."""
        self._rested.pop(name, None)

    async def aclose(self) -> None:
        """Give all of them back."""
        for task in self._starting.values():
            task.cancel()
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        for provider in self.providers:
            await provider.aclose()

    def _rests(self, name: str) -> bool:
        return name in self._away or self._rested.get(name, 0.0) > self.now()

    def _start_again(self) -> None:
        """Begin to start those that are away, if it is time."""
        for provider in self.providers:
            name = provider.name
            if self._away.get(name, float("inf")) <= self.now() and name not in self._starting:
                self._starting[name] = asyncio.create_task(self._start(provider))

    async def _start(self, provider: TtsProvider) -> None:
        name = provider.name
        try:
            await provider.start()
        except TtsError as error:
            self.failed(error)
            self._away[name] = self._rested[name]
        except Exception:  # a file of its own that is no voice now, or a defect: nobody else would tell
            logger.exception("voice_cannot_start", extra={"provider": name})
            self._away[name] = self.now() + LONG_REST_SECONDS
        else:
            logger.info("voice_started", extra={"provider": name})
            del self._away[name]
            self.worked(name)
        finally:
            del self._starting[name]


def is_refusal(error: TtsError, provider: TtsProvider) -> bool:
    """Whether a voice merely has no words for this sentence: no failure, and the next one is asked."""
    return isinstance(error, TtsRequestError) and not provider.capabilities.metered


async def spoken(provider: TtsProvider, request: SpeechRequest) -> bytes:
    """A whole sentence of one voice, 8 kHz. Raises TtsError."""
    return b"".join([piece async for piece in provider.synthesize(request)])
