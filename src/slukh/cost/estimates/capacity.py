"""How many calls hear at once, and how many GPUs that takes: Erlang's formulas, no I/O.

    calls a month -> calls in the busy hour -> erlangs offered -> streams (Erlang B) -> GPUs, a staircase

Erlang assumes that calls arrive independently of each other and that one without a stream does not come
back (ours goes to the other recogniser). A stream is taken for the whole call: that is how
`slukh whisper check` counts them.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WORKING_DAYS = 26  # in a month, as a shop that closes on Sundays has them
BUSY_HOUR_SHARE = 0.15  # of a day's calls


def erlang_b(erlangs: float, servers: int) -> float:
    """Probability that a call finds all servers taken, and goes elsewhere.

    Args:
        erlangs: traffic offered, mean number of calls at once if none were turned away.
        servers: how many there are, 0 or more.
    """
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = erlangs * blocked / (number + erlangs * blocked)
    return blocked


def servers_for(erlangs: float, *, blocking: float) -> int:
    """The fewest servers that turn away at most this share of the calls."""
    blocked, number = 1.0, 0
    while blocked > blocking:
        number += 1
        blocked = erlangs * blocked / (number + erlangs * blocked)
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """When calls come, and how long they last.

    Attributes:
        call_seconds: mean length of a call.
        working_days: days of a month on which calls come.
        busy_hour_share: share of a day's calls that its busiest hour has.
        hourly_profile: shares of a day's calls by hour, adding up to 1; empty: only the busy hour is known,
            and every call is taken to come at its rate.
    """

    call_seconds: float
    working_days: int = WORKING_DAYS
    busy_hour_share: float = BUSY_HOUR_SHARE
    hourly_profile: tuple[float, ...] = ()

    def erlangs(self, calls_per_month: float, share_of_day: float) -> float:
        """Calls at once in an hour that has a share of a day's calls."""
        return calls_per_month / self.working_days * share_of_day * self.call_seconds / 3600

    def busy_hour_erlangs(self, calls_per_month: float) -> float:
        """Calls at once in the busiest hour."""
        return self.erlangs(calls_per_month, self.busy_hour_share)

    def overflow_share(self, calls_per_month: float, streams: int) -> float:
        """Share of a month's calls that find all streams taken."""
        if not self.hourly_profile:
            return erlang_b(self.busy_hour_erlangs(calls_per_month), streams)
        return sum(
            share * erlang_b(self.erlangs(calls_per_month, share), streams) for share in self.hourly_profile
        )

    def utilisation(self, calls_per_month: float, streams: int) -> float:
        """Share of all hours of a month of 30 days in which a stream has a call."""
        return calls_per_month * self.call_seconds / (streams * 30 * 24 * 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How GPUs are counted.

    Attributes:
        streams_per_gpu: calls that one GPU hears at once.
        blocking: share of the busy hour's calls that may find no stream.
        spare_gpus: those beyond what the traffic needs: 1 is N+1.
    """

    streams_per_gpu: int = 8
    blocking: float = 0.001
    spare_gpus: int = 0

    def gpus(self, calls_per_month: float, traffic: Traffic) -> int:
        """GPUs that hear a month's calls on their own."""
        streams = servers_for(traffic.busy_hour_erlangs(calls_per_month), blocking=self.blocking)
        return math.ceil(streams / self.streams_per_gpu) + self.spare_gpus

    def steps(self, most_calls: int, traffic: Traffic) -> Iterator[tuple[int, int, int]]:
        """The staircase up to a volume: (first calls a month, last, GPUs) of each step."""
        first = 1
        while first <= most_calls:
            gpus = self.gpus(first, traffic)
            after = _first_above(gpus, range(first, most_calls + 1), self, traffic)
            yield first, after - 1, gpus
            first = after


def _first_above(gpus: int, volumes: Sequence[int], fleet: Fleet, traffic: Traffic) -> int:
    found = bisect_left(volumes, gpus + 1, key=lambda calls: fleet.gpus(calls, traffic))
    return volumes[0] + found
