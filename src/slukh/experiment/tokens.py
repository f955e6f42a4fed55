# ruff: noqa: RUF001  # Cyrillic is the subject
"""Text into tokens: characters that only look different become one, punctuation goes.

What remains of the signs: those of money, of a per cent or a degree, of a number that follows, and what
stands between two figures. A comma stays where a space follows: it may part two numbers.
"""

import re
import unicodedata

from slukh.experiment.numbers import HOUR_MARK
from slukh.experiment.rewriting import Spelling

COMMA = ","
_STRESS = "\u0300\u0301"
_DROPPED = "'\u2019\u2018\u02bc`\u00b4\u2032\uff07\ua78c\u00ad\u200b\u200c\u200d\u2060\ufeff" + _STRESS
_CHARACTERS = str.maketrans(
    dict.fromkeys(_DROPPED, "") | {"ё": "е", "Ё": "Е", "ѐ": "е", "Ѐ": "Е", "ѝ": "и", "Ѝ": "И", "\\": "/"}
)
_SPECIAL = re.compile(f"[{re.escape(''.join(map(chr, _CHARACTERS)))}]")
_LOOKALIKES = str.maketrans("ABCEHIKMOPTXYaceiopxy", "АВСЕНІКМОРТХУасеіорху")
_CYRILLIC = "\u0400-\u04ff"
_LATIN_WITH_ENDING = re.compile(
    r"(?<![^\W_])((?=[A-Za-z]*[DFGJLNQRSUVWZbdfghjklmnqrstuvwz])[A-Za-z]{3,})"
    r"[-\u2010-\u2013]?(?:[ауиіеыяюї]|ом|ою|ой|ем|ів|ов|ам|ами|ах|ях)(?![^\W_])"
)
_MIXTURE = re.compile(f"[A-Za-z][{_CYRILLIC}]|[{_CYRILLIC}][A-Za-z]")
_MIXED = re.compile(rf"\w*(?:{_MIXTURE.pattern})\w*")
_LONE_CAPITAL = re.compile("(?<![^\\W_])[BHKMT](?= [а-яіїєґ])")
_LONE = re.compile(r"(?<![^\W_])[aceiopxy](?![^\W\d_])")
_LONE_LETTERS = str.maketrans("aceiopxy", "асеіорху")
_RIM_WITH_C = re.compile(r"(?:(?<=[RrРр][0-9]{2})|(?<=[RrРр] [0-9]{2})) ?[CС](?![^\W_])")
_MONEY_BEFORE = re.compile("([$€₴₽]) ?([0-9]+(?:[ .,][0-9]+)*)")
_MINUS = re.compile(r"(?<![\w\-\u2010-\u2013\u2212])(?<![0-9] )[-\u2212\u2013](?=[1-9])")
_HOUR_ENDING = re.compile(r"(?<=[0-9])[-\u2010-\u2013](?:[аїу]|ої|[тшгм][ау]|[тшгм]ої|тя|тю|тьої)(?![^\W_])")
_ORDINAL_ENDING = re.compile(
    r"(?<=[0-9])(?:[-\u2010-\u2013](?:[а-яіїє]{1,2}|ого|ому|ими|ыми|тьох|тьом)"
    r"|й|го|му|ий|ая|ої|ый|ые|ті|та|ту|те)(?![^\W_])"
)
_TOKEN = re.compile(
    rf"[0-9]+{HOUR_MARK}|[0-9]{{1,2}}\.[0-9]{{2}}\.[0-9]{{2}}(?:[0-9]{{2}})?(?![.,]?[0-9])"
    r"|[0-9]+[.,][0-9]{1,3}(?![.,]?[0-9])|[0-9]+c?(?![^\W_])|[0-9]+|(?:[^\W\d_]|[\u0300-\u036f])+"
    r"|(?<=[0-9])[:/*×](?=[0-9])|[%$€₴₽№#°]|\+(?=[0-9(])|,(?= )"
)
_DIGITS_OF_A_GROUP = 3  # so "2,500" may be two thousand five hundred
_SIGN_AT_NUMBER = re.compile("[RrРр] ?[0-9]|[0-9][-\u2010-\u2013а-яіїє]|[-\u2212\u2013$€₴₽] ?[0-9]")
_HAS_LATIN = re.compile("[A-Za-z]")


def tokens_of(text: str, spelling: Spelling) -> list[str]:
    """Lower-case words, numbers and the signs that mean something; "14-ту" has the mark of an hour."""
    letters = unicodedata.normalize("NFC", text)
    if _SPECIAL.search(letters):
        letters = unicodedata.normalize("NFC", letters.translate(_CHARACTERS))
    has_latin = _HAS_LATIN.search(letters) is not None
    if has_latin:
        letters = _LATIN_WITH_ENDING.sub(r"\1", letters)
        letters = _LONE_CAPITAL.sub(lambda match: match[0].translate(_LOOKALIKES), letters)
        if _MIXTURE.search(letters):
            letters = _MIXED.sub(lambda match: match[0].translate(_LOOKALIKES), letters)
    if _SIGN_AT_NUMBER.search(letters):
        letters = _RIM_WITH_C.sub("c", letters)
        letters = _MONEY_BEFORE.sub(r"\2 \1 ", letters)
        letters = _MINUS.sub("мінус ", letters)
        letters = _HOUR_ENDING.sub(HOUR_MARK, letters)
        letters = _ORDINAL_ENDING.sub("", letters)
    letters = spelling.apply(letters.lower())
    if has_latin:
        letters = _LONE.sub(lambda match: match[0].translate(_LONE_LETTERS), letters)
    return [_number(token) if COMMA in token else token for token in _TOKEN.findall(letters)]


def _number(token: str) -> str:
    """A decimal with a point. "1,50" is 1.5, but "11.30" may be half past eleven."""
    whole, _, rest = token.partition(COMMA)
    if not whole:
        return token
    if len(rest) < _DIGITS_OF_A_GROUP:
        rest = rest.rstrip("0") or "0"
    return f"{whole}.{rest}"
