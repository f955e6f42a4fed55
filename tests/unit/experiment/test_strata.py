"""What an average hides is told part by part, and decides nothing."""

from dataclasses import replace

import pytest
from tests.unit.experiment.windows import evidence

from slukh.experiment.evidence import Evidence
from slukh.experiment.strata import Stratum, strata

SATURDAY = 5
EQUAL = evidence(calls=240)


def of(found: Evidence, grouping: str) -> dict[str, Stratum]:
    return {row.name: row for row in strata(found) if row.grouping == grouping}


def worse_on_saturdays(found: Evidence) -> Evidence:
    saturdays = {call.call_id for call in found.calls if call.ended_at.weekday() == SATURDAY}
    return replace(
        found,
        labels=tuple(
            replace(label, whisper_errors=label.google_errors + 2) if label.call_id in saturdays else label
            for label in found.labels
        ),
    )


def test_a_whisper_that_is_worse_on_saturdays_is_seen_there_and_nowhere_else() -> None:
    days = of(worse_on_saturdays(EQUAL), "day (UTC)")
    assert list(days) == ["Monday to Friday", "Saturday", "Sunday"]
    assert days["Saturday"].low is not None
    assert days["Saturday"].low > 0.05
    assert days["Monday to Friday"].value == pytest.approx(
        of(EQUAL, "day (UTC)")["Monday to Friday"].value, abs=1e-9
    )


def test_parts_of_a_grouping_are_all_of_it() -> None:
    rows = strata(EQUAL)
    groupings = {row.grouping for row in rows}
    assert groupings == {"language and length", "turn", "day (UTC)", "hours (UTC)"}
    for grouping in groupings:
        members = [row for row in rows if row.grouping == grouping]
        assert sum(row.utterances for row in members) == len(EQUAL.shadows)
        assert sum(row.labels for row in members) == len(EQUAL.labels)


def test_a_part_has_its_language_and_the_length_of_both_texts() -> None:
    names = of(EQUAL, "language and length")
    assert {"uk-UA, 3 to 8 words", "ru-RU, 9 words and more"} <= names.keys()


def test_turns_are_the_first_of_a_call_or_told_by_what_is_in_them() -> None:
    first, second, third = (
        replace(row, utterance_id=n, live_entities=n == 2, shadow_entities=0)
        for n, row in zip((1, 2, 3), EQUAL.shadows, strict=False)
    )
    found = of(replace(EQUAL, shadows=(first, second, third), labels=(), draws=()), "turn")
    assert {name: row.utterances for name, row in found.items()} == {
        "first of the call": 1, "later, with figures or names": 1, "later, plain words": 1,
    }  # fmt: skip


def test_labels_of_a_few_callers_have_a_difference_and_no_interval() -> None:
    callers = [call.caller for call in EQUAL.calls[:8]]
    kept = {call.call_id for call in EQUAL.calls if call.caller in callers}
    few = replace(
        EQUAL,
        labels=tuple(label for label in EQUAL.labels if label.call_id in kept),
        draws=tuple(row for row in EQUAL.draws if row.call_id in kept),
    )
    for row in strata(few):
        assert row.low is None
        assert row.callers < 10
    assert any(row.value is not None for row in strata(few))


def test_without_shadows_there_are_no_parts() -> None:
    assert strata(replace(EQUAL, shadows=(), labels=(), draws=())) == ()
