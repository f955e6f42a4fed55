"""A telephone line: what a call is to the rest of the house, and the shell that drives a codec over TCP.

In use:

    call_id, early = await identify(reader, codec)
    line = SocketLine(reader, writer, codec, early=early)
    async for event in line.events():       # Heard, Dtmf, AudioGap, then exactly one CallEnded
        ...
    await line.send_audio(linear16)         # meanwhile, from another task
    await line.hang_up()

Asyncio lives here; what a frame is, a codec knows, and what a sample's position is, the clock.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from typing import Final, Literal, Protocol

import numpy as np

from slukh.audio import Resampler, Samples, samples_from_linear16
from slukh.errors import TelephonyError
from slukh.telephony.base import Codec, CodecEvent, DigitPressed, Identified, MediaReceived, PeerHungUp
from slukh.telephony.clock import CallClock, Heard
from slukh.types import SAMPLE_RATE_HERTZ, AudioGap, CallEnded, Dtmf

LineEvent = Heard | Dtmf | AudioGap | CallEnded
EndReason = Literal["hangup", "gateway", "detached", "drained", "error"]

FRAME_BYTES: Final = 2 * SAMPLE_RATE_HERTZ // 50
READ_BYTES: Final = 64 * 1024
TICK_SECONDS: Final = 0.1
# Asterisk's AudioSocket() hangs up after 2 s in which nothing flowed either way.
SILENCE_AFTER_SECONDS: Final = 0.8
MAX_UNSENT_BYTES: Final = 4 * 1024
LINGER_SECONDS: Final = 1.0
DEAD_PEER_MS: Final = 10_000


class Line(Protocol):
    """One leg of a call, both directions."""

    def events(self) -> AsyncIterator[LineEvent]:
        """What happens on the line, in order, ending with exactly one `CallEnded`. To be asked for once."""

    async def send_audio(self, linear16: bytes) -> None:
        """Play 8 kHz audio of any length to the caller; waits while the peer does not take it.

        A line that is gone takes everything and says nothing: its `CallEnded` tells.
        """

    async def hang_up(self, reason: Literal["gateway", "drained"] = "gateway") -> None:
        """End the call from our side; `events` then ends with this reason. Idempotent."""


async def identify(
    reader: asyncio.StreamReader, codec: Codec, *, within: float = 2.0
) -> tuple[str, list[CodecEvent]]:
    """The call id a peer begins with, and the events that came in the same read.

    Args: within: seconds the peer has for it, all in all, however slowly it types.

    Raises:
        TelephonyError: `no_id`, or the codec's own reason. Closing the connection is left to the caller.
    """
    try:
        async with asyncio.timeout(within):
            return await _read_id(reader, codec)
    except OSError as error:  # TimeoutError is one
        raise TelephonyError("no_id", f"no call id within {within:g} s") from error


async def _read_id(reader: asyncio.StreamReader, codec: Codec) -> tuple[str, list[CodecEvent]]:
    while data := await reader.read(READ_BYTES):
        match codec.receive_data(data):
            case [Identified(call_id=call_id), *early]:
                return call_id, early
            case [_, *_]:
                break
    raise TelephonyError("no_id", "the peer left before it named its call")


class SocketLine:
    """A line over a TCP connection (`Line`).

    One timer per line, not per frame: it keeps Asterisk content with silence, and looks whether the caller's
    audio has stopped. A reader that is cancelled, or an `events` that is left early, closes the connection.

    Attributes:
        clock: the call's; give it to the line of the next leg after `clock.attach`.
        failure: why the peer was cut off, when `CallEnded` says `error`.

    Args:
        early: events that `identify` found behind the call id.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        codec: Codec,
        *,
        clock: CallClock | None = None,
        early: Iterable[CodecEvent] = (),
    ) -> None:
        self.clock = clock or CallClock()
        self.failure: TelephonyError | None = None
        self._reader = reader
        self._writer = writer
        self._codec = codec
        self._early = early
        self._loop = asyncio.get_running_loop()
        self._end: EndReason | None = None
        self._resampler = Resampler(SAMPLE_RATE_HERTZ, SAMPLE_RATE_HERTZ)
        self._waiting: asyncio.Task[object] | None = None  # for bytes; it may be interrupted then
        self._is_interrupted = False
        self._timer: asyncio.TimerHandle | None = None
        self._tick_at = 0.0
        self._last_sent = self._loop.time()
        _notice_dead_peer(writer)

    async def events(self) -> AsyncIterator[LineEvent]:
        """What happens on the line, in order, ending with exactly one `CallEnded`."""
        self._wind_up()
        try:
            for event in self._line_events(self._early):
                yield event
            while self._end is None:
                for event in await self._next_events():
                    yield event
            self._close()
            for gap in self.clock.finish():
                yield gap
            yield CallEnded(position=self.clock.position, reason=self._end, heard=self.clock.heard)
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._close()

    async def _next_events(self) -> list[LineEvent]:
        """What the next read gives, or the silence that is due when nothing came; sets `_end` at the end."""
        try:
            data = await self._read()
            if data is None:
                return [*self.clock.idle(self._loop.time())]
            if data:
                return self._line_events(self._codec.receive_data(data))
            self._end = self._end or "hangup"
        except OSError:  # TCP's own TimeoutError is one
            self._end = self._end or "detached"
        except TelephonyError as error:
            self.failure = error
            self._end = "error"
        return []

    async def _read(self) -> bytes | None:
        """The next bytes, none at the end of the stream, or None when `_interrupt_read` called.

        What `asyncio.timeout` does, at a sixth of its price, which would be paid for every frame.
        """
        task = self._waiting = asyncio.current_task()
        assert task is not None  # a coroutine that runs is in a task
        others = task.cancelling()
        try:
            return await self._reader.read(READ_BYTES)
        except asyncio.CancelledError:
            # Somebody else may have cancelled this task meanwhile: then it is not for us to go on.
            if self._is_interrupted and task.uncancel() <= others:
                return None
            raise
        finally:
            self._waiting = None
            self._is_interrupted = False

    def _line_events(self, codec_events: Iterable[CodecEvent]) -> list[LineEvent]:
        events: list[LineEvent] = []
        heard: list[Samples] = []
        for event in codec_events:
            match event:
                case MediaReceived():
                    heard.append(self._samples_at_8k(event))
                case DigitPressed(digit=digit):
                    events += self._received(heard)
                    events.append(Dtmf(position=self.clock.position, digit=digit))
                    heard = []
                case PeerHungUp():
                    self._end = self._end or "hangup"
                    break
        return events + self._received(heard)

    def _samples_at_8k(self, media: MediaReceived) -> Samples:
        samples = samples_from_linear16(media.linear16)
        if media.sample_rate_hertz == self._resampler.from_hertz:
            return self._resampler.resample(samples)
        tail = self._resampler.flush()
        self._resampler = Resampler(media.sample_rate_hertz, SAMPLE_RATE_HERTZ)
        return np.concatenate((tail, self._resampler.resample(samples)))

    def _received(self, pieces: list[Samples]) -> list[Heard | AudioGap]:
        if not pieces:
            return []
        samples = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        return self.clock.received(samples, self._loop.time())

    def _wind_up(self) -> None:
        self._tick_at = self._loop.time() + TICK_SECONDS
        self._timer = self._loop.call_at(self._tick_at, self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        # A late tick means that we were stalled ourselves: what waits in the socket is to be read first.
        was_awake = now < self._tick_at + TICK_SECONDS
        if was_awake and self.clock.is_idle(now):
            self._interrupt_read()
        if now - self._last_sent >= SILENCE_AFTER_SECONDS:
            self._send_silence(now)
        self._wind_up()

    def _interrupt_read(self) -> None:
        if self._waiting is not None and not self._is_interrupted:
            self._is_interrupted = self._waiting.cancel()

    def _send_silence(self, now: float) -> None:
        """One frame, unless the peer does not even take what it has been sent."""
        transport = self._writer.transport
        if not transport.is_closing() and transport.get_write_buffer_size() <= MAX_UNSENT_BYTES:
            self._writer.write(self._codec.encode_audio(bytes(FRAME_BYTES)))
            self._last_sent = now

    async def send_audio(self, linear16: bytes) -> None:
        """Play 8 kHz audio in frames of 20 ms, each in one write. ValueError on an odd length."""
        for start in range(0, len(linear16), FRAME_BYTES):
            if self._writer.is_closing():
                return
            self._writer.write(self._codec.encode_audio(linear16[start : start + FRAME_BYTES]))
            self._last_sent = self._loop.time()
            try:
                await self._writer.drain()
            except OSError:
                return

    async def hang_up(self, reason: Literal["gateway", "drained"] = "gateway") -> None:
        """Tell the peer that the call is over, and close. Never waits for the peer."""
        if self._end is None:
            self._end = reason
            if not self._writer.is_closing():
                self._writer.write(self._codec.encode_hangup())
            self._close()
            self._interrupt_read()

    def _close(self) -> None:
        """Close once what was written is out, at the latest after a second."""
        if not self._writer.is_closing():
            self._writer.close()
            self._loop.call_later(LINGER_SECONDS, self._writer.transport.abort)


def _notice_dead_peer(writer: asyncio.StreamWriter) -> None:
    """Let TCP break the connection when a peer's machine is gone, or its line would be "idle" for ever.

    Our silence frames stay unacknowledged then; without this Linux goes on sending them for 15 minutes.
    """
    sock = writer.get_extra_info("socket")
    if sock is not None and hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER_MS)
