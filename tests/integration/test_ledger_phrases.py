"""Phrases in a ledger, in SQLite and in a real PostgreSQL: counts add up, words stand only where they may."""

from datetime import UTC, datetime, timedelta

from slukh.cost.ledger.phrases import FORGOTTEN_DAYS, known_phrases, known_shapes, record_phrases
from slukh.cost.ledger.store import Ledger
from slukh.cost.phrase_tally import FEWEST_CALLERS, PhraseCount, Tallied, Words

NOW = datetime(2026, 11, 26, tzinfo=UTC)
SHAPE = "Ваше замовлення {n} готове."


def count(phrase: str = "p", *, times: int = 1, sent: int = 1, shape: str | None = None) -> PhraseCount:
    return PhraseCount(
        phrase=phrase, provider="google", voice="Kore", language_code="uk-UA", shape=shape,
        characters=28, times=times, sent=sent,
    )  # fmt: skip


def words(witness: str | None, subject: str = "p", text: str = "Добрий день!") -> Words:
    return Words(subject=subject, language_code="uk-UA", text=text, witness=witness)


def test_counts_of_two_gateways_add_up(ledger: Ledger) -> None:
    record_phrases(ledger, Tallied(counts=(count(times=3, sent=1),)), now=NOW)
    record_phrases(ledger, Tallied(counts=(count(times=4, sent=0),)), now=NOW)
    (found,) = known_phrases(ledger)
    assert (found.count.times, found.count.sent, found.text) == (7, 1, None)


def test_words_stand_once_enough_callers_heard_them_and_nothing_is_left_of_the_callers(
    ledger: Ledger,
) -> None:
    record_phrases(ledger, Tallied(counts=(count(),)), now=NOW)
    for number in range(FEWEST_CALLERS):
        assert known_phrases(ledger)[0].text is None
        for _ in range(2):  # the same caller again is no further one
            record_phrases(ledger, Tallied(words=(words(f"w{number}"),)), now=NOW)
    assert known_phrases(ledger)[0].text == "Добрий день!"
    with ledger.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM phrase_witnesses").scalar() == 0


def test_declared_words_stand_at_once(ledger: Ledger) -> None:
    record_phrases(ledger, Tallied(counts=(count(),), words=(words(None),)), now=NOW)
    assert known_phrases(ledger)[0].text == "Добрий день!"


def test_sentences_of_one_shape_are_counted_together(ledger: Ledger) -> None:
    counts = tuple(count(f"p{n}", times=n, sent=1, shape="s") for n in (1, 2, 3))
    record_phrases(ledger, Tallied(counts=counts, words=(words(None, "s", SHAPE),)), now=NOW)
    (shape,) = known_shapes(ledger)
    assert (shape.text, shape.sentences, shape.times, shape.sent) == (SHAPE, 3, 6, 3)


def test_what_nobody_is_told_any_more_is_forgotten(ledger: Ledger) -> None:
    record_phrases(ledger, Tallied(counts=(count(),), words=(words(None), words("w", "q"))), now=NOW)
    record_phrases(ledger, Tallied(), now=NOW + timedelta(days=FORGOTTEN_DAYS, seconds=1))
    assert known_phrases(ledger) == ()
    with ledger.reading() as connection:
        for table in ("phrase_words", "phrase_witnesses"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0
