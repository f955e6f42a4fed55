"""What a local Google hears with: a function, another recogniser, or small models of PocketSphinx."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from slukh.stt.base import Hypothesis, StreamConfig, SttProvider
from slukh.types import SAMPLE_RATE_HERTZ, AudioChunk

Hear = Callable[[bytes], list[str] | Awaitable[list[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was said.

    Attributes:
        words: in order.
        language_code: BCP-47, or empty when the ears do not tell languages apart.
    """

    words: list[str]
    language_code: str = ""


class Ears(Protocol):
    """Something that hears linear 16-bit 8 kHz audio."""

    async def hear(self, pcm: bytes, language_codes: Sequence[str]) -> Heard:
        """What is said in it, in one of these languages (BCP-47, the likeliest first)."""


class FunctionEars:
    """A function's ears.

    Args:
        hear: words in linear 16-bit 8 kHz audio, at once or awaited.
    """

    def __init__(self, hear: Hear) -> None:
        self._hear = hear

    async def hear(self, pcm: bytes, language_codes: Sequence[str]) -> Heard:  # noqa: ARG002  # one language
        """See `Ears`."""
        words = self._hear(pcm)
        return Heard(words=await words if inspect.isawaitable(words) else words)


class ProviderEars:
    """Another recogniser's ears, asked anew each time: of audio that is too long it hears the end.

    Args:
        provider: started.
    """

    def __init__(self, provider: SttProvider) -> None:
        self._provider = provider

    async def hear(self, pcm: bytes, language_codes: Sequence[str]) -> Heard:
        """See `Ears`. Raises SttError."""
        config = StreamConfig(
            language_code=language_codes[0],
            alternative_language_codes=tuple(language_codes[1:]),
            language_prior={code: 1 / len(language_codes) for code in language_codes},
            interim_results=False,
        )
        most = int(self._provider.capabilities.max_seconds * SAMPLE_RATE_HERTZ) * 2
        stream = await self._provider.open(config)
        try:
            await stream.send(AudioChunk(pcm=pcm[-most:]))
            await stream.end()
            async for result in stream:
                if isinstance(result, Hypothesis) and result.is_final:
                    return Heard(words=result.text.split(), language_code=result.language_code)
        finally:
            await stream.close()
        return Heard(words=[])


class PocketSphinxEars:
    """Small models that err in their own way: for a Google that is not Whisper. They hear the first language.

    Args:
        folder: holds a model folder for each language, `uk` or `ru`, in it `uk.dic` and `dom.lm` as well.

    Raises:
        ImportError: PocketSphinx is not installed.
    """

    def __init__(self, folder: Path) -> None:
        from pocketsphinx import Decoder

        self._decoders = {
            model.name: Decoder(
                hmm=str(model),
                dict=str(model / f"{model.name}.dic"),
                lm=str(model / "dom.lm"),
                samprate=SAMPLE_RATE_HERTZ,
                beam=1e-120,
                pbeam=1e-108,
                wbeam=1e-72,
                lw=8,
                loglevel="FATAL",
            )
            for model in sorted(folder.iterdir())
        }
        self._decoding = asyncio.Lock()

    async def hear(self, pcm: bytes, language_codes: Sequence[str]) -> Heard:
        """See `Ears`."""
        language = language_codes[0].partition("-")[0]
        async with self._decoding:  # a decoder hears one thing at a time
            return Heard(words=await asyncio.to_thread(self._decode, language, pcm))

    def _decode(self, language: str, pcm: bytes) -> list[str]:
        decoder = self._decoders[language]
        decoder.start_utt()
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()
        best = decoder.hyp()
        return [] if best is None else str(best.hypstr).split()
