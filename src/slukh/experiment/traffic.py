"""How many calls there are: at the busiest moment, and in a month."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import accumulate

from slukh.experiment.evidence import CallRow

_MONTH = timedelta(days=30)


def busiest(calls: Sequence[CallRow]) -> int:
    """Calls on the line at the busiest moment; one that ends as another begins makes room for it."""
    moments = [(call.started_at, 1) for call in calls] + [(call.ended_at, -1) for call in calls]
    return max(accumulate(change for _, change in sorted(moments)), default=0)


def a_month(calls: Sequence[CallRow]) -> float:
    """Calls in 30 days at the pace of these; 0 where there is none yet."""
    if not calls:
        return 0.0
    first, last = min(call.started_at for call in calls), max(call.ended_at for call in calls)
    # A day is the least that says anything of a month.
    return len(calls) * (_MONTH / max(last - first, timedelta(days=1)))
