"""Who is decoded next: a pure priority queue, so that a burst of interims never delays a caller's final.

Finals go before speculative finals, those before interims, and what runs in the background comes last;
within a kind, whoever came first. A newer interim takes the place of one of the same stream that still waits,
because nobody wants the older one any more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from slukh.stt.whisper.decoding import DecodeRequest, Kind

_RANK: dict[Kind, int] = {"final": 0, "speculative": 1, "interim": 2, "background": 3}


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

    def take(self) -> Ticket | None:
        """The next to be served, or None when nobody waits."""
        if not self._waiting:
            return None
        ticket = min(self._waiting.values(), key=lambda waiting: (_RANK[waiting.rank], waiting.number))
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
        wanted = (
            ticket.since for ticket in self._waiting.values() if ticket.rank not in {"interim", "background"}
        )
        return min(wanted, default=None)
