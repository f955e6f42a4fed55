"""How much of what a peer was sent the caller has heard, by the marks that the peer returns. No I/O.

A mark goes out behind a phrase and comes back when everything before it was played. Speech leaves at its
own pace, so a peer that plays all as it comes returns the mark in the moment the phrase ends. How much later
it really comes is what lies between us and the caller's ear: the way, a buffer, and the way back, which the
caller's voice has to go as well.

A peer that has never returned a mark is believed to have no delay, as are those whose protocol has none.
"""

from collections import OrderedDict
from typing import Final

from slukh.types import SAMPLE_RATE_HERTZ

_BYTES_PER_SECOND: Final = 2 * SAMPLE_RATE_HERTZ
# Marks that are waited for: a peer that returns none must not cost memory.
_MOST_PENDING: Final = 64


class Playout:
    """One connection's."""

    def __init__(self) -> None:
        self._sent = 0  # bytes, linear 16-bit
        self._ends_at = 0.0  # when they are over, without any delay
        self._pending: OrderedDict[str, tuple[int, float]] = OrderedDict()  # name -> the two at that moment
        self._played = 0  # bytes, certainly
        self._delay: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether no mark is waited for."""
        return not self._pending

    @property
    def has_returned(self) -> bool:
        """Whether the peer has ever returned a mark."""
        return self._delay is not None

    def sent(self, linear16_bytes: int, now: float) -> None:
        """Audio left."""
        self._sent += linear16_bytes
        self._ends_at = max(self._ends_at, now) + linear16_bytes / _BYTES_PER_SECOND

    def mark(self, name: str) -> None:
        """A mark left, behind all that was sent."""
        self._pending[name] = (self._sent, self._ends_at)
        if len(self._pending) > _MOST_PENDING:
            self._pending.popitem(last=False)

    def returned(self, name: str, now: float) -> None:
        """A mark came back; one that is not waited for, such as of what was taken back, says nothing."""
        if name not in self._pending:
            return
        while self._pending:
            oldest, (self._played, ends_at) = self._pending.popitem(last=False)
            self._delay = max(0.0, now - ends_at)
            if oldest == name:
                break

    def unheard(self, now: float) -> int:
        """Bytes of what was sent that the caller has not heard yet."""
        if self._delay is None:
            return 0
        _, ends_at = next(iter(self._pending.values()), (0, now))
        left = self._ends_at + max(self._delay, now - ends_at) - now  # a mark that is overdue says so
        return max(0, min(self._sent - self._played, 2 * round(left * SAMPLE_RATE_HERTZ)))

    def take_back(self, now: float) -> int:
        """What the caller has not heard is taken back: how much that was. Marks that come for it are void."""
        unheard = self.unheard(now)
        self._pending.clear()
        self._played, self._ends_at = self._sent, now
        return unheard
