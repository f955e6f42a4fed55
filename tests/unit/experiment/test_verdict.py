import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.experiment.windows import BEGAN, CANARIES, DAYS, MARGINS, OUTSIDE, drawn, evidence

from slukh.experiment.canonical import canonical_version
from slukh.experiment.evidence import (
    Evidence,
    LabelRow,
    Outside,
    RampRow,
    ShadowRow,
)
from slukh.experiment.gates import ADJUDICATED, Gate, Margins
from slukh.experiment.gates import decided as decided_gate
from slukh.experiment.grammar import load_grammar
from slukh.experiment.ramps import share_at
from slukh.experiment.statistics.estimates import Estimate
from slukh.experiment.statistics.sequential import Bounds
from slukh.experiment.validity import validity_gates
from slukh.experiment.verdict import Verdict, verdict

EQUAL = evidence()


def decided(found: Evidence) -> Verdict:
    return verdict(found, MARGINS)


def gate(found: Verdict, name: str) -> str:
    return next(each.status for each in found.gates if each.name == name)


def test_a_whisper_that_is_as_good_is_promoted() -> None:
    found = decided(EQUAL)
    assert found.reasons == ()
    assert found.decision == "PROMOTE"


@pytest.mark.parametrize(
    ("worse", "name"),
    [
        (evidence(worse=0.15), "word error rate"),
        (evidence(later=0.8), "time to final, p95"),
        (evidence(failing=0.5), "failed tasks"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_whisper_that_is_certainly_worse_is_rolled_back(worse: Evidence, name: str) -> None:
    found = decided(worse)
    assert found.decision == "ROLL BACK"
    assert gate(found, name) == "fail"
    assert any(reason.startswith(name) for reason in found.reasons)


def test_gates_that_saw_nothing_say_so() -> None:
    nothing = decided(replace(EQUAL, calls=(), turns=(), shadows=(), labels=(), draws=(), canaries=()))
    empty = {each.name for each in nothing.gates if each.is_empty}
    assert {"sample ratio", "clocks", "stored clips heard alike", "labels clear"} < empty
    assert all(each.status == "pass" for each in nothing.gates if each.is_empty)
    full = {each.name for each in decided(EQUAL).gates if each.is_empty}
    assert full == {"labellers agree", "inputs as recorded"}  # nobody labelled twice, and no ramp was made


def test_a_figure_says_where_it_is_from() -> None:
    origins = {"capacity": "from a file", "cost per call": "from the ledger"}
    found = decided(replace(EQUAL, outside=replace(OUTSIDE, origins=origins)))
    details = {each.name: each.detail for each in found.gates}
    assert details["capacity"] == "0.3 s in the queue; from a file"
    assert details["cost per call"] == "whisper 0.02, google 0.03; from the ledger"


def without_whisper(found: Evidence) -> Evidence:
    return replace(found, calls=tuple(call for call in found.calls if call.arm == "google"))


def changed(found: Evidence, **values: object) -> Evidence:
    """The last call is different."""
    return replace(found, calls=(*found.calls[:-1], replace(found.calls[-1], **values)))  # type: ignore[arg-type]


def ill_reported(found: Evidence) -> Evidence:
    """Every third of Whisper's calls ends without a word of how it went."""
    arms = {call.call_id: call.arm for call in found.calls}
    told = (row for n, row in enumerate(found.outcomes) if arms[row.call_id] == "google" or n % 3)
    return replace(found, outcomes=tuple(told))


def ill_divided(found: Evidence) -> Evidence:
    """Each arm has its half of the calls, but a gateway gives none to Whisper."""
    workers = ("one:9092", "two:9092")
    return replace(found, calls=tuple(
        replace(call, worker=workers[0] if call.arm == "google" and n % 8 == 0 else workers[1])
        for n, call in enumerate(found.calls)
    ))  # fmt: skip


def reheard(found: Evidence, **values: object) -> Evidence:
    """A clip is heard otherwise on the last day."""
    *before, last = found.canaries
    return replace(found, canaries=(*before, replace(last, **values)))  # type: ignore[arg-type]


def lossy(found: Evidence) -> tuple[ShadowRow, ...]:
    return tuple(replace(row, is_complete=n % 10 > 0) for n, row in enumerate(found.shadows))


def unclear(found: Evidence) -> tuple[LabelRow, ...]:
    return tuple(replace(row, reference="r?" if n % 4 == 0 else "r") for n, row in enumerate(found.labels))


def relabelled(found: Evidence, *labellers: tuple[str, str]) -> Evidence:
    more = tuple(replace(found.labels[0], labeller=who, reference=text) for who, text in labellers)
    return replace(found, labels=(*found.labels, *more))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without_whisper, "no calls in the arm whisper"),
        (lambda e: replace(e, calls=()), "no calls in the arm google and whisper"),
        (lambda e: changed(e, flag_version="4-def"), "the share, salt or a list changed"),
        (lambda e: replace(e, flag_version="4-def"), "the share, salt or a list changed"),
        (lambda e: changed(e, models={"whisper": "small"}), "whisper changed its model"),
        (lambda e: replace(e, canonical_version={"uk-UA": "2-x"}), "two versions do not compare"),
        (lambda e: changed(e, clock_jumped=True), "clock"),
        (lambda e: changed(e, ended_at=BEGAN - timedelta(days=1)), "clock"),
        (lambda e: relabelled(e, ("taras", "another")), "adjudicated"),
        (lambda e: replace(e, labels=unclear(e)), "what people cannot understand"),
        (lambda e: replace(e, whisper_share=0.1), "find what gives, loses or hides calls"),
        (ill_reported, "sample ratio with outcomes: find what gives"),
        (ill_divided, "sample ratio at one:9092: find what gives"),
        (lambda e: replace(e, until=BEGAN + timedelta(days=3)), "11 days more"),
        (lambda e: replace(e, labels=()), "labels of shadowed utterances"),
        (lambda e: replace(e, shadows=(), labels=()), "FF_SHADOW_PERCENT"),
        (lambda e: replace(e, outcomes=()), "POST /v1/calls/{id}/outcome"),
        (lambda e: replace(e, outside=Outside()), "slukh whisper check"),
        (lambda e: replace(e, outside=Outside()), "the ledger's, or --evidence"),
        (lambda e: replace(e, rolled_back="Whisper was rolled back"), "find the cause, then `slukh ab ramp`"),
        (lambda e: replace(e, shadows=lossy(e)), "more room"),
        (lambda e: replace(e, canaries=()), "SLUKH_CANARY_MINUTES): google and whisper did not"),
        (lambda e: replace(e, canaries=CANARIES[: DAYS]), "google and whisper did not"),
        (lambda e: replace(e, canaries=CANARIES[::2]), "whisper did not"),
        (lambda e: reheard(e, text="скільки каштує"), "the window begins after 2026-11-15"),
        (lambda e: reheard(e, errors=1), "the window begins after 2026-11-15"),
    ],
)  # fmt: skip
def test_what_makes_the_numbers_doubtful_is_named_and_holds(
    change: Callable[[Evidence], Evidence], reason: str
) -> None:
    found = decided(change(EQUAL))
    assert found.decision == "HOLD"
    assert any(reason in each for each in found.reasons), found.reasons


