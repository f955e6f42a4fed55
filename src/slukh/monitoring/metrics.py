"""What Prometheus sees: every metric declared once, every series there from the start, none added by calls.

A label takes its value from a closed set; anything else is counted as `other`. So the number of series is
known before the first call, a rate needs no first sample, and nothing a caller says or is can become a label.
`doc/metrics.md` is generated from `DECLARATIONS` (`python -m slukh.monitoring.metrics`).
"""

import itertools
import logging
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric

from slukh.cost.meter import USAGE_STAGES, CallTallies, UsageStage
from slukh.errors import REFUSAL_REASONS, ErrorType, TtsError
from slukh.routing.breaker_store import Standing
from slukh.types import (
    DROP_REASONS,
    OUTCOMES,
    UNITS,
    AttemptEnded,
    AudioGap,
    BargeIn,
    CallCost,
    CallEvent,
    Failover,
    ModelAnswered,
    PhraseSpoken,
    RecognisersDown,
    ResultDropped,
    TurnTimed,
    seconds,
)

logger = logging.getLogger(__name__)

OTHER = "other"
CANARY_LANGUAGES = ("ru-RU", "uk-UA")
REFERENCES = ("canary",)
_ERROR_TYPES: tuple[str, ...] = get_args(ErrorType)
_END_REASONS = ("hangup", "gateway", "detached", "drained", "error")
_GAP_REASONS = ("idle", "stale", "detached")
_HEDGE_WINNERS = {"published": "hedge", "superseded": "first"}
_BREAKER_STATES = {"closed": 0, "recovering": 1, "half_open": 2, "open": 3}
_LINE = "line"
_SERVING = ("serve", "retry", "hedge")

# A final within 0.8 s of the endpoint keeps a conversation going; our own deadline is some seconds.
_DOLLARS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, 1.0, 2.0)
_LATENCY = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One metric.

    Attributes:
        name: as Prometheus shows it, with unit and `_total`.
        kind: its type.
        unit: of its value.
        help: what it counts.
        labels: label -> the name of its closed set.
        buckets: of a histogram, in its unit.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    help: str
    labels: Mapping[str, str] = field(default_factory=dict)
    buckets: tuple[float, ...] = _LATENCY


