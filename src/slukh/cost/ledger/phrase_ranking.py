"""Which phrases are worth having beforehand, and which sentences are worth taking apart, by dollars. Pure.

    worth = characters x times that callers were to hear it x price     what it costs where nothing is kept
    spent = characters x times that it was made x price                 what of that was paid all the same

The order is by worth: after another voice is set, or on a machine whose cache is new, all of it is to be paid
again, the first of the list first. A voice without a price comes last, by its characters.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache

from slukh.cost.ledger.phrase_economy import usd_per_million
from slukh.cost.ledger.phrases import KnownPhrase, KnownShape
from slukh.cost.pricing.price_book import PriceBook

# Fewer different sentences are a phrase with a number in it, which the cache keeps as it is.
FEWEST_SENTENCES = 3

_PriceOf = Callable[[str, str], Decimal | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedPhrase:
    """What a phrase is worth.

    Attributes:
        phrase: its digest.
        provider: whose voice.
        voice: which one.
        language_code: BCP-47.
        text: its words; None where they may be somebody's.
        characters: of it.
        times: that callers were to hear it.
        sent: of them, those that it was made for.
        usd_per_million: price of its characters; None when the book has none.
    """

    phrase: str
    provider: str
    voice: str
    language_code: str
    text: str | None
    characters: int
    times: int
    sent: int
    usd_per_million: Decimal | None

    @property
    def worth_usd(self) -> Decimal | None:
        """What it costs where nothing is kept."""
        return _usd(self.usd_per_million, self.characters * self.times)

    @property
    def spent_usd(self) -> Decimal | None:
        """What was paid for it."""
        return _usd(self.usd_per_million, self.characters * self.sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Sentences that could be spoken as a kept head and a rest that is made anew.

    Attributes:
        text: their shape.
        language_code: BCP-47.
        head: what would be kept.
        sentences: how many different ones were said.
        times: how often, all together.
        saved_characters: that would not have been sent.
        saved_usd: what those cost; None when no voice that said them has a price.
    """

    text: str
    language_code: str
    head: str
    sentences: int
    times: int
    saved_characters: int
    saved_usd: Decimal | None


def ranked(phrases: Iterable[KnownPhrase], book: PriceBook, *, on: date) -> list[RankedPhrase]:
    """Phrases, worth most first."""
    price_of = _price_of(book, on)
    found = [
        RankedPhrase(
            phrase=one.count.phrase, provider=one.count.provider, voice=one.count.voice,
            language_code=one.count.language_code, text=one.text, characters=one.count.characters,
            times=one.count.times, sent=one.count.sent,
            usd_per_million=price_of(one.count.provider, one.count.voice),
        )
        for one in phrases
    ]  # fmt: skip
    return sorted(found, key=lambda one: (-(one.worth_usd or 0), -one.characters * one.times, one.phrase))


def proposals(shapes: Iterable[tuple[KnownShape, str]], book: PriceBook, *, on: date) -> list[Proposal]:
    """Shapes that save characters, most first; voices of one sentence together.

    Args:
        shapes: each with its head.
        book: of the prices.
        on: their day.
    """
    price_of = _price_of(book, on)
    voices: dict[tuple[str, str, str], list[KnownShape]] = {}
    for shape, head in shapes:
        voices.setdefault((shape.language_code, shape.text, head), []).append(shape)
    found = [_proposal(code, text, head, own, price_of) for (code, text, head), own in voices.items()]
    worth = [one for one in found if one.sentences >= FEWEST_SENTENCES and one.saved_characters > 0]
    return sorted(worth, key=lambda one: (-(one.saved_usd or 0), -one.saved_characters, one.text))


def _proposal(code: str, text: str, head: str, own: list[KnownShape], price_of: _PriceOf) -> Proposal:
    # Each voice would have made the head once.
    saved = [(len(head) * max(0, one.sent - 1), one) for one in own]
    usd = [
        Decimal(characters) * price / 1_000_000
        for characters, one in saved
        if (price := price_of(one.provider, one.voice)) is not None
    ]
    return Proposal(
        text=text,
        language_code=code,
        head=head,
        sentences=max(one.sentences for one in own),
        times=sum(one.times for one in own),
        saved_characters=sum(characters for characters, _ in saved),
        saved_usd=sum(usd, Decimal(0)) if usd else None,
    )


def _price_of(book: PriceBook, on: date) -> _PriceOf:
    """Prices of voices, each looked up once."""
    return cache(lambda provider, voice: usd_per_million(book, provider, voice, on))


def _usd(per_million: Decimal | None, characters: int) -> Decimal | None:
    return None if per_million is None else per_million * characters / 1_000_000
