"""Who is decoded next: a pure priority queue, so that a burst of interims never delays a caller's final.

Finals go before speculative finals, those before interims, and what runs in the background comes last;
within a kind, whoever came first. A newer interim takes the place of one of the same stream that still waits,
because nobody wants the older one any more. What runs cannot be stopped, so of several workers the last free
one is kept for finals: else each would wait for the interim that its caller's pause has just made stale.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from slukh.stt.whisper.decoding import DecodeRequest, Kind

_RANK: dict[Kind, int] = {"final": 0, "speculative": 1, "interim": 2, "background": 3}
_WAITED_FOR = frozenset({"final", "speculative"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A request that waits.

    Attributes:
        number: its place in the order of arrival.
        request: what is wanted.
        rank: kind it is served as; a speculative one that is waited for is served as a final.
        since: when it came, on the caller's clock, in seconds.
    """

    number: int
    request: DecodeRequest
    rank: Kind
    since: float


class DecodeQueue:
    """Requests that wait for a worker."""

    def __init__(self) -> None:
        self._waiting: dict[int, Ticket] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, number: int, request: DecodeRequest, now: float) -> tuple[int, ...]:
        """Queue a request under a number that only grows.

        Returns:
            Numbers of the interims it replaces.
        """
        replaced: tuple[int, ...] = ()
        if request.kind == "interim":
            replaced = tuple(
                ticket.number
                for ticket in self._waiting.values()
                if ticket.rank == "interim" and ticket.request.stream == request.stream
            )
            self.discard(replaced)
        self._waiting[number] = Ticket(number=number, request=request, rank=request.kind, since=now)
        return replaced

    def take(self, *, finals_only: bool = False) -> Ticket | None:
        """The next to be served, or None when nobody waits.

        Args:
            finals_only: pass over what no caller waits for.
        """
        waiting = [t for t in self._waiting.values() if not finals_only or t.rank in _WAITED_FOR]
        if not waiting:
            return None
        ticket = min(waiting, key=lambda ticket: (_RANK[ticket.rank], ticket.number))
        return self._waiting.pop(ticket.number)

    def hasten(self, request: DecodeRequest) -> None:
        """Serve this very request as a final, if it still waits."""
        for ticket in self._waiting.values():
            if ticket.request is request:
                self._waiting[ticket.number] = replace(ticket, rank="final")
                return

    def discard(self, numbers: Iterable[int]) -> None:
        """Forget requests; unknown numbers are ignored."""
        for number in numbers:
            self._waiting.pop(number, None)

    def oldest(self) -> float | None:
        """When the final that waits longest came, or None. Nobody waits for interims and shadows."""
        return min((t.since for t in self._waiting.values() if t.rank in _WAITED_FOR), default=None)
