"""Price books: dated prices of everything a call pays for, and which one holds on a day.

A book is a list of entries that only grows: a new price is a new entry with a later `effective_from`, which
ends the one before it. Usage is looked up by what it is (component, provider, model, unit, day, region). What
is not there is a `PriceError` that names it; there is no fall-back to another model and no guess.

A book may extend another one: its own entries go first. A book may leave language models that it does not
name to genai-prices.
"""

from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Self

from slukh.cost.pricing.genai_book import genai_price, genai_version
from slukh.cost.pricing.price import BASIS_OF_UNIT, ExchangeRate, Price, PriceComponent, PriceUnit, Tier
from slukh.cost.pricing.price_file import read_book
from slukh.errors import PriceError

__all__ = [
    "BASIS_OF_UNIT",
    "ExchangeRate",
    "Price",
    "PriceBook",
    "PriceComponent",
    "PriceUnit",
    "Tier",
    "Wanted",
]


class Wanted(NamedTuple):
    """What a price is wanted of."""

    component: PriceComponent
    provider: str
    model: str
    unit: PriceUnit
    on: date
    region: str | None


class PriceBook:
    """Prices by what was used and when.

    Args:
        name: how reports call it.
        prices: its own entries.
        rates: its own exchange rates.
        base: the book it extends.
        uses_genai_prices: language models that no entry names are priced by genai-prices.
    """

    def __init__(
        self,
        *,
        name: str,
        prices: tuple[Price, ...],
        rates: tuple[ExchangeRate, ...] = (),
        base: "PriceBook | None" = None,
        uses_genai_prices: bool = False,
    ) -> None:
        self.name = name
        self.prices = prices
        self.rates = rates
        self.base = base
        self.uses_genai_prices = uses_genai_prices
        self._found: dict[Wanted, Price | None] = {}

    @classmethod
    def load(cls, name_or_path: str | Path) -> Self:
        """A book that ships (`seed-reference`, `market-2026-11`), or a YAML file.

        Raises:
            PriceError: there is no such book, or it is wrong: file, line and remedy.
        """
        return cls._load(name_or_path, ())

    @classmethod
    def _load(cls, name_or_path: str | Path, above: tuple[str, ...]) -> Self:
        if str(name_or_path) in above:
            raise PriceError(
                f"price book {name_or_path} extends itself", remedy="take `extends` out of one of them"
            )
        document = read_book(name_or_path)
        extends = document.extends
        return cls(
            name=document.name,
            prices=document.prices,
            rates=document.rates,
            base=None if extends is None else cls._load(extends, (*above, str(name_or_path))),
            uses_genai_prices=document.uses_genai_prices,
        )

    def all_prices(self) -> tuple[Price, ...]:
        """Every entry, the book's own before those of the book it extends."""
        return self.prices + (self.base.all_prices() if self.base else ())

    def version(self, on: date) -> str:
        """The book as of a day, by its content: entries of later days do not change it."""
        entries: tuple[Price | ExchangeRate, ...] = (*self.all_prices(), *self.all_rates())
        known = sorted(repr(entry) for entry in entries if entry.effective_from <= on)
        if self.asks_genai_prices:
            known.append(genai_version())
        return f"{self.name}@{sha256(repr(known).encode()).hexdigest()[:8]}"

    @property
    def asks_genai_prices(self) -> bool:
        """Whether it, or a book that it extends, leaves models to genai-prices."""
        return self.uses_genai_prices or (self.base is not None and self.base.asks_genai_prices)

    def all_rates(self) -> tuple[ExchangeRate, ...]:
        """Every exchange rate, in the same order."""
        return self.rates + (self.base.all_rates() if self.base else ())

    def price(
        self,
        component: PriceComponent,
        provider: str,
        model: str,
        unit: PriceUnit,
        *,
        on: date,
        region: str | None = None,
    ) -> Price:
        """The price that holds on a day: the most specific entry (own book, provider, model, region).

        Raises:
            PriceError: there is none, or none yet; names provider, model, unit and day.
        """
        wanted = Wanted(component, provider, model, unit, on, region)
        if wanted not in self._found:
            self._found[wanted] = self._find(wanted)
        found = self._found[wanted]
        if found is None:
            raise self._no_price(wanted)
        return found

    def monthly(self, name: str, on: date) -> Price:
        """The price of a fixed item (`server`, `did`, `gpu-gex44`, `operator`); unit `month` or `hour`.

        Raises:
            PriceError: there is none on that day.
        """
        units: tuple[PriceUnit, ...] = ("month", "hour")
        for unit in units:
            found = self._find(Wanted("fixed", "*", name, unit, on, None))
            if found:
                return found
        raise self._no_price(Wanted("fixed", "*", name, "month", on, None))

    def rate(self, currency: str, on: date) -> Decimal:
        """Units of `currency` that one US dollar buys on a day; 1 for USD.

        Raises:
            PriceError: the book has no rate of that day.
        """
        if currency == "USD":
            return Decimal(1)
        known = [rate for rate in self.rates if rate.currency == currency and rate.effective_from <= on]
        if known:
            return max(known, key=lambda rate: rate.effective_from).per_usd
        if self.base:
            return self.base.rate(currency, on)
        raise PriceError(
            f"price book {self.name} has no rate of {currency} on {on}",
            remedy="add it under `rates`, with its source",
        )

    def minimum_prefix_tokens(self, provider: str, model: str, on: date) -> int | None:
        """The shortest prompt prefix the model caches, or None when the book does not know."""
        found = self._find(Wanted("llm", provider, model, "cache_write_tokens", on, None))
        return found.minimum_prefix_tokens if found else None

    def _find(self, wanted: Wanted) -> Price | None:
        """The entry that holds, or None: where a book that is made of another one differs."""
        named = self._named(wanted)
        in_force = [
            (rank, price.effective_from, price)
            for rank, price in named
            if price.effective_from <= wanted.on <= (price.effective_to or date.max)
        ]
        if in_force:
            best = max((rank, start) for rank, start, _ in in_force)
            first, *others = [price for rank, start, price in in_force if (rank, start) == best]
            if others:
                raise PriceError(
                    f"price book {self.name}: {first.id} and {others[0].id} both price {wanted.model}",
                    remedy="name the model in one of them",
                )
            return first
        if self.base:
            return self.base._find(wanted)  # noqa: SLF001  # its own kind
        # A model that the book names has the book's prices or none: never those of another source.
        if wanted.component == "llm" and self.uses_genai_prices and not named:
            return genai_price(wanted.provider, wanted.model, wanted.unit, wanted.on)
        return None

    def _named(self, wanted: Wanted) -> list[tuple[tuple[bool, int, bool], Price]]:
        """Entries of any day that name it, with how closely: provider, model, region."""
        found = []
        for price in self.prices:
            if (price.component, price.unit) != (wanted.component, wanted.unit):
                continue
            if wanted.component != "fixed" and price.provider not in ("*", wanted.provider):
                continue
            if price.region not in ("*", wanted.region):
                continue
            closeness = [_literal_length(p) for p in price.models if fnmatchcase(wanted.model, p)]
            if closeness:
                rank = (price.provider == wanted.provider, max(closeness), price.region == wanted.region)
                found.append((rank, price))
        return found

    def _ever(self, wanted: Wanted) -> list[Price]:
        """Entries that name it, of any day and any layer."""
        own = [price for _, price in self._named(wanted)]
        return own + (self.base._ever(wanted) if self.base else [])  # noqa: SLF001  # its own kind

    def _no_price(self, wanted: Wanted) -> PriceError:
        names = (wanted.component, wanted.provider, wanted.model or "(no model)")
        what = " ".join(name for name in names if name != "*")
        where = "" if wanted.region is None else f" in {wanted.region}"
        days = sorted(price.effective_from for price in self._ever(wanted))
        detail = f"; the first one holds from {days[0]}" if days and days[0] > wanted.on else ""
        return PriceError(
            f"price book {self.name} has no price of {what} per {wanted.unit} on {wanted.on}{where}{detail}",
            remedy="add a dated entry to a book of your own that extends it, or name another book",
        )


def _literal_length(pattern: str) -> int:
    """How much of a pattern is no wildcard; a name without any beats every pattern."""
    wildcards = sum(pattern.count(sign) for sign in "*?[")
    return len(pattern) - wildcards if wildcards else 1_000 + len(pattern)
