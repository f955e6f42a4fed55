import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.experiment.labelling.differences import differences


@pytest.mark.parametrize(
    ("one", "other", "asked"),
    [
        ("мені шини 205/55", "мені шини 215/55", [("205/55", "215/55")]),
        ("потрібні шини 205/55", "потрібно шини 215/55", [("потрібні", "потрібно"), ("205/55", "215/55")]),
        ("шини на зиму", "ширина на зимою", [("шини на зиму", "ширина на зимою")]),  # "на" parts nothing
        ("", "алло алло", [("", "алло алло")]),
        ("так", "так так", [("", "так")]),
        ("так", "так", []),
    ],
)
def test_runs_of_words_that_differ_are_asked_apart(
    one: str, other: str, asked: list[tuple[str, str]]
) -> None:
    texts = one.split(), other.split()
    assert [each.words(texts) for each in differences(*texts)] == asked


WORDS = st.lists(st.sampled_from(["так", "ні", "шини", "на", "зимові"]), max_size=12)


@given(WORDS, WORDS)
def test_what_is_between_two_differences_is_in_both_texts(one: list[str], other: list[str]) -> None:
    found = differences(one, other)
    at = (0, 0)
    for each in found:
        assert one[at[0] : each.starts[0]] == other[at[1] : each.starts[1]]
        assert each.starts != each.stops
        at = each.stops
    assert one[at[0] :] == other[at[1] :]
    assert bool(found) == (one != other)
