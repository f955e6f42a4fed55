# ruff: noqa: RUF001, RUF002  # Cyrillic is the subject
"""One form for one meaning: text as two engines write it becomes equal where they heard the same.

Google writes "205/55 R16", Whisper "двісті п'ять на п'ятдесят п'ять ер шістнадцять"; compared word by word,
both would be wrong. The steps, in order:

    characters   NFC, no stress marks and apostrophes, е for ё, Latin lookalikes in Cyrillic words
    tokens       lower case, letters and digits apart, ordinal endings ("10-й") off, punctuation off
    words        fillers off, but no spelled letter ("эн эм ка"), names and units in one
                 spelling, number words in digits
    rewrites     telephone numbers, plates, tyre sizes, times, prices, from the grammar

Canonical text is its own canonical text. What is not certain stays as it is written: a difference that
remains is an error that is counted, one that is taken away wrongly is an error that nobody sees.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from slukh.experiment.grammar import EntityKind, Grammar, load_grammar
from slukh.experiment.numbers import with_digits

# Another text for the same words is another version: errors under two of them are not to be compared.
CANONICAL_VERSION = "2"

_STRESS = "\u0300\u0301"
_DROPPED = "'\u2019\u2018\u02bc`\u00b4\u2032\uff07\ua78c\u00ad\u200b\u200c\u200d\u2060\ufeff" + _STRESS
_CHARACTERS = str.maketrans(
    dict.fromkeys(_DROPPED, "") | {"ё": "е", "Ё": "Е", "ѐ": "е", "Ѐ": "Е", "ѝ": "и", "Ѝ": "И", "\\": "/"}
)
_LOOKALIKES = str.maketrans("ABCEHIKMOPTXYaceiopxy", "АВСЕНІКМОРТХУасеіорху")
_CYRILLIC = "\u0400-\u04ff"
_MIXED = re.compile(rf"\w*(?:[A-Za-z][{_CYRILLIC}]|[{_CYRILLIC}][A-Za-z])\w*")
_LONE = re.compile(r"(?<![^\W_])[aceiopxy](?![^\W\d_])")
_LONE_LETTERS = str.maketrans("aceiopxy", "асеіорху")
_RIM_WITH_C = re.compile(r"(?:(?<=[RrРр][0-9]{2})|(?<=[RrРр] [0-9]{2})) ?[CС](?![^\W_])")
_MONEY_BEFORE = re.compile("([$€₴₽]) ?([0-9]+(?:[ .,][0-9]+)*)")
_ORDINAL_ENDING = re.compile(
    r"(?<=[0-9])(?:[-\u2010-\u2013](?:[а-яіїє]{1,2}|ого|ому|ими|ыми|тьох|тьом)|й|го|му|ий|ая|ої)(?![^\W_])"
)
_TOKEN = re.compile(
    r"[0-9]+[.,][0-9]{1,3}(?![.,]?[0-9])|[0-9]+c?(?![^\W_])|[0-9]+|(?:[^\W\d_]|[\u0300-\u036f])+"
    r"|(?<=[0-9])[:/](?=[0-9])|[%$€₴₽№]|\+(?=[0-9(])"
)
_HAS_DIGIT = re.compile("[0-9]")
_LEFT_OVER = re.compile(r"(?<!\S)[:/](?!\S)")
_PASSES = 4
_FEWEST_SPELLED = 3  # letters in a row; after one there may be a hesitation, as before the inches of a rim
_FEWEST_CERTAIN = 2  # of them, that are not hesitations themselves


def canonical_text(text: str, language_code: str, *, grammar: Grammar | None = None) -> str:
    """What was said, in the one form that both sides of a comparison get.

    Args:
        text: as an engine or a person wrote it.
        language_code: BCP-47 of the call; Ukrainian and Russian may be mixed in either.
        grammar: with a user's own words; by default the shipped one.

    Returns: lower case words with single spaces, numbers in digits; its own fixed point.
    """
    grammar = grammar or load_grammar(language_code)
    found = _pass(text, grammar)
    for _ in range(_PASSES):  # what one pass brings together, the next may know as one thing
        if (again := _pass(found, grammar)) == found:
            break
        found = again
    return found


def canonical_version(grammar: Grammar) -> str:
    """What canonical texts depend on: this code and the grammar."""
    return f"{CANONICAL_VERSION}-{grammar.digest}"


def entities(canonical: str, grammar: Grammar) -> Counter[tuple[EntityKind, str]]:
    """Sizes, numbers, times, prices, quantities and names in canonical text, by kind and value."""
    return Counter(_entities(canonical, grammar))


def _entities(canonical: str, grammar: Grammar) -> Iterator[tuple[EntityKind, str]]:
    for rule in grammar.entities:
        for match in rule.find.finditer(canonical):
            yield rule.kind, match.expand(rule.value)
    for word in canonical.split():
        if word in grammar.names:
            yield "name", word


def _pass(text: str, grammar: Grammar) -> str:
    tokens = _tokens(text)
    kept: list[str] = []
    for at, token in enumerate(tokens):
        word = grammar.words.get(token, token)
        if word or (kept and _is_middle_of_plate(kept[-1])) or _is_spelled(tokens, at, grammar):
            kept.append(word or token)
    line = " ".join(with_digits(kept, grammar.numbers, grammar.fractions))
    for phrase in grammar.phrases:
        line = phrase.apply(line)
    if _HAS_DIGIT.search(line):
        for rewrite in grammar.rewrites:
            line = rewrite.apply(line)
        line = _LEFT_OVER.sub("", line)
    return " ".join(line.split())


def _is_middle_of_plate(token: str) -> bool:
    """Whether letters after it may be more than a hesitation: "AE 1234 EE"."""
    return token.isdecimal() and len(token) in (3, 4)


def _is_spelled(tokens: list[str], at: int, grammar: Grammar) -> bool:
    """Whether a filler is a letter among letters: "бэ эм вэ"."""
    begin, end = at, at
    while begin > 0 and tokens[begin - 1] in grammar.letters:
        begin -= 1
    while end < len(tokens) and tokens[end] in grammar.letters:
        end += 1
    certain = sum(grammar.words.get(token, token) != "" for token in tokens[begin:end])
    return at < end and end - begin >= _FEWEST_SPELLED and certain >= _FEWEST_CERTAIN


def _tokens(text: str) -> list[str]:
    """Lower-case words, numbers and the signs that mean something."""
    letters = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).translate(_CHARACTERS))
    letters = _MIXED.sub(lambda match: match[0].translate(_LOOKALIKES), letters)
    has_digit = _HAS_DIGIT.search(letters) is not None
    if has_digit:
        letters = _RIM_WITH_C.sub("c", letters)
        letters = letters.lower()
        letters = _MONEY_BEFORE.sub(r"\2 \1 ", letters)
        letters = _ORDINAL_ENDING.sub("", letters)
    else:
        letters = letters.lower()
    letters = _LONE.sub(lambda match: match[0].translate(_LONE_LETTERS), letters)
    return [token.replace(",", ".") for token in _TOKEN.findall(letters)]