DECLARATIONS: tuple[Declaration, ...] = (
    Declaration(
        name="stt_whisper_latency_seconds", kind="histogram", unit="seconds",
        help="From our endpoint to Whisper's final.",
    ),
    Declaration(
        name="stt_whisper_errors_total", kind="counter", unit="attempts",
        help="Attempts on Whisper that failed, by error class; a stall is a timeout.",
        labels={"error_type": "error types"},
    ),
    Declaration(
        name="stt_provider_requests_total", kind="counter", unit="attempts",
        help="Attempts that ended, by the provider the rollout assigned, the one asked, and the outcome.",
        labels={"assigned": "providers", "provider": "providers", "outcome": "outcomes"},
    ),
    Declaration(
        name="stt_provider_accuracy", kind="gauge", unit="ratio",
        help="1 - word error rate of canonical text against a reference; NaN until measured, below 0 when "
        "more was invented than said.",
        labels={"provider": "providers", "language": "languages", "reference": "references"},
    ),
    Declaration(
        name="stt_provider_accuracy_words", kind="gauge", unit="words",
        help="Words of the reference behind stt_provider_accuracy.",
        labels={"provider": "providers", "language": "languages", "reference": "references"},
    ),
    Declaration(
        name="stt_first_interim_seconds", kind="histogram", unit="seconds",
        help="From the first audio sent to the first interim, or final where there was none.",
        labels={"provider": "providers"},
    ),
    Declaration(
        name="stt_final_seconds", kind="histogram", unit="seconds",
        help="From our endpoint to the final.",
        labels={"provider": "providers"},
    ),
    Declaration(
        name="stt_audio_heard_seconds_total", kind="counter", unit="seconds",
        help="Audio that came from callers, counted when a call ends.",
    ),
    Declaration(
        name="stt_audio_sent_seconds_total", kind="counter", unit="seconds",
        help="Audio that left for a recogniser; what went twice counts twice.",
        labels={"provider": "providers"},
    ),
    Declaration(
        name="stt_audio_withheld_seconds_total", kind="counter", unit="seconds",
        help="Audio heard that went to no recogniser, counted when a call ends.",
    ),
    Declaration(
        name="stt_results_dropped_total", kind="counter", unit="finals",
        help="Finals that the guard against invented text kept back.",
        labels={"provider": "providers", "reason": "drop reasons"},
    ),
    Declaration(
        name="stt_failovers_total", kind="counter", unit="switches",
        help="Utterances or calls that went to another provider, by why the one before was left; `breaker`: "
        "calls are kept away from it.",
        labels={"from_provider": "providers", "to_provider": "providers", "reason": "switch reasons"},
    ),
    Declaration(
        name="stt_failover_seconds", kind="histogram", unit="seconds",
        help="From the fault of one provider to the first result of the next one.",
    ),
    Declaration(
        name="stt_replayed_seconds_total", kind="counter", unit="seconds",
        help="Audio that a later Attempt of an utterance was sent of what had been said before it.",
        labels={"provider": "providers"},
    ),
    Declaration(
        name="stt_hedges_total", kind="counter", unit="hedges",
        help="Second Attempts beside a late one, by which of the two gave the final.",
        labels={"winner": "hedge winners"},
    ),
    Declaration(
        name="stt_breaker_state", kind="gauge", unit="state",
        help="Whether calls go to a provider: 0 closed (they do), 1 recovering (a share does), 2 half-open "
        "(only probes), 3 open (nothing does).",
        labels={"provider": "providers"},
    ),
    Declaration(
        name="stt_permanent_error", kind="gauge", unit="flag",
        help="1 while a provider is kept away for an error that only an operator can mend: a wrong key, an "
        "unknown model.",
        labels={"provider": "providers"},
    ),
    Declaration(
        name="stt_shadows_total", kind="counter", unit="attempts",
        help="Utterances that the other recogniser heard beside the one that served, by how that ended; "
        "`superseded` is a text to compare. No caller waited for them, and no other count has them.",
        labels={"provider": "providers", "outcome": "outcomes"},
    ),
    Declaration(
        name="stt_stalls_total", kind="counter", unit="attempts",
        help="Attempts given up because voice went in and no word came out.",
        labels={"provider": "providers"},
    ),
    Declaration(
        name="stt_recognisers_down_total", kind="counter", unit="utterances",
        help="Utterances on which every provider failed.",
    ),
    Declaration(
        name="turn_latency_seconds", kind="histogram", unit="seconds",
        help="What a caller waited for an answer, step by step: last voice to our endpoint, to the final, to "
        "the first sentence, to its first audio on the line; `whole` is all of it.",
        labels={"stage": "turn stages"},
    ),
    Declaration(
        name="barge_ins_total", kind="counter", unit="interruptions",
        help="Times that a caller spoke while we did, and we stopped.",
    ),
    Declaration(
        name="barge_in_seconds", kind="histogram", unit="seconds",
        help="Of the caller's voice that had come until we stopped.",
    ),
    Declaration(
        name="tts_cache_requests_total", kind="counter", unit="phrases",
        help="Phrases asked for: kept, being made for another call, or to be made.",
        labels={"result": "cache results"},
    ),
    Declaration(
        name="tts_cache_characters_total", kind="counter", unit="characters",
        help="Their characters: what was not a miss was not paid for.",
        labels={"result": "cache results"},
    ),
    Declaration(
        name="tts_cache_errors_total", kind="counter", unit="errors",
        help="Phrases that the folder or Redis lost, or could not take; they are made anew.",
        labels={"reason": "cache errors"},
    ),
    Declaration(
        name="tts_characters_total", kind="counter", unit="characters",
        help="Of what was said to callers, by voice; `interrupted` was paid for and not heard.",
        labels={"provider": "voices", "outcome": "spoken outcomes"},
    ),
    Declaration(
        name="tts_errors_total", kind="counter", unit="phrases",
        help="Phrases that a voice failed on; the next one was asked.",
        labels={"provider": "voices", "error_type": "error types"},
    ),
    Declaration(
        name="llm_tokens_total", kind="counter", unit="tokens",
        help="Tokens of the answering model, in disjoint buckets.",
        labels={"bucket": "token buckets"},
    ),
    Declaration(
        name="llm_requests_total", kind="counter", unit="requests",
        help="Requests to the answering model, by outcome.",
        labels={"outcome": "model outcomes"},
    ),
    Declaration(name="calls_active", kind="gauge", unit="calls", help="Calls on the line now."),
    Declaration(
        name="calls_total", kind="counter", unit="calls",
        help="Legs of calls that ended, by how.",
        labels={"announced": "yes or no", "reason": "end reasons"},
    ),
    Declaration(
        name="telephony_refused_total", kind="counter", unit="connections",
        help="Connections that were turned away, or cut off in mid-call for what the peer sent.",
        labels={"reason": "refusals"},
    ),
    Declaration(
        name="audio_gap_seconds_total", kind="counter", unit="seconds",
        help="Audio of calls that nobody heard; silence stands in its place.",
        labels={"reason": "gap reasons"},
    ),
    Declaration(
        name="call_cost_usd", kind="histogram", unit="US dollars",
        help="What a leg of a call cost, as far as the price book knows, when it ended.",
        buckets=_DOLLARS,
    ),
    Declaration(
        name="cost_usd_total", kind="counter", unit="US dollars",
        help="What was used, by the price book; an estimate until statements are reconciled.",
        labels={"component": "components", "provider": "payees"},
    ),
    Declaration(
        name="usage_units_total", kind="counter", unit="units",
        help="What was used, in the units that are billed, before rounding.",
        labels={"component": "components", "unit": "units"},
    ),
    Declaration(
        name="cost_unpriced_total", kind="counter", unit="usage rows",
        help="Usage that the price book has no price for: its cost is unknown and in no other metric.",
        labels={"component": "components"},
    ),
    Declaration(
        name="cost_budget_used_ratio", kind="gauge", unit="ratio",
        help="Share of the day's budget (`SLUKH_BUDGET_DAY_USD`) that is spent; NaN without one.",
    ),
    Declaration(
        name="cost_budget_exceeded_total", kind="counter", unit="budgets",
        help="Budgets that were spent: a call's, or the day's.",
        labels={"scope": "budgets"},
    ),
    Declaration(
        name="cost_reconciliation_drift_ratio", kind="gauge", unit="ratio",
        help="What the newest reconciled statement billed less what was metered, as a share of what it "
        "billed; NaN before the first one, -Inf where nothing was billed.",
        labels={"component": "components", "provider": "payees"},
    ),
    Declaration(
        name="usage_spool_rows", kind="gauge", unit="rows",
        help="Usage rows that are not in the ledger yet.",
    ),
    Declaration(
        name="usage_errors_total", kind="counter", unit="errors",
        help="What went wrong with usage: not metered, disk refused, memory full (rows lost), line rejected, "
        "ledger refused, conflict with an earlier row.",
        labels={"stage": "usage stages"},
    ),
)  # fmt: skip

