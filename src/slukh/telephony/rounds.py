"""When lines are read: together, and the less often the more they are."""

import asyncio

from slukh.telephony.line import FRAME_SECONDS


class Rounds:
    """Lets the lines of a loop be read together, and the less often the more they are.

    Reading and handing on costs about the same for three frames as for one, and most of it is the system's.
    So a line that was read rests until the next round; the system keeps meanwhile what comes. Few lines are
    read as their frames come: audio waits no longer than a busy gateway makes it.

    Args:
        seconds_per_line: how long a round takes for each line; below a frame's 20 ms (40 lines) nobody rests.
        longest_seconds: whatever the number of lines.
    """

    def __init__(self, seconds_per_line: float = 0.0005, longest_seconds: float = 0.1) -> None:
        self._seconds_per_line = seconds_per_line
        self._longest = longest_seconds
        self._resting: list[asyncio.Transport] = []
        self.lines = 0

    def rest(self, transport: asyncio.Transport) -> None:
        """A line has been read: it is read again in the next round."""
        wait = min(self._longest, self.lines * self._seconds_per_line)
        if wait < FRAME_SECONDS or transport.is_closing():
            return
        transport.pause_reading()
        if not self._resting:
            asyncio.get_running_loop().call_later(wait, self._begin)
        self._resting.append(transport)

    def _begin(self) -> None:
        resting, self._resting = self._resting, []
        for transport in resting:
            if not transport.is_closing():
                transport.resume_reading()
