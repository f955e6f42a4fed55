"""What a local Google hears with: a function, another recogniser, or small models of PocketSphinx."""

import asyncio
import inspect
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from slukh.stt.base import Hypothesis, StreamConfig, SttProvider
from slukh.stt.whisper.guard import loop_reason, phrase_kind
from slukh.stt.whisper.policy import DEFAULT_POLICY, request_for
from slukh.stt.whisper.provider import WhisperProvider
from slukh.types import SAMPLE_RATE_HERTZ, AudioChunk, samples_from_ms

_guesses = itertools.count(-1, -1)  # a decoder tells streams apart; those of callers are counted up

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

    async def hear(self, pcm: bytes, language_codes: Sequence[str], *, is_final: bool) -> Heard:
        """What is said in it, in one of these languages (BCP-47, the likeliest first).

        Unless it is final, a quick guess will do.
        """


class FunctionEars:
    """A function's ears.

    Args:
        hear: words in linear 16-bit 8 kHz audio, at once or awaited.
    """

    def __init__(self, hear: Hear) -> None:
        self._hear = hear

    async def hear(
        self,
        pcm: bytes,
        language_codes: Sequence[str],  # noqa: ARG002  # one language
        *,
        is_final: bool,  # noqa: ARG002  # it has one way of hearing
    ) -> Heard:
        """See `Ears`."""
        words = self._hear(pcm)
        return Heard(words=await words if inspect.isawaitable(words) else words)


class ProviderEars:
    """Another recogniser's ears, asked anew each time: of audio that is too long it hears the end.

    Whisper's guesses are made as its own interims are: a whole final takes three times as long, and Google
    would seem to be silent on a machine that is busy.

    Args:
        provider: started.
    """

    def __init__(self, provider: SttProvider) -> None:
        self._provider = provider

    async def hear(self, pcm: bytes, language_codes: Sequence[str], *, is_final: bool) -> Heard:
        """See `Ears`. Raises SttError."""
        config = StreamConfig(
            language_code=language_codes[0],
            alternative_language_codes=tuple(language_codes[1:]),
            language_prior={code: 1 / len(language_codes) for code in language_codes},
            interim_results=False,
        )
        most = int(self._provider.capabilities.max_seconds * SAMPLE_RATE_HERTZ) * 2
        if not is_final and isinstance(self._provider, WhisperProvider):
            return await _guess(self._provider, pcm[-most:], config)
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


async def _guess(whisper: WhisperProvider, pcm: bytes, config: StreamConfig) -> Heard:
    """What Whisper would show of an utterance that goes on."""
    if len(pcm) < samples_from_ms(DEFAULT_POLICY.first_interim_ms) * 2:
        return Heard(words=[])
    voiced = len(pcm) / 2 / SAMPLE_RATE_HERTZ
    request = request_for(
        "interim", pcm, voiced_seconds=voiced, stream=next(_guesses), config=config, policy=DEFAULT_POLICY
    )
    decoding = await whisper.decoder.decode(request)
    if loop_reason(decoding) or phrase_kind(decoding.text):
        return Heard(words=[])
    return Heard(words=decoding.text.split(), language_code=decoding.language_code)


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

    async def hear(
        self,
        pcm: bytes,
        language_codes: Sequence[str],
        *,
        is_final: bool,  # noqa: ARG002  # quick enough
    ) -> Heard:
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
