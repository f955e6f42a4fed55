"""Sentences in a reader's language: one catalogue per language, numbers written as that language does.

A sentence is a template of a catalogue (`texts/en/`) and facts, which have no language:

    {saving:usd} a month, {gpus:count} {gpus:plural GPU|GPUs}, cached for {lifetime:as lifetime}

The word after the colon says how a fact is written; `as` looks the fact up in the catalogue,
and so does `label`, which leaves what is not there as it is.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Literal

Language = Literal["en", "ru"]
LANGUAGES: tuple[Language, ...] = ("en", "ru")
Fact = Decimal | int | float | str | date
Facts = Mapping[str, Fact]

CATALOGUE = ("analysis.toml", "report.toml")
_TEXTS = files("slukh.cost").joinpath("texts")
_DECIMALS = {
    "count": 0, "fixed1": 1, "fixed2": 2,
    "usd": 2, "usd4": 4, "usd5": 5, "uah": 2, "uah0": 0,
    "percent": 0, "percent1": 1, "percent2": 2,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signs:
    """How a language writes numbers."""

    decimal: str
    thousands: str
    percent: str
    usd: str
    uah: str


_SIGNS: dict[Language, _Signs] = {
    "en": _Signs(decimal=".", thousands=",", percent="{}%", usd="${}", uah="UAH\N{NO-BREAK SPACE}{}"),
    "ru": _Signs(
        decimal=",",
        thousands="\N{NO-BREAK SPACE}",
        percent="{}\N{NO-BREAK SPACE}%",
        usd="{}\N{NO-BREAK SPACE}$",
        uah="{}\N{NO-BREAK SPACE}грн",
    ),
}


@dataclass(frozen=True, slots=True)
class Wording:
    """The sentences of a language.

    Attributes:
        language: which.
        templates: by dotted key.
    """

    language: Language
    templates: Mapping[str, str]

    def say(self, key: str, facts: Facts | None = None, /, **more: Fact) -> str:
        """A sentence.

        Args:
            key: of the template.
            facts: what it tells, by name.
            more: the same, one by one.

        Raises:
            LookupError: there is no such template, or a fact is missing.
        """
        known = {**(facts or {}), **more}
        parts = []
        for text, name, how, _ in Formatter().parse(self.templates[key]):
            parts.append(text)
            if name is not None:
                parts.append(self._written(known[name], how or "", known))
        return "".join(parts)

    def label(self, group: str, name: str) -> str:
        """What a catalogue calls something; the name itself where it has no word for it."""
        return self.templates.get(f"{group}.{name}", name)

    def write(self, fact: Fact, how: str = "") -> str:
        """One fact, as a template with `{fact:how}` has it."""
        return self._written(fact, how, {})

    def _written(self, fact: Fact, how: str, known: Facts) -> str:
        kind, _, rest = how.partition(" ")
        if kind == "as":
            return self.say(f"{rest}.{fact}", known)
        if kind == "label":
            return self.label(rest, str(fact))
        if kind == "plural":
            assert isinstance(fact, Decimal | int | float)
            return self._plural(int(fact), rest.split("|"))
        if kind == "day":
            assert isinstance(fact, date)
            return self.say("date.long", day=str(fact.day), month=fact.month, year=str(fact.year))
        if isinstance(fact, Decimal | int | float):
            return self._number(Decimal(str(fact)), kind)
        return str(fact)

    def _plural(self, number: int, forms: list[str]) -> str:
        if self.language == "en":
            return forms[0 if number == 1 else 1]
        last, tens = number % 10, number // 10 % 10
        if tens == 1 or last == 0 or last > 4:  # noqa: PLR2004  # Russian grammar: 5 to 20, 25 to 30
            return forms[2]
        return forms[0 if last == 1 else 1]

    def _number(self, number: Decimal, kind: str) -> str:
        signs = _SIGNS[self.language]
        if kind.startswith("percent"):
            number *= 100
        if kind in _DECIMALS:
            number = number.quantize(Decimal(1).scaleb(-_DECIMALS[kind]), ROUND_HALF_EVEN)
            # What rounds to nothing has no sign.
            text = f"{abs(number):,f}"
        else:
            text = f"{abs(number):,f}"
            text = text.rstrip("0").rstrip(".") if "." in text else text
        whole, point, decimals = text.partition(".")
        text = whole.replace(",", signs.thousands) + (signs.decimal if point else "") + decimals
        if kind.startswith("percent"):
            text = signs.percent.format(text)
        elif kind.startswith("usd"):
            text = signs.usd.format(text)
        elif kind.startswith("uah"):
            text = signs.uah.format(text)
        return f"\N{MINUS SIGN}{text}" if number < 0 else text

    def range_title(self, name: str) -> str:
        """What an assumption of a tornado is called; `agent.` is one seen from the person's side."""
        if name.startswith("agent."):
            return self.say("range.agent", what=self.range_title(name.removeprefix("agent.")))
        return self.say(f"range.{name}.what")

    def range_value(self, name: str, facts: Facts) -> str:
        """One end of it."""
        return self.say(f"range.{name.removeprefix('agent.')}.value", facts)


@cache
def wording(language: Language) -> Wording:
    """The catalogue of a language."""
    texts = (_TEXTS.joinpath(language, name).read_text(encoding="utf-8") for name in CATALOGUE)
    return Wording(language, {key: text for part in texts for key, text in _flat(tomllib.loads(part))})


def _flat(tree: Mapping[str, object], above: str = "") -> list[tuple[str, str]]:
    found = []
    for name, value in tree.items():
        if isinstance(value, dict):
            found += _flat(value, f"{above}{name}.")
        else:
            assert isinstance(value, str)
            found.append((above + name, value))
    return found
