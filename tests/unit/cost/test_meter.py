import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.cost.meter import CallFacts, CallTallies, Meter, milliseconds, row_json, usage_from
from slukh.types import (
    AttemptEnded,
    AudioGap,
    CallEnded,
    CallEvent,
    CallStarted,
    Dtmf,
    Event,
    FlagDecision,
    Outcome,
    PhraseSpoken,
    Purpose,
    ResultDropped,
    SpeechEnded,
    SpeechStarted,
    Transcript,
    Usage,
)

Stamp = Callable[..., CallEvent]

STARTED = CallStarted(call_id="c-1", caller="hash", language_code="uk-UA", trunk="kyiv")


def attempt(
    utterance_id: int,
    number: int = 1,
    *,
    samples: int = 8000,
    purpose: Purpose = "serve",
    outcome: Outcome = "published",
    reported_ms: int | None = None,
) -> AttemptEnded:
    return AttemptEnded(
        utterance_id=utterance_id,
        attempt=number,
        provider="whisper",
        model="base",
        purpose=purpose,
        outcome=outcome,
        audio_samples=samples,
        reported_ms=reported_ms,
    )


def final(utterance_id: int, *, is_final: bool = True) -> Transcript:
    return Transcript(
        utterance_id=utterance_id, text="Таємниця", is_final=is_final, stable_length=8,
        language_code="uk-UA", start=0, end=8000,
    )  # fmt: skip


def ended(position: int, reason: str = "hangup", *, heard: int = 0, voiced: int = 0) -> CallEnded:
    return CallEnded(position=position, reason=reason, heard=heard, voiced=voiced)  # type: ignore[arg-type]  # tests name reasons as text


def facts_of(rows: tuple[object, ...]) -> CallFacts:
    (facts,) = [row for row in rows if isinstance(row, CallFacts)]
    return facts


def line_of(rows: tuple[object, ...]) -> Usage:
    (line,) = [row for row in rows if isinstance(row, Usage)]
    return line


def test_an_attempt_is_billed_by_the_audio_that_left_us(stamp: Stamp) -> None:
    row = usage_from(
        stamp(attempt(7, 2, samples=20_001, purpose="retry", outcome="timeout", reported_ms=3000))
    )
    assert row is not None
    assert (row.component, row.unit, row.quantity, row.reported_quantity) == ("stt", "audio_ms", 2501, 3000)
    assert (row.call_id, row.leg, row.sequence) == ("c-1", 1, 7002)
    assert (row.provider, row.model, row.purpose, row.outcome) == ("whisper", "base", "retry", "timeout")


def test_what_a_rented_whisper_hears_is_billed_by_who_is_paid(stamp: Stamp) -> None:
    rows = Meter(payees={"whisper": "groq"}).rows(stamp(attempt(1)))
    assert [row.provider for row in rows] == ["groq"]


def test_a_call_is_billed_to_its_trunk(stamp: Stamp) -> None:
    meter = Meter()
    meter.rows(stamp(STARTED))
    line = line_of(meter.rows(stamp(ended(80_000))))
    assert (line.component, line.unit, line.quantity, line.sequence) == ("line", "call_ms", 10_000, 0)
    assert (line.provider, line.outcome) == ("kyiv", "hangup")


@pytest.mark.parametrize(
    "event",
    [
        STARTED,
        SpeechStarted(utterance_id=1, position=0),
        SpeechEnded(utterance_id=1, position=0, endpoint=0),
        Dtmf(position=0, digit="5"),
        AudioGap(start=0, end=1, reason="idle"),
        final(1),
        ResultDropped(utterance_id=1, provider="whisper", reason="phrase"),
        FlagDecision(flag_key="k", value="v", variant="v", reason="STATIC", version="1"),
    ],
)
def test_nothing_else_is_billed(stamp: Stamp, event: Event) -> None:
    assert usage_from(stamp(event)) is None


@pytest.mark.parametrize("reason", ["detached", "hangup", "error"])
def test_the_legs_of_a_reattached_call_add_up_to_the_call(stamp: Stamp, reason: str) -> None:
    meter = Meter()
    first = line_of(meter.rows(stamp(ended(16_000, reason), leg=1)))
    second = line_of(meter.rows(stamp(ended(40_000), leg=2)))
    assert (first.quantity, second.quantity) == (2000, 3000)


def test_a_clock_that_begins_anew_is_billed_whole(stamp: Stamp) -> None:
    meter = Meter()
    meter.rows(stamp(ended(16_000, "detached"), leg=1))
    assert line_of(meter.rows(stamp(ended(8000), leg=2))).quantity == 1000


