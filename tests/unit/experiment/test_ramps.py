"""What a verdict on a past window takes from the ramps that came after it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from slukh.experiment.evidence import GUARDRAIL, RampRow
from slukh.experiment.ramps import code_changes, recorded_gate, recorded_inputs, rollback_at

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
INPUTS = {
    "since": "2026-11-01T00:00:00+00:00", "until": "2026-11-15T00:00:00+00:00", "seed": 1, "labels": 100,
    "gates_version": "1", "canonical_version": {"uk-UA": "1-x"}, "models": {"google": ["chirp_3"]},
    "outside": {"price_book": "market@1", "origins": {"capacity": "from a.json"}},
}  # fmt: skip


def ramp(hours: int, inputs: Mapping[str, object] | None = None, override: str | None = None) -> RampRow:
    return RampRow(
        decided_at=NOON + timedelta(hours=hours), from_percent=10, to_percent=0, decision="HOLD",
        override=override, flag_number=1, inputs=inputs or {},
    )  # fmt: skip


def test_a_rollback_stood_from_its_moment_until_a_person_ramped() -> None:
    ramps = [ramp(0, override=GUARDRAIL + "errors"), ramp(2, override="mended")]
    assert [rollback_at(NOON + timedelta(hours=hours), ramps) for hours in (0, 1, 3)] == [
        None,
        ramps[0],
        None,
    ]


def test_inputs_are_those_of_the_last_ramp_on_just_this_window() -> None:
    since, until = (datetime.fromisoformat(str(INPUTS[name])) for name in ("since", "until"))
    ramps = [ramp(0, INPUTS | {"seed": 2}), ramp(1, INPUTS), ramp(2, INPUTS | {"since": "x"})]
    assert recorded_inputs(since, until, ramps) == INPUTS
    assert recorded_inputs(since, until + timedelta(seconds=1), ramps) == {}


def test_another_price_book_is_named_and_holds_and_more_labels_are_named() -> None:
    other = INPUTS | {"outside": {"price_book": "market@2", "origins": {"capacity": "from b.json"}}}
    found = recorded_gate(INPUTS, other)
    assert (found.status, found.detail) == ("fail", "changed since the ramp: outside.price_book")
    labelled = recorded_gate(INPUTS, INPUTS | {"labels": 140})
    assert (labelled.status, labelled.detail) == ("pass", "changed since the ramp: labels")
    assert recorded_gate({}, INPUTS).status == "pass"


def test_a_verdict_under_newer_gates_is_told_apart_and_holds() -> None:
    found = recorded_gate(INPUTS, INPUTS | {"gates_version": "2"})
    assert (found.status, found.detail) == ("fail", "changed since the ramp: gates_version")
    without = {name: value for name, value in INPUTS.items() if name != "gates_version"}
    assert recorded_gate(without, INPUTS).status == "fail"


def test_another_code_or_model_than_at_the_last_ramp_is_named() -> None:
    now = INPUTS | {"gates_version": "2", "models": {"google": ["chirp_2", "chirp_3"]}}
    ramps = [ramp(0, INPUTS), ramp(1, override=GUARDRAIL + "errors")]
    assert code_changes(ramps, now) == [
        "gates version 1, now 2",
        "models google chirp_3, now google chirp_2 and chirp_3",
    ]
    assert code_changes(ramps, INPUTS) == []
    assert code_changes([], now) == []
    assert code_changes([ramp(0)], INPUTS)[0] == "gates version not kept, now 1"
