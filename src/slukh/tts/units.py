"""What stands beside numbers, in words: units and money by number, signs, months. Ukrainian and Russian."""

# ruff: noqa: RUF001, SIM905  # Cyrillic letters that look Latin are meant; lists of words as words

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun:
    """A noun as it stands behind a number.

    Attributes:
        one: 1, 21.
        few: 2, 3, 4, 22.
        many: 0, 5 to 20, 25.
        part: behind a fraction.
        is_feminine: the number before it is, too.
        after: what follows it always.
    """

    one: str
    few: str
    many: str
    part: str
    is_feminine: bool = False
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A language's.

    Attributes:
        number_language: of num2words.
        feminine: what num2words calls that gender in it.
        units: as they are written -> their noun.
        money: likewise; what is written before its number, too.
        cents: money -> its hundredth.
        scales: тис. and the like.
        per: what money is paid for, behind a slash.
        signs: sign -> what is said, anywhere.
        before_number: sign -> what is said where a number follows.
        times: between two numbers.
        rim: of a tyre.
        minus: before a number.
        ranges: of numbers and of times of day: the words before both ends.
        governing: words that stand before a range and leave no room for those.
        before_genitive: words behind which a noun stands in the genitive.
        wholes: the noun of a decimal's whole part, and of its tenths and hundredths.
        months: in the genitive, from January.
        year: likewise.
    """

    number_language: str
    feminine: str
    units: Mapping[str, Noun]
    money: Mapping[str, Noun]
    cents: Mapping[str, Noun]
    scales: Mapping[str, Noun]
    per: Mapping[str, str]
    signs: Mapping[str, str]
    before_number: Mapping[str, str]
    times: str
    rim: str
    minus: str
    ranges: Mapping[str, tuple[str, str]]
    governing: frozenset[str]
    before_genitive: frozenset[str]
    wholes: tuple[Noun, Noun, Noun]
    months: tuple[str, ...]
    year: str


def _noun(forms: str, *, is_feminine: bool = False, after: str = "") -> Noun:
    one, few, many, *part = forms.split()
    return Noun(
        one=one, few=few, many=many, part=part[0] if part else few, is_feminine=is_feminine, after=after
    )


def _feminine(forms: str) -> Noun:
    return _noun(forms, is_feminine=True)


def _of_each(*named: tuple[str, Noun]) -> dict[str, Noun]:
    return {written: noun for names, noun in named for written in names.split()}


_DEGREE_UK: Final = "градус градуси градусів градуса"
_KM_UK: Final = "кілометр кілометри кілометрів кілометра"
_DEGREE_RU: Final = "градус градуса градусов"
_KM_RU: Final = "километр километра километров"

UKRAINIAN: Final = Words(
    number_language="uk",
    feminine="feminine",
    units=_of_each(
        ("%", _noun("відсоток відсотки відсотків відсотка")),
        # The letter may be Latin or Cyrillic.
        ("°C °С ℃", _noun(_DEGREE_UK, after="Цельсія")),
        ("°", _noun(_DEGREE_UK)),
        ("км/год км/ч", _noun(_KM_UK, after="на годину")),
        ("км", _noun(_KM_UK)),
        ("мм", _noun("міліметр міліметри міліметрів міліметра")),
        ("см", _noun("сантиметр сантиметри сантиметрів сантиметра")),
        ("м", _noun("метр метри метрів метра")),
        ("кг", _noun("кілограм кілограми кілограмів кілограма")),
        ("л", _noun("літр літри літрів літра")),
        ("шт", _feminine("штука штуки штук")),
        ("год", _feminine("година години годин")),
        ("хв", _feminine("хвилина хвилини хвилин")),
        ("сек", _feminine("секунда секунди секунд")),
        ("бар", _noun("бар бари барів бара")),
        ("атм", _feminine("атмосфера атмосфери атмосфер")),
        ("″", _noun("дюйм дюйми дюймів дюйма")),
    ),
    money=_of_each(
        ("грн ₴ UAH", _feminine("гривня гривні гривень")),
        ("коп", _feminine("копійка копійки копійок")),
        ("$ USD", _noun("долар долари доларів долара")),
        ("€ EUR", _noun("євро євро євро євро")),
    ),
    cents=_of_each(
        ("грн ₴ UAH", _feminine("копійка копійки копійок")),
        ("$ USD € EUR", _noun("цент центи центів цента")),
    ),
    scales=_of_each(
        ("тис тыс", _feminine("тисяча тисячі тисяч")),
        ("млн", _noun("мільйон мільйони мільйонів мільйона")),
        ("млрд", _noun("мільярд мільярди мільярдів мільярда")),
    ),
    per={"шт": "штуку", "год": "годину", "хв": "хвилину", "день": "день", "міс": "місяць", "км": "кілометр"},
    signs={
        "&": "і", "+": "плюс", "±": "плюс-мінус", "=": "дорівнює", "≈": "приблизно", "≤": "не більше",
        "≥": "не менше", "<": "менше", ">": "більше", "№": "номер", "§": "параграф", "@": "равлик",
        "%": "відсотків", "°": "градусів", "℃": "градусів", "₴": "гривень", "$": "доларів",
        "€": "євро", "‰": "проміле",
    },
    before_number={"#": "номер", "~": "приблизно"},
    times="на",
    rim="радіус",
    minus="мінус",
    ranges={"numbers": ("від", "до"), "hours": ("з", "до")},
    governing=frozenset("за через до від по на протягом близько в у з із зі о об понад менше більше".split()),
    before_genitive=frozenset("до від близько більше менше понад протягом".split()),
    wholes=(
        _feminine("ціла цілих цілих"),
        _feminine("десята десятих десятих"),
        _feminine("сота сотих сотих"),
    ),
    months=tuple(
        "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня".split()
    ),
    year="року",
)  # fmt: skip

RUSSIAN: Final = Words(
    number_language="ru",
    feminine="f",
    units=_of_each(
        ("%", _noun("процент процента процентов")),
        ("°C °С ℃", _noun(_DEGREE_RU, after="Цельсия")),
        ("°", _noun(_DEGREE_RU)),
        ("км/ч км/год", _noun(_KM_RU, after="в час")),
        ("км", _noun(_KM_RU)),
        ("мм", _noun("миллиметр миллиметра миллиметров")),
        ("см", _noun("сантиметр сантиметра сантиметров")),
        ("м", _noun("метр метра метров")),
        ("кг", _noun("килограмм килограмма килограммов")),
        ("л", _noun("литр литра литров")),
        ("шт", _feminine("штука штуки штук")),
        ("ч", _noun("час часа часов")),
        ("мин", _feminine("минута минуты минут")),
        ("сек", _feminine("секунда секунды секунд")),
        ("бар", _noun("бар бара бар")),
        ("атм", _feminine("атмосфера атмосферы атмосфер")),
        ("″", _noun("дюйм дюйма дюймов")),
    ),
    money=_of_each(
        ("грн ₴ UAH", _feminine("гривна гривны гривен")),
        ("коп", _feminine("копейка копейки копеек")),
        ("$ USD", _noun("доллар доллара долларов")),
        ("€ EUR", _noun("евро евро евро")),
    ),
    cents=_of_each(
        ("грн ₴ UAH", _feminine("копейка копейки копеек")),
        ("$ USD € EUR", _noun("цент цента центов")),
    ),
    scales=_of_each(
        ("тыс тис", _feminine("тысяча тысячи тысяч")),
        ("млн", _noun("миллион миллиона миллионов")),
        ("млрд", _noun("миллиард миллиарда миллиардов")),
    ),
    per={"шт": "штуку", "ч": "час", "мин": "минуту", "день": "день", "мес": "месяц", "км": "километр"},
    signs={
        "&": "и", "+": "плюс", "±": "плюс-минус", "=": "равно", "≈": "примерно", "≤": "не больше",
        "≥": "не меньше", "<": "меньше", ">": "больше", "№": "номер", "§": "параграф", "@": "собака",
        "%": "процентов", "°": "градусов", "℃": "градусов", "₴": "гривен",
        "$": "долларов", "€": "евро", "‰": "промилле",
    },
    before_number={"#": "номер", "~": "примерно"},
    times="на",
    rim="радиус",
    minus="минус",
    ranges={"numbers": ("от", "до"), "hours": ("с", "до")},
    governing=frozenset("за через до от по на около в с со о об свыше меньше больше течение".split()),
    before_genitive=frozenset("до от около больше меньше более менее свыше течение".split()),
    wholes=(
        _feminine("целая целых целых"),
        _feminine("десятая десятых десятых"),
        _feminine("сотая сотых сотых"),
    ),
    months=tuple(
        "января февраля марта апреля мая июня июля августа сентября октября ноября декабря".split()
    ),
    year="года",
)  # fmt: skip


def words_of(language_code: str) -> Words | None:
    """Of a BCP-47 code; None for another language, whose voice reads signs as it can."""
    return {"uk": UKRAINIAN, "ru": RUSSIAN}.get(language_code.partition("-")[0])
