"""Numbers in what a caller said, in digits or in Ukrainian and Russian words. Pure.

    "двісті п'ять на п'ятдесят п'ять, шістнадцятий"   205 55 16
    "205/55 R16"                                      205 55 16

Words add up as long as each is of a smaller order than the one before: hundreds, tens, ones. A recogniser
writes numbers now in one way and now in the other, so both are read everywhere.
"""

# ruff: noqa: RUF001  # Cyrillic letters that look Latin are meant

import re
from dataclasses import dataclass

_WORD = re.compile(r"\d+|[^\W\d_]+(?:['\u2019\u02bc][^\W\d_]+)*")

# Beginnings of words, longest first wins, so that cases and ordinals are read as well.
_STEMS: dict[int, str] = {
    0: "нуль ноль нульов нулев",
    1: "один одна одну перш первы перва",
    2: "два дві две двох двух другий втор",
    3: "три трьох трех трёх трет",
    4: "чотир четыр четвер",
    5: "п'ят пять пят",
    6: "шіст шест",
    7: "сім сем сьом",
    8: "вісім восем восьм",
    9: "дев'ят девят",
    10: "десят",
    11: "одинадцят одиннадцат",
    12: "дванадцят двенадцат",
    13: "тринадцят тринадцат",
    14: "чотирнадцят четырнадцат",
    15: "п'ятнадцят пятнадцат",
    16: "шістнадцят шестнадцат",
    17: "сімнадцят семнадцат",
    18: "вісімнадцят восемнадцат",
    19: "дев'ятнадцят девятнадцат",
    20: "двадцят двадцат",
    30: "тридцят тридцат",
    40: "сорок",
    50: "п'ятдесят пятьдесят пятидесят",
    60: "шістдесят шестьдесят шестидесят",
    70: "сімдесят семьдесят семидесят",
    80: "вісімдесят восемьдесят восьмидесят",
    90: "дев'яност девяност",
    100: "сто ста сотий сотый",
    200: "двіст двест двохсот двухсот",
    300: "трист трьохсот трехсот",
    400: "чотирист четырест чотирьохсот четырехсот",
    500: "п'ятсот пятьсот п'ятисот пятисот",
    600: "шістсот шестьсот шестисот",
    700: "сімсот семьсот семисот",
    800: "вісімсот восемьсот восьмисот",
    900: "дев'ятсот девятьсот девятисот",
}
_BY_STEM = sorted(
    ((stem, value) for value, stems in _STEMS.items() for stem in stems.split()),
    key=lambda pair: -len(pair[0]),
)
# Short stems begin other words too ("стан", "тримати"); these are numbers only with such an ending.
_ENDINGS = re.compile(
    r"(а|я|о|у|и|і|ь|е|й|м|х|ий|ый|ой|ій|ая|ое|ого|его|ому|ему|им|ьох|ьом|ма|ома|ть|ти|и|ро|сот|ом|ох|ух|ух)?"
)
_LONGEST = 20  # digits that are kept of one number; a telephone's has fifteen
_HUNDREDS, _TENS, _ONES = 100, 10, 1
# As they are made; `_is_size` is more patient with recognisers.
_WIDTHS, _PROFILES, _RIMS = range(125, 356, 10), range(25, 86, 5), range(12, 25)


@dataclass(frozen=True, slots=True, kw_only=True)
class TyreSize:
    """A tyre's size: width in mm / profile in % R rim in inches."""

    width: int
    profile: int
    rim: int


def numbers(text: str) -> list[int]:
    """The numbers of a text, in their order."""
    return [int(number[:9]) for number in _as_said(text)]


def digits(text: str) -> str:
    """All digits said, such as of an order's number said in parts: `сорок п'ять дванадцять` is 4512.

    Zeros in front stay, written or said: an order's number and a telephone's may begin with them.
    """
    return "".join(number[:_LONGEST] for number in _as_said(text))


def tyre_size(text: str) -> TyreSize | None:
    """The size in a text, or None when it has no width, profile and rim in this order."""
    found = numbers(text)
    for width, profile, rim in zip(found, found[1:], found[2:], strict=False):
        if _is_size(width, profile, rim):
            return TyreSize(width=width, profile=profile, rim=rim)
    return _run_together("".join(str(number) for number in found))


def size_parts(text: str) -> dict[str, int]:
    """What a text holds of a size: width, profile and rim, each only where it cannot be another one.

    No number can be two of them, so they are known in any order, and when the rest was misheard.
    """
    found: dict[str, set[int]] = {}
    for number in (int(piece) for said in _as_said(text) for piece in _pieces(said)):
        for part, made in (("width", _WIDTHS), ("profile", _PROFILES), ("rim", _RIMS)):
            if number in made:
                found.setdefault(part, set()).add(number)
    return {part: values.pop() for part, values in found.items() if len(values) == 1}


def _pieces(said: str) -> tuple[str, ...]:
    """A width and a profile, or a profile and a rim, that were written as one number: 20555, 5516."""
    cut = {5: 3, 4: 2}.get(len(said))
    return (said[:9],) if cut is None else (said[:cut], said[cut:])


def is_within_a_size(text: str) -> bool:
    """Whether a text ends with a width, or a width and a profile: whoever reads them from a tyre goes on."""
    words = _WORD.findall(text.casefold())
    if not words or tyre_size(text) is not None or not numbers(words[-1]):
        return False
    found = numbers(text)
    return found[-1] in _WIDTHS or (len(found) > 1 and found[-2] in _WIDTHS and found[-1] in _PROFILES)


def _as_said(text: str) -> list[str]:
    """The numbers in digits: as they were written, or what the words add up to."""
    found: list[str] = []
    order = 0  # what the next word must be smaller than to add to the last number; 0: it may not
    for word in _WORD.findall(text.casefold().replace("\u2019", "'").replace("\u02bc", "'")):
        if word.isdigit():
            found.append(word)
            order = 0
            continue
        value = _value(word)
        if value is None:
            order = 0
        elif value and value < order:
            found[-1] = str(int(found[-1]) + value)
            order = _order(value)
        else:
            found.append(str(value))
            order = _order(value)
    return found


def _run_together(said: str) -> TyreSize | None:
    """Recognisers write a size that is said quickly as one number, 2055516, or two.

    Whisper writes "двести пять" as 25, so 255516, or 25 55 16; no tyre is that narrow.
    """
    if len(said) == 6:  # noqa: PLR2004  # two, two and two
        said = f"{said[0]}0{said[1:]}"
    if len(said) != 7:  # noqa: PLR2004  # three digits, two and two
        return None
    width, profile, rim = int(said[:3]), int(said[3:5]), int(said[5:])
    return TyreSize(width=width, profile=profile, rim=rim) if _is_size(width, profile, rim) else None


def _is_size(width: int, profile: int, rim: int) -> bool:
    """Cars' and vans'."""
    return 125 <= width <= 355 and 25 <= profile <= 85 and 12 <= rim <= 24  # noqa: PLR2004


def _value(word: str) -> int | None:
    for stem, value in _BY_STEM:
        if word.startswith(stem) and _ENDINGS.fullmatch(word[len(stem) :]):
            return value
    return None


def _order(value: int) -> int:
    if value >= _HUNDREDS:
        return _HUNDREDS
    if value >= 2 * _TENS:
        return _TENS
    return 0  # ten to nineteen, and the ones, end their number
