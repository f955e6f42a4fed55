"""Prices, budget, spool and ledger of a gateway, put together."""

import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from slukh.cost.ledger.store import Ledger
from slukh.errors import PriceError
from slukh.monitoring.metrics import Metrics
from slukh.serving.metering import metering
from slukh.settings.config import Settings, load
from slukh.settings.costs import CostSettings
from slukh.types import AttemptEnded, CallEvent, CallStarted, Event, Usage


def settings(folder: Path) -> Settings:
    return load(Settings, slukh_data_dir=folder)


def stamped(event: Event, call_id: str = "c-1") -> CallEvent:
    return CallEvent(
        call_id=call_id, leg=1, provider="google", model="chirp_3", assigned_arm="google",
        received_at=datetime.now(UTC), event=event,
    )  # fmt: skip


ATTEMPT = AttemptEnded(
    utterance_id=1, attempt=1, provider="google", model="chirp_3", purpose="serve", outcome="published",
    audio_samples=8000,
)  # fmt: skip


def page(metrics: Metrics) -> str:
    return metrics.render()[0].decode()


def test_what_an_event_used_is_in_the_ledger_and_its_cost_is_said(tmp_path: Path) -> None:
    metrics = Metrics(providers=("google",))
    with metering(settings(tmp_path), load(CostSettings), metrics) as meter:
        meter.costs_of(stamped(CallStarted(call_id="c-1", language_code="uk-UA")))
        (cost,) = meter.costs_of(stamped(ATTEMPT))
    assert cost.added_usd == Decimal("0.000266666667")
    with Ledger(settings(tmp_path).ledger_url) as ledger:
        record = ledger.call("c-1")
    assert record is not None
    assert len(record.usage) == 1


def test_usage_outlives_the_data_folder_that_was_removed_under_the_gateway(tmp_path: Path) -> None:
    folder, metrics = tmp_path / "data", Metrics(providers=("google",))
    with metering(settings(folder), load(CostSettings), metrics) as meter:
        shutil.rmtree(folder)
        meter.costs_of(stamped(ATTEMPT))
    assert "was removed" in str(meter.last_error)
    assert 'usage_errors_total{stage="ledger"} 0.0' not in page(metrics)
    assert not (folder / "ledger.db").exists()
    with metering(settings(folder), load(CostSettings), metrics) as meter:
        pass
    assert meter.last_error is None
    with Ledger(settings(folder).ledger_url) as ledger:
        assert ledger.call("c-1") is not None


def test_a_days_budget_counts_what_the_ledger_has_of_today(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with Ledger(settings(tmp_path).ledger_url) as ledger:
        ledger.record([
            Usage(
                call_id=f"c-{n}", leg=1, component="stt", sequence=1001, provider="google", model="chirp_3",
                unit="audio_ms", quantity=60_000, outcome="published", occurred_at=at,
            )
            for n, at in enumerate((now, now - timedelta(days=1)))
        ])  # fmt: skip
    metrics = Metrics(providers=("google",))
    given = load(CostSettings, slukh_budget_day_usd=Decimal("0.032"))
    with metering(settings(tmp_path), given, metrics) as meter:
        assert meter.costs.day_used(now) == pytest.approx(0.5)
        assert not meter.is_day_spent()
        meter.costs_of(stamped(ATTEMPT))
    assert "cost_budget_used_ratio 0.508" in page(metrics)


def test_a_ledger_that_is_away_does_not_keep_a_gateway_with_a_budget_from_starting(tmp_path: Path) -> None:
    away = load(Settings, slukh_data_dir=tmp_path, slukh_ledger_url="postgresql://slukh:x@127.0.0.1:1/slukh")
    given = load(CostSettings, slukh_budget_day_usd=Decimal(1))
    with metering(away, given, Metrics(providers=("google",))) as meter:
        assert len(meter.costs_of(stamped(ATTEMPT))) == 1
    assert list((tmp_path / "spool-1").glob("*.jsonl"))  # the next start brings it in


def test_a_price_book_that_is_not_there_is_said_at_the_start(tmp_path: Path) -> None:
    given = load(CostSettings, slukh_prices="no-such-book")
    with (
        pytest.raises(PriceError, match="no-such-book"),
        metering(settings(tmp_path), given, Metrics(providers=())),
    ):
        pass
