"""A telephone line: what a call is to the rest of the house.

In use:

    async for event in line.events():       # Heard, Dtmf, AudioGap, then exactly one CallEnded
        ...
    await line.send_audio(linear16)         # meanwhile, from another task
    await line.hang_up()
"""

from collections.abc import AsyncIterator, Callable
from typing import Final, Literal, Protocol

from slukh.telephony.clock import Heard
from slukh.types import SAMPLE_RATE_HERTZ, AudioGap, CallEnded, Dtmf

LineEvent = Heard | Dtmf | AudioGap | CallEnded

FRAME_SECONDS: Final = 0.02
FRAME_BYTES: Final = 2 * SAMPLE_RATE_HERTZ // 50


class Earpiece(Protocol):
    """The half of a line that the caller hears: all of it to whoever speaks."""

    async def send_audio(self, linear16: bytes) -> None:
        """Play 8 kHz audio of any length to the caller; waits while the peer does not take it.

        A line that is gone takes everything and says nothing: its `CallEnded` tells.
        """

    def mark(self) -> None:
        """A phrase is over: the peer is to say when it has played it, where its protocol can. Never waits."""

    async def until_played(self, within: float) -> None:
        """Wait until the peer has said so of every mark, or the line is gone.

        Args: within: seconds at most, for a peer that says nothing.
        """

    def flush(self) -> int:
        """Let the peer forget audio that it has not played to the caller.

        Returns: bytes of what was sent that the caller has not heard, as far as marks tell.
        """

    async def hang_up(self, reason: Literal["gateway", "drained"] = "gateway") -> None:
        """End the call from our side; `events` then ends with this reason. Idempotent."""


class Line(Earpiece, Protocol):
    """One leg of a call, both directions."""

    def events(self, hear: Callable[[Heard], None] | None = None) -> AsyncIterator[LineEvent]:
        """What happens on the line, in order, ending with exactly one `CallEnded`. To be asked for once.

        Args:
            hear: takes the audio, the moment it comes; it is not among the events then. What it raises is
                raised here.
        """