def test_a_users_grammar_that_changes_in_mid_window_holds(tmp_path: Path) -> None:
    own = tmp_path / "shop.yaml"
    versions: list[str] = []
    for word in ("вілхаус~", "вілхаус~ уилхаус"):
        own.write_text(f"names: {{wheelhouse: {word}}}\n", encoding="utf-8")
        grammar = load_grammar("uk-UA", [own.rename(tmp_path / f"{len(versions)}.yaml")])
        versions.append(canonical_version(grammar))
    shadows = tuple(
        replace(row, canonical_version=versions[2 * n > len(EQUAL.shadows)])
        for n, row in enumerate(EQUAL.shadows)
    )
    labels = tuple(replace(label, canonical_version=versions[1]) for label in EQUAL.labels)
    known = {"uk-UA": versions[1]}
    whole = replace(EQUAL, labels=labels, canonical_version=known)
    found = decided(replace(whole, shadows=shadows))
    assert found.decision == "HOLD"
    assert any(reason.startswith("canonical text unchanged: errors under two") for reason in found.reasons)
    same = tuple(replace(row, canonical_version=versions[1]) for row in EQUAL.shadows)
    assert decided(replace(whole, shadows=same)).decision == "PROMOTE"


def test_a_provider_that_changes_without_a_word_is_named_and_never_rolls_back() -> None:
    found = decided(reheard(evidence(worse=0.15), text="інше", errors=2))
    assert found.decision == "HOLD"
    alike = next(each for each in found.gates if each.name == "stored clips heard alike")
    assert alike.detail == "whisper on 2026-11-15 (uk-UA, text); whisper on 2026-11-15 (uk-UA, wer)"


