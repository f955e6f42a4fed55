"""What Prometheus sees: every series is there from the start, calls add none. See `declarations.py`."""

import itertools
import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric

from slukh.cost.meter import CallTallies, UsageStage
from slukh.errors import TtsError
from slukh.monitoring.declarations import (
    CANARY_LANGUAGES,
    DECLARATIONS,
    ERROR_TYPES,
    FIXED_SETS,
    LINE,
    OTHER,
    Declaration,
)
from slukh.routing.breaker_store import Standing
from slukh.routing.pool import Condition
from slukh.types import (
    TURN_BUDGET_SECONDS,
    UNANSWERED,
    AttemptEnded,
    AudioGap,
    BargeIn,
    CallCost,
    CallEvent,
    Failover,
    ModelAnswered,
    ModelUnanswered,
    PhraseSpoken,
    RecognisersDown,
    ResultDropped,
    TurnTimed,
    seconds,
)

logger = logging.getLogger(__name__)


_HEDGE_WINNERS = {"published": "hedge", "superseded": "first"}
_BREAKER_STATES = {"closed": 0, "recovering": 1, "half_open": 2, "open": 3}
_SERVING = ("serve", "retry", "hedge")


class Metrics:
    """The metrics of one process, in their own registry; a sink.

    Args:
        providers: registry names of the recognisers.
        languages: BCP-47 codes that accuracy is measured in.
    """

    def __init__(
        self,
        *,
        providers: Iterable[str],
        languages: Iterable[str] = CANARY_LANGUAGES,
    ) -> None:
        named = {"providers": providers, "languages": languages, **FIXED_SETS}
        named["payees"] = (*providers, *FIXED_SETS["voices"], "anthropic", LINE)
        closed = {name: frozenset(values) | {OTHER} for name, values in named.items()}
        closed["yes or no"] = frozenset({"true", "false"})
        self._allowed = {
            declared.name: {label: closed[kind] for label, kind in declared.labels.items()}
            for declared in DECLARATIONS
        }
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        for declared in DECLARATIONS:
            self._declare(declared)
        for unknown in ("stt_provider_accuracy", "cost_reconciliation_drift_ratio"):
            for values in _combinations(self._allowed[unknown]):
                self._gauges[unknown].labels(**values).set(math.nan)
        self._gauges["cost_budget_used_ratio"].set(math.nan)
        self._tallies = CallTallies()

    def observe(self, event: CallEvent) -> None:
        """Count an event. Never blocks, never raises. To be called from one thread."""
        try:
            self._count(event)
        except Exception as error:  # noqa: BLE001  # a sink's fault must not end a call
            fault = {"error": type(error).__name__}  # not its text, which may hold a call's data
            logger.error("metrics_failed", extra=fault)  # noqa: TRY400  # likewise

    def refused(self, reason: str) -> None:
        """A connection was turned away or cut off."""
        self._add("telephony_refused_total", 1, reason=reason)

    def accuracy(self, provider: str, language: str, reference: str, *, words: int, errors: int) -> None:
        """A measurement of accuracy replaces the one before; one without words says nothing.

        Args:
            provider: who was measured.
            language: BCP-47.
            reference: against what, one of `REFERENCES`.
            words: of the reference.
            errors: word edits.
        """
        if words > 0:
            labels = {"provider": provider, "language": language, "reference": reference}
            self._set("stt_provider_accuracy", 1 - errors / words, **labels)
            self._set("stt_provider_accuracy_words", words, **labels)

    def accuracies(self, reference: str, measured: Mapping[tuple[str, str], tuple[float, int]]) -> None:
        """All measurements against a reference replace those before; who has none now is unknown again.

        Args:
            reference: against what, one of `REFERENCES`.
            measured: provider and language -> 1 - word error rate, and words of the reference.
        """
        for labels in _combinations(self._allowed["stt_provider_accuracy"]):
            if labels["reference"] == reference:
                value, words = measured.get((labels["provider"], labels["language"]), (math.nan, 0))
                self._set("stt_provider_accuracy", value, **labels)
                self._set("stt_provider_accuracy_words", words, **labels)

    def canary_changed(self, provider: str, language: str, reason: str) -> None:
        """A provider heard a stored clip otherwise than before."""
        self._add("stt_canary_changes_total", 1, provider=provider, language=language, reason=reason)

    def spooled(self, rows: int) -> None:
        """So many usage rows are not in the ledger yet."""
        self._set("usage_spool_rows", rows)

    def usage_error(self, stage: UsageStage) -> None:
        """Something went wrong with usage."""
        self._add("usage_errors_total", 1, stage=stage)

    def experiment_lost(self, what: Literal["row", "recording"], number: int) -> None:
        """The comparison of recognisers could not keep so many."""
        self._add("experiment_lost_total", number, what=what)

    def breaker(self, provider: str, standing: Standing) -> None:
        """A provider's breaker has another state."""
        self._set("stt_breaker_state", _BREAKER_STATES[standing.state], provider=provider)
        is_permanent = standing.is_permanent and standing.state != "closed"
        self._set("stt_permanent_error", float(is_permanent), provider=provider)

    def whisper_servers(self, conditions: Mapping[Condition, int]) -> None:
        """How many of several servers are in each condition."""
        for condition, servers in conditions.items():
            self._set("stt_whisper_servers", servers, condition=condition)

    def whisper_restarted(self) -> None:
        """The local Whisper's process is started again."""
        self._add("stt_whisper_restarts_total", 1)

    def flag_file_refused(self, is_so: bool) -> None:
        """Whether the flag file as it is now is not in force."""
        self._set("rollout_flag_file_refused", float(is_so))

    def rolled_back(self, is_so: bool) -> None:
        """Whether a guardrail keeps Whisper's share at 0 %."""
        self._set("rollout_rolled_back", float(is_so))

    def rollback(self, guardrail: str) -> None:
        """A guardrail took Whisper's share back."""
        self._add("rollout_rollbacks_total", 1, reason=guardrail)

    def budget_used(self, share: float) -> None:
        """So much of the day's budget is spent."""
        self._set("cost_budget_used_ratio", share)

    def drift(self, component: str, provider: str, ratio: float) -> None:
        """A provider's statement was reconciled."""
        provider = LINE if component == "line" else provider
        self._set("cost_reconciliation_drift_ratio", ratio, component=component, provider=provider)

    def phrase_lookup(self, result: str, characters: int) -> None:
        """A phrase was asked for."""
        self._add("tts_cache_requests_total", 1, result=result)
        self._add("tts_cache_characters_total", characters, result=result)

    def phrase_cache_error(self, reason: str) -> None:
        """The folder or Redis failed on a phrase."""
        self._add("tts_cache_errors_total", 1, reason=reason)

    def voice_failed(self, error: TtsError) -> None:
        """A voice failed on a phrase."""
        self._add("tts_errors_total", 1, provider=error.provider, error_type=error.error_type)

    def render(self) -> tuple[bytes, str]:
        """The page for `/metrics` and its content type."""
        return generate_latest(_WithoutCreated(self._registry)), CONTENT_TYPE_PLAIN_0_0_4

    def _count(self, event: CallEvent) -> None:
        match event.event:
            case AttemptEnded() as ended:
                self._count_attempt(event.assigned_arm, ended)
            case ResultDropped(provider=provider, reason=reason):
                self._add("stt_results_dropped_total", 1, provider=provider, reason=reason)
            case Failover() as switch:
                self._count_failover(switch)
            case RecognisersDown():
                self._add("stt_recognisers_down_total", 1)
            case TurnTimed() | BargeIn() | PhraseSpoken() | ModelAnswered() | ModelUnanswered() as voice:
                self._count_voice(voice)
            case CallCost() as cost:
                self._count_cost(cost)
            case AudioGap(start=start, end=end, reason=reason):
                self._add("audio_gap_seconds_total", seconds(end - start), reason=reason)
        facts = self._tallies.add(event)
        if facts is None:
            return
        self._set("calls_active", len(self._tallies))
        if facts.end_reason is not None:
            announced = "true" if facts.announced else "false"
            self._add("calls_total", 1, announced=announced, reason=facts.end_reason)
            self._add("stt_audio_heard_seconds_total", facts.heard_ms / 1000)
            self._add("stt_audio_withheld_seconds_total", facts.withheld_ms / 1000)

    def _count_cost(self, cost: CallCost) -> None:
        component = cost.component
        provider = LINE if component == "line" else cost.provider  # trunks have any name
        self._add("usage_units_total", cost.quantity, component=component, unit=cost.unit)
        if cost.added_usd is None:
            self._add("cost_unpriced_total", 1, component=component)
        else:
            self._add("cost_usd_total", float(cost.added_usd), component=component, provider=provider)
        if cost.over_budget is not None:
            self._add("cost_budget_exceeded_total", 1, scope=cost.over_budget)
        if cost.is_final:
            self._time("call_cost_usd", float(cost.leg_usd))

    def _count_voice(
        self, event: TurnTimed | BargeIn | PhraseSpoken | ModelAnswered | ModelUnanswered
    ) -> None:
        match event:
            case TurnTimed() as turn:
                self._count_turn(turn)
            case BargeIn(reaction_seconds=reaction_seconds):
                self._add("barge_ins_total", 1)
                self._time("barge_in_seconds", reaction_seconds)
            case PhraseSpoken(provider=provider, outcome=outcome, characters=characters):
                self._add("tts_characters_total", characters, provider=provider, outcome=outcome)
            case ModelAnswered() as answered:
                self._count_model(answered)
            case ModelUnanswered():
                self._add("llm_requests_total", 1, outcome=UNANSWERED)

    def _count_turn(self, turn: TurnTimed) -> None:
        steps = {stage: getattr(turn, f"{stage}_seconds") for stage in TURN_BUDGET_SECONDS}
        for stage, value in (*steps.items(), ("whole", sum(steps.values()))):
            self._time("turn_latency_seconds", value, stage=stage)

    def _count_model(self, answered: ModelAnswered) -> None:
        self._add("llm_requests_total", 1, outcome=answered.outcome)
        for bucket in ("input", "output", "cache_read", "cache_write"):
            self._add("llm_tokens_total", getattr(answered, f"{bucket}_tokens"), bucket=bucket)

    def _count_failover(self, switch: Failover) -> None:
        self._add(
            "stt_failovers_total",
            1,
            from_provider=switch.from_provider,
            to_provider=switch.to_provider,
            reason=switch.reason,
        )
        if switch.seconds is not None:
            self._time("stt_failover_seconds", switch.seconds)

    def _count_attempt(self, assigned: str, ended: AttemptEnded) -> None:
        provider, outcome = ended.provider, ended.outcome
        if ended.purpose == "shadow":
            self._add("stt_shadows_total", 1, provider=provider, outcome=outcome)
            self._add("stt_audio_sent_seconds_total", seconds(ended.audio_samples), provider=provider)
            return
        self._add("stt_provider_requests_total", 1, assigned=assigned, provider=provider, outcome=outcome)
        self._add("stt_audio_sent_seconds_total", seconds(ended.audio_samples), provider=provider)
        self._add("stt_replayed_seconds_total", seconds(ended.replayed_samples), provider=provider)
        if ended.purpose == "hedge":
            self._add("stt_hedges_total", 1, winner=_HEDGE_WINNERS.get(outcome, "neither"))
        if outcome == "stalled":
            self._add("stt_stalls_total", 1, provider=provider)
        is_whisper = provider.startswith("whisper")
        if is_whisper and (outcome in ERROR_TYPES or outcome == "stalled"):
            # A stall is a deadline of ours that passed; the label's set is that of `errors.py`.
            error_type = "timeout" if outcome == "stalled" else outcome
            self._add("stt_whisper_errors_total", 1, error_type=error_type)
        if ended.purpose not in _SERVING:
            return  # no caller waited for it
        if ended.first_result_seconds is not None:
            self._time("stt_first_interim_seconds", ended.first_result_seconds, provider=provider)
        if ended.final_seconds is not None:
            self._time("stt_final_seconds", ended.final_seconds, provider=provider)
            if is_whisper:
                self._time("stt_whisper_latency_seconds", ended.final_seconds)

    def _declare(self, declared: Declaration) -> None:
        name, labels = declared.name, tuple(declared.labels)
        metric: Counter | Gauge | Histogram
        match declared.kind:
            case "counter":
                metric = self._counters[name] = Counter(name, declared.help, labels, registry=self._registry)
            case "gauge":
                metric = self._gauges[name] = Gauge(name, declared.help, labels, registry=self._registry)
            case "histogram":
                metric = self._histograms[name] = Histogram(
                    name, declared.help, labels, registry=self._registry, buckets=declared.buckets
                )
        if labels:
            for values in _combinations(self._allowed[name]):
                metric.labels(**values)

    def _closed(self, name: str, labels: Mapping[str, str]) -> dict[str, str]:
        allowed = self._allowed[name]
        return {label: value if value in allowed[label] else OTHER for label, value in labels.items()}

    def _add(self, name: str, amount: float, **labels: str) -> None:
        metric = self._counters[name]
        (metric.labels(**self._closed(name, labels)) if labels else metric).inc(amount)

    def _set(self, name: str, value: float, **labels: str) -> None:
        metric = self._gauges[name]
        (metric.labels(**self._closed(name, labels)) if labels else metric).set(value)

    def _time(self, name: str, value: float, **labels: str) -> None:
        metric = self._histograms[name]
        # A final that was ready before the endpoint took no time; a negative one would make the sum fall.
        (metric.labels(**self._closed(name, labels)) if labels else metric).observe(max(0.0, value))


class _WithoutCreated:
    """A registry without the `_created` series that the client library adds to each of ours."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Every metric, less that."""
        for metric in self._registry.collect():
            metric.samples = [s for s in metric.samples if not s.name.endswith("_created")]
            yield metric


def _combinations(allowed: Mapping[str, frozenset[str]]) -> Iterator[dict[str, str]]:
    for values in itertools.product(*(sorted(values) for values in allowed.values())):
        yield dict(zip(allowed, values, strict=True))
