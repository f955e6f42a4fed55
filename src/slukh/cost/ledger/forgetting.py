"""A caller is forgotten: what their calls used stays for the books, whose calls they were does not."""

import json
from collections.abc import Callable, Collection

from sqlalchemy import delete, func, select

from slukh.cost.ledger.store import Ledger
from slukh.cost.ledger.tables import CALLS, CONFLICTS, PHRASE_WITNESSES, USAGE


def calls_of(ledger: Ledger, caller: str) -> tuple[str, ...]:
    """The calls of a caller's hash.

    Raises:
        LedgerError: the store cannot be read.
    """
    with ledger.reading() as connection:
        return tuple(connection.scalars(select(CALLS.c.call_id).where(CALLS.c.caller == caller).distinct()))


def usage_rows_of(ledger: Ledger, call_ids: Collection[str]) -> int:
    """How many usage rows these calls have.

    Raises:
        LedgerError: the store cannot be read.
    """
    with ledger.reading() as connection:
        query = select(func.count()).select_from(USAGE).where(USAGE.c.call_id.in_(call_ids))
        return connection.execute(query).scalar_one()


def forget_callers_of(ledger: Ledger, call_ids: Collection[str]) -> int:
    """Take the caller's hash out of everything about these calls; of how many rows.

    Raises:
        LedgerError: the store cannot be written now.
    """
    is_theirs = (CALLS.c.call_id.in_(call_ids), CALLS.c.caller.is_not(None))
    aside = select(CONFLICTS.c.digest, CONFLICTS.c.payload).where(CONFLICTS.c.call_id.in_(call_ids))
    with ledger.writing() as connection:
        forgotten = connection.execute(CALLS.update().where(*is_theirs).values(caller=None)).rowcount
        for digest, payload in connection.execute(aside).all():
            told = json.loads(payload)
            if told.get("caller") is not None:
                without = json.dumps(told | {"caller": None}, sort_keys=True)
                is_this = CONFLICTS.c.digest == digest
                connection.execute(CONFLICTS.update().where(is_this).values(payload=without))
                forgotten += 1
    return forgotten


def forget_witness(ledger: Ledger, witness_of: Callable[[str], str]) -> int:
    """Take a caller out of those who heard phrases that too few have heard; out of how many phrases.

    Args:
        ledger: with a tally of phrases, see `phrases.py`.
        witness_of: the caller's witness of a phrase, given that by its digest.

    Raises:
        LedgerError: the store cannot be written now.
    """
    heard = PHRASE_WITNESSES.c
    with ledger.writing() as connection:
        known = connection.execute(select(heard.subject, heard.witness)).all()
        theirs = [witness for subject, witness in known if witness == witness_of(subject)]
        for witness in theirs:
            connection.execute(delete(PHRASE_WITNESSES).where(heard.witness == witness))
    return len(theirs)
