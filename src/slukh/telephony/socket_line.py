"""The shell that drives a codec over TCP (`slukh.telephony.line.Line`).

    call_id, early = await identify(reader, writer, codec)
    line = SocketLine(reader, writer, codec, early=early)

Asyncio lives here; what a frame is, a codec knows, and what a sample's position is, the clock.
"""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final, Literal, cast

import numpy as np

from slukh.audio import Resampler, Samples, samples_from_linear16
from slukh.errors import TelephonyError
from slukh.telephony.base import (
    Codec,
    CodecEvent,
    DigitPressed,
    FlowChanged,
    MarkReturned,
    MediaReceived,
    PeerHungUp,
    Reply,
)
from slukh.telephony.clock import CallClock, Heard
from slukh.telephony.line import FRAME_BYTES, LineEvent
from slukh.telephony.playout import Playout
from slukh.telephony.rounds import Rounds
from slukh.types import SAMPLE_RATE_HERTZ, AudioGap, CallEnded, Dtmf

EndReason = Literal["hangup", "gateway", "detached", "drained", "error"]

READ_BYTES: Final = 64 * 1024
TICK_SECONDS: Final = 0.1
# Asterisk's AudioSocket() hangs up after 2 s in which nothing flowed either way.
SILENCE_AFTER_SECONDS: Final = 0.8
MAX_UNSENT_BYTES: Final = 4 * 1024
LINGER_SECONDS: Final = 1.0
DEAD_PEER_MS: Final = 10_000