def test_numbers_that_are_not_valid_never_roll_back() -> None:
    assert decided(changed(evidence(worse=0.15), clock_jumped=True)).decision == "HOLD"


def first_days(found: Evidence, days: int) -> Evidence:
    until = BEGAN + timedelta(days=days)
    return replace(found, until=until, calls=tuple(call for call in found.calls if call.ended_at <= until))


def test_what_is_certainly_worse_goes_before_the_days_are_full() -> None:
    found = decided(first_days(evidence(later=0.8), 6))
    assert found.decision == "ROLL BACK"
    assert gate(found, "days") == "wait"


def test_nothing_is_decided_on_a_handful_of_calls() -> None:
    found = decided(first_days(evidence(later=0.8), 2))
    assert gate(found, "time to final, p95") == "fail"
    assert found.decision == "HOLD"
    assert any(reason.startswith("a first look") for reason in found.reasons)


def test_errors_that_depend_on_who_serves_hold() -> None:
    lives = {row.utterance_id: row.live for row in EQUAL.shadows}
    biased = tuple(
        replace(label, whisper_errors=label.whisper_errors + (lives[label.utterance_id] == "google"))
        for label in EQUAL.labels
    )
    found = decided(replace(EQUAL, labels=biased))
    assert found.decision == "HOLD"
    assert any(reason.startswith("same in both directions") for reason in found.reasons)


def first_of_the_draw(found: Evidence, count: int) -> tuple[LabelRow, ...]:
    """The labels of one who stopped there."""
    done = {row.key for row in found.draws if row.position <= count}
    return tuple(label for label in found.labels if label.key in done)


