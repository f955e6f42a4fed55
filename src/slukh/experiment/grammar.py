# ruff: noqa: RUF001, RUF002  # Cyrillic is the subject
"""What the canonicaliser knows of a language and a trade: words, numbers, rewrites. All of it is data.

A grammar is YAML; those in `grammars/` come with the package, and a user's own are added to them:

    numbers, ordinals   value -> its words
    fractions           words that are part of the number before them
    words, names        what is written -> everything that is written for it; names are entities as well
    phrases             the same for several words in a row
    fillers             what is said without being meant
    letters             names of letters that are no words: among others of them a filler is a letter
    words_of, ordinals_of   what holds in one language only
    where, rewrites     regular expressions over the words, one space between them, numbers in digits
    entities            what to find in canonical text, of which kind

Words come as `stem|ending ending`, `-` is the stem alone, `@name` a set out of `endings`, `~` the endings of
a masculine noun. They are lower case, without apostrophes and with е for ё.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slukh.errors import ExperimentError
from slukh.experiment.files import read_text
from slukh.yaml_lines import read_yaml

EntityKind = Literal["size", "phone", "time", "date", "price", "quantity", "plate", "name"]
ENTITY_KINDS: tuple[EntityKind, ...] = get_args(EntityKind)

# In this order: a telephone number must be whole before a size or a time could be seen in it.
_SHIPPED = ("numbers", "speech", "phones", "plates", "tyres", "cars", "times", "prices")
_MASCULINE = ["-", "а", "у", "ом", "ем", "і", "е", "ы", "и", "ов", "ів", "ой"]
_LATIN_LOOKALIKES = str.maketrans("abcehikmoptxy", "авсенікмортху")


class _Rewrite(BaseModel):
    model_config = ConfigDict(extra="forbid")

    find: str
    write: str
    join: bool = False
    cyrillic: bool = False
    only: str | None = None


class _EntityRule(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: EntityKind
    find: str
    value: str = r"\g<0>"


class _GrammarFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    endings: dict[str, str] = Field(default_factory=dict)
    numbers: dict[int | float, str] = Field(default_factory=dict)
    ordinals: dict[int, str] = Field(default_factory=dict)
    ordinals_of: dict[str, dict[int, str]] = Field(default_factory=dict)
    fractions: str = ""
    fillers: str = ""
    letters: str = ""
    words: dict[str, str] = Field(default_factory=dict)
    words_of: dict[str, dict[str, str]] = Field(default_factory=dict)
    names: dict[str, str] = Field(default_factory=dict)
    phrases: dict[str, str] = Field(default_factory=dict)
    where: dict[str, str] = Field(default_factory=dict)
    rewrites: list[_Rewrite] = Field(default_factory=list)
    entities: list[_EntityRule] = Field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberWord:
    """What a word is worth in a number; an ordinal is its last word."""

    value: float
    is_last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """Words into one form: what a match becomes.

    Attributes:
        find: where; it begins at the begin of a word.
        write: what stands there then, with the match's groups.
        join: without its spaces.
        cyrillic: with Latin lookalikes in Cyrillic.
    """

    find: re.Pattern[str]
    write: str
    join: bool = False
    cyrillic: bool = False

    def apply(self, text: str) -> str:
        """The text, rewritten."""
        if self.find.search(text) is None:  # nearly always, and three times as fast as `sub` finds out
            return text
        return self.find.sub(self._written if self.join or self.cyrillic else self.write, text)

    def _written(self, match: re.Match[str]) -> str:
        written = match.expand(self.write)
        if self.join:
            written = written.replace(" ", "")
        return written.translate(_LATIN_LOOKALIKES) if self.cyrillic else written


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityRule:
    """Where an entity is in canonical text, and what of it is its value."""

    kind: EntityKind
    find: re.Pattern[str]
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """One language's grammar, ready for use.

    Attributes:
        words: what is written -> what it becomes; empty for what is dropped.
        numbers: number words.
        fractions: words that belong to the number before them.
        letters: how letters are called that somebody spells.
        rewrites: in order, of texts with digits.
        phrases: in order, of all texts.
        entities: what to find in canonical text.
        names: canonical words that are names.
        digest: of the data all this was made of.
    """

    words: Mapping[str, str] = field(repr=False)
    numbers: Mapping[str, NumberWord] = field(repr=False)
    fractions: frozenset[str]
    letters: frozenset[str] = field(repr=False)
    rewrites: tuple[Rewrite, ...] = field(repr=False)
    phrases: tuple[Rewrite, ...] = field(repr=False)
    entities: tuple[EntityRule, ...] = field(repr=False)
    names: frozenset[str] = field(repr=False)
    digest: str


def load_grammar(language_code: str, own: Sequence[Path] = ()) -> Grammar:
    """The grammar of a language: the shipped one, and a user's own files after it.

    Args:
        language_code: BCP-47; its language says which of the rules of one language hold.
        own: YAML files; a word in a later file replaces what an earlier one says of it.

    Raises:
        ExperimentError: a file cannot be read, or is no grammar.
    """
    return _loaded(language_code.partition("-")[0].lower(), tuple(own))


@cache
def _loaded(language: str, own: tuple[Path, ...]) -> Grammar:
    shipped = files("slukh.experiment") / "grammars"
    texts = [(f"{name}.yaml", (shipped / f"{name}.yaml").read_text(encoding="utf-8")) for name in _SHIPPED]
    texts += [(str(path), read_text(path, wanted="a grammar in YAML")) for path in own]
    endings: dict[str, str] = {}
    grammars = []
    for name, text in texts:
        grammars.append((name, _parsed(name, text)))
        endings |= grammars[-1][1].endings
    words: dict[str, str] = {}
    numbers: dict[str, NumberWord] = {}
    names: set[str] = set()
    for name, grammar in grammars:
        local_words, local_ordinals = (
            grammar.words_of.get(language, {}),
            grammar.ordinals_of.get(language, {}),
        )
        try:
            for values, is_last in (
                (grammar.numbers, False),
                (grammar.ordinals, True),
                (local_ordinals, True),
            ):
                for value, forms in values.items():
                    word = NumberWord(value=value, is_last=is_last)
                    # A cardinal may go on, so it wins where it looks like an ordinal.
                    numbers = dict.fromkeys(_forms(forms, endings), word) | numbers
            for canonical, forms in (*grammar.words.items(), *grammar.names.items(), *local_words.items()):
                words |= dict.fromkeys(_forms(forms, endings), canonical)
        except KeyError as error:
            raise ExperimentError(
                f"{name}: no set of endings is called {error}", remedy="name it under `endings`"
            ) from error
        words |= dict.fromkeys(grammar.fillers.split(), "")
        names |= grammar.names.keys()
    content = json.dumps([language, *(text for _, text in texts)])
    return Grammar(
        words=words,
        numbers=numbers,
        fractions=frozenset(" ".join(grammar.fractions for _, grammar in grammars).split()),
        letters=frozenset(" ".join(grammar.letters for _, grammar in grammars).split()),
        rewrites=tuple(
            rewrite for name, grammar in grammars for rewrite in _rewrites(name, grammar, language)
        ),
        phrases=tuple(phrase for _, grammar in grammars for phrase in _phrases(grammar, words)),
        entities=tuple(rule for name, grammar in grammars for rule in _entities(name, grammar)),
        names=frozenset(names),
        digest=hashlib.sha256(content.encode()).hexdigest()[:12],
    )


def _parsed(name: str, text: str) -> _GrammarFile:
    document = read_yaml(text, file=name, refusal=ExperimentError, floats="text")
    try:
        return _GrammarFile.model_validate(document.value or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise document.error(
            first["loc"],
            f"{where} is no grammar ({first['msg']})",
            remedy="see src/slukh/experiment/grammars for examples",
        ) from error


def _forms(text: str, endings: Mapping[str, str]) -> Iterator[str]:
    """`одн|а е, один` -> одна, одне, один."""
    for group in text.split(","):
        stem: str | None = None
        for item in group.split():
            before, bar, after = item.partition("|")
            if bar:
                stem = before
            ending = after if bar else item
            if stem is None:
                yield from ((item[:-1] + _ending(e) for e in _MASCULINE) if item.endswith("~") else (item,))
            elif ending.startswith("@"):
                yield from (stem + _ending(each) for each in endings[ending[1:]].split())
            else:
                yield stem + _ending(ending)


def _ending(text: str) -> str:
    return "" if text == "-" else text


def _rewrites(name: str, grammar: _GrammarFile, language: str) -> Iterator[Rewrite]:
    for rule in grammar.rewrites:
        if rule.only in (None, language):
            yield Rewrite(
                find=_pattern(name, rule.find, rule.write, grammar.where),
                write=rule.write,
                join=rule.join,
                cyrillic=rule.cyrillic,
            )


def _phrases(grammar: _GrammarFile, words: Mapping[str, str]) -> Iterator[Rewrite]:
    """Phrases are looked for in words that have their one spelling already."""
    for canonical, forms in grammar.phrases.items():
        spelled = (" ".join(words.get(word) or word for word in form.split()) for form in forms.split(","))
        alternatives = "|".join(map(re.escape, spelled))
        yield Rewrite(find=re.compile(rf"(?<!\S)(?:{alternatives})(?!\S)"), write=canonical)


def _entities(name: str, grammar: _GrammarFile) -> Iterable[EntityRule]:
    for rule in grammar.entities:
        find = _pattern(name, rule.find, rule.value, grammar.where)
        yield EntityRule(kind=rule.kind, find=find, value=rule.value)


def _pattern(name: str, find: str, write: str, where: Mapping[str, str]) -> re.Pattern[str]:
    """A rule's expression, its `<names>` filled in, from the begin of a word on."""
    text = find
    while found := re.search(r"(?<!P)<(\w+)>", text):
        if found[1] not in where:
            raise ExperimentError(f"{name}: <{found[1]}> is unknown", remedy="name it under `where`")
        text = text[: found.start()] + where[found[1]] + text[found.end() :]
    try:
        pattern = re.compile(rf"(?<!\S)(?:{text})")
        pattern.sub(write, "")  # are there groups of these numbers?
    except re.error as error:
        raise ExperimentError(
            f"{name}: {find!r} cannot become {write!r} ({error})", remedy="mend the regular expression"
        ) from error
    return pattern
