"""A voice in a process of its own: text in by standard input, audio out by standard output.

The engines that need no account are GPL (eSpeak NG, Piper) or may crash; neither is to happen in the process
that holds the calls. What goes through the pipes:

    to the child     one JSON object a line: {"text": ..., "voice": ..., "rate": ..., "ssml": ...}
    from the child   int32 little-endian n, then n > 0: n bytes of int16 samples
                                                 n = 0: the sentence is over
                                                 n < 0: -n bytes of UTF-8, why it cannot be said
    first of all     one JSON object in the same frame: {"sample_rate_hertz": ...}

A child says one sentence at a time; the phrase cache in front of it makes that enough for a shop. One that
dies or hangs fails its sentence, and the next sentence finds a new one, which may take longer to load than a
sentence may wait: it goes on loading for the sentences after that.
"""

import asyncio
import contextlib
import json
import os
import struct
from collections.abc import AsyncIterator, Sequence

from slukh.audio import Resampler, linear16_from_samples, samples_from_linear16
from slukh.errors import TtsConnectError, TtsProtocolError, TtsRequestError, TtsStreamError, TtsTimeoutError
from slukh.types import SAMPLE_RATE_HERTZ

_LENGTH = struct.Struct("<i")
_LONGEST_FRAME = 1 << 22
# Far more than a sentence has: from a pipe that asyncio has paused, the end of a child is not seen.
UNPAUSED_BYTES = 1 << 26


class SpeakingChild:
    """One child, restarted when it is gone.

    Args:
        name: the provider's.
        command: what is run.
        start_seconds: for its first word, which loads the voice.
        frame_seconds: for each piece of audio.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, start_seconds: float = 20.0, frame_seconds: float = 10.0
    ) -> None:
        self.sample_rate_hertz = 0
        self._name = name
        self._command = command
        self._start_seconds = start_seconds
        self._frame_seconds = frame_seconds
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._loading: asyncio.Task[asyncio.subprocess.Process] | None = None

    async def start(self) -> None:
        """Run it, unless it runs.

        Raises:
            TtsConnectError: it cannot be run.
            TtsRequestError: it says that it cannot serve, such as for a voice that is not there.
            TtsTimeoutError: it says nothing.
        """
        async with self._turn:
            await self._running()

    async def say(self, job: dict[str, object]) -> AsyncIterator[bytes]:
        """The audio of a sentence, 8 kHz. Raises TtsError; leaving early ends the child."""
        async with self._turn:
            process = await self._running()
            assert process.stdin is not None
            resampler = Resampler(self.sample_rate_hertz, SAMPLE_RATE_HERTZ)
            whole = False
            try:
                process.stdin.write(json.dumps(job).encode() + b"\n")
                while frame := await self._frame(process, self._frame_seconds):
                    if samples := linear16_from_samples(resampler.resample(samples_from_linear16(frame))):
                        yield samples
                whole = True
                if tail := linear16_from_samples(resampler.flush()):
                    yield tail
            except TtsRequestError:
                whole = True  # it refused one sentence, in good order
                raise
            finally:
                if not whole:
                    await self._end()

    async def aclose(self) -> None:
        """End it. Idempotent."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait({self._loading})
        await self._end()

    async def _running(self) -> asyncio.subprocess.Process:
        if self._loading is None:
            if self._process is not None and self._process.returncode is None:
                return self._process
            self._loading = asyncio.create_task(self._load())
            self._loading.add_done_callback(self._loaded)
        return await asyncio.shield(self._loading)

    def _loaded(self, loading: asyncio.Task[asyncio.subprocess.Process]) -> None:
        self._loading = None
        if not loading.cancelled():
            loading.exception()  # whoever waits for it is told; perhaps nobody does any more

    async def _load(self) -> asyncio.subprocess.Process:
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=UNPAUSED_BYTES,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
        except OSError as error:
            raise TtsConnectError(self._name, f"cannot run {self._command[0]} ({error.strerror})") from error
        try:
            hello = await self._frame(process, self._start_seconds)
            self.sample_rate_hertz = int(json.loads(hello)["sample_rate_hertz"])
        except (ValueError, KeyError, TypeError) as error:
            await self._end()
            raise TtsProtocolError(self._name, "the child process does not speak as it should") from error
        except BaseException:
            await self._end()
            raise
        return process

    async def _frame(self, process: asyncio.subprocess.Process, seconds: float) -> bytes:
        """One frame of the child's."""
        assert process.stdout is not None
        try:
            async with asyncio.timeout(seconds):
                (length,) = _LENGTH.unpack(await process.stdout.readexactly(_LENGTH.size))
                if not -_LONGEST_FRAME < length < _LONGEST_FRAME:
                    raise TtsProtocolError(self._name, f"a frame of {length} bytes")
                data = await process.stdout.readexactly(abs(length))
        except TimeoutError as error:
            raise TtsTimeoutError(self._name, f"nothing came in {seconds:g} s") from error
        except (asyncio.IncompleteReadError, OSError) as error:
            raise TtsStreamError(self._name, "the child process ended") from error
        if length < 0:
            raise TtsRequestError(self._name, data.decode("utf-8", "replace"))
        return data

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            if process.stdin is not None:
                process.stdin.close()
            await process.wait()
