"""One streaming call of Google's client: audio up at the pace that Google takes, answers down.

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
from collections.abc import Callable, Coroutine
from typing import Protocol, TypeVar

import grpc  # type: ignore[import-untyped]  # grpcio ships no types
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.speech_v2.types import cloud_speech

from slukh.errors import SttError, SttStreamError
from slukh.stt.google_errors import MASKED, error_from_status
from slukh.types import SAMPLE_RATE_HERTZ, samples_from_ms

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


class GoogleCall:
    """A streaming call whose first message is sent; its failures are `SttError` leaves.

    Args:
        call: the client's.
        status: of that call.
        provider: registry name.
        pace: when audio may leave.
        on_cancel: called once when it is given back.

    Attributes:
        is_cancelled: we gave it back; it fails no more, reads end.
    """

    def __init__(
        self,
        call: RecognizeCall,
        status: ServerStatus,
        *,
        provider: str,
        pace: Pace,
        on_cancel: Callable[[], None],
    ) -> None:
        self.is_cancelled = False
        self._call = call
        self._status = status
        self._provider = provider
        self._pace = pace
        self._on_cancel = on_cancel

    async def write(self, pcm: bytes) -> None:
        """Send audio; blocks while Google takes none, and while it would leave too fast."""
        audio_seconds = len(pcm) / 2 / SAMPLE_RATE_HERTZ
        if (wait := self._pace.wait(audio_seconds, time.monotonic())) > 0:
            await asyncio.sleep(wait)
        if not self.is_cancelled:
            await self._guarded(self._call.write(cloud_speech.StreamingRecognizeRequest(audio=pcm)))

    async def half_close(self) -> None:
        """No more audio: Google says its last and bills no silence."""
        if not self.is_cancelled:
            await self._guarded(self._call.done_writing())

    async def read(self) -> cloud_speech.StreamingRecognizeResponse | None:
        """The next answer, or None when there are no more."""
        answer = await self._guarded(self._call.read())
        return answer if isinstance(answer, cloud_speech.StreamingRecognizeResponse) else None

    def cancel(self) -> None:
        """End it now. Idempotent."""
        if not self.is_cancelled:
            self.is_cancelled = True
            self._call.cancel()
            self._on_cancel()

    async def _guarded(self, answer: Coroutine[object, object, T]) -> T | None:
        """What the call answers, its failures as ours; None when we ended it ourselves."""
        try:
            return await answer
        except (*BROKEN, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            if self.is_cancelled:
                return None
            raise await error_of(self._provider, error, self._status) from error
