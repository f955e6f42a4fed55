import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slukh.cost.ledger import MIGRATIONS, Ledger, Recorded
from slukh.cost.meter import CallFacts, Row
from slukh.errors import LedgerError
from slukh.types import Usage

MakeUsage = Callable[..., Usage]

MOMENT = datetime(2026, 11, 22, 10, 0, 0, 1, tzinfo=UTC)


def facts(call_id: str = "c-1", *, leg: int = 1, ended: bool = True, at: float = 0.0) -> CallFacts:
    started_at = MOMENT + timedelta(seconds=at)
    return CallFacts(
        call_id=call_id,
        leg=leg,
        state="ended" if ended else "started",
        started_at=started_at,
        ended_at=started_at + timedelta(seconds=9) if ended else None,
        language_code="uk-UA",
        announced=False,
        trunk="kyiv",
        caller="hash",
        provider="whisper",
        model="base",
        assigned_arm="whisper",
        sent_ms=4000 if ended else 0,
        end_reason="hangup" if ended else None,
    )


def test_a_row_is_read_as_it_was_written(ledger: Ledger, usage: MakeUsage) -> None:
    row = replace(usage(1), reported_quantity=3000, occurred_at=MOMENT)
    assert ledger.record([row, facts()]) == Recorded(inserted=2)
    record = ledger.call("c-1")
    assert record is not None
    assert (record.legs, record.usage) == ((facts(),), (row,))
    assert record.as_json()["usage"][0]["occurred_at"] == "2026-11-22T10:00:00.000001+00:00"


def test_a_row_that_comes_again_is_ignored(ledger: Ledger, usage: MakeUsage) -> None:
    ledger.record([usage(1), facts()])
    assert ledger.record([usage(1), facts(), usage(2)]) == Recorded(inserted=1, duplicates=2)
    assert ledger.record([usage(3), usage(3)]) == Recorded(inserted=1, duplicates=1)


def test_of_two_payloads_with_one_key_the_first_stands_and_the_other_is_kept(
    ledger: Ledger, usage: MakeUsage
) -> None:
    ledger.record([usage(1, quantity=100)])
    assert ledger.record([usage(1, quantity=999)]) == Recorded(conflicts=1)
    record = ledger.call("c-1")
    assert record is not None
    assert [row.quantity for row in record.usage] == [100]
    assert [payload["quantity"] for payload in ledger.conflicts()] == [999]


def test_a_conflict_that_comes_again_is_one_conflict(ledger: Ledger, usage: MakeUsage) -> None:
    ledger.record([usage(1, quantity=100)])
    ledger.record([usage(1, quantity=999)])
    assert ledger.record([usage(1, quantity=999)]) == Recorded(duplicates=1)
    assert len(ledger.conflicts()) == 1


def test_two_facts_of_one_leg_that_differ_are_a_conflict(ledger: Ledger) -> None:
    ledger.record([facts()])
    assert ledger.record([replace(facts(), sent_ms=1)]) == Recorded(conflicts=1)


def test_calls_are_listed_newest_first_from_a_moment_on(ledger: Ledger) -> None:
    rows = [facts(f"c-{n}", at=n) for n in range(5)]
    ledger.record(rows)
    assert ledger.calls(limit=2) == (rows[4], rows[3])
    assert ledger.calls(since=MOMENT + timedelta(seconds=3)) == (rows[4], rows[3])


def test_a_leg_is_listed_once_as_it_ended_or_else_as_it_started(ledger: Ledger) -> None:
    ledger.record([facts("c-1", ended=False), facts("c-1"), facts("c-2", ended=False, at=1)])
    assert [(row.call_id, row.state) for row in ledger.calls()] == [("c-2", "started"), ("c-1", "ended")]


def test_a_call_of_two_legs_has_both_in_order(ledger: Ledger) -> None:
    ledger.record([facts(leg=2, at=5), facts(leg=1, ended=False), facts(leg=1)])
    record = ledger.call("c-1")
    assert record is not None
    assert [(leg.leg, leg.state) for leg in record.legs] == [(1, "ended"), (2, "ended")]


def test_usage_of_a_call_without_facts_is_shown(ledger: Ledger, usage: MakeUsage) -> None:
    ledger.record([usage(1)])
    record = ledger.call("c-1")
    assert record is not None
    assert (record.legs, len(record.usage)) == ((), 1)
    assert ledger.call("nobody") is None


