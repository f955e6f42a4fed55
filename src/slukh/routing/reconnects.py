"""How often a failing recogniser is connected to: few times, and not by all calls at once."""

from collections import deque
from collections.abc import Callable


class Reconnects:
    """Full jitter, and a cap on the connections to one failing provider or server.

    Asked only while its breaker `is_failing`: a healthy provider is connected to as often as callers speak.
    Callers' reconnects and the breaker's probes both ask. Whom the cap refuses goes to a backup, or waits for
    `delay` and asks again.

    Args:
        draw: random numbers, 0 <= n < 1.
        per_call: connections for every running call within the window.
        window_seconds: the window, which slides.
        first_seconds: the first reconnect waits up to this long, so that 200 calls which fail together come
            back over more than a second; doubles with every failure.
        max_seconds: and no longer than this.

    Source: "full jitter" of https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    FEWEST = 3  # within a window: the probes of one recovery while nobody calls

    def __init__(
        self,
        *,
        draw: Callable[[], float],
        per_call: float = 1.2,
        window_seconds: float = 10.0,
        first_seconds: float = 1.5,
        max_seconds: float = 10.0,
    ) -> None:
        self._draw = draw
        self._per_call = per_call
        self._window = window_seconds
        self._first = first_seconds
        self._max = max_seconds
        self._taken: deque[float] = deque()

    def delay(self, failures: int) -> float:
        """Seconds to wait before a reconnect after so many failures of the same utterance (1, 2, ...)."""
        # The exponent is bounded: a float overflows at 2 ** 1024.
        return self._draw() * min(self._max, self._first * 2.0 ** min(max(failures, 1) - 1, 32))

    def take(self, now: float, calls: int) -> bool:
        """Whether one more connection may be opened now; it counts when it may.

        Args:
            now: monotonic seconds.
            calls: that are running. Three connections are allowed however few they are.
        """
        while self._taken and now - self._taken[0] >= self._window:
            self._taken.popleft()
        if len(self._taken) >= max(self.FEWEST, int(self._per_call * calls)):
            return False
        self._taken.append(now)
        return True
