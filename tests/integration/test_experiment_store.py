"""What the experiment's store does, whichever database holds it: SQLite, and a real PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from slukh.cost.ledger.store import Ledger
from slukh.errors import ExperimentError
from slukh.experiment.evidence import (
    CallRow,
    CanaryRow,
    DrawRow,
    LabelRow,
    OutcomeRow,
    RampRow,
    ShadowRow,
    ShadowSum,
    TurnRow,
)
from slukh.experiment.recordings import Recordings
from slukh.experiment.store import ExperimentStore
from slukh.testing.local_postgres import LocalPostgres

NOW = datetime(2026, 11, 26, 12, 0, 0, 123456, tzinfo=UTC)
CALL = CallRow(
    call_id="a", caller=None, language_code="uk-UA", arm="whisper", flag_reason="SPLIT", flag_version="1-x",
    serving="google", models={"whisper": "base", "google": "chirp_3"}, started_at=NOW,
    ended_at=NOW + timedelta(minutes=1), end_reason="hangup", failovers=1, clock_jumped=True,
)  # fmt: skip
ROWS = (
    CALL,
    TurnRow(call_id="a", utterance_id=1, provider="", endpointing_ms=500, final_ms=None, is_salvage=True),
    OutcomeRow(call_id="a", task_success=True, repairs=2),
    ShadowRow(
        call_id="a", utterance_id=1, live="google", shadow="whisper", canonical_version="1-x",
        is_complete=False,
    ),
    LabelRow(
        call_id="a", utterance_id=1, labeller="olena", probability=0.25, canonical_version="1-x",
        reference="r", words=3, entities=1, google_errors=1, whisper_errors=0, google_entity_errors=1,
        whisper_entity_errors=0,
    ),
    CanaryRow(
        heard_at=NOW, provider="google", model="chirp_3", language_code="uk-UA", canonical_version="1-x",
        text="так", words=1, errors=0,
    ),
    DrawRow(
        call_id="a", utterance_id=1, language_code="uk-UA", probability=0.25, position=3, seed=7,
        since=NOW - timedelta(days=7), until=NOW,
    ),
)  # fmt: skip


@pytest.fixture
def store(url: str) -> Iterator[ExperimentStore]:
    """An empty one."""
    with ExperimentStore(url) as opened:
        yield opened


def test_what_is_written_is_read_back(url: str, store: ExperimentStore) -> None:
    store.record(ROWS)
    with ExperimentStore(url) as again:
        found = again.window(NOW, NOW + timedelta(hours=1))
        assert again.draws() == found.draws
    tables = (
        found.calls, found.turns, found.outcomes, found.shadows, found.labels, found.canaries, found.draws,
    )  # fmt: skip
    assert tuple(row for rows in tables for row in rows) == ROWS


def test_a_window_holds_the_calls_that_ended_in_it_and_what_is_theirs(store: ExperimentStore) -> None:
    store.record(ROWS)
    found = store.window(NOW - timedelta(hours=2), NOW)
    assert (found.calls, found.turns, found.labels) == ((), (), ())
    assert found.canaries  # heard at its end


def test_complete_shadows_are_summed_by_direction_and_labels_have_their_language(
    store: ExperimentStore,
) -> None:
    shadow = ShadowRow(
        call_id="a", utterance_id=2, live="google", shadow="whisper", canonical_version="1-x",
        is_complete=True, differing_words=1, live_words=4, shadow_words=3,
    )  # fmt: skip
    store.record([*ROWS, shadow, replace(shadow, utterance_id=3), replace(shadow, call_id="unknown")])
    assert store.shadow_sums(NOW) == (
        ShadowSum(
            language_code="uk-UA", live="google", shadow="whisper", canonical_version="1-x",
            differing_words=2, live_words=8, shadow_words=6,
        ),
    )  # fmt: skip
    assert store.labelled(NOW) == (("uk-UA", ROWS[4]),)
    later = NOW + timedelta(hours=1)
    assert store.shadow_sums(later) == ()
    assert store.labelled(later) == ()


def test_a_row_replaces_the_one_with_its_key(store: ExperimentStore) -> None:
    store.record([OutcomeRow(call_id="a", repairs=1), CALL])
    store.record([OutcomeRow(call_id="a", task_success=False), replace(CALL, end_reason="detached")])
    found = store.window(NOW, NOW + timedelta(hours=1))
    assert found.outcomes == (OutcomeRow(call_id="a", task_success=False),)
    assert [call.end_reason for call in found.calls] == ["detached"]


def test_a_label_is_withdrawn_and_no_other(store: ExperimentStore) -> None:
    (label,) = (row for row in ROWS if isinstance(row, LabelRow))
    other = replace(label, labeller="taras")
    store.record([CALL, label, other])
    for _ in range(2):
        store.withdraw(label)
    assert store.window(NOW, NOW + timedelta(hours=1)).labels == (other,)


def test_rows_come_in_the_order_of_their_keys_whatever_the_database_s(store: ExperimentStore) -> None:
    ids = ["a-b", "B", "ab", "a", "б", "А"]
    store.record([replace(CALL, call_id=call_id) for call_id in ids])
    assert [call.call_id for call in store.window(NOW, NOW + timedelta(hours=1)).calls] == sorted(ids)


def test_gateways_that_tell_of_the_same_call_at_once_both_succeed(url: str, store: ExperimentStore) -> None:
    together, failed = threading.Barrier(4), []

    def tell(order: int) -> None:
        with ExperimentStore(url) as mine:
            together.wait()
            for number in range(20):
                try:
                    mine.record([replace(CALL, call_id=f"call-{number}", failovers=order)])
                except ExperimentError as error:
                    failed.append(error)

    threads = [threading.Thread(target=tell, args=(order,)) for order in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(store.window(NOW, NOW + timedelta(hours=1)).calls) == 20


def test_ramps_are_told_oldest_first(store: ExperimentStore) -> None:
    ramps = tuple(
        RampRow(decided_at=NOW + timedelta(days=n), from_percent=10, to_percent=50, decision="PROMOTE",
                override=None, flag_number=n)
        for n in range(3)
    )  # fmt: skip
    store.record(ramps[::-1])
    assert store.ramps() == ramps


def test_a_call_that_is_forgotten_leaves_no_row_and_another_s_stay(store: ExperimentStore) -> None:
    store.record([*ROWS, replace(CALL, call_id="b", caller="hash")])
    assert store.calls_of("hash") == ("b",)
    assert store.forget(["a"]) == {
        "calls": 1, "turns": 1, "outcomes": 1, "shadows": 1, "draws": 1, "labels": 1,
    }  # fmt: skip
    found = store.window(NOW, NOW + timedelta(hours=1))
    assert [call.call_id for call in found.calls] == ["b"]
    assert found.labels == ()


def test_a_ledger_and_an_experiment_live_in_one_database(url: str, store: ExperimentStore) -> None:
    with Ledger(url) as ledger, Recordings(url) as recordings:
        store.record(ROWS)
        assert ledger.calls() == ()
        assert recordings.listed(NOW, NOW) == ()


def test_a_store_of_the_first_version_is_brought_to_this_one(url: str, store: ExperimentStore) -> None:
    store.record([CALL])
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE ab_calls DROP COLUMN worker"))
        connection.execute(text("ALTER TABLE ab_ramps DROP COLUMN inputs"))
        connection.execute(text("UPDATE ab_version SET version = 1"))
    engine.dispose()
    with ExperimentStore(url) as again:
        again.record([replace(CALL, call_id="b", worker="shop:9092")])
        calls = again.window(NOW, NOW + timedelta(hours=1)).calls
    assert [(call.call_id, call.worker) for call in calls] == [("a", ""), ("b", "shop:9092")]


def test_a_draw_without_its_order_is_to_be_drawn_again(url: str, store: ExperimentStore) -> None:
    """The third version kept no order: its labels stay, its draw goes."""
    store.record(ROWS)
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        for name in ("position", "seed", "since_us", "until_us"):
            connection.execute(text(f"ALTER TABLE ab_draws DROP COLUMN {name}"))
        connection.execute(text("UPDATE ab_version SET version = 3"))
    engine.dispose()
    with ExperimentStore(url) as again:
        found = again.window(NOW, NOW + timedelta(hours=1))
        assert (found.draws, len(found.labels)) == ((), 1)
        again.record(ROWS)
        assert len(again.draws()) == 1


def test_what_a_newer_slukh_wrote_is_refused(url: str, store: ExperimentStore) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE ab_version SET version = 99"))
    engine.dispose()
    with pytest.raises(ExperimentError, match="upgrade slukh"):
        ExperimentStore(url)


@pytest.mark.parametrize("opened", [ExperimentStore, Recordings])
def test_a_server_that_is_away_keeps_no_gateway_from_starting(
    postgres: LocalPostgres, opened: Callable[..., ExperimentStore | Recordings]
) -> None:
    away = postgres.url().replace(f":{postgres.port}/", ":1/")
    with pytest.raises(ExperimentError, match="SLUKH_EXPERIMENT_URL") as refused:
        opened(away)
    assert postgres.password not in str(refused.value)
    with opened(away, may_be_away=True) as store, pytest.raises(ExperimentError, match="start it"):
        store.calls_of("hash")
