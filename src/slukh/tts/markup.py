"""Text without what a writer puts around words: tags, Markdown, links, pictures. Pure.

What is no markup stays, because it may be a number's: `5 < 7, 8 > 3` holds no tag, `5 * 3` no emphasis and
`-5` no list. A block of code keeps its lines; links lose their address. Replies are cut into sentences as
they are streamed, so that half of a pair may come without the other: what pairs is taken off one by one,
which is why no parser of whole documents stands here.
"""

import html
import re
import unicodedata

_TAG = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]{0,200}>", re.DOTALL)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|[A-Za-z]\w{1,30});")
_FENCE = re.compile(r"```[ \t]*[A-Za-z]*|~~~[ \t]*[A-Za-z]*")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|https?://\S+")
_TABLE_RULE = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}[-:| \t]*$", re.MULTILINE)
# At the start of a line: a heading, a quotation (of words: before a number it is a sign), a bullet.
_LINE_START = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|(?:>[ \t]*)+(?![ \t>\d])|[-*+\u2022][ \t]+)", re.MULTILINE)
_TABLE_EDGE = re.compile(r"^[ \t]*\|[ \t]*|[ \t]*\|[ \t]*$", re.MULTILINE)
_PIPE = re.compile(r"[ \t]*\|[ \t]*")
_TIMES = re.compile(r"(?<=\d)[ \t]*[*xX\u0445\u0425\u00d7][ \t]*(?=\d)")
_EMPHASIS = re.compile(r"[*`]+|~~|(?<!\w)_+|_+(?!\w)")
_FRACTION = re.compile(r"(?P<whole>\d+)?[ \t]?(?P<part>[\u00bc\u00bd\u00be\u2155-\u2158])")
_UNDERSCORE = re.compile(r"_(?![a-z_]*\})")  # a hole of a template keeps its name
_VARIANTS = "\ufe0e\ufe0f"  # of pictures, behind them
_WRITTEN_AS_PICTURES = str.maketrans({"\N{KEYCAP TEN}": "10"})


def without_markup(text: str) -> str:
    """The words, numbers and signs of a text, its lines as they were."""
    text = unicodedata.normalize("NFC", text).translate(_WRITTEN_AS_PICTURES)
    text = _FENCE.sub(" ", text)
    text = _LINK.sub(lambda found: found[1] or " ", _TAG.sub(" ", text))
    text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    text = _LINE_START.sub("", _TABLE_RULE.sub("", text))
    text = _EMPHASIS.sub("", _TIMES.sub("\N{MULTIPLICATION SIGN}", text))
    text = _PIPE.sub(", ", _TABLE_EDGE.sub("", text))
    text = _UNDERSCORE.sub(" ", text)
    text = _FRACTION.sub(_fraction, text)
    return "".join(_as_said(character) for character in text)


def _fraction(found: re.Match[str]) -> str:
    """One quarter, a half, three quarters, fifths: 3½ is 3,5."""
    part = f"{unicodedata.numeric(found['part']):g}".partition(".")[2]
    return f"{found['whole'] or 0},{part}"


def _as_said(character: str) -> str:
    """A character, or a space where nobody can say it; digits of every form as digits."""
    category = unicodedata.category(character)
    if category in {"Nd", "Nl", "No"} and (value := unicodedata.numeric(character)) == int(value):
        is_raised = "SUPERSCRIPT" in unicodedata.name(character, "")
        return character if is_raised else str(int(value))
    # So: emoji and other pictures; Sk: their skin; Cf, Co, Cs: joiners, private, halves.
    is_said = category[0] in "LNPZ" or category in {"Mn", "Sm", "Sc"}
    is_said = is_said and character not in _VARIANTS
    return character if is_said or character in "\n\N{DEGREE SIGN}\N{NUMERO SIGN}\u2103" else " "
