import pytest

from slukh.experiment.statistics.mapsswe import segment_test, segments


def split(*texts: str) -> tuple[list[str], list[str], list[str]]:
    reference, first, second = (text.split() for text in texts)
    return reference, first, second


@pytest.mark.parametrize(
    ("reference", "first", "second", "expected"),
    [
        ("a b c d", "a b c d", "a b c d", []),
        ("a b c d", "x b c d", "a b c d", [(1, 0)]),
        ("a b c d e", "x b c d y", "a b c d e", [(1, 0), (1, 0)]),  # three good words between: two segments
        ("a b c d", "x b c y", "a b c d", [(1, 0), (1, 0)]),  # two are enough
        ("a b c", "x b y", "a b c", [(2, 0)]),  # one is not
        ("a b c", "x b c", "a b y", [(1, 1)]),
        ("a b c d", "x a b c d", "a b c d z", [(1, 0), (0, 1)]),  # insertions before and behind
        ("a b c d", "a b", "a b c d", [(2, 0)]),
        ("", "a", "", [(1, 0)]),
    ],
)
def test_segments_end_after_two_words_that_both_have_right(
    reference: str, first: str, second: str, expected: list[tuple[int, int]]
) -> None:
    assert segments(*split(reference, first, second), min_good=2) == expected


def test_equal_systems_do_not_differ() -> None:
    found = segment_test([split("a b c", "a x c", "a y c")] * 60)
    assert (found.segments, found.mean, found.z, found.p) == (60, 0.0, 0.0, 1.0)
    assert found.is_enough


def test_a_system_that_is_nearly_always_worse_is_found_out() -> None:
    worse, better = split("a b c", "a x c", "a b c"), split("a b c", "a b c", "a x c")
    found = segment_test([worse] * 70 + [better] * 10)
    assert found.mean == pytest.approx(0.75)
    assert found.z > 9
    assert found.p < 1e-9


def test_exchanging_the_systems_turns_the_sign() -> None:
    utterances = [split("a b c d", "a x c d", "a b c d"), split("a b", "a", "b a b"), split("a", "b", "a")]
    there = segment_test(utterances)
    back = segment_test([(reference, second, first) for reference, first, second in utterances])
    assert back.z == -there.z
    assert back.p == pytest.approx(there.p)
    assert not there.is_enough
