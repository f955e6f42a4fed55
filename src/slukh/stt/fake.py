"""A recogniser without a model: it hears what a function hears, and fails as its script says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from itertools import repeat

from slukh.errors import SttError, SttLanguageError
from slukh.stt.base import Capabilities, Hypothesis, Result, StreamConfig
from slukh.stt.results import ResultQueue
from slukh.types import SAMPLE_RATE_HERTZ, AudioChunk

_INTERIM_EVERY = SAMPLE_RATE_HERTZ // 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How one stream of the fake behaves.

    Attributes:
        open_error: raised instead of opening.
        error: raised once `error_after_seconds` of audio were taken (at the end when there is less).
        error_after_seconds: see `error`.
        is_silent: it takes audio and never says anything.
        blocks_send: it stops taking audio.
        final_after_seconds: wait between our endpoint and the final.
    """

    open_error: SttError | None = None
    error: SttError | None = None
    error_after_seconds: float = 0.0
    is_silent: bool = False
    blocks_send: bool = False
    final_after_seconds: float = 0.0


WORKS = Script()


class FakeProvider:
    """A `SttProvider` for tests, benches and rehearsals.

    Args:
        hear: words in linear 16-bit 8 kHz audio, such as `slukh.testing.numbered.heard_words`.
        scripts: one for each stream in the order they are opened; then everything works.
        name: registry name.
        interim_results: whether it speaks while the caller speaks.

    Attributes:
        heard: the audio of every stream that was ended.
        backlog: what it gives as its backlog, in seconds.
    """

    def __init__(
        self,
        hear: Callable[[bytes], list[str]],
        scripts: Iterator[Script] | None = None,
        *,
        name: str = "fake",
        interim_results: bool = True,
    ) -> None:
        self.name = name
        self.model = "numbered"
        self.capabilities = Capabilities(
            interim_results=interim_results,
            words=False,
            metered=False,
            languages=frozenset({"uk-UA", "ru-RU"}),
            max_seconds=float("inf"),
        )
        self.heard: list[bytes] = []
        self.backlog = 0.0
        self._hear = hear
        self._scripts = scripts if scripts is not None else repeat(WORKS)

    async def start(self) -> None:
        """Nothing to load."""

    async def open(self, config: StreamConfig) -> "FakeStream":
        """A stream that behaves as the next script says.

        Raises:
            SttLanguageError: a language that is not among its capabilities.
            SttError: the script's `open_error`.
        """
        if config.language_code not in self.capabilities.languages:
            raise SttLanguageError(self.name, f"does not speak {config.language_code}")
        script = next(self._scripts, WORKS)
        if script.open_error is not None:
            raise script.open_error
        interims = self.capabilities.interim_results and config.interim_results
        return FakeStream(self, script, config.language_code, self._hear, interims=interims)

    def backlog_seconds(self) -> float:
        """As it was set."""
        return self.backlog

    async def aclose(self) -> None:
        """Nothing to give back."""


class FakeStream:
    """One utterance, heard by a function."""

    def __init__(
        self,
        provider: FakeProvider,
        script: Script,
        language_code: str,
        hear: Callable[[bytes], list[str]],
        *,
        interims: bool,
    ) -> None:
        self._provider = provider
        self._script = script
        self._language_code = language_code
        self._hear = hear
        self._interims = interims
        self._pcm = bytearray()
        self._said = 0
        self._results = ResultQueue()

    async def send(self, chunk: AudioChunk) -> None:
        """Take audio, or block for ever when the script says so."""
        if self._script.blocks_send:
            await asyncio.Event().wait()
        self._pcm += chunk.pcm
        if self._script.error is not None and len(self._pcm) >= self._error_at:
            self._results.fail(self._script.error)
        elif self._interims and len(self._pcm) // 2 >= self._said + _INTERIM_EVERY:
            self._said = len(self._pcm) // 2
            if text := " ".join(self._hear(bytes(self._pcm))):
                self._say(text, is_final=False)

    async def end(self) -> None:
        """Say the final, as soon as the script lets us."""
        self._provider.heard.append(bytes(self._pcm))
        if self._script.error is not None:
            self._results.fail(self._script.error)
            return
        await asyncio.sleep(self._script.final_after_seconds)
        self._say(" ".join(self._hear(bytes(self._pcm))), is_final=True)

    def __aiter__(self) -> AsyncIterator[Result]:
        return aiter(self._results)

    def fail(self, error: SttError) -> None:
        """Break now, whatever the script says."""
        self._results.fail(error)

    async def close(self) -> None:
        """Whoever still listens hears the end."""
        self._results.close()

    @property
    def _error_at(self) -> int:
        return round(self._script.error_after_seconds * SAMPLE_RATE_HERTZ) * 2

    def _say(self, text: str, *, is_final: bool) -> None:
        if not self._script.is_silent:
            self._results.say(
                Hypothesis(
                    text=text, is_final=is_final, stable_length=len(text), language_code=self._language_code
                )
            )