class SocketLine(asyncio.Protocol):
    """A line over a TCP connection (`Line`).

    It takes the connection over from the stream that named the call, because a task that is woken by a
    stream for every frame costs as much as the frame's whole way to the listener. One timer per line, not per
    frame: it keeps Asterisk content with silence, and looks whether the caller's audio has stopped. A reader
    that is cancelled, or an `events` that is left early, closes the connection.

    Attributes:
        clock: the call's; give it to the line of the next leg after `clock.attach`.
        failure: why the peer was cut off, when `CallEnded` says `error`.

    Args:
        early: events that `identify` found behind the call id.
        rounds: shared by the lines of a loop; by default every frame is read as it comes.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        codec: Codec,
        *,
        clock: CallClock | None = None,
        early: Iterable[CodecEvent] = (),
        rounds: Rounds | None = None,
    ) -> None:
        self.clock = clock or CallClock()
        self.failure: TelephonyError | None = None
        self._reader = reader
        self._writer = writer
        self._stream_protocol: asyncio.Protocol | None = None
        self._codec = codec
        self._transport = cast("asyncio.Transport", writer.transport)  # a stream's reads as well
        self._early = early
        self._rounds = rounds or Rounds(0.0)
        self._loop = asyncio.get_running_loop()
        self._end: EndReason | None = None
        self._defect: Exception | None = None
        self._resampler: Resampler | None = None
        self._happened: deque[LineEvent] = deque()
        self._hear: Callable[[Heard], None] = self._happened.append
        self._news = asyncio.Event()
        self._may_play = asyncio.Event()
        self._may_play.set()
        self._playout = Playout()
        self._marks = 0
        self._all_played = asyncio.Event()
        self._all_played.set()
        self._may_return_marks = True
        self._timer: asyncio.TimerHandle | None = None
        self._tick_at = 0.0
        self._last_sent = self._loop.time()
        _notice_dead_peer(writer)

    async def events(self, hear: Callable[[Heard], None] | None = None) -> AsyncIterator[LineEvent]:
        """What happens on the line, in order, ending with exactly one `CallEnded`."""
        self._hear = hear or self._hear
        self._wind_up()
        self._rounds.lines += 1
        try:
            self._take(self._line_events(self._early))
            await self._take_over()
            while True:
                self._news.clear()
                while self._happened:
                    yield self._happened.popleft()
                if self._defect is not None:
                    raise self._defect
                if self._end is not None:
                    break
                await self._news.wait()
            self._close()
            for gap in self.clock.finish():
                yield gap
            yield CallEnded(position=self.clock.position, reason=self._end, heard=self.clock.heard)
        finally:
            self._rounds.lines -= 1
            self._over("gateway")
            if self._timer is not None:
                self._timer.cancel()
            self._close()

    async def _take_over(self) -> None:
        """Be the connection's protocol in the stream's place, after what the stream had read already."""
        transport = self._writer.transport
        stream_protocol = transport.get_protocol()
        assert isinstance(stream_protocol, asyncio.Protocol)
        self._stream_protocol = stream_protocol
        transport.set_protocol(self)
        with contextlib.suppress(OSError):  # TimeoutError is one: nothing more waits in the stream
            async with asyncio.timeout(0):
                while data := await self._reader.read(READ_BYTES):
                    self._work_off(data)
                self._over("hangup")
        if self._reader.exception() is not None:
            self._over("detached")

    def data_received(self, data: bytes) -> None:
        """The peer sent something (asyncio)."""
        self._work_off(data)
        self._rounds.rest(self._transport)

    def eof_received(self) -> bool:
        """The peer has hung up (asyncio); what is written still goes out."""
        self._over("hangup")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone (asyncio)."""
        self._over("hangup" if exc is None else "detached")
        if self._stream_protocol is not None:
            self._stream_protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        """The peer takes nothing (asyncio): the stream's `drain` waits."""
        if self._stream_protocol is not None:
            self._stream_protocol.pause_writing()

    def resume_writing(self) -> None:
        """It does again (asyncio)."""
        if self._stream_protocol is not None:
            self._stream_protocol.resume_writing()

    def _over(self, reason: EndReason) -> None:
        """Nothing more is heard; the first reason stands."""
        self._end = self._end or reason
        self._news.set()
        self._may_play.set()
        self._all_played.set()

    def _work_off(self, data: bytes) -> None:
        if self._end is not None:
            return
        try:
            events = self._line_events(self._codec.receive_data(data))
        except TelephonyError as error:
            self.failure = error
            self._write(self._codec.encode_refusal(error.reason))
            self._over("error")
        else:
            self._take(events)

    def _take(self, events: Iterable[LineEvent]) -> None:
        """Hand audio to whoever hears it, at once, and the rest to whoever reads `events`."""
        hear, happened = self._hear, self._happened
        try:
            for event in events:
                if isinstance(event, Heard):
                    hear(event)
                else:
                    happened.append(event)
        except Exception as defect:  # noqa: BLE001  # the hearer's; it is raised where `events` is read
            self._defect = defect
            self._over("error")
        if happened:
            self._news.set()

    def _line_events(self, codec_events: Iterable[CodecEvent]) -> list[LineEvent]:
        events: list[LineEvent] = []
        heard: list[Samples] = []
        for event in codec_events:
            if isinstance(event, MediaReceived):
                heard.append(self._samples_at_8k(event))
            elif isinstance(event, DigitPressed):
                events += self._received(heard)
                events.append(Dtmf(position=self.clock.position, digit=event.digit))
                heard = []
            elif isinstance(event, PeerHungUp):
                self._over("hangup")
                break
            elif isinstance(event, Reply):
                self._write(event.data)
            elif isinstance(event, FlowChanged) and event.is_open:
                self._may_play.set()
            elif isinstance(event, FlowChanged):
                self._may_play.clear()
            elif isinstance(event, MarkReturned):
                self._playout.returned(event.name, self._loop.time())
                if self._playout.is_over:
                    self._all_played.set()
        return events + self._received(heard)

    def _samples_at_8k(self, media: MediaReceived) -> Samples:
        samples = samples_from_linear16(media.linear16)
        rate, resampler = media.sample_rate_hertz, self._resampler
        if resampler is None:
            if rate == SAMPLE_RATE_HERTZ:
                return samples
        elif resampler.from_hertz == rate:
            return resampler.resample(samples)
        self._resampler = Resampler(rate, SAMPLE_RATE_HERTZ)
        tail = [] if resampler is None else [resampler.flush()]
        return np.concatenate((*tail, self._resampler.resample(samples)))

    def _received(self, pieces: list[Samples]) -> list[Heard | AudioGap]:
        if not pieces:
            return []
        samples = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        return self.clock.received(samples, self._loop.time())

    def _wind_up(self) -> None:
        """Look again when something may be due."""
        due = min(self.clock.idle_at, self._last_sent + SILENCE_AFTER_SECONDS)
        self._tick_at = max(due, self._loop.time() + TICK_SECONDS)
        self._timer = self._loop.call_at(self._tick_at, self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        # A late tick means that we were stalled ourselves: what waits in the socket is to be read first.
        was_awake = now < self._tick_at + TICK_SECONDS
        if was_awake and self._end is None:
            self._take(self.clock.idle(now))
        if now - self._last_sent >= SILENCE_AFTER_SECONDS:
            self._send_silence(now)
        self._wind_up()

    def _send_silence(self, now: float) -> None:
        """One frame, unless the peer does not even take what it has been sent."""
        transport = self._writer.transport
        takes_audio = self._may_play.is_set() and transport.get_write_buffer_size() <= MAX_UNSENT_BYTES
        if takes_audio and not transport.is_closing():
            self._writer.write(self._codec.encode_audio(bytes(FRAME_BYTES)))
            self._last_sent = now

    async def send_audio(self, linear16: bytes) -> None:
        """Play 8 kHz audio in frames of 20 ms, each in one write. ValueError on an odd length."""
        for start in range(0, len(linear16), FRAME_BYTES):
            await self._may_play.wait()
            if self._writer.is_closing():
                return
            frame = linear16[start : start + FRAME_BYTES]
            self._writer.write(self._codec.encode_audio(frame))
            self._last_sent = self._loop.time()
            self._playout.sent(len(frame), self._last_sent)
            try:
                await self._writer.drain()
            except OSError:
                return

    def mark(self) -> None:
        """Have the peer say when it has played what was sent so far, where its protocol can."""
        self._marks += 1
        name = str(self._marks)
        if self._end is None and (mark := self._codec.encode_mark(name)):
            self._playout.mark(name)
            self._all_played.clear()
            self._write(mark)

    async def until_played(self, within: float) -> None:
        """Wait until the peer has returned every mark, or the line is gone, but no longer than this.

        A peer that let us wait in vain and has never returned any is not waited for again.
        """
        if not self._may_return_marks:
            return
        try:
            async with asyncio.timeout(within):
                await self._all_played.wait()
        except TimeoutError:
            self._may_return_marks = self._playout.has_returned

    def flush(self) -> int:
        """Let the peer forget audio that it has not played; how much that is, as far as marks tell."""
        self._write(self._codec.encode_flush())
        self._all_played.set()
        return self._playout.take_back(self._loop.time())

    async def hang_up(self, reason: Literal["gateway", "drained"] = "gateway") -> None:
        """Tell the peer that the call is over, and close. Never waits for the peer."""
        if self._end is None:
            self._over(reason)
            self._write(self._codec.encode_hangup())
            self._close()

    def _write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

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