_FIXED_SETS: Mapping[str, tuple[str, ...]] = {
    "error types": _ERROR_TYPES,
    "outcomes": OUTCOMES,
    "references": REFERENCES,
    "refusals": REFUSAL_REASONS,
    "switch reasons": (*OUTCOMES, "breaker"),
    "hedge winners": ("first", "hedge", "neither"),
    "drop reasons": DROP_REASONS,
    "end reasons": _END_REASONS,
    "gap reasons": _GAP_REASONS,
    "usage stages": USAGE_STAGES,
    "turn stages": ("endpoint", "final", "first_text", "first_audio", "whole"),
    "cache results": ("hit", "joined", "miss"),
    "cache errors": ("corrupt", "read", "write"),
    "voices": ("google", "piper", "espeak", "rhvoice", "recorded"),
    "spoken outcomes": ("sent", "cached", "interrupted"),
    "token buckets": ("input", "output", "cache_read", "cache_write"),
    "model outcomes": ("ok", "aborted"),
    "components": ("stt", "tts", "llm", "line"),
    "units": UNITS,
    "budgets": ("call", "day"),
}


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
        named = {"providers": providers, "languages": languages, **_FIXED_SETS}
        named["payees"] = (*providers, *_FIXED_SETS["voices"], "anthropic", _LINE)
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

    def spooled(self, rows: int) -> None:
        """So many usage rows are not in the ledger yet."""
        self._set("usage_spool_rows", rows)

    def usage_error(self, stage: UsageStage) -> None:
        """Something went wrong with usage."""
        self._add("usage_errors_total", 1, stage=stage)

    def breaker(self, provider: str, standing: Standing) -> None:
        """A provider's breaker has another state."""
        self._set("stt_breaker_state", _BREAKER_STATES[standing.state], provider=provider)
        is_permanent = standing.is_permanent and standing.state != "closed"
        self._set("stt_permanent_error", float(is_permanent), provider=provider)

    def budget_used(self, share: float) -> None:
        """So much of the day's budget is spent."""
        self._set("cost_budget_used_ratio", share)

    def drift(self, component: str, provider: str, ratio: float) -> None:
        """A provider's statement was reconciled."""
        provider = _LINE if component == "line" else provider
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
            case TurnTimed() | BargeIn() | PhraseSpoken() | ModelAnswered() as voice:
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
        provider = _LINE if component == "line" else cost.provider  # trunks have any name
        self._add("usage_units_total", cost.quantity, component=component, unit=cost.unit)
        if cost.added_usd is None:
            self._add("cost_unpriced_total", 1, component=component)
        else:
            self._add("cost_usd_total", float(cost.added_usd), component=component, provider=provider)
        if cost.over_budget is not None:
            self._add("cost_budget_exceeded_total", 1, scope=cost.over_budget)
        if cost.is_final:
            self._time("call_cost_usd", float(cost.leg_usd))

    def _count_voice(self, event: TurnTimed | BargeIn | PhraseSpoken | ModelAnswered) -> None:
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

    def _count_turn(self, turn: TurnTimed) -> None:
        steps = {
            "endpoint": turn.endpoint_seconds,
            "final": turn.final_seconds,
            "first_text": turn.first_text_seconds,
            "first_audio": turn.first_audio_seconds,
        }
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
        if is_whisper and (outcome in _ERROR_TYPES or outcome == "stalled"):
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