def test_amounts_are_null_until_rated_and_can_be_filled_in(
    ledger: Ledger, usage: MakeUsage, tmp_path: Path
) -> None:
    ledger.record([usage(1)])
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        assert raw.execute("SELECT amount_pico_usd FROM usage").fetchall() == [(None,)]
        raw.execute("UPDATE usage SET amount_pico_usd = 1")
    raw.close()
    assert ledger.record([usage(1)]) == Recorded(duplicates=1)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE usage SET quantity = 0",
        "DELETE FROM usage",
        "UPDATE calls SET sent_ms = 0",
        "DELETE FROM calls",
    ],
)
def test_the_ledger_is_append_only(ledger: Ledger, usage: MakeUsage, tmp_path: Path, change: str) -> None:
    ledger.record([usage(1), facts()])
    raw = sqlite3.connect(tmp_path / "ledger.db")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute(change)
    raw.close()


def test_a_caller_can_be_forgotten(ledger: Ledger, tmp_path: Path) -> None:
    ledger.record([facts()])
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        raw.execute("UPDATE calls SET caller = NULL")
    raw.close()
    assert ledger.calls() == (replace(facts(), caller=None),)


def test_a_ledger_is_opened_again_with_its_rows(tmp_path: Path, usage: MakeUsage) -> None:
    url = f"sqlite:///{tmp_path}/deep/er/ledger.db"
    with Ledger(url) as ledger:
        ledger.record([usage(1)])
    with Ledger(url) as ledger:
        assert ledger.call("c-1") is not None


def test_migrations_are_applied_once_and_named(tmp_path: Path) -> None:
    for _ in range(2):
        Ledger(f"sqlite:///{tmp_path}/ledger.db").close()
    raw = sqlite3.connect(tmp_path / "ledger.db")
    assert raw.execute("SELECT name FROM slukh_migrations").fetchall() == [("m001_usage_calls_conflicts",)]
    raw.close()
    assert len(MIGRATIONS) == 1


def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as raw:
        raw.execute("INSERT INTO slukh_migrations VALUES ('m999_later', 0)")
    raw.close()
    with pytest.raises(LedgerError, match=r"newer slukh .*m999_later.*upgrade slukh"):
        Ledger(f"sqlite:///{path}")


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("Шановна бухгалтеріє! " * 100)
    with pytest.raises(LedgerError, match=r"not a database.*move it aside"):
        Ledger(f"sqlite:///{path}")
    assert path.read_text().startswith("Шановна")


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        raw.execute("CREATE TABLE usage (electricity INTEGER)")
    raw.close()
    with pytest.raises(LedgerError, match="already exists"):
        Ledger(f"sqlite:///{tmp_path}/ledger.db")
    raw = sqlite3.connect(tmp_path / "ledger.db")
    assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("usage",)]
    raw.close()


@pytest.mark.parametrize("path", ["file/ledger.db", "."])
def test_a_place_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="SLUKH_LEDGER_URL"):
        Ledger(f"sqlite:///{tmp_path}/{path}")


@pytest.mark.parametrize(
    "url", ["", "ledger.db", "sqlite://", "sqlite:///:memory:", "postgresql://a:secret@h/db"]
)
def test_a_url_that_is_no_lasting_ledger_is_refused(url: str) -> None:
    with pytest.raises(LedgerError, match="sqlite:///PATH") as refused:
        Ledger(url)
    assert "secret" not in str(refused.value)


def test_a_ledger_that_another_program_holds_is_an_error_and_nothing_is_added(
    tmp_path: Path, usage: MakeUsage
) -> None:
    with Ledger(f"sqlite:///{tmp_path}/ledger.db", busy_timeout_ms=10) as ledger:
        holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="another program holds it"):
            ledger.record([usage(1)])
        assert ledger.calls() == ()  # readers are not held up
        holder.execute("ROLLBACK")
        holder.close()
        assert ledger.record([usage(1)]) == Recorded(inserted=1)


ROWS: list[Row] = [facts("c-1"), facts("c-1", ended=False), facts("c-2")] + [
    Usage(
        call_id=call_id, leg=1, component="stt", sequence=n, provider="whisper", model="base",
        unit="audio_ms", quantity=100 * n, outcome="published", occurred_at=MOMENT,
    )
    for call_id in ("c-1", "c-2") for n in (1, 2, 3)
]  # fmt: skip


@settings(max_examples=25, deadline=None)  # each opens a database
@given(deliveries=st.lists(st.lists(st.sampled_from(ROWS), max_size=6), max_size=6))
def test_any_order_and_repetition_gives_the_same_ledger(
    tmp_path_factory: pytest.TempPathFactory, deliveries: list[list[Row]]
) -> None:
    with Ledger(f"sqlite:///{tmp_path_factory.mktemp('ledger')}/l.db") as ledger:
        total = sum((ledger.record(delivery) for delivery in [*deliveries, ROWS]), Recorded())
        assert total.inserted == len(ROWS)
        assert total.conflicts == 0
        assert total.duplicates == sum(map(len, deliveries))
        for call_id in ("c-1", "c-2"):
            record = ledger.call(call_id)
            assert record is not None
            assert sum(row.quantity for row in record.usage) == 600
            assert len(record.legs) == 1
