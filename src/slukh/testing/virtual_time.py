"""An event loop whose clock jumps: what takes an hour of calls takes as long as its arithmetic.

    asyncio.run(hour_of_calls(), loop_factory=VirtualTimeLoop)     # Python 3.12
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner: ...

Only for what lives in one process: while a socket or a child is waited for, its clock would run away.
"""

import asyncio
import selectors


class _JumpingSelector(selectors.SelectSelector):
    """Waits for nobody: it tells how long it was asked to wait."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing is due and nothing will ever happen: something is waited for in vain")
        self.skipped += max(0.0, timeout)
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """See the module. Its time begins at 0."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds that were waited for so far."""
        return self._jumping.skipped