def reference() -> str:
    """doc/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "`GET /metrics`, in Prometheus' text format. Generated from `src/slukh/monitoring/metrics.py`.",
        "",
        "Every series is there from the start, counters at zero, and calls add none.",
        "A label value outside its set is counted as `other`. None holds a call's id, a caller or a text.",
        "",
        "| metric | type | unit | labels | meaning |",
        "|---|---|---|---|---|",
    ]
    for declared in DECLARATIONS:
        labels = ", ".join(f"`{label}` ({kind})" for label, kind in declared.labels.items())
        lines.append(
            f"| `{declared.name}` | {declared.kind} | {declared.unit} | {labels} | {declared.help} |"
        )
    sets = {
        "providers": "the recognisers of this process, by registry name",
        "payees": f"the providers, the voices, `anthropic`, and `{_LINE}` for every trunk",
        "languages": _listed(CANARY_LANGUAGES),
        "yes or no": _listed(("true", "false")),
        **{name: _listed(values) for name, values in _FIXED_SETS.items()},
    }
    lines += ["", "| set | values |", "|---|---|"]
    lines += [f"| {name} | {values} |" for name, values in sorted(sets.items())]
    for unit, buckets in (("seconds", _LATENCY), ("US dollars", _DOLLARS)):
        lines += ["", f"Buckets of the histograms, in {unit}: {', '.join(f'{b:g}' for b in buckets)}."]
    return "\n".join(lines) + "\n"


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


if __name__ == "__main__":
    sys.stdout.write(reference())
