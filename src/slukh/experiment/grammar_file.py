# ruff: noqa: RUF001, RUF002  # Cyrillic is the subject
"""A grammar as it is written: YAML, whose words are stems and endings.

    numbers, ordinals   value -> its words
    hours, days         forms of ordinals by which one says the hour, or the day
    singular            forms that multiply one, not more
    fractions           words that are part of the number before them
    words, names        what is written -> everything that is written for it; names are entities as well
    phrases             the same for several words in a row
    apart               first word -> begins of words that are also written together with it, as expressions
    begins, ends        of words -> how they are written, as they sound alike
    fillers             what is said without being meant
    letters             Latin letter -> a Cyrillic one, and its names; among them a filler is a letter
    words_of_letters    names that are words as well: they are letters only in what `spelled` has
    spelled             abbreviations that one says letter by letter
    where, rewrites     regular expressions over the words, one space between them, numbers in digits
    values              tables for `<table words>` in what a rewrite writes
    entities            what to find in canonical text, of which kind
    words_of, ordinals_of, values_of   what holds in one language only

Words come as `stem|ending ending`, `-` is the stem alone, `@name` a set out of `endings`, `~` the endings of
a masculine noun. They are lower case, without apostrophes and with е for ё.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slukh.errors import ExperimentError
from slukh.experiment.rewriting import WORD_BEGIN
from slukh.yaml_lines import read_yaml

EntityKind = Literal["size", "phone", "time", "date", "price", "quantity", "plate", "name"]

_MASCULINE = ["-", "а", "у", "ом", "ем", "і", "е", "ы", "и", "ов", "ів", "ой"]


class RewriteRule(BaseModel):
    """A rewrite as it is written; see `Rewrite`."""

    model_config = ConfigDict(extra="forbid")

    find: str
    write: str
    join: bool = False
    cyrillic: bool = False
    clock: bool = False
    only: str | None = None


class EntityText(BaseModel):
    """What to find in canonical text, as it is written; see `EntityRule`."""

    model_config = ConfigDict(extra="forbid")

    kind: EntityKind
    find: str
    value: str = r"\g<0>"


class GrammarFile(BaseModel):
    """One file."""

    model_config = ConfigDict(extra="forbid")

    endings: dict[str, str] = Field(default_factory=dict)
    numbers: dict[int | float, str] = Field(default_factory=dict)
    ordinals: dict[int, str] = Field(default_factory=dict)
    ordinals_of: dict[str, dict[int, str]] = Field(default_factory=dict)
    hours: str = ""
    days: str = ""
    singular: str = ""
    fractions: str = ""
    fillers: str = ""
    letters: dict[str, str] = Field(default_factory=dict)
    words_of_letters: str = ""
    spelled: str = ""
    words: dict[str, str] = Field(default_factory=dict)
    words_of: dict[str, dict[str, str]] = Field(default_factory=dict)
    names: dict[str, str] = Field(default_factory=dict)
    phrases: dict[str, str] = Field(default_factory=dict)
    apart: dict[str, str] = Field(default_factory=dict)
    begins: dict[str, str] = Field(default_factory=dict)
    ends: dict[str, str] = Field(default_factory=dict)
    values: dict[str, dict[str, str]] = Field(default_factory=dict)
    values_of: dict[str, dict[str, dict[str, str]]] = Field(default_factory=dict)
    where: dict[str, str] = Field(default_factory=dict)
    rewrites: list[RewriteRule] = Field(default_factory=list)
    entities: list[EntityText] = Field(default_factory=list)


def parsed(name: str, text: str) -> GrammarFile:
    """A file's content.

    Raises:
        ExperimentError: it is no YAML, or no grammar.
    """
    document = read_yaml(text, file=name, refusal=ExperimentError, floats="text")
    try:
        return GrammarFile.model_validate(document.value or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise document.error(
            first["loc"],
            f"{where} is no grammar ({first['msg']})",
            remedy="see src/slukh/experiment/grammars for examples",
        ) from error


def forms(text: str, endings: Mapping[str, str]) -> Iterator[str]:
    """`одн|а е, один` -> одна, одне, один.

    Raises:
        KeyError: no set of endings has this name.
    """
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


def pattern(name: str, find: str, write: str, where: Mapping[str, str]) -> re.Pattern[str]:
    """A rule's expression, its `<names>` filled in, from the begin of a word on.

    Raises:
        ExperimentError: it is none, or has not the groups that are written.
    """
    text = find
    while found := re.search(r"(?<!P)<(\w+)>", text):
        if found[1] not in where:
            raise ExperimentError(f"{name}: <{found[1]}> is unknown", remedy="name it under `where`")
        text = text[: found.start()] + where[found[1]] + text[found.end() :]
    try:
        compiled = re.compile(f"{WORD_BEGIN}(?:{text})")
        compiled.sub(write, "")  # are there groups of these numbers?
    except re.error as error:
        raise ExperimentError(
            f"{name}: {find!r} cannot become {write!r} ({error})", remedy="mend the regular expression"
        ) from error
    return compiled
