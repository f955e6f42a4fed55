"""Figures of a verdict out of the ledger and measured files: each says where it is from, or why it is not."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from slukh.commands.ab_evidence import Sources, gathered
from slukh.cost.ledger.store import Ledger
from slukh.cost.meter import CallFacts
from slukh.errors import ExperimentError, ScenarioError
from slukh.experiment.evidence import CallRow, Outside, SilentCall
from slukh.settings.config import AllSettings, Settings, load_all
from slukh.types import Purpose, Usage

BEGAN = datetime(2026, 11, 2, 9, tzinfo=UTC)
UNTIL = BEGAN + timedelta(days=2)
NO_FILES = Sources()


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AllSettings:
    """Settings of a shop with an empty ledger."""
    monkeypatch.setenv("SLUKH_DATA_DIR", str(tmp_path))
    return load_all()


def used(call_id: str, provider: str, purpose: Purpose = "serve", model: str = "long") -> Usage:
    """A minute of speech."""
    return Usage(
        call_id=call_id, leg=1, component="stt", sequence=1999 if purpose == "shadow" else 1001,
        provider=provider, model=model, unit="audio_ms", quantity=60_000, purpose=purpose,
        outcome="published", occurred_at=BEGAN,
    )  # fmt: skip


def calls(count: int = 20) -> tuple[CallRow, ...]:
    """Half of them in each arm, two at a time."""
    return tuple(
        CallRow(
            call_id=f"call-{n}", caller=None, language_code="uk-UA", arm=("google", "whisper")[n % 2],
            flag_reason="SPLIT", flag_version="1-a", serving="google", models={},
            started_at=BEGAN + timedelta(minutes=n // 2), ended_at=BEGAN + timedelta(minutes=n // 2 + 1),
            end_reason="hangup",
        )
        for n in range(count)
    )  # fmt: skip


def book(settings: Settings, rows: tuple[CallRow, ...], *, whisper: str = "whisper") -> None:
    """What those calls used, each of them shadowed by Google."""
    with Ledger(settings.ledger_url) as ledger:
        for row in rows:
            facts = CallFacts(
                call_id=row.call_id, leg=1, state="ended", started_at=row.started_at, ended_at=row.ended_at,
                language_code="uk-UA", announced=True, provider="google", model="long", assigned_arm=row.arm,
            )  # fmt: skip
            serving = used(row.call_id, whisper if row.arm == "whisper" else "google")
            ledger.record([facts, serving, used(row.call_id, "google", "shadow")])


def gate_origin(outside: Outside, gate: str) -> str:
    return outside.origins[gate]


def test_cost_per_call_comes_from_the_ledger_by_arm(given: AllSettings, tmp_path: Path) -> None:
    book(given.settings, calls())
    knows = tmp_path / "evidence.json"
    knows.write_text(json.dumps({"whisper_month_usd": 3.0}))
    found = gathered(Sources(evidence=knows, to=50), given, calls(), UNTIL)
    # A minute by Google's list; Whisper's machine over the 300 calls a month that half of them would be.
    assert found.cost_per_call == pytest.approx({"google": 0.016, "whisper": 0.01})
    # All are alike, and one of the ten more might be so too; what is rented costs the same, whoever calls.
    assert found.cost_errors == pytest.approx({"google": 0.0016, "whisper": 0})
    assert found.price_book.startswith("market-2026-11@")
    assert "ledger's 10 of google's and 10 of whisper's calls, and 3 a month over 300 calls" in gate_origin(
        found, "cost per call"
    )


def test_what_a_call_costs_is_no_surer_than_its_callers_are_many(given: AllSettings) -> None:
    rows = calls()
    book(given.settings, rows, whisper="google")
    with Ledger(given.settings.ledger_url) as ledger:
        for row in rows[::4]:  # every other one of Google's is long
            ledger.record([replace(used(row.call_id, "google"), sequence=2001, quantity=600_000)])
    of_two = tuple(replace(row, caller=f"{row.arm}-{n % 4}") for n, row in enumerate(rows))  # one calls long
    by_call, by_caller = (gathered(NO_FILES, given, each, UNTIL).cost_errors for each in (rows, of_two))
    assert by_caller["google"] > 1.2 * by_call["google"]


def test_a_way_back_to_nothing_needs_no_cost(given: AllSettings, tmp_path: Path) -> None:
    book(given.settings, calls())
    knows = tmp_path / "evidence.json"
    knows.write_text(json.dumps({"whisper_month_usd": 3.0}))
    assert gathered(Sources(evidence=knows, to=0), given, calls(), UNTIL).cost_per_call
    lost = given._replace(cost=given.cost.model_copy(update={"slukh_prices": "nowhere.yaml"}))
    assert "nowhere.yaml" in gate_origin(gathered(NO_FILES, lost, calls(), UNTIL), "cost per call")


def test_a_whisper_of_ones_own_costs_what_nobody_has_said(given: AllSettings) -> None:
    book(given.settings, calls())
    found = gathered(NO_FILES, given, calls(), UNTIL)
    assert found.cost_per_call == {}
    assert "whisper_month_usd" in gate_origin(found, "cost per call")


def test_calls_that_the_ledger_has_not_are_no_cost(given: AllSettings) -> None:
    assert gate_origin(gathered(NO_FILES, given, (), UNTIL), "cost per call") == "no calls drawn by lot"
    book(given.settings, calls()[:10])
    found = gathered(NO_FILES, given, calls(), UNTIL)
    assert gate_origin(found, "cost per call") == "the ledger has 5 of 10 calls of google"


def test_usage_without_a_price_is_no_cost(given: AllSettings) -> None:
    book(given.settings, calls(), whisper="nobody-knows")
    found = gathered(NO_FILES, given, calls(), UNTIL)
    assert found.cost_per_call == {}
    assert gate_origin(found, "cost per call").startswith("whisper's calls used something without a price")


def test_a_ledger_that_cannot_be_read_is_told(given: AllSettings, tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database, but long enough to look like one " * 20)
    found = gathered(NO_FILES, given, calls(), UNTIL)
    assert "ledger" in gate_origin(found, "cost per call")


@pytest.mark.parametrize("to", [50, 100])
def test_the_queue_is_no_longer_than_finals_were_with_so_many_callers(
    given: AllSettings, tmp_path: Path, to: int
) -> None:
    path = written_capacity(tmp_path, streams=2)
    found = gathered(Sources(capacity=path, to=to), given, calls(), UNTIL)
    assert found.queue_p95_seconds == 0.64
    assert gate_origin(found, "capacity").startswith(f"{to} % of the busiest moment is {to // 50} calls, ")


def test_more_callers_than_were_tried_are_not_guessed(given: AllSettings, tmp_path: Path) -> None:
    path = written_capacity(tmp_path, streams=1)
    found = gathered(Sources(capacity=path, to=100), given, calls(), UNTIL)
    assert found.queue_p95_seconds is None
    assert gate_origin(found, "capacity").endswith(" has 1")
    assert gathered(Sources(capacity=path), given, (), UNTIL).queue_p95_seconds is None
    with pytest.raises(ScenarioError, match="cannot be read"):
        gathered(Sources(capacity=tmp_path / "none.json"), given, calls(), UNTIL)


def test_a_server_that_was_found_unfit_is_no_room(given: AllSettings, tmp_path: Path) -> None:
    found = gathered(Sources(capacity=written_capacity(tmp_path, streams=0)), given, calls(), UNTIL)
    assert found.queue_p95_seconds is None
    assert gate_origin(found, "capacity").endswith("http://w was found unfit for calls")


def written_capacity(folder: Path, *, streams: int) -> Path:
    path = folder / "whisper.json"
    measured = {"version": 1, "url": "http://w", "model": "small", "streams": streams, "p95_ms": 640}
    path.write_text(json.dumps(measured))
    return path


def evaluation(folder: Path, *, silent: int = 2, stand_in: str | None = None) -> Path:
    path = folder / "evaluation.json"
    calls = [{"seconds": 60.0, "words": [2 * n, 0]} for n in range(silent)]
    compared = {"providers": ["whisper", "google"], "silent_calls": calls, "wer_difference": 0.1}
    providers = {"whisper": {"stand_in": None}, "google": {"stand_in": stand_in}}
    path.write_text(json.dumps({"providers": providers, "comparisons": [compared]}))
    return path


def test_words_in_silence_come_from_an_evaluation(given: AllSettings, tmp_path: Path) -> None:
    path = evaluation(tmp_path)
    found = gathered(Sources(evaluation=path), given, (), UNTIL)
    assert found.silent_calls == (
        SilentCall(seconds=60.0, google_words=0, whisper_words=0),
        SilentCall(seconds=60.0, google_words=0, whisper_words=2),
    )
    assert gate_origin(found, "words in silence") == f"from {path}"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [({"silent": 0}, "without speech that both heard"), ({"stand_in": "a local one"}, "a local one")],
)
def test_an_evaluation_that_says_nothing_of_both_stays_missing(
    given: AllSettings, tmp_path: Path, wrong: dict[str, Any], why: str
) -> None:
    path = evaluation(tmp_path, **wrong)
    found = gathered(Sources(evaluation=path), given, (), UNTIL)
    assert found.silent_calls == ()
    assert why in gate_origin(found, "words in silence")


def test_an_evaluation_of_another_shape_is_refused(given: AllSettings, tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text('{"rows": 1}')
    with pytest.raises(ExperimentError, match="providers"):
        gathered(Sources(evaluation=path), given, (), UNTIL)


def test_what_a_person_hands_in_comes_before_ours(given: AllSettings, tmp_path: Path) -> None:
    book(given.settings, calls())
    knows = tmp_path / "evidence.json"
    knows.write_text(
        json.dumps(
            {
                "queue_p95_seconds": 0.2,
                "cost_per_call": {"google": 3, "whisper": 1},
            }
        )
    )
    sources = Sources(evidence=knows, capacity=written_capacity(tmp_path, streams=9))
    found = gathered(sources, given, calls(), UNTIL)
    assert (found.queue_p95_seconds, found.cost_per_call) == (0.2, {"google": 3, "whisper": 1})
    assert set(found.origins.values()) == {f"from {knows}"}
