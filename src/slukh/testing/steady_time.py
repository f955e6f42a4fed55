"""An event loop whose clock counts what was waited for, and not what the machine kept from us.

Time passes only while the loop waits, and then no longer than it asked to wait. So a machine that gives the
process no processor for a second, or a garbage collection in the middle of a phrase, moves no frame: what is
20 ms apart in the loop's time was meant to be. What is slow because of us is a matter of `bench/`.

For both ends of a connection in one process, with everything they do between them timed by the loop. A child
or a server that keeps real time would find us ever later. Sockets and threads are waited for as long as they
take, in the loop's time as well: a timeout still ends what hangs.
"""

import asyncio
import selectors
import time


class _CountingSelector(selectors.DefaultSelector):
    """Waits as it is asked to, and counts that."""

    waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        began = time.monotonic()
        ready = super().select(timeout)
        took = time.monotonic() - began
        self.waited += took if timeout is None else min(took, max(0.0, timeout))
        return ready


class SteadyTimeLoop(asyncio.SelectorEventLoop):
    """See the module. Its time begins at 0."""

    def __init__(self) -> None:
        self._counting = _CountingSelector()
        super().__init__(self._counting)

    def time(self) -> float:
        """Seconds that were waited for so far."""
        return self._counting.waited

    def leap(self, seconds: float) -> None:
        """The machine gives the process no processor for so long, and this time it counts."""
        self._counting.waited += seconds
