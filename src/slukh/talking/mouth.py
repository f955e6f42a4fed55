"""Plays phrases to a line: 20 ms every 20 ms, on one clock from the first frame to the last.

Frames leave on a schedule that does not drift, however long the speech. A frame that is late by a moment is
followed by the next one on time; when it is late by more than two frames (we were stalled, the voice was
slow, the peer took nothing), the schedule begins anew from there, because what is late is not to be made up
for: Asterisk would get a burst.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from slukh.audio import samples_from_linear16
from slukh.talking.echo import EchoGuard
from slukh.telephony.line import FRAME_BYTES, FRAME_SECONDS, Line

_LATE_SECONDS: Final = 2 * FRAME_SECONDS


@dataclass(slots=True)
class Playing:
    """A phrase on its way to the caller.

    Attributes:
        played: bytes of it that have left.
        began_at: when its first frame left, or None.
    """

    played: int = 0
    began_at: float | None = None


class Mouth:
    """One call's.

    Attributes:
        underruns: times that a phrase had no audio ready when it was due.
        lateness: of every frame against its schedule, in seconds, when somebody wants to know.

    Args:
        line: whom it speaks to.
        guard: told of every frame.
    """

    def __init__(self, line: Line, guard: EchoGuard, lateness: list[float] | None = None) -> None:
        self.underruns = 0
        self.lateness = lateness
        self._line = line
        self._guard = guard
        self._loop = asyncio.get_running_loop()
        self._due = 0.0

    @property
    def quiet_at(self) -> float:
        """When the caller has heard all that was played so far."""
        return self._due

    async def play(self, audio: AsyncIterator[bytes], playing: Playing) -> None:
        """Play a phrase to its end. Raises what its audio raises; cancelled, it stops at the next frame."""
        rest = b""
        async for piece in audio:
            if playing.played and self._loop.time() - self._due > _LATE_SECONDS:
                self.underruns += 1
            rest += piece
            whole = len(rest) - len(rest) % FRAME_BYTES
            for start in range(0, whole, FRAME_BYTES):
                await self._send(rest[start : start + FRAME_BYTES], playing)
            rest = rest[whole:]
        if rest:
            await self._send(rest, playing)

    async def _send(self, frame: bytes, playing: Playing) -> None:
        now = self._loop.time()
        if self._due > now:
            await asyncio.sleep(self._due - now)
            now = self._loop.time()
        elif now - self._due > _LATE_SECONDS:
            self._due = now
        if self.lateness is not None:
            self.lateness.append(now - self._due)
        self._due += FRAME_SECONDS
        whole = frame.ljust(FRAME_BYTES, b"\0")
        await self._line.send_audio(whole)
        self._guard.sent(samples_from_linear16(whole), now)
        playing.played += len(frame)
        if playing.began_at is None:
            playing.began_at = now
