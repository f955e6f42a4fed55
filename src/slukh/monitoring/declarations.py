"""The metrics: each declared once, with the closed sets that its labels take their values from.

A label takes its value from a closed set; anything else is counted as `other`. So the number of series is
known before the first call, a rate needs no first sample, and nothing a caller says or is can become a label.
`doc/metrics.md` is generated from this file (`reference`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from slukh.cost.meter import USAGE_STAGES
from slukh.errors import REFUSAL_REASONS, ErrorType
from slukh.routing.pool import CONDITIONS
from slukh.types import DROP_REASONS, OUTCOMES, TURN_BUDGET_SECONDS, UNANSWERED, UNITS

OTHER = "other"
CANARY_LANGUAGES = ("ru-RU", "uk-UA")
REFERENCES = ("agreement", "canary", "human")
CANARY_CHANGES = ("text", "wer")
ERROR_TYPES: tuple[str, ...] = get_args(ErrorType)
_END_REASONS = ("hangup", "gateway", "detached", "drained", "error")
_GAP_REASONS = ("idle", "stale", "detached")
LINE = "line"

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
        name="stt_whisper_restarts_total", kind="counter", unit="restarts",
        help="Times that the local Whisper's process was started again, after it died or did not answer.",
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
        help="1 - word error rate of canonical text against a reference: `canary` stored clips, when played "
        "last; `human` labels, of utterances in which the two providers differ; `agreement` what the other "
        "provider wrote; both of calls of the last 28 days. NaN until measured, below 0 when more was "
        "invented than said.",
        labels={"provider": "providers", "language": "languages", "reference": "references"},
    ),
    Declaration(
        name="stt_provider_accuracy_words", kind="gauge", unit="words",
        help="Words of the reference behind stt_provider_accuracy.",
        labels={"provider": "providers", "language": "languages", "reference": "references"},
    ),
    Declaration(
        name="stt_canary_changes_total", kind="counter", unit="changes",
        help="Times that a provider heard a stored clip otherwise than before, under the same model's name: "
        "another text, or a word error rate of the day that is off by more than 10 points.",
        labels={"provider": "providers", "language": "languages", "reason": "canary changes"},
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
        name="stt_whisper_servers", kind="gauge", unit="servers",
        help="Of several servers in WHISPER_API_URL, by condition: works, away (failed, and tried by stored "
        "clips), wrong (its key, path or model: the log says what to do). All 0 where there is only one.",
        labels={"condition": "server conditions"},
    ),
    Declaration(
        name="stt_shadows_total", kind="counter", unit="attempts",
        help="Utterances that the other recogniser heard beside the one that served, by how that ended; "
        "`superseded` is a text to compare. No caller waited for them, and no other count has them.",
        labels={"provider": "providers", "outcome": "outcomes"},
    ),
    Declaration(
        name="rollout_flag_file_refused", kind="gauge", unit="flag",
        help="1 while the flag file cannot be followed, and its last good values are in force. The log has "
        "`flags_refused` with the reason.",
    ),
    Declaration(
        name="rollout_rolled_back", kind="gauge", unit="flag",
        help="1 while a guardrail keeps Whisper's share at 0 %, until a person ramps again.",
    ),
    Declaration(
        name="rollout_rollbacks_total", kind="counter", unit="rollbacks",
        help="Times that this gateway took Whisper's share back, by the guardrail that did not hold.",
        labels={"reason": "guardrails"},
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
        "the dialogue, to the first sentence, to its first audio on the line; `whole` is all of it.",
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
        help="Requests to the answering model; of `unanswered` ones nobody said what they used.",
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
        help="What a leg of a call cost, as far as the price book knows, once nothing more of it comes.",
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
    Declaration(
        name="experiment_lost_total", kind="counter", unit="items",
        help="What the comparison of recognisers could not keep: rows of counts, recordings. No call waits "
        "for it.",
        labels={"what": "experiment items"},
    ),
)  # fmt: skip

FIXED_SETS: Mapping[str, tuple[str, ...]] = {
    "error types": ERROR_TYPES,
    "outcomes": OUTCOMES,
    "references": REFERENCES,
    "canary changes": CANARY_CHANGES,
    "refusals": REFUSAL_REASONS,
    "switch reasons": (*OUTCOMES, "breaker"),
    "server conditions": CONDITIONS,
    "hedge winners": ("first", "hedge", "neither"),
    "guardrails": ("errors", "timeouts", "latency", "no_data"),
    "drop reasons": DROP_REASONS,
    "end reasons": _END_REASONS,
    "gap reasons": _GAP_REASONS,
    "usage stages": USAGE_STAGES,
    "turn stages": (*TURN_BUDGET_SECONDS, "whole"),
    "cache results": ("hit", "joined", "miss"),
    "cache errors": ("corrupt", "read", "write"),
    "voices": ("google", "piper", "espeak", "rhvoice", "recorded"),
    "spoken outcomes": ("sent", "cached", "interrupted"),
    "token buckets": ("input", "output", "cache_read", "cache_write"),
    "model outcomes": ("ok", "aborted", UNANSWERED),
    "components": ("stt", "tts", "llm", "line"),
    "units": UNITS,
    "budgets": ("call", "day"),
    "experiment items": ("row", "recording"),
}


def reference() -> str:
    """doc/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "`GET /metrics`, in Prometheus' text format. Generated from `src/slukh/monitoring/declarations.py`.",
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
        "payees": f"the providers, the voices, `anthropic`, and `{LINE}` for every trunk",
        "languages": _listed(CANARY_LANGUAGES),
        "yes or no": _listed(("true", "false")),
        **{name: _listed(values) for name, values in FIXED_SETS.items()},
    }
    lines += ["", "| set | values |", "|---|---|"]
    lines += [f"| {name} | {values} |" for name, values in sorted(sets.items())]
    for unit, buckets in (("seconds", _LATENCY), ("US dollars", _DOLLARS)):
        lines += ["", f"Buckets of the histograms, in {unit}: {', '.join(f'{b:g}' for b in buckets)}."]
    return "\n".join(lines) + "\n"


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)
