"""Shapes of sentences in a file, each with somebody's yes or no: `slukh phrases learn` proposes them.

    - shape: "Ваше замовлення {n} готове."
      language: uk-UA
      spoken: no          # write yes once you have heard it

A file is added to and never rewritten, so that decisions and comments stay.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from json import dumps
from pathlib import Path

from slukh.errors import SettingsError, why_unreadable
from slukh.tts.shapes import head_of
from slukh.yaml_lines import Document, read_yaml

_KEYS = {"shape", "language", "spoken"}
_HEADER = """\
# Sentences that differ in a number only. With `spoken: yes` the part before the first hole is kept and the
# rest is made anew; without it nothing is spoken so. Hear one first, with a number in it:
# slukh phrases say "TEXT" --templates THIS_FILE --save hear.wav
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A shape in the file.

    Attributes:
        shape: the sentence, holes in it.
        language_code: BCP-47.
        is_spoken: whether somebody said yes.
    """

    shape: str
    language_code: str
    is_spoken: bool

    @property
    def head(self) -> str:
        """What is kept of it."""
        head = head_of(self.shape)
        assert head is not None  # the file was checked
        return head


def read_templates(path: Path) -> list[Learned]:
    """What stands in a file.

    Raises:
        SettingsError: it cannot be read, or an entry of it cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read ({why_unreadable(error)})",
            remedy="name a file that `slukh phrases learn` wrote, or a new one for it to write",
        ) from error
    document = read_yaml(text, file=str(path), refusal=SettingsError)
    entries = document.value or []
    if not isinstance(entries, list):
        raise document.error((), "a list is wanted", remedy="begin every entry with - shape:")
    return [_learned(document, number, entry) for number, entry in enumerate(entries)]


def _learned(document: Document, number: int, entry: object) -> Learned:
    if not isinstance(entry, dict) or set(entry) != _KEYS:
        raise document.error((number,), f"an entry has {', '.join(sorted(_KEYS))}", remedy="write all three")
    shape, code, is_spoken = entry["shape"], entry["language"], entry["spoken"]
    if not isinstance(is_spoken, bool):
        raise document.error((number, "spoken"), "neither yes nor no", remedy="write yes or no")
    if not isinstance(shape, str) or not isinstance(code, str) or head_of(shape) is None:
        raise document.error(
            (number, "shape"),
            "this sentence is not to be taken apart",
            remedy="write two words or more before the first hole, and no question",
        )
    return Learned(shape=shape, language_code=code, is_spoken=is_spoken)


def add_templates(path: Path, proposed: Iterable[tuple[str, str, str]]) -> int:
    """Add what is not in the file yet, with a no; how many were added.

    Args:
        path: of the file, which is made when it is not there.
        proposed: shape, language and what to say about it.

    Raises:
        SettingsError: the file cannot be used or written.
    """
    known = {(one.shape, one.language_code) for one in read_templates(path)} if path.exists() else set()
    lines = [
        f"\n# {reason}\n- shape: {dumps(shape, ensure_ascii=False)}\n  language: {code}\n  spoken: no\n"
        for shape, code, reason in proposed
        if (shape, code) not in known
    ]
    try:
        with path.open("a", encoding="utf-8") as file:
            if not path.stat().st_size:
                file.write(_HEADER)
            file.write("".join(lines))
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written ({error.strerror})", remedy="name another file"
        ) from error
    return len(lines)
