"""One of Google's streams for a whole call: `GOOGLE_STT_STREAM=call`.

An utterance borrows the stream of its call and gives it back once Google has finalised all of it. No message
asks Google for its final, its own endpointing decides: from our endpoint on it gets a second of silence,
faster than time. Where it still has not finalised, the stream is half-closed, and then it must.

    borrowed  -- all is finalised -->  free  -- an utterance begins -->  borrowed
        |                               |   100 ms of silence every 5 s: Google ends a stream idle for 10
        | no final in time,             | over four minutes old,
        v or over four minutes old      v or unused for one
      half-closed: Google says its last

A stream that is nearly five minutes old in mid-utterance is left: the utterance goes to a new one from its
first sample, so its text is never stitched; meanwhile its caller is not kept waiting. An utterance that
begins while the one before still waits for Google, and a second Attempt, get a stream of their own. Whatever
is doubtful costs a stream, never a word.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from google.cloud.speech_v2.types import cloud_speech

from slukh.errors import SttError
from slukh.stt.base import Hypothesis, Result, StreamConfig
from slukh.stt.google_requests import GoogleHearing
from slukh.stt.google_stream import last_word, refuse_more
from slukh.stt.google_wire import CHUNK_BYTES, GoogleCall
from slukh.types import SAMPLE_RATE_HERTZ, AudioChunk

Request = cloud_speech.StreamingRecognizeRequest
# What a borrower is told: an answer, the end in peace (None), or what went wrong.
News = cloud_speech.StreamingRecognizeResponse | SttError | None

_SILENCE = bytes(CHUNK_BYTES)
# Our detector may hold on to a voice for so much longer than Google; two words lie farther apart.
_TOLERANCE = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingRules:
    """How long one stream serves its call.

    Attributes:
        tail_seconds: silence after our endpoint, in which Google may find its own.
        patience_seconds: from our endpoint until the stream is half-closed.
        keep_alive_seconds: between two pieces of silence in a pause.
        unused_seconds: longest pause; a call that is over ends its stream so.
        roll_seconds: age at which it is replaced in a pause.
        cut_seconds: age at which it is replaced in mid-utterance.
    """

    tail_seconds: float = 1.0
    patience_seconds: float = 1.0
    keep_alive_seconds: float = 5.0
    unused_seconds: float = 60.0
    roll_seconds: float = 240.0
    cut_seconds: float = 290.0


class SharedStream:
    """A stream that utterances borrow, one after the other.

    Args:
        call: opened, its first message sent.
        request: that message.
        rules: how long it serves.
        on_over: called once when it can serve no more.

    Attributes:
        request: what it was asked.
        sent_bytes: audio so far, silence included.
        billed: what Google had billed when it was last given back.
        is_over: it can serve no more.
    """

    def __init__(
        self,
        call: GoogleCall,
        request: Request,
        rules: SharingRules,
        on_over: Callable[["SharedStream"], None],
    ) -> None:
        self.request = request
        self.sent_bytes = 0
        self.billed = timedelta()
        self.is_over = False
        self._call = call
        self._rules = rules
        self._on_over = on_over
        self._opened_at = self._free_since = time.monotonic()
        self._borrower: Callable[[News], None] | None = None
        self._writing = asyncio.Lock()
        self._keeping = asyncio.create_task(self._keep())
        self._reading = asyncio.create_task(self._read())

    @property
    def age_seconds(self) -> float:
        """How long it has been open."""
        return time.monotonic() - self._opened_at

    def lend(self, borrower: Callable[[News], None]) -> None:
        """Tell somebody what Google says from now on."""
        self._borrower = borrower

    def take_back(self, billed: timedelta) -> None:
        """Nobody listens any more."""
        self.billed = billed
        self._borrower = None
        self._free_since = time.monotonic()

    async def write(self, pcm: bytes) -> None:
        """Send audio. Raises SttError."""
        async with self._writing:
            self.sent_bytes += len(pcm)
            await self._call.write(pcm)

    async def half_close(self) -> None:
        """Let Google say its last. Raises SttError."""
        await self._call.half_close()

    def leave(self) -> None:
        """End it now; who borrowed it is told no more."""
        self.is_over = True
        self._borrower = None
        self._call.cancel()

    async def wait(self) -> None:
        """Until it is over."""
        await asyncio.gather(self._reading, self._keeping, return_exceptions=True)

    async def _read(self) -> None:
        news: News = None
        try:
            while (news := await self._call.read()) is not None:
                self._tell(news)
        except SttError as error:
            news = error
        self.is_over = True
        self._tell(news)
        self._call.cancel()
        self._keeping.cancel()
        self._on_over(self)

    def _tell(self, news: News) -> None:
        if self._borrower is not None:
            self._borrower(news)

    async def _keep(self) -> None:
        """Silence now and then while nobody borrows it, until it is old or unused for long."""
        with contextlib.suppress(SttError):  # the reader hears of it
            while True:
                await asyncio.sleep(self._rules.keep_alive_seconds)
                if self._borrower is not None:
                    continue
                unused = time.monotonic() - self._free_since
                if self.age_seconds > self._rules.roll_seconds or unused > self._rules.unused_seconds:
                    break
                await self.write(_SILENCE)
            self.leave()


class SharingUtterance:
    """A `SttStream` over a stream that is lent to it; as `GoogleStream` in all that is seen of it.

    Args:
        stream: of the call, or a new one.
        config: what was asked.
        provider: registry name.
        max_seconds: longest utterance.
        rules: how long a stream serves.
        another: opens a stream like it.
        free: takes the stream that Google has finalised all of.
    """

    def __init__(
        self,
        stream: SharedStream,
        config: StreamConfig,
        *,
        provider: str,
        max_seconds: float,
        rules: SharingRules,
        another: Callable[[], Awaitable[SharedStream]],
        free: Callable[[SharedStream], None],
    ) -> None:
        self._config = config
        self._provider = provider
        self._max_bytes = round(max_seconds * SAMPLE_RATE_HERTZ) * 2
        self._rules = rules
        self._another = another
        self._free = free
        self._audio = bytearray()
        self._voice_ends = 0  # bytes
        self._ended = False
        self._closed = False
        self._over = asyncio.Event()  # Google has said its last of this utterance
        self._results: asyncio.Queue[Result | SttError | None] = asyncio.Queue()
        self._replaying: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._borrow(stream, stable="")

    async def send(self, chunk: AudioChunk) -> None:
        """Take audio; blocks while Google takes none, and while it would leave too fast.

        Raises:
            SttRequestError: after `end`, or when the utterance outgrows `max_seconds`.
            SttError: Google ended the stream.
        """
        if self._closed:
            return
        taken = len(self._audio) + len(chunk.pcm)
        refuse_more(self._provider, ended=self._ended, taken=taken, most=self._max_bytes)
        self._audio += chunk.pcm
        if chunk.voiced:
            self._voice_ends = taken
        if self._replaying is None and self._stream.age_seconds > self._rules.cut_seconds:
            self._stream.leave()
            self._borrow(await self._another(), stable=self._hearing.stable)
            # A task: all of it takes seconds, and a send that blocks for so long is given up.
            self._replaying = asyncio.create_task(self._replay())
        if self._replaying is None or self._replaying.done():
            await self._write_chunks()

    async def end(self) -> None:
        """Send what is left; the final is there once Google has finalised it."""
        if self._closed or self._ended:
            return
        if self._replaying is not None:
            await self._replaying
        await self._write_chunks(least=1)
        self._ended = True
        self._conclude_if_finalised()
        self._ending = asyncio.create_task(self._end())

    async def __aiter__(self) -> AsyncIterator[Result]:
        """Interims, then exactly one final; for one reader."""
        while not self._closed and (result := await self._results.get()) is not None:
            if isinstance(result, SttError):
                raise result
            yield result
            if isinstance(result, Hypothesis) and result.is_final:
                break

    async def close(self) -> None:
        """Give it up, or the stream back; whoever still listens hears the end."""
        self._closed = True
        if not self._over.is_set():  # what Google still says of this must not reach the next utterance
            self._stream.leave()
            self._conclude(None)
        if self._replaying is not None:
            await asyncio.wait([self._replaying])
        if self._ending is not None:
            await asyncio.wait([self._ending])

    def _borrow(self, stream: SharedStream, *, stable: str) -> None:
        self._stream = stream
        self._starts_at = _duration(stream.sent_bytes)
        self._written = 0
        self._hearing = GoogleHearing(
            self._config, starts_at=self._starts_at, billed=stream.billed, stable=stable
        )
        stream.lend(self._hear)

    async def _replay(self) -> None:
        with contextlib.suppress(SttError):  # the reader is told
            await self._write_chunks()

    async def _write_chunks(self, *, least: int = CHUNK_BYTES) -> None:
        """Send what there is, but no piece smaller than that. Raises SttError."""
        while len(self._audio) - self._written >= least and not self._closed:
            pcm = bytes(self._audio[self._written : self._written + CHUNK_BYTES])
            self._written += len(pcm)
            await self._stream.write(pcm)

    def _hear(self, news: News) -> None:
        if self._over.is_set():
            return
        if isinstance(news, cloud_speech.StreamingRecognizeResponse):
            interim = self._hearing.hear(news)
            if interim is not None and self._config.interim_results:
                self._results.put_nowait(interim)
            self._conclude_if_finalised()
        elif news is None:
            try:
                self._conclude(last_word(self._provider, self._hearing, is_whole=self._ended))
            except SttError as error:
                self._conclude(error)
        else:
            self._conclude(news)

    def _conclude_if_finalised(self) -> None:
        until = self._starts_at + _duration(self._voice_ends or len(self._audio)) - _TOLERANCE
        is_finalised = self._hearing.finalised_until >= until and not self._hearing.has_unfinished_text
        if self._ended and (is_finalised or not self._audio):
            self._conclude(self._hearing.final())

    def _conclude(self, result: Hypothesis | SttError | None) -> None:
        self._over.set()
        self._results.put_nowait(result)

    async def _end(self) -> None:
        """Silence until Google has finalised all of it, then let others have the stream."""
        give_up_at = time.monotonic() + self._rules.patience_seconds
        with contextlib.suppress(SttError):  # the reader is told
            if self._stream.age_seconds < self._rules.roll_seconds:
                sent = self._stream.sent_bytes
                while not self._over.is_set() and self._stream.sent_bytes - sent < self._tail_bytes:
                    await self._stream.write(_SILENCE)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._over.wait(), give_up_at - time.monotonic())
            if self._over.is_set():
                self._stream.take_back(self._hearing.billed)
                self._free(self._stream)
            else:
                await self._stream.half_close()

    @property
    def _tail_bytes(self) -> int:
        return round(self._rules.tail_seconds * SAMPLE_RATE_HERTZ) * 2


class SharedStreams:
    """The streams of all calls.

    Args:
        open_call: opens one, its first message sent; raises SttError.
        provider: registry name.
        max_seconds: longest utterance.
        rules: how long a stream serves.
    """

    def __init__(
        self,
        open_call: Callable[[Request], Awaitable[GoogleCall]],
        *,
        provider: str,
        max_seconds: float,
        rules: SharingRules,
    ) -> None:
        self._open_call = open_call
        self._provider = provider
        self._max_seconds = max_seconds
        self._rules = rules
        self._free: dict[str, SharedStream] = {}  # by call
        self._all: set[SharedStream] = set()

    async def open(self, config: StreamConfig, request: Request) -> SharingUtterance:
        """A stream for one utterance of the call `config.call_id`. Raises SttError."""
        stream = self._free.pop(config.call_id, None)
        if stream is not None and not self._is_fit(stream, request):
            stream.leave()
            stream = None
        return SharingUtterance(
            stream or await self._another(request),
            config,
            provider=self._provider,
            max_seconds=self._max_seconds,
            rules=self._rules,
            another=lambda: self._another(request),
            free=lambda stream: self._keep(config.call_id, stream),
        )

    async def wait(self) -> None:
        """Until all are over."""
        await asyncio.gather(*(stream.wait() for stream in self._all))

    def _is_fit(self, stream: SharedStream, request: Request) -> bool:
        is_young = stream.age_seconds < self._rules.roll_seconds
        return is_young and not stream.is_over and stream.request == request

    async def _another(self, request: Request) -> SharedStream:
        stream = SharedStream(await self._open_call(request), request, self._rules, self._forget)
        self._all.add(stream)
        return stream

    def _keep(self, call_id: str, stream: SharedStream) -> None:
        """Free for the next utterance, unless another one is."""
        if stream.is_over:
            return
        if self._free.setdefault(call_id, stream) is not stream:
            stream.leave()

    def _forget(self, stream: SharedStream) -> None:
        self._all.discard(stream)
        for call_id in [key for key, kept in self._free.items() if kept is stream]:
            del self._free[call_id]


def _duration(size: int) -> timedelta:
    """How long so many bytes of audio are."""
    return timedelta(seconds=size / 2 / SAMPLE_RATE_HERTZ)
