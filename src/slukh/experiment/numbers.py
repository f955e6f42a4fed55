# Cyrillic is the subject
"""Number words into digits, Ukrainian and Russian alike: "сто двадцять три сорок п'ять" is 123 45.

Towards digits, because that way is many to one: every case and gender of a number, and its ordinal, is the
same number. Words of one number come in falling places, so a word that does not fit below the last one begins
the next number.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

# After a number that says the hour, or the day of a month; tokens have none of these, and no canonical text.
HOUR_MARK = "'"
DAY_MARK = '"'
_THOUSAND = 1000
_PLACE = {100: 100, 20: 10, 0: 1}  # after so much or more, what follows is less than that
_DIGITS_OF_A_REST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberWord:
    """What a word is worth in a number.

    Attributes:
        value: added to the number.
        is_last: nothing follows it, as after an ordinal.
        is_singular: it multiplies one, not more.
        mark: `HOUR_MARK` or `DAY_MARK`, if hardly anything else is said with this form of it.
    """

    value: float
    is_last: bool = False
    is_singular: bool = False
    mark: str = ""


def with_digits(
    tokens: Sequence[str], words: Mapping[str, NumberWord], fractions: Container[str] = ()
) -> list[str]:
    """Tokens with their numbers in digits.

    Args:
        tokens: lower case, as in the grammar.
        words: what a number word is worth.
        fractions: words that stay as they are after a number.

    Returns: tokens, those of numbers with the mark of their last word.
    """
    out: list[str] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        is_number = token in words and not (token in fractions and out and _is_digits(out[-1]))
        if is_number or _is_digits(token):
            number, at = _number(tokens, at, words, fractions)
            out.append(number)
        else:
            out.append(token)
            at += 1
    return out


def _number(
    tokens: Sequence[str], at: int, words: Mapping[str, NumberWord], fractions: Container[str]
) -> tuple[str, int]:
    """The number that begins at a token, and where it ends."""
    number = _Number()
    if _is_digits(first := tokens[at]):
        following = tokens[at + 1] if at + 1 < len(tokens) else ""
        scale = words.get(following) if following not in fractions else None
        is_telephone = first[0] == "0" and not first.startswith("0.")
        is_date = first.count(".") > 1
        if scale is None or scale.value < _THOUSAND or is_telephone or is_date:
            return first, at + 1
        number.group, at = float(first), at + 1
    elif words[first].value == 0:
        return "0", at + 1
    mark, begin = "", at
    while at < len(tokens):
        if at > begin and tokens[at] in fractions:
            break
        word = words.get(tokens[at])
        if word is None:
            if number.total and not number.group and _is_rest(tokens[at]):  # "12 тисяч 300"
                number.group, at = float(tokens[at]), at + 1
            break
        if not number.takes(word):
            break
        at += 1
        if word.is_last:
            mark = word.mark
            break
    return f"{round(number.total + number.group, 3):.12g}{mark}", at


class _Number:
    """A number as its words come in; what is below a thousand waits for a word that multiplies it."""

    def __init__(self) -> None:
        self.total = 0.0
        self.group = 0.0
        self._room: float = _THOUSAND
        self._ceiling = float("inf")

    def takes(self, word: NumberWord) -> bool:
        """Add a word's value, if it fits below the last one."""
        value = word.value
        if word.is_singular and self.group and self.group % 10 != 1:
            return False
        if value >= _THOUSAND:
            if value >= self._ceiling or (self.total and not self.group):
                return False
            self.total += (self.group or 1) * value
            self.group, self._room, self._ceiling = 0.0, _THOUSAND, value
            return True
        if not 0 < value < self._room:
            return False
        self.group += value
        self._room = next(rest for least, rest in _PLACE.items() if value >= least)
        return True


def _is_rest(token: str) -> bool:
    return token.isdecimal() and token[0] != "0" and len(token) <= _DIGITS_OF_A_REST


def _is_digits(token: str) -> bool:
    return token[0].isdecimal() and token[-1].isdecimal()
