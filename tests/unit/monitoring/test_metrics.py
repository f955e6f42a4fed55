import math
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from slukh.monitoring import metrics as module
from slukh.monitoring.declarations import DECLARATIONS, reference
from slukh.monitoring.metrics import Metrics
from slukh.types import (
    AttemptEnded,
    AudioGap,
    CallCost,
    CallEnded,
    CallEvent,
    CallStarted,
    Dtmf,
    Event,
    Outcome,
    Purpose,
    ResultDropped,
    SpeechStarted,
    Transcript,
)

ROOT = Path(__file__).parents[3]

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(providers=("google", "whisper"), languages=("ru-RU", "uk-UA"))


def series(metrics: Metrics) -> Series:
    """The page as a scraper reads it."""
    page, content_type = metrics.render()
    assert content_type.startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return series(metrics)[name, frozenset(labels.items())]


def total(metrics: Metrics, name: str) -> float:
    return sum(v for (found, _), v in series(metrics).items() if found == name)


def stamped(event: Event, *, call_id: str = "c-1", assigned: str = "whisper") -> CallEvent:
    return CallEvent(
        call_id=call_id, leg=1, provider="whisper", model="base", assigned_arm=assigned,
        received_at=datetime(2026, 11, 22, tzinfo=UTC), event=event,
    )  # fmt: skip


def attempt(
    *,
    provider: str = "whisper",
    outcome: Outcome = "published",
    purpose: Purpose = "serve",
    samples: int = 8000,
    first: float | None = None,
    final: float | None = None,
) -> AttemptEnded:
    return AttemptEnded(
        utterance_id=1, attempt=1, provider=provider, model="base", purpose=purpose, outcome=outcome,
        audio_samples=samples, first_result_seconds=first, final_seconds=final,
    )  # fmt: skip


def a_call(number: int) -> list[CallEvent]:
    """One of many calls, with everything that can happen, and things that cannot."""
    call_id = f"11111111-2222-3333-4444-{number:012d}"
    outcome: Outcome = "timeout" if number % 3 else "published"
    events: list[Event] = [
        CallStarted(
            call_id=call_id, caller=f"caller-{number}", language_code="uk-UA", trunk=f"trunk-{number}"
        ),
        SpeechStarted(utterance_id=1, position=0),
        Dtmf(position=0, digit="5"),
        AudioGap(start=0, end=800, reason="idle"),
        attempt(outcome=outcome, first=0.4, final=0.7),
        attempt(provider=f"stranger-{number}"),
        ResultDropped(utterance_id=1, provider="whisper", reason="phrase"),
        Transcript(
            utterance_id=1, text=f"слово {number}", is_final=True, stable_length=5, language_code="uk-UA",
            start=0, end=8000,
        ),
        CallEnded(position=16_000, reason="hangup", heard=16_000, voiced=8000),
    ]  # fmt: skip
    return [stamped(event, call_id=call_id, assigned=f"arm-{number}") for event in events]


def test_calls_add_no_series(metrics: Metrics) -> None:
    counts = [len(series(metrics))]
    for calls in (10, 990):
        for number in range(calls):
            for event in a_call(number):
                metrics.observe(event)
            metrics.refused(f"reason-{number}")
            metrics.accuracy("whisper", f"xx-{number}", "canary", words=10, errors=1)
        counts.append(len(series(metrics)))
    assert counts[0] == counts[1] == counts[2]
    assert counts[0] > 100
    assert total(metrics, "calls_total") == 1000
    assert value(metrics, "telephony_refused_total", reason="other") == 1000


def test_nothing_of_a_call_is_on_the_page(metrics: Metrics) -> None:
    for event in a_call(77):
        metrics.observe(event)
    page = metrics.render()[0].decode()
    for private in ("11111111", "caller-77", "trunk-77", "слово", "stranger", "arm-77"):
        assert private not in page


def test_every_declared_metric_is_there_at_zero_before_any_call(metrics: Metrics) -> None:
    found = series(metrics)
    for declared in DECLARATIONS:
        name = f"{declared.name}_count" if declared.kind == "histogram" else declared.name
        values = [v for (n, _), v in found.items() if n == name]
        assert values, name
        if name in (
            "stt_provider_accuracy",  # 0 would say that every word was wrong
            "cost_budget_used_ratio",  # that there is a budget
            "cost_reconciliation_drift_ratio",  # that a statement agrees
        ):
            assert all(math.isnan(v) for v in values), name
        else:
            assert set(values) == {0.0}, name


def test_the_global_registry_is_left_alone(metrics: Metrics) -> None:
    names = {metric.name for metric in REGISTRY.collect()}
    assert not names & {declared.name.removesuffix("_total") for declared in DECLARATIONS}
    Metrics(providers=("whisper",))  # a second one in the same process


def test_an_attempt_is_counted_by_assignment_provider_and_outcome(metrics: Metrics) -> None:
    metrics.observe(stamped(attempt(provider="google", outcome="published"), assigned="whisper"))
    labels = {"assigned": "whisper", "provider": "google", "outcome": "published"}
    assert value(metrics, "stt_provider_requests_total", **labels) == 1
    assert total(metrics, "stt_provider_requests_total") == 1
    assert value(metrics, "stt_audio_sent_seconds_total", provider="google") == 1.0


