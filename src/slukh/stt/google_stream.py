"""One utterance through Google: audio up, at most four times as fast as it was spoken, answers down.

Google wants audio "approximately at real time", so a second Attempt, which has the whole utterance at once,
is held back to four times that. A live caller is never held back.

**What Google really said.** When Google ends a stream while we write, the failed write makes grpc.aio report
INTERNAL "Internal error from Core" (grpc issue 36066): nearly always when audio comes all at once, sometimes
at the caller's pace. Google's own status comes just before that and is overwritten, or just after and
overwrites it. A done-callback of the call runs at the first one; where that is the mask, the next one is
waited for, some milliseconds (`ServerStatus`). Holding the first audio back until Google answers would avoid
only refusals of the request, and Google need not answer before it has heard audio.

**A Google that stops reading** is not noticed by sending: gRPC took 5.2 MB, 327 s of audio, before `send`
blocked (loopback, grpcio 1.85). Only missing results tell, or the deadline of the whole stream.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Protocol, TypeVar

import grpc  # type: ignore[import-untyped]  # grpcio ships no types
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.speech_v2.types import cloud_speech

from slukh.errors import SttError, SttRequestError, SttStreamError
from slukh.stt.base import Result, StreamConfig
from slukh.stt.google_errors import MASKED, error_from_status
from slukh.stt.google_requests import GoogleHearing
from slukh.types import SAMPLE_RATE_HERTZ, AudioChunk, samples_from_ms

T = TypeVar("T")

CHUNK_BYTES = samples_from_ms(100) * 2  # Google's advice; it refuses more than 25,600
FASTEST = 4.0  # times real time
_LOOKS, _LOOK_SECONDS = 20, 0.005  # for Google's status behind the mask

# What the calls of grpc.aio raise: a status, a call that is over, a channel that was closed.
BROKEN = (GoogleAPICallError, grpc.RpcError, asyncio.InvalidStateError, grpc.aio.UsageError)


class RecognizeCall(Protocol):
    """What we use of a streaming call of the official client."""

    async def write(self, request: cloud_speech.StreamingRecognizeRequest) -> None:
        """Send a message; returns when there is room for more."""

    async def done_writing(self) -> None:
        """Half-close."""

    async def read(self) -> object:
        """The next answer, or `grpc.aio.EOF`."""

    def cancel(self) -> bool:
        """End it now."""

    def add_done_callback(self, callback: Callable[["RecognizeCall"], None]) -> None:
        """Call when there is a status."""

    async def code(self) -> grpc.StatusCode:
        """Its status."""

    async def details(self) -> str:
        """The server's words to it."""


class ServerStatus:
    """What the server said when it ended a call, masked by gRPC or not; see the module."""

    def __init__(self, call: RecognizeCall) -> None:
        self._call = call
        self._said: tuple[str, str] | None = None
        call.add_done_callback(self._keep)

    def _keep(self, call: RecognizeCall) -> None:
        self._said = _at_once(call.code()).name, _at_once(call.details()) or ""

    async def said(self) -> tuple[str, str] | None:
        """Name of the status and the server's words to it, or None while the call runs."""
        for _ in range(_LOOKS):
            if self._said is None or self._said[1] != MASKED:
                break
            await asyncio.sleep(_LOOK_SECONDS)
            self._said = (await self._call.code()).name, await self._call.details() or ""
        return self._said


async def error_of(
    provider: str, raised: BaseException, status: ServerStatus | None, *, is_open: bool = True
) -> SttError:
    """The error that ended a call, whichever way one of its methods raised it."""
    said = None if status is None else await status.said()
    if said is None and isinstance(raised, GoogleAPICallError) and raised.grpc_status_code is not None:
        said = raised.grpc_status_code.name, raised.message or ""
    code, details = said or ("CANCELLED", "the connection was given back")
    if code == "OK":
        return SttStreamError(provider, "Google closed the stream before the utterance was over")
    return error_from_status(provider, code, details, is_open=is_open)


def _at_once(answer: Coroutine[object, object, T]) -> T:
    """The value of a coroutine that has nothing to wait for."""
    try:
        answer.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    answer.close()
    raise AssertionError("a call that is done knows its status")


