"""What the canonicaliser knows of a language and a trade: words, numbers, rewrites. All of it is data.

The grammars in `grammars/` come with the package, and a user's own are added to them; grammar_file.py says
how they are written.
"""

import hashlib
import json
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import product
from pathlib import Path
from re import Pattern

from slukh.errors import ExperimentError
from slukh.experiment.files import read_text
from slukh.experiment.grammar_file import EntityKind, GrammarFile, forms, parsed, pattern
from slukh.experiment.numbers import DAY_MARK, HOUR_MARK, NumberWord
from slukh.experiment.rewriting import Phrases, Rewrite, Rewrites, Spelling

__all__ = ["EntityKind", "EntityRule", "Grammar", "load_grammar"]

# In this order: an hour must be one before its gender is forgotten, a telephone number must be whole before a
# size or a time could be seen in it.
_SHIPPED = (
    "numbers", "letters", "speech", "dates", "hours", "phones", "plates", "tyres", "tyre_makers", "cars",
    "services", "times", "prices",
)  # fmt: skip
_FEWEST_WRITTEN = 3  # letters of an abbreviation that is one word: two may be a word, or part of a plate


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityRule:
    """Where an entity is in canonical text, and what of it is its value."""

    kind: EntityKind
    find: Pattern[str]
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """One language's grammar, ready for use.

    Attributes:
        words: what is written -> what it becomes; empty for what is dropped.
        numbers: number words.
        fractions: words that belong to the number before them.
        letters: how letters are called that somebody spells -> the letter.
        words_of_letters: those that are words as well.
        spelled: abbreviations by the names of their letters.
        spelling: one for what sounds alike.
        phrases: several words that are one.
        rewrites: of one subject after the other, of texts with digits.
        entities: what to find in canonical text.
        names: canonical words that are names.
        digest: of the data all this was made of.
    """

    words: Mapping[str, str] = field(repr=False)
    numbers: Mapping[str, NumberWord] = field(repr=False)
    fractions: frozenset[str]
    letters: dict[str, str] = field(repr=False)
    words_of_letters: frozenset[str] = field(repr=False)
    spelled: Phrases = field(repr=False)
    spelling: Spelling = field(repr=False)
    phrases: Phrases = field(repr=False)
    rewrites: tuple[Rewrites, ...] = field(repr=False)
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
    named = [(name, parsed(name, text)) for name, text in texts]
    grammars = [grammar for _, grammar in named]
    endings = {name: text for grammar in grammars for name, text in grammar.endings.items()}
    letters = {letter: names.split() for grammar in grammars for letter, names in grammar.letters.items()}
    letters |= {names[0]: names for names in letters.values()}
    abbreviations = " ".join(grammar.spelled for grammar in grammars).split()
    words = {
        "".join(names): abbreviation
        for abbreviation in abbreviations
        if len(abbreviation) >= _FEWEST_WRITTEN
        for names in _spellings(abbreviation, letters)
        if max(map(len, names)) == 1
    }
    numbers: dict[str, NumberWord] = {}
    for name, grammar in named:
        try:
            numbers = _numbers(grammar, language, endings) | numbers
            words |= _words(grammar, language, endings)
        except KeyError as error:
            raise ExperimentError(
                f"{name}: no set of endings is called {error}", remedy="name it under `endings`"
            ) from error
    both = frozenset(" ".join(grammar.words_of_letters for grammar in grammars).split())
    spelled = {
        names: abbreviation
        for abbreviation in abbreviations
        for names in _spellings(abbreviation, letters)
        if not both.issuperset(names) and (len(names) >= _FEWEST_WRITTEN or min(map(len, names)) > 1)
    }
    content = json.dumps([language, *(text for _, text in texts)])
    return Grammar(
        words=words,
        numbers=numbers,
        fractions=frozenset(" ".join(grammar.fractions for grammar in grammars).split()),
        letters={name: names[0] for names in letters.values() for name in names if name not in both},
        words_of_letters=both,
        spelled=Phrases.of(spelled),
        spelling=Spelling.of(
            ChainMap(*(grammar.apart for grammar in grammars)),
            ChainMap(*(grammar.begins for grammar in grammars)),
            ChainMap(*(grammar.ends for grammar in grammars)),
        ),
        phrases=Phrases.of(
            {key: value for grammar in grammars for key, value in _phrases(grammar, words, endings)}
        ),
        rewrites=tuple(_rewrites(name, grammar, language) for name, grammar in named if grammar.rewrites),
        entities=tuple(rule for name, grammar in named for rule in _entities(name, grammar)),
        names=frozenset(name for grammar in grammars for name in grammar.names),
        digest=hashlib.sha256(content.encode()).hexdigest()[:12],
    )


def _numbers(grammar: GrammarFile, language: str, endings: Mapping[str, str]) -> dict[str, NumberWord]:
    """A cardinal may go on, so it wins where it looks like an ordinal."""
    numbers: dict[str, NumberWord] = {}
    singular = frozenset(forms(grammar.singular, endings))
    marks = dict.fromkeys(forms(grammar.hours, endings), HOUR_MARK) | dict.fromkeys(
        forms(grammar.days, endings), DAY_MARK
    )
    for values, is_last in (
        (grammar.numbers, False),
        (grammar.ordinals, True),
        (grammar.ordinals_of.get(language, {}), True),
    ):
        for value, text in values.items():
            for form in forms(text, endings):
                numbers.setdefault(
                    form,
                    NumberWord(
                        value=value, is_last=is_last, is_singular=form in singular, mark=marks.get(form, "")
                    ),
                )
    return numbers


def _words(grammar: GrammarFile, language: str, endings: Mapping[str, str]) -> dict[str, str]:
    words: dict[str, str] = {}
    for section in (grammar.words, grammar.names, grammar.words_of.get(language, {})):
        for canonical, text in section.items():
            words |= dict.fromkeys(forms(text, endings), canonical)
    return words | dict.fromkeys(grammar.fillers.split(), "")


def _spellings(abbreviation: str, letters: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Every way to say the letters of an abbreviation."""
    return product(*((letter, *letters.get(letter, ())) for letter in abbreviation))


def _phrases(
    grammar: GrammarFile, words: Mapping[str, str], endings: Mapping[str, str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Phrases are looked for in words that have their one spelling already."""
    for canonical, text in grammar.phrases.items():
        for phrase in text.split(","):
            options = [list(forms(word, endings)) for word in phrase.split()]
            for each in product(*options):
                yield tuple(words.get(word) or word for word in each), canonical


def _rewrites(name: str, grammar: GrammarFile, language: str) -> Rewrites:
    values = grammar.values | grammar.values_of.get(language, {})
    return Rewrites.of(
        [
            Rewrite(
                find=pattern(name, rule.find, rule.write, grammar.where),
                write=rule.write,
                values=values,
                join=rule.join,
                cyrillic=rule.cyrillic,
                clock=rule.clock,
            )
            for rule in grammar.rewrites
            if rule.only in (None, language)
        ]
    )


def _entities(name: str, grammar: GrammarFile) -> Iterator[EntityRule]:
    for rule in grammar.entities:
        find = pattern(name, rule.find, rule.value, grammar.where)
        yield EntityRule(kind=rule.kind, find=find, value=rule.value)