def test_latency_is_taken_from_what_a_caller_waited_for(metrics: Metrics) -> None:
    metrics.observe(stamped(attempt(first=0.3, final=0.7)))
    metrics.observe(stamped(attempt(first=9.0, final=9.0, purpose="canary")))
    metrics.observe(stamped(attempt(provider="google", first=0.2, final=0.25)))
    assert value(metrics, "stt_whisper_latency_seconds_count") == 1
    assert value(metrics, "stt_whisper_latency_seconds_sum") == 0.7
    assert value(metrics, "stt_whisper_latency_seconds_bucket", le="0.65") == 0
    assert value(metrics, "stt_whisper_latency_seconds_bucket", le="0.8") == 1
    assert value(metrics, "stt_final_seconds_sum", provider="google") == 0.25
    assert value(metrics, "stt_first_interim_seconds_sum", provider="whisper") == 0.3


def test_a_shadow_that_fails_is_no_failure_that_a_caller_met(metrics: Metrics) -> None:
    metrics.observe(stamped(attempt(purpose="shadow", outcome="timeout", final=9.0)))
    assert value(metrics, "stt_shadows_total", provider="whisper", outcome="timeout") == 1
    assert total(metrics, "stt_provider_requests_total") == 0
    assert total(metrics, "stt_whisper_errors_total") == 0
    assert value(metrics, "stt_audio_sent_seconds_total", provider="whisper") == 1.0


def test_a_final_that_was_ready_early_took_no_time(metrics: Metrics) -> None:
    metrics.observe(stamped(attempt(final=-0.2)))
    assert value(metrics, "stt_whisper_latency_seconds_sum") == 0.0
    assert value(metrics, "stt_whisper_latency_seconds_count") == 1


@pytest.mark.parametrize(
    ("outcome", "error_type"),
    [("connect", "connect"), ("overloaded", "overloaded"), ("timeout", "timeout"), ("stalled", "timeout")],
)
def test_whisper_errors_are_counted_by_class(metrics: Metrics, outcome: Outcome, error_type: str) -> None:
    metrics.observe(stamped(attempt(outcome=outcome)))
    metrics.observe(stamped(attempt(outcome=outcome, provider="google")))
    assert value(metrics, "stt_whisper_errors_total", error_type=error_type) == 1
    assert total(metrics, "stt_whisper_errors_total") == 1


@pytest.mark.parametrize("outcome", ["published", "empty", "superseded", "cancelled"])
def test_an_outcome_that_is_no_failure_is_no_error(metrics: Metrics, outcome: Outcome) -> None:
    metrics.observe(stamped(attempt(outcome=outcome)))
    assert total(metrics, "stt_whisper_errors_total") == 0


def test_audio_is_counted_heard_sent_and_withheld(metrics: Metrics) -> None:
    metrics.observe(stamped(CallStarted(call_id="c-1", language_code="uk-UA", announced=False)))
    metrics.observe(stamped(attempt(samples=16_000, outcome="timeout")))
    metrics.observe(stamped(attempt(samples=16_000, purpose="retry")))
    assert value(metrics, "calls_active") == 1
    metrics.observe(stamped(CallEnded(position=80_000, reason="detached", heard=80_000)))
    assert value(metrics, "calls_active") == 0
    assert value(metrics, "calls_total", announced="false", reason="detached") == 1
    assert value(metrics, "stt_audio_heard_seconds_total") == 10.0
    assert value(metrics, "stt_audio_sent_seconds_total", provider="whisper") == 4.0
    assert value(metrics, "stt_audio_withheld_seconds_total") == 8.0


def test_gaps_and_drops_are_counted_by_reason(metrics: Metrics) -> None:
    metrics.observe(stamped(AudioGap(start=8000, end=20_000, reason="stale")))
    metrics.observe(stamped(ResultDropped(utterance_id=1, provider="whisper", reason="no_speech")))
    assert value(metrics, "audio_gap_seconds_total", reason="stale") == 1.5
    assert value(metrics, "stt_results_dropped_total", provider="whisper", reason="no_speech") == 1


def test_accuracy_is_that_of_the_last_measurement_with_its_sample(metrics: Metrics) -> None:
    labels = {"provider": "whisper", "language": "uk-UA", "reference": "canary"}
    metrics.accuracy("whisper", "uk-UA", "canary", words=20, errors=5)
    metrics.accuracy("whisper", "uk-UA", "canary", words=10, errors=1)
    metrics.accuracy("whisper", "uk-UA", "canary", words=0, errors=3)
    assert value(metrics, "stt_provider_accuracy", **labels) == pytest.approx(0.9)
    assert value(metrics, "stt_provider_accuracy_words", **labels) == 10


