"""A caller who waits for answers: a call that is spoken into and listened to at the pace of speech.

    async with handset(host, port, call_id) as phone:
        await phone.answered()                  # the greeting
        await phone.say(samples)
        reply = await phone.answered()          # linear 16-bit, 8 kHz

As a telephone does, it sends 20 ms every 20 ms from beginning to end, silence where nothing is said. For
rehearsals of a bad line it can give back, quieter and later, what it hears.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import numpy as np

from slukh.audio import Samples, linear16_from_samples, samples_from_linear16
from slukh.telephony.base import MediaReceived, PeerHungUp
from slukh.telephony.peer import AudioSocketPeer, Peer
from slukh.types import SAMPLE_RATE_HERTZ, samples_from_ms

_FRAME: Final = samples_from_ms(20)
_FRAME_SECONDS: Final = 0.02
_VOICE: Final = 200.0  # root mean square of a frame that holds a voice
_LOUD: Final = 100  # peak of a frame that holds something to hear


@dataclass(frozen=True, slots=True, kw_only=True)
class LineEcho:
    """What a line brings back of the gateway's voice.

    Attributes:
        delay_ms: after which it comes back, in whole frames.
        loss_db: how much quieter.
    """

    delay_ms: int = 60
    loss_db: float = 15.0


class Handset:
    """One call, see the module.

    Attributes:
        heard: everything the gateway sent, linear 16-bit.
        arrivals: when each of its frames came, loop time, and its bytes.
        was_hung_up: the gateway has ended the call.
        said_at: when the last of what was to be said left.
        sent: samples that went to the gateway.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        peer: Peer,
        echo: LineEcho | None = None,
    ) -> None:
        self.heard = bytearray()
        self.arrivals: list[tuple[float, int]] = []
        self.was_hung_up = False
        self.said_at = 0.0
        self.sent = 0
        self._loop = asyncio.get_running_loop()
        self._reader = reader
        self._writer = writer
        self._peer = peer
        self._echo = echo
        self._coming_back: deque[Samples] = deque()
        if echo is not None:
            self._coming_back.extend(np.zeros(_FRAME, np.int16) for _ in range(echo.delay_ms // 20))
        self._words: deque[Samples] = deque()
        self._spoken = asyncio.Event()
        self._news = asyncio.Event()
        self._loud_at: float | None = None
        self._returned = 0  # bytes of `heard` that an answer has handed out

    async def say(self, samples: Samples) -> None:
        """Say something; returns when all of it has left, or the call is over."""
        self._spoken.clear()
        for at in range(0, len(samples), _FRAME):
            self._words.append(samples[at : at + _FRAME])
        while self._words and not self.was_hung_up:
            self._news.clear()
            await self._news.wait()

    def press(self, digit: str) -> None:
        """Press a key."""
        self._writer.write(self._peer.digit(digit))

    async def answered(self, *, quiet_seconds: float = 1.0, longest_seconds: float = 20.0) -> bytes:
        """What is said next, once there is a pause after it; less, or nothing, when it takes too long."""
        self._loud_at = None
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_seconds):
                while not self.was_hung_up and not self._is_quiet(quiet_seconds):
                    self._news.clear()
                    await self._news.wait()
        answer = bytes(self.heard[self._returned :])
        self._returned = len(self.heard)
        return answer

    async def speaks(self) -> None:
        """Wait until the gateway says something."""
        self._loud_at = None
        while self._loud_at is None and not self.was_hung_up:
            self._news.clear()
            await self._news.wait()

    async def run(self) -> None:
        """Send and hear until the call is over."""
        hearing = asyncio.create_task(self._hear())
        try:
            await self._send()
        finally:
            hearing.cancel()
            await asyncio.wait({hearing})  # whoever hangs up reads on
            self._over()

    async def _send(self) -> None:
        due = last = self._loop.time()
        while not self.was_hung_up:
            frame = self._words.popleft() if self._words else np.zeros(0, np.int16)
            whole = np.zeros(_FRAME, np.int32)
            whole[: len(frame)] = frame
            if self._echo is not None and self._coming_back:
                returned = self._coming_back.popleft()
                whole[: len(returned)] += (returned * 10 ** (-self._echo.loss_db / 20)).astype(np.int32)
            linear16 = linear16_from_samples(whole.clip(-32768, 32767).astype(np.int16))
            self._writer.write(self._peer.audio(linear16))
            self.sent += _FRAME
            if len(frame):
                self.said_at = self._loop.time()
            self._news.set()
            due += _FRAME_SECONDS
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            now = self._loop.time()
            self._excuse(now - last - _FRAME_SECONDS)
            last = now

    async def _hear(self) -> None:
        with suppress(OSError):
            while data := await self._reader.read(65536):
                for event in self._peer.receive_data(data):
                    if isinstance(event, MediaReceived):
                        self._take(event.linear16)
                    elif isinstance(event, PeerHungUp):
                        self._over()
        self._over()

    def _take(self, linear16: bytes) -> None:
        now = self._loop.time()
        self.heard += linear16
        self.arrivals.append((now, len(linear16)))
        samples = samples_from_linear16(linear16)
        if np.abs(samples.astype(np.int32)).max(initial=0) >= _LOUD:
            self._loud_at = now
        if self._echo is not None:
            self._coming_back.append(samples)
        self._news.set()

    def _excuse(self, late_seconds: float) -> None:
        """We were late ourselves: what was said meanwhile waits to be read, and is no quiet."""
        if self._loud_at is not None and late_seconds > _FRAME_SECONDS:
            self._loud_at += late_seconds

    def _is_quiet(self, quiet_seconds: float) -> bool:
        return self._loud_at is not None and self._loop.time() - self._loud_at >= quiet_seconds

    def _over(self) -> None:
        self.was_hung_up = True
        self._news.set()


@asynccontextmanager
async def handset(
    host: str, port: int, call_id: str, echo: LineEcho | None = None, peer: Peer | None = None
) -> AsyncIterator[Handset]:
    """A call on a telephone of its own, hung up at the end; over AudioSocket unless a peer says otherwise."""
    reader, writer = await asyncio.open_connection(host, port)
    peer = peer or AudioSocketPeer()
    phone = Handset(reader, writer, peer, echo)
    writer.write(peer.greeting(call_id))
    running = asyncio.create_task(phone.run())
    try:
        yield phone
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        with suppress(OSError):
            writer.write(peer.goodbye())
            if writer.can_write_eof() and not writer.is_closing():
                writer.write_eof()
            async with asyncio.timeout(2.0):
                await reader.read(-1)
        writer.close()


def between_pauses(samples: Samples, *, pause_seconds: float = 0.6) -> list[Samples]:
    """A recording's sentences: what lies between its pauses, with a little silence around each."""
    frames = len(samples) // _FRAME
    if not frames:
        return []
    rms = np.sqrt((samples[: frames * _FRAME].astype(np.float64).reshape(frames, _FRAME) ** 2).mean(axis=1))
    loud = np.flatnonzero(rms > _VOICE)
    if not loud.size:
        return []
    cuts = np.flatnonzero(np.diff(loud) * _FRAME_SECONDS >= pause_seconds)
    starts, ends = [loud[0], *loud[cuts + 1]], [*loud[cuts], loud[-1]]
    pad = samples_from_ms(200)
    return [
        samples[max(0, int(a) * _FRAME - pad) : (int(b) + 1) * _FRAME + pad]
        for a, b in zip(starts, ends, strict=True)
    ]


def seconds_of(linear16: bytes) -> float:
    """How long audio is."""
    return len(linear16) / 2 / SAMPLE_RATE_HERTZ
