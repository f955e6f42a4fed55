"""Where a window begins follows from what happened, and from nobody's choice."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from slukh.experiment.begins import AlikeCalls, Begin, begin
from slukh.experiment.evidence import CanaryRow

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
MODELS = {"google": "chirp_3", "whisper": "base"}


def day(number: float) -> datetime:
    return NOON + timedelta(days=number)


def alike(first: float, last: float, *, flags: str = "1-a", models: Mapping[str, str] = MODELS) -> AlikeCalls:
    return AlikeCalls(flag_version=flags, models=models, first=day(first), last=day(last))


def heard(at: float, text: str = "так") -> CanaryRow:
    return CanaryRow(
        heard_at=day(at), provider="google", model="chirp_3", language_code="uk-UA", canonical_version="1-x",
        text=text, words=1, errors=0,
    )  # fmt: skip


def found(
    *calls: AlikeCalls, texts: Mapping[str, datetime] | None = None, canaries: tuple[CanaryRow, ...] = ()
) -> Begin | None:
    return begin(calls, texts or {}, canaries, known={"1-x"}, wer_bound=0.1)


def just_after(number: float) -> datetime:
    return day(number) + timedelta(microseconds=1)


def test_without_a_change_it_is_the_first_call_drawn_by_lot() -> None:
    assert found(alike(3, 40), alike(4, 39, models={"google": "chirp_3"})) == Begin(
        at=day(3), why="the first call drawn by lot"
    )
    assert found() is None


def test_calls_of_other_flags_or_models_lie_before_it() -> None:
    """They may end after the first of the new ones: a second gateway was late."""
    assert found(alike(0, 11), alike(10, 40, flags="2-b")) == Begin(
        at=just_after(11), why="flags were 1-a before"
    )
    assert found(alike(0, 12, models={"whisper": "tiny"}), alike(10, 40)) == Begin(
        at=just_after(12), why="whisper was tiny before"
    )


def test_texts_of_another_canonical_version_lie_before_it() -> None:
    texts = {"0-old": day(13), "1-x": day(30)}
    assert found(alike(0, 40), texts=texts) == Begin(at=just_after(13), why="canonical text was 0-old before")


def test_the_last_of_several_changes_counts() -> None:
    told = found(alike(0, 11), alike(10, 40, flags="2-b"), texts={"0-old": day(13)})
    assert told is not None
    assert told.at == just_after(13)


def test_a_provider_that_changes_without_a_word_begins_a_window_on_the_day_after() -> None:
    texts = [heard(number) for number in range(5)] + [heard(number, "та") for number in range(5, 20)]
    assert found(alike(0, 40), canaries=tuple(texts)) == Begin(
        at=datetime(2026, 11, 7, tzinfo=UTC), why="google changed without a word on 2026-11-06"
    )


def test_what_a_provider_did_before_another_change_is_no_matter() -> None:
    texts = [heard(number) for number in range(5)] + [heard(number, "та") for number in range(5, 20)]
    told = found(alike(0, 11), alike(10, 40, flags="2-b"), canaries=tuple(texts))
    assert told == Begin(at=just_after(11), why="flags were 1-a before")
