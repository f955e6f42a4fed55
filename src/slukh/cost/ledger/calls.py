"""Calls of a period out of the ledger, whole and one after the other, in bounded memory.

What was used beside them, for nobody's call, comes by itself.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import and_, exists, func, or_, select

from slukh.cost.ledger.store import CallRecord, Ledger, newest_facts
from slukh.cost.ledger.tables import CALLS, USAGE, facts_of, usage_of
from slukh.cost.meter import CLIP_IDS, PHRASE_IDS, CallFacts
from slukh.databases import microseconds, moment_at
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


def first_call_at(ledger: Ledger) -> datetime | None:
    """When the ledger's first call started; None before there was one. Raises LedgerError."""
    with ledger.reading() as connection:
        first = connection.scalar(select(func.min(CALLS.c.started_at_us)))
    return None if first is None else moment_at(first)


def calls_of_month(ledger: Ledger, *, since: datetime, until: datetime, provider: str) -> tuple[int, int]:
    """How many calls started in a period, and how long a recogniser heard what started in it, in ms.

    Raises:
        LedgerError: the store cannot be read.
    """
    within = CALLS.c.started_at_us >= microseconds(since), CALLS.c.started_at_us < microseconds(until)
    before = CALLS.alias("before")
    began_before = exists().where(
        before.c.call_id == CALLS.c.call_id, before.c.started_at_us < microseconds(since)
    )
    began = (CALLS.c.leg == 1) | ~began_before  # only a call that came back has to be looked up
    with ledger.reading() as connection:
        calls = connection.scalar(select(func.count(CALLS.c.call_id.distinct())).where(*within, began))
        # The row of a leg's start has heard nothing yet.
        heard = select(func.sum(CALLS.c.heard_ms)).where(*within, CALLS.c.provider == provider)
        return calls or 0, int(connection.scalar(heard) or 0)


def usage_beside_calls(ledger: Ledger, *, since: datetime, until: datetime) -> tuple[Usage, ...]:
    """What was used in a period for nobody's call: stored clips, and phrases that were made beforehand.

    Args:
        ledger: where it is.
        since: first moment.
        until: first moment after it.

    Raises:
        LedgerError: the store cannot be read.
    """
    # The range is what the key's index knows: behind these beginnings a UUID follows.
    kinds = (
        and_(USAGE.c.call_id.between(ids, f"{ids}g"), USAGE.c.call_id.startswith(ids))
        for ids in (CLIP_IDS, PHRASE_IDS)
    )
    query = (
        select(USAGE)
        .where(or_(*kinds))
        .where(USAGE.c.occurred_at_us >= microseconds(since), USAGE.c.occurred_at_us < microseconds(until))
        .order_by(USAGE.c.occurred_at_us, USAGE.c.call_id)
    )
    with ledger.reading() as connection:
        return tuple(map(usage_of, connection.execute(query)))
