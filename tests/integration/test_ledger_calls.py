"""Calls out of the ledger, whole and page by page, from either database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from slukh.cost.ledger.calls import calls_of_month, each_call, first_call_at, usage_beside_calls
from slukh.cost.ledger.store import Ledger
from slukh.cost.meter import CLIP_IDS, PHRASE_IDS, CallFacts, Row
from slukh.types import Usage

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=30)


def leg(number: int, *, at: datetime, leg_number: int = 1) -> CallFacts:
    return CallFacts(
        call_id=f"call-{number:05}", leg=leg_number, state="ended", started_at=at, language_code="uk-UA",
        announced=True, provider="google", model="chirp_3", assigned_arm="google", heard_ms=90_000,
    )  # fmt: skip


def attempt(facts: CallFacts, utterance: int) -> Usage:
    return Usage(
        call_id=facts.call_id, leg=facts.leg, component="stt", sequence=utterance * 1000 + 1,
        provider="google", model="chirp_3", unit="audio_ms", quantity=4800, outcome="published",
        occurred_at=facts.started_at,
    )  # fmt: skip


def test_calls_come_whole_page_by_page(ledger: Ledger) -> None:
    legs = [leg(number, at=SINCE + timedelta(minutes=number)) for number in range(1001)]
    rows: list[Row] = [*legs, *(attempt(facts, utterance) for facts in legs for utterance in (2, 1))]
    ledger.record(rows)
    found = list(each_call(ledger, since=SINCE, until=UNTIL))
    assert [call.legs for call in found] == [(facts,) for facts in legs]
    assert all([row.sequence for row in call.usage] == [1001, 2001] for call in found)


def test_a_call_belongs_to_the_period_it_began_in(ledger: Ledger) -> None:
    began = SINCE + timedelta(hours=9)
    first = leg(1, at=began)
    second = replace(first, leg=2, started_at=began + timedelta(days=2))
    running = replace(leg(2, at=began), state="started")
    ledger.record([first, second, running, attempt(first, 1), attempt(second, 1)])
    assert list(each_call(ledger, since=began + timedelta(days=1), until=UNTIL)) == []
    one, other = each_call(ledger, since=began, until=began + timedelta(hours=1))
    assert (one.legs, len(one.usage)) == ((first, second), 2)
    assert (other.legs, other.usage) == ((running,), ())


def test_the_calls_of_a_month_are_counted_once_each_with_what_whisper_heard(ledger: Ledger) -> None:
    assert first_call_at(ledger) is None
    began = SINCE - timedelta(minutes=1)
    over_midnight = leg(1, at=began), replace(leg(1, at=SINCE), leg=2, provider="whisper")
    own = [leg(number, at=SINCE + timedelta(hours=number)) for number in (2, 3)]
    started = [replace(facts, state="started", heard_ms=0) for facts in own]
    ledger.record([*over_midnight, *own, *started, replace(leg(4, at=UNTIL), provider="whisper")])
    assert first_call_at(ledger) == began
    assert calls_of_month(ledger, since=SINCE, until=UNTIL, provider="whisper") == (2, 90_000)
    assert calls_of_month(ledger, since=UNTIL, until=UNTIL, provider="whisper") == (0, 0)


def test_what_was_used_for_nobodys_call_is_found_beside_them(ledger: Ledger) -> None:
    real = leg(1, at=SINCE + timedelta(hours=1))
    uuid = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    clip, phrase = (replace(attempt(real, 1), call_id=f"{ids}{uuid}") for ids in (CLIP_IDS, PHRASE_IDS))
    early = replace(clip, call_id=f"{CLIP_IDS}0{uuid[1:]}", occurred_at=SINCE - timedelta(seconds=1))
    ledger.record([real, attempt(real, 1), clip, phrase, early])
    assert usage_beside_calls(ledger, since=SINCE, until=UNTIL) == (clip, phrase)
