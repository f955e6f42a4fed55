"""What a call asks for a sentence's audio: kept phrases first, then the voices, each phrase made once.

    speech = speaker.say(request)       # at once; what is not kept is begun now
    async for linear16 in speech: ...   # as it is found or made
    speech.outcome                      # "cached" (nothing to pay) or "sent"

A phrase that is being made belongs to nobody: whoever asks for it meanwhile reads along, and it is made
to its end and kept even when the caller who wanted it has interrupted, because it is paid for.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from slukh.errors import (
    SettingsError,
    TtsError,
    TtsProtocolError,
    TtsRequestError,
    TtsTimeoutError,
    why_unreadable,
)
from slukh.tts.base import SpeechRequest, TtsProvider, Voice
from slukh.tts.cache import MemoryStore, PhraseStore
from slukh.tts.chain import VoiceChain, is_refusal
from slukh.tts.phrases import phrase_key

logger = logging.getLogger(__name__)

CacheResult = Literal["hit", "joined", "miss"]
OnLookup = Callable[[CacheResult, int], None]
OnMade = Callable[[SpeechRequest, Voice], None]

# What is made ahead of a call may take its time, but must not take all of a provider's.
_WARMING = 2
# From asking a voice (which may have to wait for its turn) to its audio, and between two pieces of it.
_VOICE_SECONDS = 8.0
# For what was made to be kept, when the process ends.
_KEEPING_SECONDS = 5.0


class Recording:
    """Audio that grows, for any number of readers.

    Attributes:
        voice: who speaks; None until somebody does.
        is_kept: it was found, not made.
        error: why there is no audio, when nobody could speak.
        made: bytes that there are.
        is_whole: no more comes.
    """

    def __init__(self) -> None:
        self.voice: Voice | None = None
        self.is_kept = False
        self.error: TtsError | None = None
        self.made = 0
        self.is_whole = False
        self._pieces: list[bytes] = []
        self._bell = asyncio.Event()

    @classmethod
    def of(cls, linear16: bytes) -> "Recording":
        """Audio that is there already, whole, and nobody's voice."""
        recording = cls()
        recording.grow(linear16)
        recording.finish()
        return recording

    def grow(self, linear16: bytes) -> None:
        """A further piece."""
        self._pieces.append(linear16)
        self.made += len(linear16)
        self._ring()

    def finish(self, error: TtsError | None = None) -> None:
        """No more comes."""
        self.is_whole, self.error = True, error
        self._ring()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        while True:
            while read < len(self._pieces):
                read += 1
                yield self._pieces[read - 1]
            if self.is_whole:
                break
            await self._bell.wait()
        if self.error is not None:
            raise self.error

    def _ring(self) -> None:
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """A sentence, or a piece of one, as one call asked for it; iterate over it for its audio.

    Attributes:
        request: what is said.
        recording: its audio.
        has_joined: another call was having it made already.
    """

    request: SpeechRequest
    recording: Recording
    has_joined: bool = False

    @property
    def outcome(self) -> Literal["cached", "sent"]:
        """Whether its characters were sent to a voice for this call; known once audio has come."""
        return "cached" if self.recording.is_kept or self.has_joined else "sent"

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Its audio, 8 kHz. Raises TtsError when nobody can say it."""
        return aiter(self.recording)


class Speaker:
    """The voices of a process behind their cache.

    Args:
        chain: who speaks.
        memory: the first level.
        store: the level behind it, or None.
        on_lookup: told of every request: how it was answered, and its characters.
    """

    def __init__(
        self,
        chain: VoiceChain,
        memory: MemoryStore,
        store: PhraseStore | None = None,
        *,
        on_lookup: OnLookup = lambda _result, _characters: None,
    ) -> None:
        self.chain = chain
        self._memory = memory
        self._store = store
        self._on_lookup = on_lookup
        self._running: dict[str, Recording] = {}
        self._making: set[asyncio.Task[None]] = set()
        self._keeping: set[asyncio.Task[None]] = set()
        self._filling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the voices, and begin to fill the memory behind that. Raises TtsError when none can speak."""
        if self._store is not None:
            self._filling = asyncio.create_task(self._fill(self._store))
        await self.chain.start()

    async def filled(self) -> None:
        """Wait until the memory holds what the store got last."""
        if self._filling is not None:
            await asyncio.wait({self._filling})

    async def _fill(self, store: PhraseStore) -> None:
        """What calls have asked for meanwhile stays."""
        for key, linear16 in await store.newest(self._memory.max_bytes):
            if self._memory.bytes + len(linear16) <= self._memory.max_bytes:
                self._memory.put(key, linear16)

    def say(self, request: SpeechRequest) -> Speech:
        """Find or make the audio of a text. Never waits, never raises; what is wrong the reader hears."""
        voices = self.chain.voices(request.language_code)
        key = phrase_key(request, voices[0][1]) if voices else ""
        characters = len(request.text)
        if (running := self._running.get(key)) is not None:
            self._on_lookup("joined", characters)
            return Speech(request=request, recording=running, has_joined=True)
        recording = Recording()
        if voices and (kept := self._memory.get(key)) is not None:
            self._on_lookup("hit", characters)
            self._found(recording, voices[0][1], kept)
            recording.finish()
            return Speech(request=request, recording=recording)
        self._running[key] = recording
        task = asyncio.create_task(self._make(request, key, recording))
        self._making.add(task)
        task.add_done_callback(self._making.discard)
        return Speech(request=request, recording=recording)

    async def warm(
        self, requests: Iterable[SpeechRequest], *, on_made: OnMade = lambda _request, _voice: None
    ) -> int:
        """Have phrases ready before anybody calls; how many there are now. What fails is left out.

        Args:
            requests: the phrases.
            on_made: told of each that was made now, and whose voice is to be paid for it.
        """
        room, ready = asyncio.Semaphore(_WARMING), 0

        async def one(request: SpeechRequest) -> None:
            nonlocal ready
            async with room:
                speech = self.say(request)
                with suppress(TtsError):
                    async for _ in speech:
                        pass
                    ready += 1
                    voice = speech.recording.voice
                    if speech.outcome == "sent" and voice is not None:
                        on_made(request, voice)

        await asyncio.gather(*(one(request) for request in requests))
        return ready

    async def aclose(self) -> None:
        """Stop what is being made, keep what was made, and give the voices back."""
        stopped = [*self._making, *([] if self._filling is None else [self._filling])]
        for task in stopped:
            task.cancel()
        await asyncio.gather(*stopped, return_exceptions=True)
        if self._keeping:
            _, late = await asyncio.wait(self._keeping, timeout=_KEEPING_SECONDS)
            for task in late:
                task.cancel()
        await self.chain.aclose()
        if self._store is not None:
            await self._store.aclose()

    async def _make(self, request: SpeechRequest, key: str, recording: Recording) -> None:
        """Find it behind the memory, or have the first voice that can say it."""
        error: TtsError | None = TtsRequestError("voices", f"nobody speaks {request.language_code}")
        made: tuple[str, bytes] | None = None
        try:
            for provider, voice in self.chain.voices(request.language_code):
                own_key = phrase_key(request, voice)
                try:
                    if await self._kept(own_key, voice, recording):
                        self._on_lookup("hit", len(request.text))
                    else:
                        made = own_key, await self._synthesize(provider, voice, request, recording)
                        self._memory.put(*made)
                        self._on_lookup("miss", len(request.text))
                        self.chain.worked(provider.name)
                except TtsError as failed:
                    error, recording.voice = failed, None
                    if not is_refusal(failed, provider):
                        self.chain.failed(failed)
                else:
                    error = None
                    break
        except Exception:  # a defect of ours must not leave a reader waiting
            logger.exception("speaker_defect")
            error = TtsProtocolError("voices", "a defect, see the log")
        finally:
            if self._running.get(key) is recording:
                del self._running[key]
            recording.finish(error)
        if made is not None and self._store is not None:
            task = asyncio.create_task(self._store.put(*made))
            self._keeping.add(task)
            task.add_done_callback(self._keeping.discard)

    async def _kept(self, key: str, voice: Voice, recording: Recording) -> bool:
        """Whether it was kept, behind the memory too."""
        kept = self._memory.get(key)
        if kept is None and self._store is not None:
            kept = await self._store.get(key)
            if kept is not None:
                self._memory.put(key, kept)
        if kept is None:
            return False
        self._found(recording, voice, kept)
        return True

    async def _synthesize(
        self, provider: TtsProvider, voice: Voice, request: SpeechRequest, recording: Recording
    ) -> bytes:
        pieces: list[bytes] = []
        recording.voice = voice  # at once: a caller who interrupts now has had it sent all the same
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_VOICE_SECONDS) as patience:
                async for linear16 in provider.synthesize(request):
                    patience.reschedule(loop.time() + _VOICE_SECONDS)
                    recording.grow(linear16)
                    pieces.append(linear16)
        except TimeoutError as error:
            raise TtsTimeoutError(provider.name, f"no audio in {_VOICE_SECONDS:g} s") from error
        except TtsError:
            raise
        except Exception as error:  # a defect of one voice must not keep the next from speaking
            logger.exception("voice_defect", extra={"provider": provider.name})
            raise TtsProtocolError(provider.name, "a defect, see the log") from error
        return b"".join(pieces)

    @staticmethod
    def _found(recording: Recording, voice: Voice, linear16: bytes) -> None:
        recording.voice, recording.is_kept = voice, True
        recording.grow(linear16)


def phrases_to_warm(path: Path) -> list[SpeechRequest]:
    """The phrases of a file, a line each: a language, blanks, the text; `#` begins a comment.

    Raises:
        SettingsError: a file or a line that cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read ({why_unreadable(error)})",
            remedy="name a text file, a line each: a language, blanks, the text",
        ) from error
    requests = []
    for number, line in enumerate(lines, 1):
        code, _, text = line.strip().partition(" ")
        if not code or code.startswith("#"):
            continue
        if not text.strip():
            raise SettingsError(f"{path}:{number} has no text", remedy="write uk-UA Добрий день!")
        requests.append(SpeechRequest(text=text.strip(), language_code=code))
    return requests
