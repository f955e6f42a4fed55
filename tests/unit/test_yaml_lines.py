"""YAML that knows its lines: what PyYAML does in silence is an error here."""

import pytest

from slukh.errors import LedgerError
from slukh.yaml_lines import read_yaml

TEXT = """\
calls: 1_000
hit_rate: 0.30
phrases:
  - one
  - {weight: "2"}
"""


def test_a_decimal_can_be_kept_as_it_was_written() -> None:
    document = read_yaml(TEXT, file="s.yaml", refusal=LedgerError, floats="text")
    assert document.value == {"calls": 1000, "hit_rate": "0.30", "phrases": ["one", {"weight": "2"}]}


def test_an_error_stands_in_its_line_or_in_that_of_what_is_around_it() -> None:
    document = read_yaml(TEXT, file="s.yaml", refusal=LedgerError, floats="text")
    places = (("hit_rate",), ("phrases", 1, "weight"), ("phrases", 1, "missing"), ("phrases", 9), ())
    lines = [str(document.error(place, "wrong", remedy="mend")) for place in places]
    assert lines == [f"s.yaml:{line}: wrong: mend" for line in (2, 5, 5, 3, 1)]


def test_a_reader_says_which_error_it_wants() -> None:
    with pytest.raises(LedgerError, match=r"s\.yaml:2: 0\.30 is a float"):
        read_yaml(TEXT, file="s.yaml", refusal=LedgerError)
    with pytest.raises(LedgerError, match=r"s\.yaml:2: `a` stands there twice"):
        read_yaml("a: 1\na: 2\n", file="s.yaml", refusal=LedgerError)


def test_an_alias_of_a_word_is_that_word() -> None:
    document = read_yaml("a: &x word\nb: *x\n", file="s.yaml", refusal=LedgerError)
    assert document.value == {"a": "word", "b": "word"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nday: 2026-13-45\n", r"s\.yaml:2: `2026-13-45` cannot be"),
        ("a: !!int b\n", r"s\.yaml:1: `b` cannot be"),
        ("? [a, b]\n: c\n", r"s\.yaml:1: a list or a mapping stands where a name does"),
        ("[" * 5000, r"s\.yaml: brackets within brackets"),
    ],
)
def test_what_cannot_be_a_value_or_a_name_is_refused(text: str, says: str) -> None:
    with pytest.raises(LedgerError, match=says):
        read_yaml(text, file="s.yaml", refusal=LedgerError)
