"""Plays phrases to a line, at the pace of `pace.py`: the one place from which a caller is sent speech."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from slukh.audio import samples_from_linear16
from slukh.talking.echo import EchoGuard
from slukh.talking.pace import Pace
from slukh.telephony.line import FRAME_BYTES, Earpiece

# What a peer may be behind with our words before nobody waits for it any more.
LAST_MARK_SECONDS: Final = 2.0
_LATELY: Final = 16  # phrases: a peer holds a few seconds at most


@dataclass(slots=True)
class Playing:
    """A phrase on its way to the caller.

    Attributes:
        played: bytes of it that have left.
        unheard: of those, what the caller did not hear, because it was taken back.
        began_at: when its first frame left, or None.
    """

    played: int = 0
    unheard: int = 0
    began_at: float | None = None

    @property
    def heard(self) -> int:
        """Bytes of it that the caller heard."""
        return self.played - self.unheard


class Mouth:
    """One call's.

    Args:
        line: whom it speaks to.
        guard: told of every frame.
    """

    def __init__(self, line: Earpiece, guard: EchoGuard) -> None:
        self._line = line
        self._guard = guard
        self._loop = asyncio.get_running_loop()
        self._pace = Pace()
        self._lately: deque[Playing] = deque(maxlen=_LATELY)

    @property
    def quiet_at(self) -> float:
        """When the caller has heard all that was played so far."""
        return self._pace.due

    async def until_heard(self) -> None:
        """Wait until the caller has heard all that was played, as far as the peer says so."""
        await self._line.until_played(within=LAST_MARK_SECONDS)

    def hush(self) -> int:
        """The caller speaks: what was sent and not heard yet is taken back from the line; how many bytes."""
        taken_back = unheard = self._line.flush()
        while self._lately:
            playing = self._lately.pop()
            playing.unheard = min(unheard, playing.played)
            unheard -= playing.unheard
        return taken_back

    async def play(self, audio: AsyncIterator[bytes], playing: Playing) -> None:
        """Play a phrase to its end. Raises what its audio raises; cancelled, it stops at the next frame."""
        rest = b""
        self._lately.append(playing)
        async for piece in audio:
            rest += piece
            whole = len(rest) - len(rest) % FRAME_BYTES
            for start in range(0, whole, FRAME_BYTES):
                await self._send(rest[start : start + FRAME_BYTES], playing)
            rest = rest[whole:]
        if rest:
            await self._send(rest, playing)
        self._line.mark()

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
