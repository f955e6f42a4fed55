"""When frames leave: 20 ms every 20 ms, on one clock from the first to the last. No I/O; `now` is passed in.

A frame's moment is counted from the schedule and not from when the one before it left, so that no lateness
adds up, however long the speech. One that is late by a moment is followed by the next one on time. When it is
late by more than `LATE_SECONDS` (we were stalled, the voice was slow, the peer took nothing), the schedule
begins anew from there, because what is late is not to be made up for: Asterisk would get a burst.
"""

from typing import Final

from slukh.telephony.line import FRAME_SECONDS

LATE_SECONDS: Final = 2 * FRAME_SECONDS


class Pace:
    """One call's.

    Attributes:
        due: when the next frame is to leave; before that the caller still hears the last one.
    """

    def __init__(self) -> None:
        self.due = 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next frame may leave; 0 when it may at once."""
        return max(0.0, self.due - now)

    def left(self, now: float) -> None:
        """A frame leaves."""
        if now - self.due > LATE_SECONDS:
            self.due = now
        self.due += FRAME_SECONDS
