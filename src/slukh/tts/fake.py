"""A voice without an engine: it says a text as tones that tell which text it was, and fails as it is told."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np

from slukh.audio import linear16_from_samples
from slukh.errors import TtsError, TtsRequestError
from slukh.tts.base import SpeechRequest, TtsCapabilities, Voice
from slukh.types import SAMPLE_RATE_HERTZ, samples_from_ms

_CHARACTER_MS = 30  # twice the pace of speech
_PIECE = 2 * samples_from_ms(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class TtsScript:
    """How one sentence goes.

    Attributes:
        error: raised after `pieces` of 100 ms.
        pieces: see `error`.
        first_after_seconds: before anything is heard.
    """

    error: TtsError | None = None
    pieces: int = 0
    first_after_seconds: float = 0.0


SPEAKS = TtsScript()


def fake_speech(text: str) -> bytes:
    """What the fake says for a text: 30 ms for each character, two tones that its digest chooses."""
    digest = hashlib.sha256(text.encode()).digest()
    low, high = 300 + 4 * digest[0], 1400 + 6 * digest[1]
    t = np.arange(samples_from_ms(_CHARACTER_MS * len(text))) / SAMPLE_RATE_HERTZ
    tones = np.sin(2 * np.pi * low * t) + np.sin(2 * np.pi * high * t)
    return linear16_from_samples(np.asarray(tones * 5000, dtype=np.int16))


class FakeTts:
    """A `TtsProvider` for tests, benches and rehearsals.

    Args:
        scripts: one for each sentence in the order they are asked; then everything works.
        name: registry name.
        metered: whether it claims to cost money.

    Attributes:
        said: the texts it was asked for.
    """

    def __init__(
        self, scripts: Iterable[TtsScript] = (), *, name: str = "fake", metered: bool = True
    ) -> None:
        self.name = name
        self.capabilities = TtsCapabilities(
            streaming=True,
            ssml=False,
            metered=metered,
            languages=frozenset({"uk-UA", "ru-RU"}),
            sample_rates_hertz=frozenset({SAMPLE_RATE_HERTZ}),
        )
        self.said: list[str] = []
        self._scripts = chain(scripts, repeat(SPEAKS))

    async def start(self) -> None:
        """Nothing to load."""

    def voice(self, language_code: str) -> Voice:
        """The one voice. Raises TtsRequestError for a language that it does not speak."""
        if language_code not in self.capabilities.languages:
            raise TtsRequestError(self.name, f"does not speak {language_code}")
        return Voice(provider=self.name, name="tones", language_code=language_code)

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[bytes]:
        """Tones, as the next script says."""
        self.voice(request.language_code)
        if request.is_ssml:
            raise TtsRequestError(self.name, "reads no SSML")
        self.said.append(request.text)
        script = next(self._scripts)
        await asyncio.sleep(script.first_after_seconds)
        speech = fake_speech(request.text)
        for number, start in enumerate(range(0, len(speech), _PIECE)):
            if script.error is not None and number >= script.pieces:
                raise script.error
            yield speech[start : start + _PIECE]
            await asyncio.sleep(0)
        if script.error is not None:
            raise script.error

    async def check(self) -> None:
        """It always works."""

    async def aclose(self) -> None:
        """Nothing to give back."""
