import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.experiment.drawing import drawn
from slukh.experiment.evidence import ShadowRow


def shadow(number: int, differing: int, *, is_complete: bool = True, live: str = "google") -> ShadowRow:
    return ShadowRow(
        call_id="c", utterance_id=number, live=live, shadow="whisper", canonical_version="1-x",
        is_complete=is_complete, differing_words=differing,
    )  # fmt: skip


def test_about_as_many_are_drawn_as_are_wanted_and_the_same_again() -> None:
    rows = [shadow(n, 1 + n % 5) for n in range(5000)]
    found = drawn(rows, labels=500, seed=1)
    assert 430 <= len(found) <= 570
    assert drawn(rows, labels=500, seed=1) == found
    assert drawn(rows, labels=500, seed=2) != found


def test_what_differs_more_is_drawn_more_probably() -> None:
    rows = [shadow(n, 1 + n % 2 * 3) for n in range(1000)]
    probabilities = {row.differing_words: p for row, p in drawn(rows, labels=100, seed=1)}
    assert probabilities[4] == pytest.approx(4 * probabilities[1], rel=1e-4)


def test_what_is_forgotten_changes_nobody_elses_lot() -> None:
    rows = [shadow(n, 1) for n in range(1000)]
    before = {row.utterance_id for row, _ in drawn(rows, labels=100, seed=1)}
    after = {row.utterance_id for row, _ in drawn(rows[1:], labels=100, seed=1)}
    assert len((before ^ after) - {0}) <= 1


def test_a_larger_draw_begins_with_the_smaller() -> None:
    rows = [shadow(n, 1 + n % 5) for n in range(1000)]
    smaller, larger = ([row for row, _ in drawn(rows, labels=n, seed=1)] for n in (50, 100))
    assert larger[: len(smaller)] == smaller


def test_whoever_serves_little_has_labels_enough_of_its_own_to_be_compared() -> None:
    rows = [shadow(n, 1 + n % 3, live="google" if n % 10 else "whisper") for n in range(5000)]
    found = drawn(rows, labels=500, seed=1)
    own = [p for row, p in found if row.live == "whisper"]
    assert 0.25 < len(own) / len(found) < 0.35
    assert sum(1 / p for p in own) == pytest.approx(500, rel=0.15)  # one drawn more probably counts for less
    larger = drawn(rows, labels=1000, seed=1)
    assert [row for row, _ in larger][: len(found)] == [row for row, _ in found]


def test_equal_texts_and_incomplete_ones_are_never_drawn() -> None:
    assert drawn([shadow(1, 0), shadow(2, 3, is_complete=False)], labels=10, seed=1) == []


@given(st.lists(st.integers(1, 30), max_size=50), st.integers(1, 60))
def test_probabilities_are_probabilities_and_add_up_to_what_is_wanted(words: list[int], labels: int) -> None:
    rows = [shadow(n, differing) for n, differing in enumerate(words)]
    wanted = min(labels, len(rows))
    everything = [p for seed in range(3) for _, p in drawn(rows, labels=labels, seed=seed)]
    assert all(0 < p <= 1 for p in everything)
    if wanted == len(rows):
        assert len(drawn(rows, labels=labels, seed=1)) == len(rows)
