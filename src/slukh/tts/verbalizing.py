"""Numbers with what stands beside them, as they are read out: the last thing before a voice. Pure.

    205/55 R16           205 на 55 радіус 16
    4 500,50 грн         4500 гривень 50 копійок
    5-7 %                від 5 до 7 відсотків
    № 45, 9:30           номер 45, 9 30

Voices say whole numbers well, and so those stay digits (a phrase cache knows them by these). What they do
not say well is what is written around them: eSpeak reads `5-7` as five minus seven, `4 500` as four, five
hundred, and leaves `№` out. No number is ever lost; a fraction of `,00` of money is none. Where a number's
own word has a gender, as before гривня, num2words writes it.

What is said may be verbalised again without a change.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from num2words import num2words

from slukh.tts.units import Noun, Words

_SPACES: Final = " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}"
_LONGEST_IN_WORDS: Final = 9  # digits: num2words has no names for all that can be written
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014-"
_AMOUNT: Final = r"(?<![\d.,])(?P<whole>\d+)(?:[.,](?P<part>\d{1,2}))?(?![.,]?\d)"
# Of a unit's own dot; one that ends the sentence is left to it.
_DOT: Final = r"(?:\.(?=[,;)]|\s+[^\s\W\d_А-ЯІЇЄҐA-Z]))?"  # noqa: RUF001

_JOINED = re.compile(r"(?<=\d)[\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}](?=\d{3}(?!\d))")
_PHONE = re.compile(
    r"(?<!\d)(\+?38[ -]?)?\(?(0\d\d)\)?[ -]?(\d{3})[ -]?(\d{2})[ -]?(\d{2})(?![\d/])"
)  # Ukrainian ones
_HYPHENATED = re.compile(r"(?<![\d-])\d+(?:-\d+){2,}(?![\d-])")
_ISO_DATE = re.compile(r"(?<![\d-])(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?![\d-])")
_DATE = re.compile(r"(?<![\d.])(0?[1-9]|[12]\d|3[01])\.(0[1-9]|1[0-2])\.(\d{4})(?![\d])(\s*[рг]\.(?!\w))?")  # noqa: RUF001
_HOUR: Final = r"(?:[01]?\d|2[0-4]):[0-5]\d"
_RANGE = re.compile(
    rf"(?<![\w.,:/{_DASHES}])(?:"
    rf"(?P<from_hour>{_HOUR})\s*[{_DASHES}]\s*(?P<to_hour>{_HOUR})"
    rf"|(?P<low>\d+(?:[.,]\d{{1,2}})?)\s?(?P<sign>[%°]?)[{_DASHES}](?P<high>\d+(?:[.,]\d{{1,2}})?)"
    rf")(?![\d:/{_DASHES}]|[.,]\d)(?!\w)"
)
_TIME = re.compile(rf"(?<![\d:])({_HOUR})(?::([0-5]\d))?(?![\d:])")
_TYRE = re.compile(r"(?<!\d)(\d{3})\s?/\s?(\d{2})\s?(?:/|Z?R|(?<=\s))\s?(\d{2})(?!\d)(C\b)?", re.IGNORECASE)
_RIM = re.compile(r"(?<!\w)Z?R[ -]?(\d{2})(?!\d)(C\b)?", re.IGNORECASE)
_BETWEEN = re.compile(r"(?<=\d)\s?[/\N{MULTIPLICATION SIGN}]\s?(?=\d)")
_OR = re.compile(r"(?<=[^\W\d_])/(?=[^\W\d_])")
_MINUS = re.compile(r"(?<![\w)])[-\u2212](?=\d)|\u2212")
_ARROW = re.compile(r"\s*(?:[-=]+>|<[-=]+|[\u2190-\u21ff])\s*")
_LONG = re.compile(r"(?<![\d])\d{9,}(?!\d)")
_LAST_WORD = re.compile(r"([^\W\d_]+)\s+$")


def verbalized(text: str, words: Words) -> str:
    """A text without markup as it is to be read out."""
    text = _JOINED.sub("", text)
    text = _grouped(text, words)
    text = _ARROW.sub(" \u2013 ", text)
    text = _ISO_DATE.sub(lambda found: _date(found[3], found[2], found[1], words), text)
    text = _DATE.sub(lambda found: _date(found[1], found[2], found[3], words), text)
    text = _PHONE.sub(_phone, text)
    text = _HYPHENATED.sub(lambda found: found[0].replace("-", ", "), text)
    text = _RANGE.sub(lambda found: _range(found, words), text)
    text = _TYRE.sub(
        lambda found: f"{found[1]} {words.times} {found[2]} {words.rim} {found[3]}{_cargo(found[4])}", text
    )
    text = _RIM.sub(lambda found: f"{words.rim} {found[1]}{_cargo(found[2])}", text)
    text = _before_numbers(text, words)
    text = _amounts(text, words)
    text = _BETWEEN.sub(f" {words.times} ", text)
    text = _TIME.sub(lambda found: " ".join(found[0].split(":")), text)
    text = _MINUS.sub(f" {words.minus} ", text)
    text = _LONG.sub(_in_threes, text)
    text = _OR.sub(", ", text)
    return _signs(text, words)


def _date(day: str, month: str, year: str, words: Words) -> str:
    return f"{int(day)} {words.months[int(month) - 1]} {year} {words.year}"


def _phone(found: re.Match[str]) -> str:
    country = "" if found[1] is None else f"{found[1].strip(' -')}, "
    return country + ", ".join(found.group(2, 3, 4, 5))


def _in_threes(found: re.Match[str]) -> str:
    digits = found[0]
    return ", ".join(digits[at : at + 3] for at in range(0, len(digits), 3))


def _cargo(letter: str | None) -> str:
    return f" {letter}" if letter else ""


def _range(found: re.Match[str], words: Words) -> str:
    is_hours = found["from_hour"] is not None
    low, high = found.group("from_hour", "to_hour") if is_hours else found.group("low", "high")
    before = _LAST_WORD.search(found.string[: found.start()])
    is_governed = before is not None and before[1].casefold() in words.governing
    if is_governed or not (is_hours or _takes_genitive(high, found.string[found.end() :], words)):
        return f"{low}, {high}"
    start, end = words.ranges["hours" if is_hours else "numbers"]
    return f"{start} {low} {end} {high}"


def _takes_genitive(high: str, after: str, words: Words) -> bool:
    """Whether what follows a range can stand behind "до": a noun of ours, or one that is in the genitive."""
    if re.match(rf"\s?(?:{_either([*words.money, *words.units, *words.scales])})", after):
        return True
    return int(high[-1]) not in {1, 2, 3, 4} or high[-2:-1] == "1"


def _grouped(text: str, words: Words) -> str:
    """`4 500 грн` and `4,500 грн` as 4500: thousands only where something is counted by them."""
    counted = _either([*words.money, *words.units])
    money = _either(words.money)
    first = rf"(?<![\d.,])(?<!\d[{_SPACES}])([1-9]\d{{0,2}})"
    return re.sub(
        rf"{first}((?: \d{{3}})+)(?=(?:[.,]\d{{1,2}})?\s?(?:{counted}))"
        rf"|{first}((?:[.,]\d{{3}})+)(?=\s?(?:{money}))",
        lambda found: "".join(c for c in found[0] if c.isdigit()),
        text,
    )


def _before_numbers(text: str, words: Words) -> str:
    """Signs of which a number is what they say; money's are put behind it."""
    text = re.sub(
        rf"({_either(sign for sign in words.money if not sign.isalpha())})\s?"
        r"(\d{1,3}(?:[ ,]\d{3})+(?!\d)|\d+)((?:[.,]\d{1,2})?)(?![.,]?\d)",
        lambda found: f"{re.sub('[ ,]', '', found[2])}{found[3]} {found[1]}",
        text,
    )
    for sign, said in words.before_number.items():
        text = re.sub(rf"{re.escape(sign)}\s?(?=\d)", f" {said} ", text)
    return text


