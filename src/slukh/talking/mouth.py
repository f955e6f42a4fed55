"""Plays phrases to a line, at the pace of `pace.py`: the one place from which a caller is sent speech."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from slukh.audio import samples_from_linear16
from slukh.talking.echo import EchoGuard
from slukh.talking.pace import Pace
from slukh.telephony.line import FRAME_BYTES, Line


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

    Args:
        line: whom it speaks to.
        guard: told of every frame.
    """

    def __init__(self, line: Line, guard: EchoGuard) -> None:
        self._line = line
        self._guard = guard
        self._loop = asyncio.get_running_loop()
        self._pace = Pace()

    @property
    def quiet_at(self) -> float:
        """When the caller has heard all that was played so far."""
        return self._pace.due

    async def play(self, audio: AsyncIterator[bytes], playing: Playing) -> None:
        """Play a phrase to its end. Raises what its audio raises; cancelled, it stops at the next frame."""
        rest = b""
        async for piece in audio:
            rest += piece
            whole = len(rest) - len(rest) % FRAME_BYTES
            for start in range(0, whole, FRAME_BYTES):
                await self._send(rest[start : start + FRAME_BYTES], playing)
            rest = rest[whole:]
        if rest:
            await self._send(rest, playing)

    async def _send(self, frame: bytes, playing: Playing) -> None:
        if wait := self._pace.wait(self._loop.time()):
            await asyncio.sleep(wait)
        now = self._loop.time()
        self._pace.left(now)
        whole = frame.ljust(FRAME_BYTES, b"\0")
        await self._line.send_audio(whole)
        self._guard.sent(samples_from_linear16(whole), now)
        playing.played += len(frame)
        if playing.began_at is None:
            playing.began_at = now
