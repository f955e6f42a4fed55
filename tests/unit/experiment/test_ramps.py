"""What a verdict on a past window takes from the ramps that came after it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from slukh.experiment.evidence import GUARDRAIL, RampRow
from slukh.experiment.ramps import recorded_gate, recorded_inputs, rollback_at

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
INPUTS = {
    "since": "2026-11-01T00:00:00+00:00", "until": "2026-11-15T00:00:00+00:00", "seed": 1, "labels": 100,
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
