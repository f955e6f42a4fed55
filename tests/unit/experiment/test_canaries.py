"""A provider that changes without a word is told, one that only wavers is not."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from slukh.experiment.canaries import CanaryWatch, Change, changes
from slukh.experiment.evidence import WINDOW, CanaryRow

BEGAN = datetime(2026, 11, 1, 0, 30, tzinfo=UTC)


def heard(
    hour: int, text: str = "Скільки коштує шиномонтаж?", *, errors: int = 0, provider: str = "google",
    model: str = "chirp_3", language_code: str = "uk-UA", version: str = "1-x",
) -> CanaryRow:  # fmt: skip
    return CanaryRow(
        heard_at=BEGAN + timedelta(hours=hour), provider=provider, model=model, language_code=language_code,
        canonical_version=version, text=text, words=8, errors=errors,
    )  # fmt: skip


def told(*rows: CanaryRow) -> list[tuple[int, str]]:
    return [(change.day.day, change.reason) for change in changes(rows, wer_bound=0.1)]


def test_the_same_text_every_day_is_no_change() -> None:
    assert told(*(heard(hour) for hour in range(0, 96, 6))) == []
    assert told() == []


def test_another_text_is_told_on_its_first_day_with_who_wrote_it() -> None:
    rows = [heard(0), heard(30), heard(50, "скільки коштує монтаж"), heard(80, "скільки коштує монтаж")]
    assert changes([*rows, heard(80, provider="whisper", model="base")], wer_bound=0.1) == [
        Change(
            provider="google", model="chirp_3", language_code="uk-UA", day=date(2026, 11, 3), reason="text"
        )
    ]


@pytest.mark.parametrize("text", ["скільки коштує шиномонтаж", "Скільки, коштує. Шиномонтаж!"])
def test_case_and_punctuation_are_nobodys_words(text: str) -> None:
    assert told(heard(0), heard(30, text)) == []


def test_digits_in_place_of_words_are_another_text() -> None:
    assert told(heard(0, "чотири колеса"), heard(30, "4 колеса")) == [(2, "text")]


def test_texts_of_the_first_day_are_all_its_own() -> None:
    assert told(heard(0, "так"), heard(6, "то так"), heard(30, "то так"), heard(54, "так")) == []


def test_clips_and_models_are_apart() -> None:
    assert told(heard(0), heard(30, "сколько", language_code="ru-RU")) == []
    assert told(heard(0), heard(30, "скільки", model="chirp_4")) == []


def test_another_mixture_of_known_texts_is_told_by_its_errors() -> None:
    first = [heard(0, "так"), heard(1, "то так", errors=1), heard(2, "так"), heard(3, "так")]
    later = [heard(30, "то так", errors=1), heard(31, "то так", errors=1)]
    assert told(*first, *later, heard(60, "то так", errors=1)) == []  # 1 of 32 words, then 1 of 8: 9 points
    worse = [replace(row, errors=2 * row.errors) for row in later]
    assert told(*first, *worse, heard(60, "то так", errors=2)) == [(2, "wer")]


def test_errors_under_two_canonical_versions_do_not_compare() -> None:
    assert told(heard(0), heard(30, errors=4, version="2-x"), heard(60, errors=4, version="2-x")) == []
    assert told(heard(0), heard(30, errors=4, version="2-x"), heard(60, version="2-x")) == [(3, "wer")]


def test_a_watch_tells_a_change_once_and_not_again_after_a_restart() -> None:
    watch = CanaryWatch([heard(0)], wer_bound=0.1)
    assert watch.add(heard(1)) == []
    (change,) = watch.add(heard(30, "інше"))
    assert (change.day, change.reason) == (date(2026, 11, 2), "text")
    assert watch.add(heard(31, "інше")) == watch.add(heard(55, "інше")) == []
    again = CanaryWatch([heard(0), heard(30, "інше")], wer_bound=0.1)
    assert again.add(heard(31, "інше")) == []


def test_a_watch_forgets_what_is_older_than_a_window_and_tells_no_old_change() -> None:
    watch = CanaryWatch([heard(0), heard(1, "інше"), heard(30), heard(60, "інше")], wer_bound=0.1)
    days = WINDOW // timedelta(hours=1)
    assert watch.add(heard(days + 2)) == []  # the first day is gone, and with it where "інше" was known from
    assert watch.add(heard(days + 3, "третє"))


def test_the_day_is_that_of_utc() -> None:
    evening = heard(22).heard_at.astimezone(UTC)
    east = replace(heard(22, "інше"), heard_at=evening.astimezone())
    assert told(heard(0), east) == []
