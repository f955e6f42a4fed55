# Cyrillic is the subject
"""Words into other words: phrases from a table, and regular expressions over a line of words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

WORD_BEGIN = r"(?<!\S)"
_LATIN_LOOKALIKES = str.maketrans("abcehikmoptxy", "авсенікмортху")
_GROUP = re.compile(r"(?<!\\)\((?!\?)")
_REFERENCE = re.compile(r"\\[1-9]|\(\?P=|\(\?\(")
_VALUE = re.compile(r"<(\w+) ([^>]*)>")
_CLOCK = re.compile("([0-9]{1,2}):([-+0-9]+)")
_HOUR = 60
_HALF_A_DAY = 12 * _HOUR

Values = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """Words in a row that are written as others.

    Attributes:
        written: what stands for the words.
        longest: how many words a phrase has at most, by its first word.
    """

    written: Mapping[tuple[str, ...], str] = field(repr=False)
    longest: dict[str, int] = field(repr=False)

    @classmethod
    def of(cls, written: Mapping[tuple[str, ...], str]) -> "Phrases":
        """Those of a table."""
        longest: dict[str, int] = {}
        for words in written:
            longest[words[0]] = max(longest.get(words[0], 0), len(words))
        return cls(written=written, longest=longest)

    def apply(self, tokens: Sequence[str]) -> Sequence[str]:
        """The words with the longest phrases in place, from left to right."""
        if self.longest.keys().isdisjoint(tokens):
            return tokens
        out: list[str] = []
        at = 0
        while at < len(tokens):
            longest = self.longest.get(tokens[at], 0)
            for length in range(min(longest, len(tokens) - at), 0, -1):
                if (written := self.written.get(tuple(tokens[at : at + length]))) is not None:
                    out += written.split()
                    at += length
                    break
            else:
                out.append(tokens[at])
                at += 1
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """One spelling for what sounds alike.

    Attributes:
        find: begins and ends of words.
        written: what stands for one; others are words of their own, as "не" is in "несложно".
    """

    find: re.Pattern[str] = field(repr=False)
    written: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, apart: Mapping[str, str], begins: Mapping[str, str], ends: Mapping[str, str]) -> "Spelling":
        """That of a grammar: words and expressions of what follows them; begins and ends of words."""
        words = (f"{word}(?={'|'.join(after.split())})" for word, after in apart.items())
        first = "|".join([*words, *map(re.escape, begins)])
        last = "|".join(map(re.escape, ends))
        return cls(find=re.compile(rf"\b(?:{first})|(?:{last})\b"), written={**begins, **ends})

    def apply(self, text: str) -> str:
        """The text in it."""
        if self.find.search(text) is None:
            return text
        return self.find.sub(lambda match: self.written.get(match[0], f"{match[0]} "), text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """What the words that an expression finds become.

    Attributes:
        find: where; it begins with `WORD_BEGIN`.
        write: what stands there then, with the match's groups; `<table words>` is looked up in `values`, and
            is the words themselves if they are not there.
        values: tables by name.
        join: without its spaces; `_` is one that stays.
        cyrillic: with Latin lookalikes in Cyrillic.
        clock: the minutes are a sum: "3:-30" is half past two.
    """

    find: re.Pattern[str]
    write: str
    values: Values = field(default_factory=dict, repr=False)
    join: bool = False
    cyrillic: bool = False
    clock: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether `write` is all there is to do."""
        return not (self.join or self.cyrillic or self.clock or "<" in self.write.replace(r"\g<", ""))

    def apply(self, text: str) -> str:
        """The text, rewritten."""
        if self.find.search(text) is None:  # nearly always, and three times as fast as `sub` finds out
            return text
        return self.find.sub(self.write if self.is_plain else self._written, text)

    def _written(self, match: re.Match[str]) -> str:
        written = match.expand(self.write)
        written = _VALUE.sub(lambda key: self.values.get(key[1], {}).get(key[2], key[2]), written)
        if self.join:
            written = written.replace(" ", "").replace("_", " ")
        if self.clock:
            written = _CLOCK.sub(_time_of_day, written)
        return written.translate(_LATIN_LOOKALIKES) if self.cyrillic else written


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrites:
    """Those of one subject, in order.

    Attributes:
        rules: each sees what the ones before it wrote.
        any_of_them: finds something if a rule does. Hardly any subject is in a text, and to look for all of
            its rules at once is much faster than to look for one after the other.
    """

    rules: Sequence[Rewrite]
    any_of_them: re.Pattern[str] = field(repr=False)

    @classmethod
    def of(cls, rules: Sequence[Rewrite]) -> "Rewrites":
        """Rules in order."""
        finds = [rule.find.pattern.removeprefix(WORD_BEGIN) for rule in rules]
        if any(_REFERENCE.search(find) for find in finds):  # a number that means another group among the rest
            return cls(rules=rules, any_of_them=re.compile(""))
        # Groups that keep nothing take a third less time.
        alternatives = "|".join(_GROUP.sub("(?:", find) for find in finds)
        return cls(rules=rules, any_of_them=re.compile(f"{WORD_BEGIN}(?:{alternatives})"))

    def apply(self, text: str) -> str:
        """The text, rewritten."""
        if self.any_of_them.search(text) is None:
            return text
        for rule in self.rules:
            text = rule.apply(text)
        return text


def _time_of_day(match: re.Match[str]) -> str:
    """An hour and a sum of minutes, "9:-60+10", as the clock shows it: 8:10."""
    signs = [found.start() for found in re.finditer("[-+]", match[2])]
    terms = (match[2][begin:end] for begin, end in pairwise(sorted({0, *signs, len(match[2])})))
    minutes = int(match[1]) * _HOUR + sum(map(int, terms))
    if minutes < _HOUR:  # half an hour before one is half past twelve
        minutes += _HALF_A_DAY
    return f"{minutes // _HOUR}:{minutes % _HOUR:02}"
