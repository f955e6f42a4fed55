"""Phrases that callers were to hear, as the ledger knows them: counts by digest, words where they may stand.

    phrases           (phrase, provider, voice) -> how often, how often it was made for that
    phrase_words      subject -> text: what was declared, or what enough callers heard; see `phrase_tally.py`
    phrase_witnesses  (subject, witness) -> the callers there were so far, until there are enough

Unlike the rest of the ledger this is a tally: a crash may cost it some seconds of counts, and what nobody was
told for `FORGOTTEN_DAYS` is deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, select

from slukh.cost.ledger.store import Ledger
from slukh.cost.ledger.tables import PHRASE_WITNESSES, PHRASE_WORDS, PHRASES
from slukh.cost.phrase_tally import FEWEST_CALLERS, PhraseCount, Tallied, Words
from slukh.databases import inserting, microseconds

FORGOTTEN_DAYS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPhrase:
    """A phrase of one voice.

    Attributes:
        count: how often it was said.
        text: its words; None where they may be somebody's.
    """

    count: PhraseCount
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownShape:
    """Sentences of one voice that differ in a number only.

    Attributes:
        provider: whose voice.
        voice: which one.
        language_code: BCP-47.
        text: the shape.
        sentences: how many different ones were said.
        times: how often, all together.
        sent: of them, those that were made for it.
    """

    provider: str
    voice: str
    language_code: str
    text: str
    sentences: int
    times: int
    sent: int


def record_phrases(ledger: Ledger, tallied: Tallied, *, now: datetime) -> None:
    """Add what was counted, and forget what is old.

    Raises:
        LedgerError: the store cannot be written now; nothing was added.
    """
    moment = microseconds(now)
    old = microseconds(now - timedelta(days=FORGOTTEN_DAYS))
    with ledger.writing() as connection:
        _count(connection, tallied.counts, moment)
        for words in sorted(tallied.words, key=lambda one: (one.subject, one.witness or "")):
            _witness(connection, words, moment)
        for target in (PHRASES, PHRASE_WORDS, PHRASE_WITNESSES):
            connection.execute(delete(target).where(target.c.last_said_us < old))


def known_phrases(ledger: Ledger) -> tuple[KnownPhrase, ...]:
    """Every phrase that is not forgotten. Raises LedgerError."""
    query = select(PHRASES, PHRASE_WORDS.c.text).outerjoin_from(
        PHRASES, PHRASE_WORDS, PHRASES.c.phrase == PHRASE_WORDS.c.subject
    )
    with ledger.reading() as connection:
        return tuple(
            KnownPhrase(
                count=PhraseCount(**{name: row[name] for name in PhraseCount.__slots__}), text=row["text"]
            )
            for row in connection.execute(query).mappings()
        )


def known_shapes(ledger: Ledger) -> tuple[KnownShape, ...]:
    """Every shape whose words may stand. Raises LedgerError."""
    voice = (PHRASES.c.provider, PHRASES.c.voice, PHRASES.c.language_code)
    query = (
        select(
            *voice,
            PHRASE_WORDS.c.text,
            func.count().label("sentences"),
            func.sum(PHRASES.c.times).label("times"),
            func.sum(PHRASES.c.sent).label("sent"),
        )
        .join_from(PHRASES, PHRASE_WORDS, PHRASES.c.shape == PHRASE_WORDS.c.subject)
        .group_by(*voice, PHRASE_WORDS.c.text)
    )
    with ledger.reading() as connection:
        return tuple(
            KnownShape(**{name: _whole(value) for name, value in row.items()})
            for row in connection.execute(query).mappings()
        )


def _whole(value: Any) -> Any:  # noqa: ANN401  # PostgreSQL's sums of integers are decimals
    return value if isinstance(value, str) else int(value)


def _count(connection: Connection, counts: Sequence[PhraseCount], moment: int) -> None:
    if not counts:
        return
    insert = inserting(connection, PHRASES)
    statement = insert.on_conflict_do_update(
        index_elements=["phrase", "provider", "voice"],
        set_={
            "times": PHRASES.c.times + insert.excluded.times,
            "sent": PHRASES.c.sent + insert.excluded.sent,
            "last_said_us": insert.excluded.last_said_us,
        },
    )
    ordered = sorted(counts, key=lambda one: (one.phrase, one.provider, one.voice))
    values = [
        {name: getattr(one, name) for name in PhraseCount.__slots__} | {"last_said_us": moment}
        for one in ordered
    ]
    connection.execute(statement, values)


def _witness(connection: Connection, words: Words, moment: int) -> None:
    """Keep the words where they may stand; else the witness, with whom there may be enough."""
    own = PHRASE_WORDS.c.subject == words.subject
    if connection.scalar(select(PHRASE_WORDS.c.subject).where(own)) is not None:
        connection.execute(PHRASE_WORDS.update().where(own).values(last_said_us=moment))
        return
    if words.witness is not None:
        statement = inserting(connection, PHRASE_WITNESSES).on_conflict_do_nothing()
        values = {"subject": words.subject, "witness": words.witness, "last_said_us": moment}
        connection.execute(statement, values)
        heard_by = PHRASE_WITNESSES.c.subject == words.subject
        callers = connection.scalar(select(func.count()).select_from(PHRASE_WITNESSES).where(heard_by))
        if (callers or 0) < FEWEST_CALLERS:
            return
        connection.execute(delete(PHRASE_WITNESSES).where(heard_by))
    kept = inserting(connection, PHRASE_WORDS).on_conflict_do_nothing()
    values = {"subject": words.subject, "language_code": words.language_code, "text": words.text}
    connection.execute(kept, values | {"last_said_us": moment})