def test_a_draw_that_is_labelled_in_part_tells_the_same_difference() -> None:
    worse = evidence(worse=0.15)
    part = replace(worse, labels=first_of_the_draw(worse, len(worse.labels) // 3))
    whole_value, part_value = (
        next(g.value for g in decided(found).gates if g.name == "word error rate") for found in (worse, part)
    )
    assert whole_value is not None
    assert part_value == pytest.approx(whole_value, rel=0.15)


def test_a_label_of_two_equal_texts_stands_for_itself_alone() -> None:
    equal = [row for row in EQUAL.shadows if not row.differing_words][:200]
    checked = tuple(
        replace(
            EQUAL.labels[0], call_id=row.call_id, utterance_id=row.utterance_id, probability=0.005,
            words=row.live_words, google_errors=1, whisper_errors=1,
        )
        for row in equal
    )  # fmt: skip
    before, after = decided(EQUAL), decided(replace(EQUAL, labels=(*EQUAL.labels, *checked)))
    values = [next(g.value for g in found.gates if g.name == "word error rate") for found in (before, after)]
    assert values[0] == pytest.approx(values[1], abs=1e-6)


def test_a_disagreement_that_was_settled_is_none() -> None:
    found = decided(relabelled(EQUAL, ("taras", "another"), (ADJUDICATED, "another")))
    assert found.decision == "PROMOTE"


def test_calls_that_were_given_by_list_are_in_no_comparison() -> None:
    listed = replace(EQUAL, calls=tuple(replace(call, flag_reason="TARGETING_MATCH") for call in EQUAL.calls))
    assert "no calls in the arm google and whisper" in " ".join(decided(listed).reasons)


def test_calls_stay_in_the_arm_they_were_given_to_whoever_served_them() -> None:
    late = evidence(later=0.8)
    moved = replace(late, calls=tuple(replace(call, serving="google") for call in late.calls))
    assert gate(decided(moved), "time to final, p95") == "fail"


def test_finals_that_are_lost_in_both_arms_say_nothing_of_how_long_they_take() -> None:
    turns = tuple(
        replace(turn, final_ms=None, is_salvage=True) if n % 10 == 0 else turn
        for n, turn in enumerate(EQUAL.turns)
    )
    found = next(
        each for each in decided(replace(EQUAL, turns=turns)).gates if each.name == "time to final, p95"
    )
    assert (found.status, found.detail) == ("wait", "beyond the deadline in both arms")


def test_a_cost_that_may_be_chance_waits_for_more_calls_and_a_dear_one_takes_none_back() -> None:
    def cost(whisper: float, error: float) -> Gate:
        outside = replace(
            OUTSIDE, cost_per_call={"google": 0.02, "whisper": whisper},
            cost_errors={"google": 0.0, "whisper": error},
        )  # fmt: skip
        return next(g for g in decided(replace(EQUAL, outside=outside)).gates if g.name == "cost per call")

    assert cost(0.015, 0.001).status == "pass"
    doubtful = cost(0.015, 0.003)
    assert doubtful.status == "wait"
    assert re.fullmatch(r"about \d+ more live calls", doubtful.missing), doubtful.missing
    assert cost(0.03, 0.001).status == "wait"
    assert "a cheaper Whisper" in cost(0.03, 0.001).missing


def test_a_difference_at_the_margin_itself_has_no_day() -> None:
    found = decided_gate(
        "any", Estimate(value=0.02 - 1e-15, standard_error=0.01, clusters=200),
        Bounds(low=-0.01, high=0.05, p=0.5), 0.02, EQUAL, detail="", missing="more live calls", calls=200,
    )  # fmt: skip
    assert (found.status, found.expected, found.missing) == ("wait", None, "more live calls")


def test_more_calls_are_no_remedy_for_what_is_beyond_its_margin() -> None:
    found = decided_gate(
        "any", Estimate(value=0.03, standard_error=0.01, clusters=200),
        Bounds(low=-0.01, high=0.05, p=0.5), 0.02, EQUAL, detail="", missing="more live calls", calls=200,
    )  # fmt: skip
    assert found.status == "wait"
    assert "find the cause" in found.missing


def test_a_final_that_never_came_counts_at_the_deadline() -> None:
    turns = tuple(
        replace(turn, final_ms=None, is_salvage=True) if turn.provider == "whisper" and n % 8 == 0 else turn
        for n, turn in enumerate(EQUAL.turns)
    )
    found = decided(replace(EQUAL, turns=turns))
    assert gate(found, "time to final, p95") == "fail"
    assert gate(found, "turns unheard") == "fail"


def test_a_whisper_whose_failures_the_backup_hides_is_rolled_back() -> None:
    arms = {call.call_id: call.arm for call in EQUAL.calls}
    covered = replace(
        EQUAL,
        calls=tuple(replace(call, serving="google", failovers=call.arm == "whisper") for call in EQUAL.calls),
        turns=tuple(replace(turn, provider="google") for turn in EQUAL.turns),
    )
    found = decided(covered)
    assert found.decision == "ROLL BACK"
    left = next(each for each in found.gates if each.name == "turns left to another")
    whispers = sum(arms[turn.call_id] == "whisper" for turn in EQUAL.turns)
    assert (left.status, left.value) == ("fail", 1.0)
    assert left.detail == f"{whispers} of Whisper's, 0 of Google's"


def test_a_turn_that_nobody_served_was_not_served_by_its_arm() -> None:
    turns = tuple(
        replace(turn, provider="") if turn.provider == "whisper" and n % 4 == 0 else turn
        for n, turn in enumerate(EQUAL.turns)
    )
    assert gate(decided(replace(EQUAL, turns=turns)), "turns left to another") == "fail"


def test_a_backup_that_both_arms_need_alike_tells_them_not_apart() -> None:
    other = {"google": "whisper", "whisper": "google"}
    turns = tuple(
        replace(turn, provider=other[turn.provider]) if n % 50 == 0 else turn
        for n, turn in enumerate(EQUAL.turns)
    )
    assert gate(decided(replace(EQUAL, turns=turns)), "turns left to another") == "pass"


def test_days_that_are_missing_begin_now_where_no_call_has_come_since() -> None:
    stood_still = replace(EQUAL, calls=EQUAL.calls[:30], until=BEGAN + timedelta(days=28))
    expected = {each.name: each.expected for each in validity_gates(stood_still, MARGINS)}
    days, look = expected["days"], expected["a first look"]
    assert days is not None
    assert look is not None
    assert days > stood_still.until + timedelta(days=12)
    assert look == BEGAN + timedelta(days=28) * 100 / 15


def test_what_time_will_settle_has_a_date() -> None:
    few = evidence(calls=160)
    found = decided(replace(few, until=BEGAN + timedelta(days=DAYS)))
    assert found.decision == "HOLD"
    waiting = {each.name: each.expected for each in found.gates if each.status != "pass"}
    expected = waiting["calls in uk-UA"]
    assert expected is not None
    assert expected == pytest.approx(BEGAN + timedelta(days=DAYS * 100 / 40), abs=timedelta(days=1))


def test_a_few_labels_that_find_no_difference_settle_nothing() -> None:
    alike = {"google_errors": 1, "whisper_errors": 1, "google_entity_errors": 0, "whisper_entity_errors": 0}
    for count in (2, 8):
        labels = tuple(replace(label, **alike) for label in EQUAL.labels[:count])  # type: ignore[arg-type]
        found = verdict(replace(EQUAL, labels=labels), Margins())
        assert gate(found, "word error rate") == "wait"
        assert gate(found, "entity errors") == "wait"


def test_what_a_few_calls_have_not_seen_may_happen_all_the_same() -> None:
    good = tuple(replace(row, task_success=True, repairs=0) for row in EQUAL.outcomes[:20])
    found = verdict(replace(EQUAL, outcomes=good), Margins())
    for name in ("failed tasks", "calls with repairs", "turns unheard", "turns left to another"):
        assert gate(found, name) == "wait"
        assert next(each.value for each in found.gates if each.name == name) == 0.0


def test_the_share_of_a_window_is_the_one_at_its_end() -> None:
    ramps = [
        RampRow(
            decided_at=BEGAN + timedelta(days=day), from_percent=before, to_percent=after,
            decision="PROMOTE", override=None, flag_number=day,
        )
        for day, before, after in ((3, 5, 10), (20, 10, 50))
    ]  # fmt: skip
    days = (1, 15, 21)
    assert [share_at(BEGAN + timedelta(days=day), ramps, now=50) for day in days] == [5, 10, 50]


def test_labels_that_are_missing_are_told_as_a_number_and_as_minutes_of_listening() -> None:
    few = replace(
        EQUAL,
        labels=EQUAL.labels[::3],
        shadows=tuple(replace(row, audio_ms=6000) for row in EQUAL.shadows),
    )
    # A third of what was drawn with 1/2 was drawn with 1/6.
    sixth = [replace(label, probability=1 / 6) for label in few.labels]
    few = replace(few, labels=tuple(sixth), draws=drawn(sixth))
    found = verdict(few, replace(MARGINS, wer=0.012))
    reason = next(each for each in found.reasons if each.startswith("word error rate:"))
    assert re.fullmatch(
        r"word error rate: \d+ labels more, about \d+ minutes of audio, to decide with 80%", reason
    )
    labels, minutes = map(int, re.findall(r"(\d+) (?:labels|minutes)", reason))
    assert minutes == round(labels * 0.1)


def test_the_same_evidence_gives_the_same_verdict_and_says_what_it_was() -> None:
    first, second = (json.dumps(decided(EQUAL).as_json()) for _ in range(2))
    assert first == second
    inputs = json.loads(first)["inputs"]
    assert inputs["flag_version"] == "3-abc"
    assert inputs["seed"] == 1
    assert inputs["calls_by_arm"] == {"google": 400, "whisper": 400}


def test_a_dialogue_that_tells_successes_only_hides_no_failures() -> None:
    worse = evidence(failing=0.3)
    silent = replace(worse, outcomes=tuple(row for row in worse.outcomes if row.task_success))
    found = decided(silent)
    assert gate(found, "failed tasks") == "pass"  # of what was told
    assert gate(found, "calls without an outcome") == "wait"
    assert found.decision == "HOLD"
    assert any("of a failed one too" in reason for reason in found.reasons)


def test_labels_of_one_caller_say_nothing_of_others() -> None:
    """However many they are, and however alike they find both."""
    calls = {call.call_id for call in EQUAL.calls[:400]}
    one = replace(
        EQUAL,
        calls=tuple(replace(c, caller="one") if c.call_id in calls else c for c in EQUAL.calls),
        labels=tuple(label for label in EQUAL.labels if label.call_id in calls),
    )
    found = decided(one)
    (of_words,) = (each for each in found.gates if each.name == "word error rate")
    assert (of_words.status, of_words.high) == ("wait", None)
    assert "as if of 1 callers" in of_words.detail
    assert "30 callers" in of_words.missing


def test_words_of_callers_on_a_list_are_not_compared() -> None:
    staff = replace(EQUAL.calls[0], call_id="staff", caller="staff", flag_reason="TARGETING_MATCH")
    shadow = replace(EQUAL.shadows[0], call_id="staff", differing_words=3)
    with_staff = replace(EQUAL, calls=(*EQUAL.calls, staff), shadows=(*EQUAL.shadows, shadow))
    before, after = (
        next(each for each in decided(found).gates if each.name == "word error rate")
        for found in (EQUAL, with_staff)
    )
    assert before == after


def test_labels_of_one_week_do_not_stand_for_the_others() -> None:
    ended = {call.call_id: call.ended_at for call in EQUAL.calls}
    early = tuple(label for label in EQUAL.labels if ended[label.call_id] < BEGAN + timedelta(days=7))
    found = decided(replace(EQUAL, labels=early))
    assert gate(found, "labels of all weeks") == "wait"
    assert any("labels of the weeks from 2026-" in reason for reason in found.reasons)
    assert gate(decided(EQUAL), "labels of all weeks") == "pass"


def without(found: Evidence, *keys: tuple[str, int]) -> Evidence:
    """Nobody answers these."""
    return replace(found, labels=tuple(label for label in found.labels if label.key not in keys))


def gate_of(found: Verdict, name: str) -> Gate:
    return next(each for each in found.gates if each.name == name)


def test_labels_that_were_chosen_for_what_they_say_are_found_out() -> None:
    """All that speak for Whisper, and none that speaks for Google: each with its right probability."""
    worse = evidence(worse=0.15)
    chosen = tuple(label for label in worse.labels if label.whisper_errors < label.google_errors)
    found = decided(replace(worse, labels=chosen))
    assert gate(found, "labels in order") == "wait"
    assert "`slukh ab label`" in gate_of(found, "labels in order").missing
    assert gate_of(found, "word error rate").status != "pass"
    assert found.decision == "HOLD"


def test_who_stops_has_labelled_a_smaller_draw_and_left_nothing_out() -> None:
    found = decided(replace(EQUAL, labels=first_of_the_draw(EQUAL, 300)))
    order = gate_of(found, "labels in order")
    assert (order.status, order.detail) == ("pass", "0 of the first 300 drawn utterances without an answer")


def test_a_few_that_are_missing_are_named_and_counted_as_the_worst_they_can_be() -> None:
    third = {row.position: row for row in EQUAL.draws}[3]
    before, after = decided(EQUAL), decided(without(EQUAL, third.key))
    order = gate_of(after, "labels in order")
    assert order.status == "pass"
    assert f"counted as the worst it can be: {third.call_id}/{third.utterance_id}" in order.detail
    whole, part = (gate_of(found, "word error rate") for found in (before, after))
    assert part.high is not None
    assert whole.high is not None
    assert part.low is not None
    assert whole.low is not None
    assert part.high > whole.high
    assert part.low < whole.low


def test_answers_that_were_left_out_keep_no_roll_back_back() -> None:
    worse = evidence(worse=0.15)
    left_out = [row.key for row in worse.draws if row.position % 15 == 0]
    found = decided(without(worse, *left_out))
    assert gate(found, "labels in order") == "wait"
    assert found.decision == "ROLL BACK"


def test_labels_of_no_draw_that_is_kept_are_no_evidence() -> None:
    found = decided(replace(EQUAL, draws=()))
    assert gate(found, "labels drawn") == "wait"
    assert gate_of(found, "word error rate").value is None
    assert any("`slukh ab draw` with the window and seed" in reason for reason in found.reasons)


def test_a_draw_of_some_days_only_does_not_stand_for_the_others() -> None:
    days = BEGAN, BEGAN + timedelta(days=9)
    some = tuple(replace(row, since=days[0], until=days[1]) for row in EQUAL.draws)
    ended = {call.call_id: call.ended_at for call in EQUAL.calls}
    some = tuple(row for row in some if ended[row.call_id] <= row.until)
    kept = {row.key for row in some}
    found = decided(
        replace(EQUAL, draws=some, labels=tuple(label for label in EQUAL.labels if label.key in kept))
    )
    assert gate(found, "all drawn from") == "wait"
    assert gate(decided(EQUAL), "all drawn from") == "pass"


def test_a_draw_of_which_more_is_labelled_counts_no_more_for_that() -> None:
    """Whisper is worse in the second week, of which a tenth is labelled and all of the first."""
    ended = {call.call_id: call.ended_at for call in EQUAL.calls}
    middle = BEGAN + timedelta(days=DAYS / 2)
    worse = tuple(
        replace(label, whisper_errors=label.google_errors + (ended[label.call_id] > middle))
        for label in EQUAL.labels
    )
    windows = {False: (BEGAN, middle), True: (middle, BEGAN + timedelta(days=DAYS))}
    draws = tuple(
        replace(row, since=since, until=until)
        for row in EQUAL.draws
        for since, until in [windows[ended[row.call_id] > middle]]
    )
    late = [row for row in draws if row.since == middle]
    first = {row.key for row in sorted(late, key=lambda row: row.position)[: len(late) // 10]}
    early = {row.key for row in draws if row.since == BEGAN}
    whole = replace(EQUAL, labels=worse, draws=draws)
    part = replace(whole, labels=tuple(label for label in worse if label.key in first | early))
    of_whole, of_part = (gate_of(decided(found), "word error rate").value for found in (whole, part))
    assert of_part == pytest.approx(of_whole, rel=0.2)
