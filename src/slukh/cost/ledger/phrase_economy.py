"""What the phrase cache is worth: hit rates by characters and by phrases, dollars saved, dollars not heard.

Characters are what is paid for, so the rate by characters is the one that counts: a hundred greetings that
were kept weigh less than one long answer that was not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType

from slukh.cost.ledger.phrases import KnownPhrase
from slukh.cost.pricing.price_book import PriceBook
from slukh.errors import PriceError
from slukh.types import Usage

Voice = tuple[str, str]  # provider and name


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseEconomy:
    """One voice's.

    Attributes:
        provider: whose voice.
        voice: which one.
        phrases: said to callers.
        kept_phrases: of them, those that were kept.
        characters: of all of them.
        kept_characters: of those that were kept.
        unheard_characters: of interrupted phrases, which were paid for whole; all of them, where an earlier
            version did not count what was heard.
        beforehand_characters: that were made for nobody's call, at start or by `slukh phrases warm`.
        unique_characters: of the different phrases that were said, each once, as `phrases.py` knows them.
        usd_per_million: price of its characters in the book; None when the book has none.
    """

    provider: str
    voice: str
    phrases: int
    kept_phrases: int
    characters: int
    kept_characters: int
    unheard_characters: int
    beforehand_characters: int
    unique_characters: int
    usd_per_million: Decimal | None

    @property
    def hit_rate_characters(self) -> float:
        """Share of the characters that cost nothing."""
        return self.kept_characters / self.characters if self.characters else 0.0

    @property
    def hit_rate_phrases(self) -> float:
        """Share of the phrases that cost nothing."""
        return self.kept_phrases / self.phrases if self.phrases else 0.0

    @property
    def saved_usd(self) -> Decimal | None:
        """What the kept characters would have cost, at list price and without a free tier."""
        return self._usd(self.kept_characters)

    @property
    def spent_usd(self) -> Decimal | None:
        """What the others cost, likewise, with what was made beforehand."""
        return self._usd(self.characters - self.kept_characters + self.beforehand_characters)

    @property
    def unique_usd(self) -> Decimal | None:
        """What it takes to make every phrase once: a new voice, a new machine, an empty cache."""
        return self._usd(self.unique_characters)

    @property
    def unheard_usd(self) -> Decimal | None:
        """Of that, for what callers did not hear."""
        return self._usd(self.unheard_characters)

    def as_json(self) -> dict[str, object]:
        """Plain values, amounts as text."""
        names = ("saved_usd", "spent_usd", "unique_usd", "unheard_usd")
        amounts = {name: getattr(self, name) for name in ("usd_per_million", *names)}
        rates = {name: round(getattr(self, f"hit_rate_{name}"), 4) for name in ("characters", "phrases")}
        return asdict(self) | {
            **{name: None if amount is None else str(amount) for name, amount in amounts.items()},
            **{f"hit_rate_{name}": rate for name, rate in rates.items()},
        }

    def _usd(self, characters: int) -> Decimal | None:
        return None if self.usd_per_million is None else self.usd_per_million * characters / 1_000_000


def phrase_economy(
    rows: Iterable[Usage],
    book: PriceBook,
    *,
    beforehand: Iterable[Usage] = (),
    unique: Mapping[Voice, int] = MappingProxyType({}),
) -> list[PhraseEconomy]:
    """The economy of every voice in these rows, the most used first; other rows are passed over.

    Args:
        rows: of calls.
        book: of the prices.
        beforehand: rows of what was made for nobody's call.
        unique: characters of a voice's different phrases.
    """
    said, made = _by_voice(rows), _by_voice(beforehand)
    found = [
        _economy(voice, said.get(voice, []), made.get(voice, []), book, unique.get(voice, 0))
        for voice in {**said, **made}
    ]
    return sorted(found, key=lambda one: (-one.characters, one.provider, one.voice))


def unique_characters(phrases: Iterable[KnownPhrase]) -> dict[Voice, int]:
    """Characters of the different phrases of every voice."""
    voices: dict[Voice, int] = {}
    for one in phrases:
        voice = (one.count.provider, one.count.voice)
        voices[voice] = voices.get(voice, 0) + one.count.characters
    return voices


def _by_voice(rows: Iterable[Usage]) -> dict[Voice, list[Usage]]:
    voices: dict[Voice, list[Usage]] = {}
    for row in rows:
        if row.component == "tts" and row.unit == "characters":
            voices.setdefault((row.provider, row.model), []).append(row)
    return voices


def _economy(
    voice: Voice, rows: list[Usage], beforehand: list[Usage], book: PriceBook, unique_characters: int
) -> PhraseEconomy:
    kept = [row.quantity for row in rows if row.outcome == "cached"]
    day = (rows or beforehand)[-1].occurred_at.date()
    return PhraseEconomy(
        provider=voice[0],
        voice=voice[1],
        phrases=len(rows),
        kept_phrases=len(kept),
        characters=sum(row.quantity for row in rows),
        kept_characters=sum(kept),
        unheard_characters=sum(
            row.quantity - (row.heard_quantity or 0) for row in rows if row.outcome == "interrupted"
        ),
        beforehand_characters=sum(row.quantity for row in beforehand),
        unique_characters=unique_characters,
        usd_per_million=usd_per_million(book, *voice, day),
    )


def usd_per_million(book: PriceBook, provider: str, voice: str, on: date) -> Decimal | None:
    """List price of a million characters of a voice, without a free tier; None when the book has none."""
    try:
        price = book.price("tts", provider, voice, "characters", on=on)
        return price.amount * 1_000_000 / price.per / book.rate(price.currency, on)
    except PriceError:
        return None
