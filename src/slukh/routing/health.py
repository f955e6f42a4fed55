"""Stored clips with known words: does a recogniser work, and how well does it hear today?"""

import asyncio
import time
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from slukh.errors import SttError, SttTimeoutError
from slukh.stt.base import Hypothesis, StreamConfig, SttProvider
from slukh.types import AudioChunk

_CHUNK_BYTES = 1600  # 100 ms
_CLIP_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A stored recording.

    Attributes:
        language_code: BCP-47.
        pcm: linear 16-bit 8 kHz mono.
        text: what is said in it.
    """

    language_code: str
    pcm: bytes
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a recogniser made of a clip, and how long it took.

    Attributes:
        clip: which.
        text: its final.
        final_seconds: from the end of the audio to the final.
    """

    clip: Clip
    text: str
    final_seconds: float


def stored_clips() -> list[Clip]:
    """The clips that ship with the package, one for each of uk-UA and ru-RU."""
    folder = files("slukh.stt") / "clips"
    clips = []
    for language_code in ("uk-UA", "ru-RU"):
        with (folder / f"{language_code}.wav").open("rb") as file, wave.open(file) as recording:
            pcm = recording.readframes(recording.getnframes())
        text = (folder / f"{language_code}.txt").read_text(encoding="utf-8").strip()
        clips.append(Clip(language_code=language_code, pcm=pcm, text=text))
    return clips


async def hear_clip(provider: SttProvider, clip: Clip, *, timeout_seconds: float) -> Heard:
    """Play a clip to a recogniser, without waiting for its real time.

    Raises:
        SttError: it failed.
        TimeoutError: it did not answer in time.
    """
    async with asyncio.timeout(timeout_seconds):
        stream = await provider.open(StreamConfig(language_code=clip.language_code, interim_results=False))
        try:
            for at in range(0, len(clip.pcm), _CHUNK_BYTES):
                await stream.send(AudioChunk(pcm=clip.pcm[at : at + _CHUNK_BYTES]))
            await stream.end()
            ended_at = time.monotonic()
            text = ""
            async for result in stream:
                if isinstance(result, Hypothesis) and result.is_final:
                    text = result.text
            return Heard(clip=clip, text=text, final_seconds=time.monotonic() - ended_at)
        finally:
            await stream.close()


class Canaries:
    """Plays the stored clips to every recogniser, at start and on a schedule, and remembers who failed.

    Args:
        providers: recognisers by registry name.
        interval_seconds: between two rounds; 0 plays one round only. A failure is looked at again sooner.
        on_heard: told what a provider made of a clip.
        on_failed: told the error of a provider that failed on a clip.
    """

    RECHECK_SECONDS = 10.0

    def __init__(
        self,
        providers: Mapping[str, SttProvider],
        *,
        interval_seconds: float,
        on_heard: Callable[[str, Heard], None],
        on_failed: Callable[[str, SttError], None],
    ) -> None:
        self._providers = providers
        self._interval = interval_seconds
        self._on_heard = on_heard
        self._on_failed = on_failed
        self.failing: dict[str, str] = {}

    async def run(self) -> None:
        """Rounds until cancelled."""
        while True:
            for name, provider in self._providers.items():
                await self._round(name, provider)
            if self.failing:
                await asyncio.sleep(self.RECHECK_SECONDS)
            elif self._interval:
                await asyncio.sleep(self._interval)
            else:
                return

    async def _round(self, name: str, provider: SttProvider) -> None:
        for clip in stored_clips():
            try:
                heard = await hear_clip(provider, clip, timeout_seconds=_CLIP_SECONDS)
            except TimeoutError:
                error: SttError = SttTimeoutError(
                    name, f"no final for a stored clip in {_CLIP_SECONDS:.0f} s"
                )
            except SttError as failure:
                error = failure
            else:
                self.failing.pop(name, None)
                self._on_heard(name, heard)
                continue
            self.failing[name] = str(error)
            self._on_failed(name, error)
