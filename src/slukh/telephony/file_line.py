"""A recording that behaves as a call."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Literal

from slukh.audio_files import Recording
from slukh.telephony.clock import FRAME_SAMPLES, Heard
from slukh.telephony.line import LineEvent
from slukh.types import CallEnded, seconds


class FileLine:
    """A recording that behaves as a call (`slukh.telephony.line.Line`).

    Attributes:
        played: linear16 at 8 kHz that was sent to this caller.

    Args:
        recording: what the caller says; he hangs up at its end.
        paced: at the pace of speech, on a schedule that does not drift; else as fast as it is taken.
    """

    def __init__(self, recording: Recording, *, paced: bool) -> None:
        self.played = bytearray()
        self._samples = recording.samples
        self._paced = paced
        self._end: Literal["hangup", "gateway", "drained"] = "hangup"

    async def events(self, hear: Callable[[Heard], None] | None = None) -> AsyncIterator[LineEvent]:
        """20 ms at a time, then `CallEnded`."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        position = 0
        while position < len(self._samples) and self._end == "hangup":
            frame = self._samples[position : position + FRAME_SAMPLES]
            due = began + seconds(position + len(frame))
            await asyncio.sleep(max(0.0, due - loop.time()) if self._paced else 0.0)
            if hear is None:
                yield Heard(frame, position)
            else:
                hear(Heard(frame, position))
            position += len(frame)
        yield CallEnded(position=position, reason=self._end, heard=position)

    async def send_audio(self, linear16: bytes) -> None:
        """Keep what the caller would hear."""
        self.played += linear16

    def mark(self) -> None:
        """Nothing is late on the way to a recording."""

    async def until_played(self, within: float) -> None:
        """Nothing is waited for, therefore."""

    def flush(self) -> int:
        """A recording plays nothing."""
        return 0

    async def hang_up(self, reason: Literal["gateway", "drained"] = "gateway") -> None:
        """Stop at the next frame."""
        self.stop(reason)

    def stop(self, reason: Literal["gateway", "drained"]) -> None:
        """The same, at once."""
        self._end = reason
