"""Calls of a period out of the ledger, whole and one after the other, in bounded memory."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import func, select

from slukh.cost.ledger import CallRecord, Ledger, newest_facts
from slukh.cost.ledger_tables import CALLS, USAGE, facts_of, microseconds, usage_of
from slukh.cost.meter import CallFacts
from slukh.types import Usage

_PAGE = 500


def each_call(ledger: Ledger, *, since: datetime, until: datetime) -> Iterator[CallRecord]:
    """Calls that started in a period, by call_id, with all their legs and all their usage.

    Args:
        ledger: where they are.
        since: first moment.
        until: first moment after it.

    Raises:
        LedgerError: the store cannot be read.
    """
    began = func.min(CALLS.c.started_at_us)
    query = (
        select(CALLS.c.call_id)
        .group_by(CALLS.c.call_id)
        .having(began >= microseconds(since), began < microseconds(until))
        .order_by(CALLS.c.call_id)
        .limit(_PAGE)
    )
    after = ""
    while True:
        with ledger.reading() as connection:
            page = list(connection.scalars(query.where(CALLS.c.call_id > after)))
            legs: dict[str, list[CallFacts]] = defaultdict(list)
            usage: dict[str, list[Usage]] = defaultdict(list)
            facts = newest_facts().where(CALLS.c.call_id.in_(page)).order_by(CALLS.c.call_id, CALLS.c.leg)
            for mapping in connection.execute(facts).mappings():
                legs[mapping["call_id"]].append(facts_of(mapping))
            rows = (
                select(USAGE)
                .where(USAGE.c.call_id.in_(page))
                .order_by(USAGE.c.call_id, USAGE.c.leg, USAGE.c.component, USAGE.c.sequence)
            )
            for row in map(usage_of, connection.execute(rows)):
                usage[row.call_id].append(row)
        for call_id in page:
            yield CallRecord(legs=tuple(legs[call_id]), usage=tuple(usage[call_id]))
        if len(page) < _PAGE:
            return
        after = page[-1]
