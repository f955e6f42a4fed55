"""Stored clips with known words: does a recogniser work, and how well does it hear today?"""

import asyncio
import contextlib
import logging
import math
import re
import wave
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TypeVar

from slukh.errors import SttError, SttLanguageError, SttRequestError, SttStreamError, SttTimeoutError
from slukh.routing.upstreams import Upstreams
from slukh.stt.base import Hypothesis, StreamConfig, SttProvider
from slukh.stt.remedies import all_failed
from slukh.types import AudioChunk, Outcome

logger = logging.getLogger(__name__)

Told = TypeVar("Told")

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


async def start_error(provider: SttProvider) -> SttError | None:
    """Start a recogniser; why it does not, or None when it does. Raises WeightsError."""
    try:
        await provider.start()
    except SttError as error:
        return error
    return None


async def hear_clip(provider: SttProvider, clip: Clip, *, timeout_seconds: float) -> Heard:
    """Play a clip to a recogniser, without waiting for its real time.

    Raises:
        SttError: it failed, or has a defect, which is logged: clips go on being played.
        TimeoutError: it did not answer in time.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _hear(provider, clip)
    except (SttError, TimeoutError):
        raise
    except Exception as defect:
        logger.exception("recogniser_defect", extra={"provider": provider.name})
        raise SttStreamError(provider.name, "a defect of ours, see the log") from defect


async def _hear(provider: SttProvider, clip: Clip) -> Heard:
    clock = asyncio.get_running_loop().time
    stream = await provider.open(StreamConfig(language_code=clip.language_code, interim_results=False))
    try:
        for at in range(0, len(clip.pcm), _CHUNK_BYTES):
            await stream.send(AudioChunk(pcm=clip.pcm[at : at + _CHUNK_BYTES]))
        await stream.end()
        ended_at = clock()
        text = ""
        async for result in stream:
            if isinstance(result, Hypothesis) and result.is_final:
                text = result.text
        return Heard(clip=clip, text=text, final_seconds=clock() - ended_at)
    finally:
        await stream.close()


class Canaries:
    """Plays the stored clips to every recogniser, at start and on a schedule, and remembers who failed.

    A recogniser is not played clips in languages it does not take. It works when it heard a clip of a round,
    whichever, and fails when it heard none; calls and their breaker judge the rest.

    Args:
        providers: recognisers by registry name.
        languages: BCP-47, those of calls; to refuse the clip of another one is no failure.
        interval_seconds: between two rounds; 0 plays one round only. Who failed is asked again sooner, alone:
            the others may cost money.
        on_heard: told what a provider made of a clip.
        on_failed: told the error of a provider that failed on a clip.
    """

    RECHECK_SECONDS = 10.0

    def __init__(
        self,
        providers: Mapping[str, SttProvider],
        *,
        languages: Collection[str],
        interval_seconds: float,
        on_heard: Callable[[str, Heard], None],
        on_failed: Callable[[str, SttError], None],
    ) -> None:
        self._providers = providers
        self._languages = languages
        self._interval = interval_seconds
        self._on_heard = on_heard
        self._on_failed = on_failed
        self._failing: dict[str, SttError] = {}
        self._tried: set[str] = set()

    @property
    def deaf(self) -> str | None:
        """Why no recogniser is known to hear; None as soon as one does."""
        if self._tried - self._failing.keys():
            return None
        return "; ".join(map(str, self._failing.values())) or "no stored clip has been heard yet"

    async def run(self) -> None:
        """Rounds until cancelled.

        Raises:
            SttError: after the first round, when every recogniser fails for a reason that only an operator
                can mend, such as a wrong path: nobody would ever hear a call.
        """
        await self._play(self._providers)
        errors = self._failing
        if len(errors) == len(self._providers) and all(error.is_permanent for error in errors.values()):
            raise all_failed(errors)
        clock = asyncio.get_running_loop().time
        interval = self._interval or math.inf
        due = clock() + interval
        while self._failing or self._interval:
            wait = due - clock()
            await asyncio.sleep(min(self.RECHECK_SECONDS, wait) if self._failing else wait)
            if clock() >= due:
                due = clock() + interval
                await self._play(self._providers)
            else:
                await self._play(tuple(self._failing))

    async def _play(self, names: Iterable[str]) -> None:
        """One round; one that hangs does not keep the others waiting."""
        async with asyncio.TaskGroup() as round_:
            for name in names:
                round_.create_task(self._ask(name, self._providers[name]))

    async def _ask(self, name: str, provider: SttProvider) -> None:
        has_heard, errors = False, list[SttError]()
        for clip in stored_clips():
            if clip.language_code not in provider.capabilities.languages:
                continue
            try:
                heard = await hear_clip(provider, clip, timeout_seconds=_CLIP_SECONDS)
            except TimeoutError:
                error: SttError = SttTimeoutError(
                    name, f"no final for a stored clip in {_CLIP_SECONDS:.0f} s"
                )
            except SttError as failure:
                error = failure
            else:
                has_heard = True
                self._tried.add(name)
                self._failing.pop(name, None)
                _tell(self._on_heard, name, heard)
                continue
            if clip.language_code in self._languages or not isinstance(error, SttRequestError):
                errors.append(error)
            _tell(self._on_failed, name, error)
        if errors and not has_heard:  # of two, the one that may pass
            self._failing[name] = min(errors, key=lambda error: error.is_permanent)
        self._tried.add(name)


class Probes:
    """Asks recognisers that calls are kept away from whether they hear again, with stored clips, in turn.

    A caller's audio is never what tries them.

    Args:
        upstreams: whose breakers say when.
        clips: what is played; by default the stored ones.

    Attributes:
        on_heard: told what a provider made of a clip; it may cost money.
    """

    LOOK_SECONDS = 0.25

    def __init__(self, upstreams: Upstreams, clips: Sequence[Clip] | None = None) -> None:
        self.on_heard: Callable[[str, Heard], None] = lambda _name, _heard: None
        self._upstreams = upstreams
        self._clips = deque(stored_clips() if clips is None else clips)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as probes:
            while True:
                for name in self._upstreams.providers:
                    now = asyncio.get_running_loop().time()
                    if self._upstreams.begin_probe(name, now):
                        probes.create_task(self._probe(name, now))
                await asyncio.sleep(self.LOOK_SECONDS)

    async def _probe(self, name: str, began: float) -> None:
        seconds = self._upstreams.limits.breaker.probe_seconds
        outcome: Outcome
        try:
            heard = await self._hear(self._upstreams.providers[name], seconds)
            _tell(self.on_heard, name, heard)
            outcome = "published" if has_its_words(heard) else "empty"
        except TimeoutError:
            outcome = "timeout"
        except SttError as error:
            outcome = error.error_type
        self._upstreams.end_probe(name, began, outcome, asyncio.get_running_loop().time())

    async def _hear(self, provider: SttProvider, timeout_seconds: float) -> Heard:
        """The next clip whose language it takes, or the last refusal. Raises SttError or TimeoutError."""
        for _ in range(len(self._clips) - 1):
            self._clips.rotate(-1)
            with contextlib.suppress(SttLanguageError):
                return await hear_clip(provider, self._clips[0], timeout_seconds=timeout_seconds)
        self._clips.rotate(-1)
        return await hear_clip(provider, self._clips[0], timeout_seconds=timeout_seconds)


def _tell(listener: Callable[[str, Told], None], name: str, told: Told) -> None:
    """One that raises is logged and skipped, as a call's sinks are: clips go on being played."""
    try:
        listener(name, told)
    except Exception:
        logger.exception("sink_failed", extra={"sink": "clips"})


def has_its_words(heard: Heard) -> bool:
    """A third of a clip's words: far more than chance, and less than a weak model gives."""
    said = set(re.findall(r"\w+", heard.clip.text.casefold()))
    return 3 * len(said & set(re.findall(r"\w+", heard.text.casefold()))) >= len(said)