def _amounts(text: str, words: Words) -> str:
    """Numbers with their units, with their fractions."""
    scale = rf"(?:(?P<scale>{_either(words.scales)}){_DOT}\s*)?"
    unit = rf"(?:(?P<unit>{_either([*words.money, *words.units])}){_DOT})?"
    per = rf"(?:(?<=[^\s\d])/(?P<per>{_either(words.per)}){_DOT})?"
    return re.sub(rf"{_AMOUNT}\s?{scale}{unit}{per}", _counted_by(words), text)


def _counted_by(words: Words) -> Callable[[re.Match[str]], str]:
    def counted(found: re.Match[str]) -> str:
        whole, part, scale, unit, per = found.group("whole", "part", "scale", "unit", "per")
        space = "" if unit or scale else found[0][len(found[0].rstrip()) :]
        noun = words.money.get(unit) or words.units.get(unit)
        if noun is None and scale is None and part is not None and "." in found[0] and len(part) > 1:
            return f"{whole} {part}{space}"  # a day and a month, or a time, or a price: each is said so
        before = _LAST_WORD.search(found.string[: found.start()])
        is_genitive = before is not None and before[1].casefold() in words.before_genitive
        said = _amount(
            _Number(whole, part, is_genitive), words.scales.get(scale), noun, words.cents.get(unit), words
        )
        return said + (f" за {words.per[per]}" if per else "") + space

    return counted


