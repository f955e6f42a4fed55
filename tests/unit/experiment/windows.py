"""A window of two arms with a known truth, for the tests of what is decided on it."""

from datetime import UTC, datetime, timedelta

import numpy as np

from slukh.experiment.evidence import (
    CallRow,
    CanaryRow,
    DrawRow,
    Evidence,
    LabelRow,
    OutcomeRow,
    Outside,
    ShadowRow,
    SilentCall,
    TurnRow,
)
from slukh.experiment.gates import Margins
from slukh.testing.simulated_errors import Traffic, simulated_turns

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 15
# Wide enough for a few hundred calls; the real ones want weeks of traffic.
MARGINS = Margins(
    calls_per_language=100, wer=0.05, wer_of_language=0.08, entity_errors=0.2, task_success=0.2, repairs=0.2,
    ttfs_p95_seconds=0.3, unheard=0.05, left_to_another=0.05, planned_calls=800,
    planned_shadowed=800,
)  # fmt: skip
OUTSIDE = Outside(
    queue_p95_seconds=0.3,
    silent_calls=(SilentCall(seconds=60, google_words=0, whisper_words=0),) * 240,
    cost_per_call={"google": 0.03, "whisper": 0.02},
)


CANARIES = tuple(
    CanaryRow(
        heard_at=BEGAN + timedelta(days=day, hours=1), provider=provider, model=model, language_code="uk-UA",
        canonical_version="1-x", text="скільки коштує", words=2, errors=0,
    )
    for day in range(DAYS) for provider, model in (("google", "chirp_3"), ("whisper", "base"))
)  # fmt: skip


def evidence(*, worse: float = 0.0, later: float = 0.0, failing: float = 0.0, calls: int = 800) -> Evidence:
    """Two arms of equal size, all of them shadowed, Whisper so much worse than Google."""
    generator, traffic = np.random.default_rng(1), Traffic()
    turns = simulated_turns(generator, calls, (traffic.level(0.18), traffic.level(0.18 + worse)), traffic)
    rows = [
        CallRow(
            call_id=f"call-{n:04}", caller=f"caller-{n:04}", language_code=("uk-UA", "ru-RU")[n // 2 % 2],
            arm=("google", "whisper")[n % 2], flag_reason="SPLIT", flag_version="3-abc",
            serving=("google", "whisper")[n % 2], models={"google": "chirp_3", "whisper": "base"},
            started_at=BEGAN + timedelta(days=DAYS) * n / calls,
            ended_at=BEGAN + timedelta(days=DAYS) * n / calls + timedelta(seconds=90), end_reason="hangup",
        )
        for n in range(calls)
    ]  # fmt: skip
    is_whisper = turns.call % 2 == 1
    final_ms = 300 + generator.gamma(2, 60, len(turns.call)) + 1000 * later * is_whisper
    shadows, labels, heard = [], [], []
    for n, call in enumerate(turns.call):
        call_id = rows[call].call_id
        google, whisper = int(turns.errors[0][n]), int(turns.errors[1][n])
        words = int(turns.words[n])
        live, shadow = ("whisper", "google") if call % 2 else ("google", "whisper")
        differing = abs(google - whisper)
        shadows.append(
            ShadowRow(
                call_id=call_id, utterance_id=n, live=live, shadow=shadow, canonical_version="1-x",
                is_complete=True, differing_words=differing, live_words=words, shadow_words=words,
                live_entities=1, shadow_entities=1,
            )
        )  # fmt: skip
        if differing and generator.random() < 0.5:
            labels.append(
                LabelRow(
                    call_id=call_id, utterance_id=n, labeller="olena", probability=0.5,
                    canonical_version="1-x", reference="r", words=words, entities=1, google_errors=google,
                    whisper_errors=whisper, google_entity_errors=min(google, 1),
                    whisper_entity_errors=min(whisper, 1),
                )
            )  # fmt: skip
        heard.append(
            TurnRow(
                call_id=call_id, utterance_id=n, provider=live, endpointing_ms=500, final_ms=int(final_ms[n])
            )
        )
    outcomes = [
        OutcomeRow(
            call_id=row.call_id,
            task_success=bool(generator.random() > 0.1 + failing * (row.arm == "whisper")),
            repairs=int(generator.random() < 0.1),
        )
        for row in rows
    ]
    return Evidence(
        since=BEGAN, until=BEGAN + timedelta(days=DAYS), calls=tuple(rows), turns=tuple(heard),
        outcomes=tuple(outcomes), shadows=tuple(shadows), labels=tuple(labels),
        draws=drawn(labels), outside=OUTSIDE,
        canaries=CANARIES,
        whisper_share=0.5, flag_version="3-abc", canonical_version={"uk-UA": "1-x"},
    )  # fmt: skip


def drawn(labels: list[LabelRow]) -> tuple[DrawRow, ...]:
    """The draw of which these are the labels; its order has nothing to do with that of the calls."""
    order = np.random.default_rng(2).permutation(len(labels))
    return tuple(
        DrawRow(
            call_id=label.call_id, utterance_id=label.utterance_id, language_code="uk-UA",
            probability=label.probability, position=int(position) + 1, seed=1, since=BEGAN,
            until=BEGAN + timedelta(days=DAYS),
        )
        for label, position in zip(labels, order, strict=True)
    )  # fmt: skip
