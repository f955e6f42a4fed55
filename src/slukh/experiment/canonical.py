# ruff: noqa: RUF002  # Cyrillic is the subject
"""One form for one meaning: text as two engines write it becomes equal where they heard the same.

Google writes "205/55 R16", Whisper "двісті п'ять на п'ятдесят п'ять ер шістнадцять"; compared word by word,
both would be wrong. The steps, in order:

    tokens       NFC, no stress marks, apostrophes and punctuation, е for ё, Latin lookalikes in Cyrillic
                 words, lower case, "несложно" as "не сложно", letters and digits apart, 10 for "10-й"
    letters      what somebody spelled in one word ("бэ эм вэ"), hesitations among it kept
    words        fillers off, names and units in one spelling, phrases, number words in digits
    rewrites     dates, times, telephone numbers, plates, tyre sizes, prices, from the grammar

Canonical text is its own canonical text. What is not certain stays as it is written: a difference that
remains is an error that is counted, one that is taken away wrongly is an error that nobody sees.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from slukh.experiment.grammar import EntityKind, Grammar, load_grammar
from slukh.experiment.numbers import with_digits
from slukh.experiment.tokens import COMMA, tokens_of

# Another text for the same words is another version: errors under two of them are not to be compared.
CANONICAL_VERSION = "3"

_HAS_DIGIT = re.compile("[0-9]")
_LEFT_OVER = re.compile(r"(?<!\S)[:/](?!\S)")
_PASSES = 4
_PLATE = re.compile("(?:ll|p)n{1,4}(?:ll|p)|ln{1,3}(?:ll|p)n")  # of the kinds of tokens
_LETTERS_OF_A_PAIR = 2
_THOUSAND = 1000
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
    tokens: Sequence[str] = tokens_of(text, grammar.spelling)
    if has_comma := COMMA in tokens:
        tokens = _with_commas_in_numbers(tokens, grammar)
    tokens = grammar.spelled.apply(tokens)
    if sum(token in grammar.letters for token in tokens) >= _FEWEST_SPELLED:
        tokens = _spelled_out(tokens, grammar)
    plate = _of_plates(tokens, grammar)
    kept: list[str] = []
    for at, token in enumerate(tokens):
        word = grammar.words.get(token)
        if word:
            kept += word.split()
        elif word is None or at in plate:
            kept.append(token)
    line = " ".join(with_digits(grammar.phrases.apply(kept), grammar.numbers, grammar.fractions))
    if has_comma:
        line = line.replace(f" {COMMA}", "")
    if _HAS_DIGIT.search(line):
        for rewrites in grammar.rewrites:
            line = rewrites.apply(line)
        line = _LEFT_OVER.sub("", line)
    return " ".join(line.split())


def _with_commas_in_numbers(tokens: Sequence[str], grammar: Grammar) -> list[str]:
    """Only the commas that part numbers: "сімсот, вісімдесят" is no 780, but "тисяча, двісті" is 1200."""
    kept: list[str] = []
    for token, following in pairwise([*tokens, ""]):
        if token == COMMA:
            before = grammar.numbers.get(kept[-1]) if kept else None
            if before is None or before.value >= _THOUSAND or following not in grammar.numbers:
                continue
        kept.append(token)
    return kept


def _spelled_out(tokens: Sequence[str], grammar: Grammar) -> Sequence[str]:
    """Letters that somebody names, as one word, where hesitations are letters: "ка, э, пэ" is кэп."""
    out: list[str] = []
    at = 0
    while at < len(tokens):
        end = at
        while end < len(tokens) and tokens[end] in grammar.letters:
            end += 1
        run = tokens[at:end]
        fillers = sum(grammar.words.get(token) == "" for token in run)
        is_named = fillers > 0 or any(len(token) > 1 for token in run)
        if is_named and len(run) >= _FEWEST_SPELLED and len(run) - fillers >= _FEWEST_CERTAIN:
            out.append("".join(grammar.letters[token] for token in run))
        else:
            end = max(end, at + 1)
            out += tokens[at:end]
        at = end
    return out


def _of_plates(tokens: Sequence[str], grammar: Grammar) -> Collection[int]:
    """Where letters may be more than hesitations: "а е дванадцять тридцять чотири е м", "AE 1234 EE"."""
    if all(grammar.words.get(token, token) for token in tokens):
        return ()
    kinds = "".join(
        "n" if token[0].isdecimal() or token in grammar.numbers
        else "l" if token in grammar.letters or token in grammar.words_of_letters
        else "p" if len(token) == _LETTERS_OF_A_PAIR
        else " "
        for token in tokens
    )  # fmt: skip
    return {at for match in _PLATE.finditer(kinds) for at in range(*match.span())}
