"""What is remembered of a recogniser's health, and where: the seam at which gateways could share it."""

from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["closed", "open", "half_open", "recovering"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is remembered of a provider: all that gateways would share.

    Attributes:
        state: where the table has it.
        since: when it came there.
        cooled_at: when an open breaker may be probed.
        openings: openings without a calm time between them.
        is_permanent: it was opened by an error that only an operator can mend.
        probes_worked: in this half-open, one after the other.
        probe_at: when the probe under way began, or None.
        probe_ended_at: when the last one of this half-open ended, or None.
    """

    state: State = "closed"
    since: float = float("-inf")
    cooled_at: float = 0.0
    openings: int = 0
    is_permanent: bool = False
    probes_worked: int = 0
    probe_at: float | None = None
    probe_ended_at: float | None = None


_UNKNOWN = Standing()


class BreakerStore(Protocol):
    """Where standings are kept. Breakers that share a store open together; they must share a clock too."""

    def load(self, key: str) -> Standing:
        """The standing of a provider or server; a closed one when nothing is known."""

    def save(self, key: str, standing: Standing) -> None:
        """Keep it."""


class MemoryBreakerStore:
    """Standings of this process."""

    def __init__(self) -> None:
        self._standings: dict[str, Standing] = {}

    def load(self, key: str) -> Standing:
        """The standing of a provider or server."""
        return self._standings.get(key, _UNKNOWN)

    def save(self, key: str, standing: Standing) -> None:
        """Keep it."""
        self._standings[key] = standing