def test_the_facts_of_a_call_follow_from_its_events(stamp: Stamp) -> None:
    meter = Meter()
    started = facts_of(meter.rows(stamp(STARTED)))
    assert (started.state, started.ended_at, started.end_reason) == ("started", None, None)
    for event in (
        attempt(1, 1, samples=16_000, outcome="timeout"),
        attempt(1, 2, samples=16_000, purpose="retry"),
        final(1, is_final=False),
        final(1),
        attempt(2, 1, samples=8000, purpose="interim"),
        attempt(2, 2, samples=24_000),
        final(2),
    ):
        meter.rows(stamp(event))
    facts = facts_of(meter.rows(stamp(ended(90_000, heard=80_000, voiced=30_000), at=11.0)))
    assert (facts.state, facts.end_reason, facts.attempts, facts.utterances) == ("ended", "hangup", 4, 2)
    assert (facts.heard_ms, facts.voiced_ms, facts.sent_ms) == (10_000, 3750, 8000)
    assert facts.withheld_ms == 5000  # 10 s heard, 2 s and 3 s of it went out, however often
    assert facts.ended_at is not None
    assert (facts.ended_at - facts.started_at).total_seconds() == 11.0
    assert (facts.caller, facts.trunk, facts.language_code, facts.announced) == (
        "hash",
        "kyiv",
        "uk-UA",
        True,
    )


def test_calls_are_kept_apart(stamp: Stamp) -> None:
    tallies = CallTallies()
    tallies.add(stamp(STARTED))
    tallies.add(stamp(STARTED, call_id="c-2"))
    tallies.add(stamp(attempt(1), call_id="c-2"))
    assert len(tallies) == 2
    first, second = tallies.add(stamp(ended(1))), tallies.add(stamp(ended(1), call_id="c-2"))
    assert first is not None
    assert second is not None
    assert (first.attempts, second.attempts, len(tallies)) == (0, 1, 0)


def test_a_call_without_a_trunk_is_billed_to_who_carries_those(stamp: Stamp) -> None:
    rows = Meter(payees={"line": "odesa"}).rows(stamp(ended(8000)))
    assert line_of(rows).provider == "odesa"


@pytest.mark.parametrize(
    ("outcome", "audio_ms", "played_ms", "heard"),
    [("sent", 900, 900, 50), ("interrupted", 900, 300, 16), ("cached", 900, 0, 0), ("interrupted", 0, 0, 0)],
)
def test_a_phrase_is_booked_whole_with_what_was_heard_of_it_beside(
    stamp: Stamp, outcome: Any, audio_ms: int, played_ms: int, heard: int
) -> None:
    spoken = PhraseSpoken(
        phrase=1, utterance_id=1, text="", language_code="uk-UA", provider="google", voice="Kore",
        characters=50, outcome=outcome, audio_ms=audio_ms, played_ms=played_ms,
    )  # fmt: skip
    row = line_of(Meter().rows(stamp(spoken)))
    assert (row.quantity, row.heard_quantity) == (50, heard)


def test_an_end_without_a_start_is_billed_but_has_no_facts(stamp: Stamp) -> None:
    rows = Meter().rows(stamp(ended(8000)))
    assert [type(row) for row in rows] == [Usage]


def test_memory_is_bounded_in_calls_and_utterances(stamp: Stamp) -> None:
    tallies = CallTallies(max_calls=3)
    for number in range(50):
        tallies.add(stamp(STARTED, call_id=f"c-{number}"))
    assert len(tallies) == 3
    for utterance_id in range(1, 1001):
        tallies.add(stamp(attempt(utterance_id, samples=80), call_id="c-49"))
    # An Attempt that straggles in for an utterance long folded is not audio withheld twice over.
    tallies.add(stamp(attempt(1, 2, samples=80), call_id="c-49"))
    facts = tallies.add(stamp(ended(0, heard=160_000), call_id="c-49"))
    assert facts is not None
    assert facts.withheld_ms == (160_000 - 1000 * 80) // 8
    assert facts.attempts == 1001


def test_nothing_a_caller_says_or_presses_is_in_a_row(stamp: Stamp) -> None:
    meter = Meter()
    events: list[Event] = [STARTED, final(1), Dtmf(position=0, digit="31337"), attempt(1), ended(8000)]
    rows = [row for event in events for row in meter.rows(stamp(event))]
    assert len(rows) == 4
    text = json.dumps([row_json(row) for row in rows], ensure_ascii=False)
    assert "Таємниця" not in text
    assert "31337" not in text


@given(st.integers(0, 10**9))
def test_a_started_millisecond_counts_whole(samples: int) -> None:
    assert 0 <= milliseconds(samples) * 8 - samples < 8


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(1, 9)), unique=True, max_size=40))
def test_attempts_of_a_call_never_share_a_key(pairs: list[tuple[int, int]]) -> None:
    envelope = CallEvent(
        call_id="c", leg=1, provider="w", model="m", assigned_arm="w",
        received_at=datetime(2026, 11, 22, tzinfo=UTC), event=STARTED,
    )  # fmt: skip
    rows = [usage_from(dataclasses.replace(envelope, event=attempt(u, n))) for u, n in pairs]
    assert len({row.sequence for row in rows if row}) == len(pairs)


def test_a_shadow_has_its_usage_row_and_is_no_part_of_the_legs_sums(stamp: Stamp) -> None:
    meter = Meter()
    meter.rows(stamp(STARTED))
    (row,) = meter.rows(stamp(attempt(1, 999, purpose="shadow", outcome="superseded")))
    assert isinstance(row, Usage)
    assert (row.purpose, row.sequence, row.quantity) == ("shadow", 1999, 1000)
    facts, _ = meter.rows(stamp(CallEnded(position=16_000, reason="hangup", heard=16_000)))
    assert isinstance(facts, CallFacts)
    assert (facts.attempts, facts.sent_ms, facts.withheld_ms) == (0, 0, 2000)