def test_a_reference_is_measured_whole_and_leaves_the_others_alone(metrics: Metrics) -> None:
    labels = {"provider": "whisper", "language": "uk-UA"}
    metrics.accuracy("whisper", "uk-UA", "canary", words=10, errors=1)
    metrics.accuracies("human", {("whisper", "uk-UA"): (0.75, 40), ("google", "other"): (0.5, 2)})
    assert value(metrics, "stt_provider_accuracy", **labels, reference="human") == 0.75
    assert value(metrics, "stt_provider_accuracy_words", **labels, reference="human") == 40
    metrics.accuracies("human", {})
    assert math.isnan(value(metrics, "stt_provider_accuracy", **labels, reference="human"))
    assert value(metrics, "stt_provider_accuracy_words", **labels, reference="human") == 0
    assert value(metrics, "stt_provider_accuracy", **labels, reference="canary") == pytest.approx(0.9)


def test_usage_reports_what_waits_and_what_went_wrong(metrics: Metrics) -> None:
    metrics.spooled(7)
    metrics.usage_error("ledger")
    assert value(metrics, "usage_spool_rows") == 7
    assert value(metrics, "usage_errors_total", stage="ledger") == 1


def test_a_fault_of_ours_does_not_reach_the_call(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    metrics.observe("not an event")  # type: ignore[arg-type]  # a fault elsewhere
    assert "metrics_failed" in caplog.text


def test_names_follow_prometheus_conventions() -> None:
    for declared in DECLARATIONS:
        assert declared.name.endswith("_total") == (declared.kind == "counter"), declared.name
        if declared.unit == "seconds":
            assert declared.name.removesuffix("_total").endswith("_seconds")
        assert declared.help.endswith(".")


def test_the_reference_is_up_to_date() -> None:
    written = (ROOT / "doc" / "metrics.md").read_text(encoding="utf-8")
    assert written == reference(), f"python -m {module.__name__} > doc/metrics.md"


def cost(added: str | None, **other: Any) -> CallCost:
    given = {"component": "stt", "provider": "google", "unit": "audio_ms", "is_whole": added is not None}
    amount = Decimal(added or 0)
    return CallCost(
        **{**given, **other}, quantity=4200, added_usd=None if added is None else amount,
        call_usd=amount, leg_usd=amount,
    )  # fmt: skip


def test_costs_are_counted_by_component_and_payee(metrics: Metrics) -> None:
    metrics.observe(stamped(cost("0.25")))
    metrics.observe(stamped(cost("0.5", component="line", provider="trunk-of-380671234567", unit="call_ms")))
    assert value(metrics, "cost_usd_total", component="stt", provider="google") == 0.25
    assert value(metrics, "cost_usd_total", component="line", provider="line") == 0.5
    assert value(metrics, "usage_units_total", component="stt", unit="audio_ms") == 4200
    assert "380671234567" not in metrics.render()[0].decode()


def test_what_has_no_price_is_counted_and_costs_nothing_that_is_known(metrics: Metrics) -> None:
    metrics.observe(stamped(cost(None)))
    assert value(metrics, "cost_unpriced_total", component="stt") == 1
    assert total(metrics, "cost_usd_total") == 0


def test_a_legs_cost_is_observed_when_it_ends(metrics: Metrics) -> None:
    metrics.observe(stamped(cost("0.1")))
    assert value(metrics, "call_cost_usd_count") == 0
    metrics.observe(stamped(cost("0.3", is_final=True)))
    assert (value(metrics, "call_cost_usd_count"), value(metrics, "call_cost_usd_sum")) == (1, 0.3)
    assert value(metrics, "call_cost_usd_bucket", le="0.25") == 0
    assert value(metrics, "call_cost_usd_bucket", le="0.3") == 1


def test_budgets_and_drift_are_unknown_until_they_are_known(metrics: Metrics) -> None:
    drift = {"component": "stt", "provider": "google"}
    assert math.isnan(value(metrics, "cost_budget_used_ratio"))
    assert math.isnan(value(metrics, "cost_reconciliation_drift_ratio", **drift))
    metrics.observe(stamped(cost("0.3", over_budget="call")))
    metrics.budget_used(0.5)
    metrics.drift("stt", "google", -0.01)
    metrics.drift("line", "*", 0.02)
    assert value(metrics, "cost_budget_exceeded_total", scope="call") == 1
    assert value(metrics, "cost_budget_used_ratio") == 0.5
    assert value(metrics, "cost_reconciliation_drift_ratio", **drift) == -0.01
    assert value(metrics, "cost_reconciliation_drift_ratio", component="line", provider="line") == 0.02


def test_what_the_comparison_could_not_keep_is_counted_by_what_it_was(metrics: Metrics) -> None:
    metrics.experiment_lost("row", 3)
    metrics.experiment_lost("recording", 1)
    assert value(metrics, "experiment_lost_total", what="row") == 3
    assert value(metrics, "experiment_lost_total", what="recording") == 1


def test_restarts_of_whisper_and_a_flag_file_that_is_refused_are_seen(metrics: Metrics) -> None:
    metrics.whisper_restarted()
    metrics.flag_file_refused(True)
    assert value(metrics, "stt_whisper_restarts_total") == 1
    assert value(metrics, "rollout_flag_file_refused") == 1
    metrics.flag_file_refused(False)
    assert value(metrics, "rollout_flag_file_refused") == 0
