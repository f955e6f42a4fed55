from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from slukh.errors import ExperimentError
from slukh.experiment.evidence import DrawRow, LabelRow, ShadowRow
from slukh.experiment.labelling.sharing import Draw, Share, draw, share


def shadow(number: int) -> ShadowRow:
    return ShadowRow(
        call_id=f"call-{number}", utterance_id=1, live="google", shadow="whisper", canonical_version="1-x",
        is_complete=True, differing_words=1,
    )  # fmt: skip


SHADOWS = [shadow(number) for number in range(400)]
LANGUAGES = {row.call_id: "uk-UA" for row in SHADOWS}
WINDOW = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 8, tzinfo=UTC)


def of_window(labels: list[LabelRow], *, wanted: int, seed: int = 1, before: Iterable[DrawRow] = ()) -> Draw:
    return draw(SHADOWS, labels, LANGUAGES, window=WINDOW, wanted=wanted, seed=seed, before=before)


def shared(labeller: str, labels: list[LabelRow], *, wanted: int = 100, seed: int = 1) -> Share:
    return share(of_window(labels, wanted=wanted, seed=seed), seed=seed, labeller=labeller)


def labelled(labeller: str, of: Share, *, count: int, reference: str = "r") -> list[LabelRow]:
    return [
        LabelRow(
            call_id=row.call_id, utterance_id=row.utterance_id, labeller=labeller, probability=probability,
            canonical_version="1-x", reference=reference, words=1, entities=0, google_errors=0,
            whisper_errors=0, google_entity_errors=0, whisper_entity_errors=0,
        )
        for row, probability in of.waiting[:count]
    ]  # fmt: skip


def test_who_goes_on_is_asked_the_rest_in_the_same_order() -> None:
    first = shared("olena", [])
    again = shared("olena", labelled("olena", first, count=30))
    assert again.waiting == first.waiting[30:]
    assert {row.call_id for row in again.done} == {row.call_id for row, _ in first.waiting[:30]}


def test_two_people_share_the_work_and_a_tenth_is_asked_of_both() -> None:
    everything = shared("olena", [])
    labels = labelled("olena", everything, count=len(everything.waiting))
    second = shared("taras", labels)
    assert 0 < len(second.waiting) < len(everything.waiting) / 4
    assert set(second.waiting) < set(everything.waiting)


def test_what_two_disagree_on_is_asked_of_who_settles_it_and_nothing_else() -> None:
    everything = shared("olena", [])
    labels = labelled("olena", everything, count=40)
    labels += labelled("taras", everything, count=10) + [
        replace(label, labeller="ivan", reference="another") for label in labels[:3]
    ]
    found = shared("adjudicated", labels)
    assert found.waiting == everything.waiting[:3]
    settled = [replace(label, labeller="adjudicated", reference="s") for label in labels[:3]]
    assert shared("adjudicated", labels + settled).waiting == ()


def test_a_larger_draw_holds_the_smaller_and_restates_its_labels() -> None:
    first = shared("olena", [], wanted=100)
    labels = labelled("olena", first, count=20)
    larger = of_window(labels, wanted=200)
    theirs = share(larger, seed=1, labeller="olena")
    assert {row.call_id for row in theirs.done} == {label.call_id for label in labels}
    assert {label.probability for label in labels} == {0.25}
    assert {label.call_id for label in larger.restated} == {label.call_id for label in labels}
    assert {label.probability for label in larger.restated} == {0.5}


@pytest.mark.parametrize(("wanted", "seed"), [(20, 1), (100, 2)])
def test_labels_of_another_draw_are_refused(wanted: int, seed: int) -> None:
    first = shared("olena", [])
    labels = labelled("olena", first, count=len(first.waiting))
    with pytest.raises(ExperimentError, match="--seed of the first draw"):
        shared("olena", labels, wanted=wanted, seed=seed)


def test_labels_of_equal_texts_are_no_part_of_a_draw() -> None:
    (label,) = labelled("olena", shared("olena", []), count=1)
    assert of_window([replace(label, call_id="not-shadowed")], wanted=100).restated == ()


def test_a_draw_keeps_its_order_its_seed_and_its_window() -> None:
    found = of_window([], wanted=100)
    assert [row.position for row in found.rows] == [*range(1, len(found.utterances) + 1)]
    assert [row.key for row in found.rows] == [row.key for row, _ in found.utterances]
    assert {(row.seed, row.window) for row in found.rows} == {(1, WINDOW)}


def test_who_has_drawn_a_window_does_not_draw_it_with_another_seed() -> None:
    first = of_window([], wanted=20)
    assert len(of_window([], wanted=100, before=first.rows).rows) > len(first.rows)
    with pytest.raises(ExperimentError, match="drawn with the seed 1, not 2"):
        of_window([], wanted=20, seed=2, before=first.rows)
