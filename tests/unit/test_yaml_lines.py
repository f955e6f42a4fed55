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
