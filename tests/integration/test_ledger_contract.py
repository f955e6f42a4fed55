"""What every ledger does, whichever database holds it: SQLite, and a real PostgreSQL."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from slukh.cost.drain import Drain
from slukh.cost.ledger.store import Ledger, Recorded
from slukh.cost.ledger.tables import MIGRATIONS
from slukh.cost.meter import CallFacts, Row
from slukh.cost.spool import Spool
from slukh.errors import LedgerError
from slukh.ports import reserved_port
from slukh.testing.local_postgres import LocalPostgres, local_postgres
from slukh.types import Usage

MOMENT = datetime(2026, 11, 22, 10, 0, 0, 1, tzinfo=UTC)

NewUrl = Callable[[], str]


def usage(sequence: int = 1001, *, call_id: str = "c-1", quantity: int = 2500) -> Usage:
    return Usage(
        call_id=call_id, leg=1, component="stt", sequence=sequence, provider="whisper", model="base",
        unit="audio_ms", quantity=quantity, purpose="serve", outcome="published", occurred_at=MOMENT,
    )  # fmt: skip


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


def test_a_row_is_read_as_it_was_written(ledger: Ledger) -> None:
    row = replace(usage(1), reported_quantity=3000, occurred_at=MOMENT)
    assert ledger.record([row, facts()]) == Recorded(inserted=2)
    record = ledger.call("c-1")
    assert record is not None
    assert (record.legs, record.usage) == ((facts(),), (row,))
    assert record.as_json()["usage"][0]["occurred_at"] == "2026-11-22T10:00:00.000001+00:00"


def test_the_largest_numbers_a_row_may_have_are_kept(ledger: Ledger) -> None:
    row = usage(2**63 - 1, quantity=2**63 - 1)
    ledger.record([row])
    record = ledger.call("c-1")
    assert record is not None
    assert record.usage == (row,)


def test_a_row_that_comes_again_is_ignored(ledger: Ledger) -> None:
    ledger.record([usage(1), facts()])
    assert ledger.record([usage(1), facts(), usage(2)]) == Recorded(inserted=1, duplicates=2)
    assert ledger.record([usage(3), usage(3)]) == Recorded(inserted=1, duplicates=1)


def test_of_two_payloads_with_one_key_the_first_stands_and_the_other_is_kept(ledger: Ledger) -> None:
    ledger.record([usage(1, quantity=100)])
    assert ledger.record([usage(1, quantity=999)]) == Recorded(conflicts=1)
    record = ledger.call("c-1")
    assert record is not None
    assert [row.quantity for row in record.usage] == [100]
    assert [payload["quantity"] for payload in ledger.conflicts()] == [999]
    assert len(ledger.conflicts("c-1")) == 1
    assert ledger.conflicts("another") == ()


def test_a_conflict_that_comes_again_is_one_conflict(ledger: Ledger) -> None:
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


def test_usage_of_a_call_without_facts_is_shown(ledger: Ledger) -> None:
    ledger.record([usage(1)])
    record = ledger.call("c-1")
    assert record is not None
    assert (record.legs, len(record.usage)) == ((), 1)
    assert ledger.call("nobody") is None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE usage SET quantity = 0",
        "UPDATE usage SET heard_quantity = 0",
        "DELETE FROM usage",
        "UPDATE calls SET sent_ms = 0",
        "DELETE FROM calls",
    ],
)
def test_the_ledger_is_append_only(ledger: Ledger, raw: Engine, change: str) -> None:
    ledger.record([usage(1), facts()])
    with raw.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.execute(text(change))
    assert ledger.record([usage(1), facts()]) == Recorded(duplicates=2)


def test_a_caller_can_be_forgotten(ledger: Ledger, raw: Engine) -> None:
    ledger.record([facts()])
    with raw.begin() as connection:
        connection.execute(text("UPDATE calls SET caller = NULL"))
    assert ledger.calls() == (replace(facts(), caller=None),)


def test_a_ledger_is_opened_again_with_its_rows(url: str) -> None:
    with Ledger(url) as ledger:
        ledger.record([usage(1)])
    with Ledger(url) as ledger:
        assert ledger.call("c-1") is not None


def test_migrations_are_applied_once_however_many_start_together(url: str, raw: Engine) -> None:
    together = threading.Barrier(4)
    failed: list[BaseException] = []

    def start() -> None:
        together.wait()
        try:
            Ledger(url).close()
        except BaseException as error:  # noqa: BLE001  # to the thread that asserts
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with raw.connect() as connection:
        applied = connection.scalars(text("SELECT name FROM slukh_migrations ORDER BY name")).all()
    assert applied == [migration.__name__[1:] for migration in MIGRATIONS]


def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(url: str, raw: Engine) -> None:
    with raw.begin() as connection:
        connection.execute(text("INSERT INTO slukh_migrations VALUES ('m999_later', 0)"))
    with pytest.raises(LedgerError, match=r"newer slukh .*m999_later.*upgrade slukh"):
        Ledger(url)


def test_somebody_elses_database_is_refused(new_url: NewUrl) -> None:
    url = new_url()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE usage (electricity INTEGER)"))
    with pytest.raises(LedgerError, match="already exists"):
        Ledger(url)
    with engine.connect() as connection, pytest.raises(DBAPIError):
        connection.execute(text("SELECT * FROM slukh_migrations"))
    engine.dispose()


def test_gateways_that_deliver_the_same_rows_at_once_book_each_once(url: str, ledger: Ledger) -> None:
    rows = [usage(number) for number in range(300)]
    together = threading.Barrier(4)
    results: list[Recorded] = []

    def deliver(order: list[Usage]) -> None:
        with Ledger(url) as mine:
            together.wait()
            results.extend(mine.record(order[at : at + 50]) for at in range(0, 300, 50))

    threads = [threading.Thread(target=deliver, args=(rows[::way],)) for way in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(results, Recorded()) == Recorded(inserted=300, duplicates=900)


ROWS: list[Row] = [
    facts("c-1"), facts("c-1", ended=False), facts("c-2"),
    *(usage(n, call_id=call_id, quantity=100 * n) for call_id in ("c-1", "c-2") for n in (1, 2, 3)),
]  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries=st.lists(st.lists(st.sampled_from(ROWS), max_size=6), max_size=6))
def test_any_order_and_repetition_gives_the_same_ledger(new_url: NewUrl, deliveries: list[list[Row]]) -> None:
    with Ledger(new_url()) as ledger:
        total = sum((ledger.record(delivery) for delivery in [*deliveries, ROWS]), Recorded())
        assert total.inserted == len(ROWS)
        assert total.conflicts == 0
        assert total.duplicates == sum(map(len, deliveries))
        for call_id in ("c-1", "c-2"):
            record = ledger.call(call_id)
            assert record is not None
            assert sum(row.quantity for row in record.usage) == 600
            assert len(record.legs) == 1


def wrong(server: LocalPostgres, what: str) -> str:
    right = server.url()
    return {
        "password": right.replace(server.password, "guess"),
        "no password": right.replace(f":{server.password}", ""),
        "database": right.replace("/postgres", "/nope"),
        "user": right.replace("slukh:", "nobody:"),
        "port": right.replace(f":{server.port}/", ":1/"),
        "host": right.replace("127.0.0.1", "nowhere.invalid"),
    }[what]


@pytest.mark.parametrize(
    ("what", "remedy"),
    [
        ("password", "correct user and password"),
        ("no password", "put the password into SLUKH_LEDGER_URL"),
        ("database", "create it with createdb"),
        ("user", "correct user and password"),
        ("port", "start it, or correct the host and port"),
        ("host", "correct the host"),
    ],
)
def test_a_server_that_does_not_let_us_in_is_an_error_with_a_remedy(
    postgres: LocalPostgres, what: str, remedy: str
) -> None:
    with pytest.raises(LedgerError, match=remedy) as refused:
        Ledger(wrong(postgres, what))
    assert "guess" not in str(refused.value)
    assert postgres.password not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_user_who_may_not_create_tables_is_told_so(postgres: LocalPostgres) -> None:
    url = postgres.new_database()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("CREATE ROLE reader LOGIN PASSWORD 'reader'"))
    engine.dispose()
    with pytest.raises(LedgerError, match=r"permission denied.*the right to create"):
        Ledger(url.replace(f"slukh:{postgres.password}", "reader:reader"))


def test_an_outage_of_the_server_delays_rows_and_loses_none(tmp_path: Path) -> None:
    with reserved_port() as port:
        with local_postgres(port) as server:
            ledger = Ledger(server.url())
        with Spool(tmp_path / "spool") as spool, ledger:
            drain = Drain(spool, ledger)
            spool.append(usage(1))
            assert spool.flush()
            with pytest.raises(LedgerError, match="start it"):
                drain.drain_once()
            assert spool.waiting_rows == 1
            with local_postgres(port) as server, Ledger(server.url()) as back:
                assert Drain(spool, back).drain_once() == Recorded(inserted=1)
            assert spool.waiting_rows == 0


def test_a_gateway_starts_while_its_server_is_away_and_books_when_it_is_back(postgres: LocalPostgres) -> None:
    ledger = Ledger(wrong(postgres, "port"), may_be_away=True)
    with ledger, pytest.raises(LedgerError, match="start it"):
        ledger.record([usage(1)])
    with pytest.raises(LedgerError, match="correct user and password"):
        Ledger(wrong(postgres, "password"), may_be_away=True)
