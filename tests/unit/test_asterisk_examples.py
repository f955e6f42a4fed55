"""doc/asterisk.md shows the files that `make test-asterisk` runs, and nothing else."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "doc" / "asterisk.md").read_text(encoding="utf-8")
FILES = [
    path.read_text(encoding="utf-8")
    for folder in ("examples/asterisk", "tests/asterisk/etc")
    for path in sorted((ROOT / folder).glob("*.conf"))
]
EXAMPLE = (ROOT / "examples" / "asterisk" / "extensions_slukh.conf").read_text(encoding="utf-8")


def test_what_the_page_shows_stands_in_a_file_word_for_word() -> None:
    shown = re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL)
    assert shown
    for block in shown:
        assert any(block in text for text in FILES), block


def test_the_page_shows_every_context_of_the_dial_plan() -> None:
    for context in re.findall(r"^\[.+\]$", EXAMPLE, re.MULTILINE):
        assert f"\n{context}\n" in PAGE
