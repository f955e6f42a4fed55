from datetime import date
from decimal import Decimal

from slukh.cost.ledger.phrase_economy import unique_characters
from slukh.cost.ledger.phrase_ranking import proposals, ranked
from slukh.cost.ledger.phrases import KnownPhrase, KnownShape
from slukh.cost.phrase_tally import PhraseCount
from slukh.cost.pricing.price_book import PriceBook

BOOK, DAY = PriceBook.load("market-2026-11"), date(2026, 11, 26)
CHIRP, STANDARD = "uk-UA-Chirp3-HD-Kore", "uk-UA-Standard-A"
SHAPE, HEAD = "Ваше замовлення {n} готове.", "Ваше замовлення"


def phrase(name: str, characters: int, times: int, voice: str = CHIRP, *, sent: int = 1) -> KnownPhrase:
    count = PhraseCount(
        phrase=name, provider="google", voice=voice, language_code="uk-UA", shape=None,
        characters=characters, times=times, sent=sent,
    )  # fmt: skip
    return KnownPhrase(count=count, text=None)


def shape(text: str = SHAPE, *, sentences: int = 9, sent: int = 11, voice: str = CHIRP) -> KnownShape:
    return KnownShape(
        provider="google", voice=voice, language_code="uk-UA", text=text, sentences=sentences, times=20,
        sent=sent,
    )  # fmt: skip


def test_phrases_are_ranked_by_dollars_and_not_by_how_often() -> None:
    found = ranked(
        [
            phrase("often", 10, 100, STANDARD),
            phrase("dear", 20, 50, sent=3),
            phrase("no price", 900, 900, "Nobody"),
        ],
        BOOK,
        on=DAY,
    )
    assert [one.phrase for one in found] == ["dear", "often", "no price"]
    assert found[0].worth_usd == Decimal(30) * 20 * 50 / 1_000_000
    assert found[0].spent_usd == Decimal(30) * 20 * 3 / 1_000_000
    assert found[2].worth_usd is None


def test_every_phrase_once_is_what_a_new_voice_costs() -> None:
    known = [phrase("a", 10, 100), phrase("b", 20, 1), phrase("a", 10, 1, STANDARD)]
    assert unique_characters(known) == {("google", CHIRP): 30, ("google", STANDARD): 10}


def test_a_proposal_says_what_its_head_would_have_saved_by_every_voice() -> None:
    (one,) = proposals([(shape(), HEAD), (shape(voice=STANDARD, sent=3), HEAD)], BOOK, on=DAY)
    assert one.saved_characters == len(HEAD) * (10 + 2)
    assert one.saved_usd == len(HEAD) * (Decimal(30) * 10 + Decimal(4) * 2) / 1_000_000
    assert (one.sentences, one.times) == (9, 40)


def test_few_sentences_or_nothing_saved_is_no_proposal() -> None:
    assert proposals([(shape(sentences=2), HEAD), (shape("Інше {n} тут.", sent=1), HEAD)], BOOK, on=DAY) == []
