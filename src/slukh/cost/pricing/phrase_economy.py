"""What the phrase cache is worth: hit rates by characters and by phrases, dollars saved, dollars not heard.

Characters are what is paid for, so the rate by characters is the one that counts: a hundred greetings that
were kept weigh less than one long answer that was not.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from decimal import Decimal

from slukh.cost.pricing.price_book import PriceBook
from slukh.errors import PriceError
from slukh.types import Usage


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
        unheard_characters: of those that were made, paid for and interrupted.
        usd_per_million: price of its characters in the book; None when the book has none.
    """

    provider: str
    voice: str
    phrases: int
    kept_phrases: int
    characters: int
    kept_characters: int
    unheard_characters: int
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
        """What the others cost, likewise."""
        return self._usd(self.characters - self.kept_characters)

    @property
    def unheard_usd(self) -> Decimal | None:
        """Of that, for phrases that callers interrupted."""
        return self._usd(self.unheard_characters)

    def as_json(self) -> dict[str, object]:
        """Plain values, amounts as text."""
        names = ("saved_usd", "spent_usd", "unheard_usd")
        amounts = {name: getattr(self, name) for name in ("usd_per_million", *names)}
        rates = {name: round(getattr(self, f"hit_rate_{name}"), 4) for name in ("characters", "phrases")}
        return asdict(self) | {
            **{name: None if amount is None else str(amount) for name, amount in amounts.items()},
            **{f"hit_rate_{name}": rate for name, rate in rates.items()},
        }

    def _usd(self, characters: int) -> Decimal | None:
        return None if self.usd_per_million is None else self.usd_per_million * characters / 1_000_000


def phrase_economy(rows: Iterable[Usage], book: PriceBook) -> list[PhraseEconomy]:
    """The economy of every voice in these rows, the most used first; other rows are passed over."""
    voices: dict[tuple[str, str], list[Usage]] = {}
    for row in rows:
        if row.component == "tts" and row.unit == "characters":
            voices.setdefault((row.provider, row.model), []).append(row)
    found = [_economy(provider, voice, own, book) for (provider, voice), own in voices.items()]
    return sorted(found, key=lambda one: (-one.characters, one.provider, one.voice))


def _economy(provider: str, voice: str, rows: list[Usage], book: PriceBook) -> PhraseEconomy:
    kept = [row.quantity for row in rows if row.outcome == "cached"]
    return PhraseEconomy(
        provider=provider,
        voice=voice,
        phrases=len(rows),
        kept_phrases=len(kept),
        characters=sum(row.quantity for row in rows),
        kept_characters=sum(kept),
        unheard_characters=sum(row.quantity for row in rows if row.outcome == "interrupted"),
        usd_per_million=_price(book, rows[-1]),
    )


def _price(book: PriceBook, row: Usage) -> Decimal | None:
    on = row.occurred_at.date()
    try:
        price = book.price("tts", row.provider, row.model, "characters", on=on)
        return price.amount * 1_000_000 / price.per / book.rate(price.currency, on)
    except PriceError:
        return None