def is_cancelled() -> bool:
    """Whether this task is cancelled. A call that was looks the same to those who wait for it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Pace:
    """When the next audio may leave, at `fastest` times real time. Live audio never waits."""

    def __init__(self, fastest: float) -> None:
        self._fastest = fastest
        self._free_at = float("-inf")

    def wait(self, audio_seconds: float, now: float) -> float:
        """Seconds to wait from `now` before so much more audio is sent."""
        start = max(self._free_at, now)
        self._free_at = start + audio_seconds / self._fastest
        return start - now


class GoogleStream:
    """A `SttStream`; made by `GoogleProvider.open`.

    `send` after `end` is refused, after `close` it is ignored. `end` twice is once. `close` is allowed at any
    time and ends the iteration. An utterance without audio is not asked about: its final is empty.

    Args:
        call: opened, its first message sent.
        status: of that call.
        config: what was asked.
        provider: registry name.
        max_seconds: longest utterance.
        pace: when audio may leave.
        on_close: called once when the stream is given back.
    """

    def __init__(
        self,
        call: RecognizeCall,
        status: ServerStatus,
        config: StreamConfig,
        *,
        provider: str,
        max_seconds: float,
        pace: Pace,
        on_close: Callable[[], None],
    ) -> None:
        self._call = call
        self._status = status
        self._provider = provider
        self._max_bytes = round(max_seconds * SAMPLE_RATE_HERTZ) * 2
        self._on_close = on_close
        self._hearing = GoogleHearing(config)
        self._interims = config.interim_results
        self._pace = pace
        self._gathered = bytearray()
        self._taken = 0  # bytes
        self._ended = False
        self._closed = False

    async def send(self, chunk: AudioChunk) -> None:
        """Take audio; blocks while Google takes none, and while it would leave faster than `FASTEST`.

        Raises:
            SttRequestError: after `end`, or when the utterance outgrows `max_seconds`.
            SttError: Google ended the stream.
        """
        if self._closed:
            return
        if self._ended:
            raise SttRequestError(self._provider, "audio after the end of the utterance")
        self._taken += len(chunk.pcm)
        if self._taken > self._max_bytes:
            raise SttRequestError(self._provider, "the utterance is longer than Google is asked to take")
        self._gathered += chunk.pcm
        while len(self._gathered) >= CHUNK_BYTES:
            await self._write(bytes(self._gathered[:CHUNK_BYTES]))
            del self._gathered[:CHUNK_BYTES]

    async def end(self) -> None:
        """Half-close: Google says its last and bills no silence."""
        if self._closed or self._ended:
            return
        self._ended = True
        if not self._taken:
            self._call.cancel()
            return
        if self._gathered:
            await self._write(bytes(self._gathered))
        await self._guarded(self._call.done_writing())

    async def __aiter__(self) -> AsyncIterator[Result]:
        """Interims, then exactly one final; for one reader."""
        while (answer := await self._guarded(self._call.read())) is not None:
            if not isinstance(answer, cloud_speech.StreamingRecognizeResponse):  # gRPC's end of stream
                break
            interim = self._hearing.hear(answer)
            if interim is not None and self._interims:
                yield interim
        if self._closed:
            return
        if self._taken and not self._ended:
            raise SttStreamError(self._provider, "Google closed the stream before the utterance was over")
        if self._hearing.has_unfinished_text:
            raise SttStreamError(self._provider, "Google closed the stream with an interim and no final")
        yield self._hearing.final()

    async def close(self) -> None:
        """Cancel the call; whoever still listens hears the end."""
        if not self._closed:
            self._closed = True
            self._call.cancel()
            self._on_close()

    async def _write(self, pcm: bytes) -> None:
        audio_seconds = len(pcm) / 2 / SAMPLE_RATE_HERTZ
        if (wait := self._pace.wait(audio_seconds, time.monotonic())) > 0:
            await asyncio.sleep(wait)
        if not self._closed:
            await self._guarded(self._call.write(cloud_speech.StreamingRecognizeRequest(audio=pcm)))

    async def _guarded(self, answer: Coroutine[object, object, T]) -> T | None:
        """What the call answers, its failures as ours; None when we ended it ourselves."""
        try:
            return await answer
        except (*BROKEN, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            if self._is_over:
                return None
            raise await error_of(self._provider, error, self._status) from error

    @property
    def _is_over(self) -> bool:
        return self._closed or (self._ended and not self._taken)