@dataclass(frozen=True, slots=True)
class _Number:
    """As it is written.

    Attributes:
        whole: digits.
        part: behind the comma, one digit or two; None for a whole number.
        is_genitive: after such a preposition.
    """

    whole: str
    part: str | None
    is_genitive: bool


def _amount(number: _Number, scale: Noun | None, unit: Noun | None, cents: Noun | None, words: Words) -> str:
    if scale is not None:
        return f"{_measured(number, scale, words)} {unit.many if unit else ''}".rstrip()
    if unit is None:
        return number.whole if number.part is None else _decimal(number.whole, number.part, words)
    if cents is not None and number.part is not None and len(number.part) > 1:
        whole = _counted(replace(number, part=None), unit, words)
        rest = replace(number, whole=number.part, part=None)
        return f"{whole} {_counted(rest, cents, words)}" if int(number.part) else whole
    return _measured(number, unit, words)


def _measured(number: _Number, noun: Noun, words: Words) -> str:
    if number.part is None:
        return _counted(number, noun, words)
    return f"{_decimal(number.whole, number.part, words)} {noun.part} {noun.after}".rstrip()


def _decimal(whole: str, part: str, words: Words) -> str:
    wholes, tenths, hundredths = words.wholes
    fraction = (tenths, hundredths)[len(part) - 1]
    named = (
        _counted(_Number(digits, None, is_genitive=False), noun, words)
        for digits, noun in ((whole, wholes), (part, fraction))
    )
    return " ".join(named)


def _counted(number: _Number, noun: Noun, words: Words) -> str:
    """A whole number and its noun: 1 гривня, 2 гривні, 5 гривень; до 1 гривні, до 2 гривень."""
    said, form = number.whole, noun.many
    tens, ones = int(said[-2:]) // 10, int(said[-1])
    if tens != 1 and ones in {1, 2, 3, 4}:
        form = noun.one if ones == 1 else noun.few
        if number.is_genitive:
            form = noun.part if ones == 1 else noun.many
        elif noun.is_feminine and ones in {1, 2} and len(said) <= _LONGEST_IN_WORDS:
            said = num2words(int(said), lang=words.number_language, gender=words.feminine)
    return f"{said} {form} {noun.after}".rstrip()


def _signs(text: str, words: Words) -> str:
    """What is left of them, wherever it stands."""
    return re.sub(_either(words.signs, is_word=False), lambda found: f" {words.signs[found[0]]} ", text)


def _either(written: Iterable[str], *, is_word: bool = True) -> str:
    """Any of these, the longest first; letters are a whole word."""
    parts = sorted(written, key=len, reverse=True)
    return "|".join(re.escape(part) + (r"(?!\w)" if is_word and part[-1].isalpha() else "") for part in parts)
