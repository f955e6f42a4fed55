"""What the voice back used: events in, rows for the ledger out. Pure; see `meter.py`.

    PhraseSpoken  -> 1 Usage    tts, characters; `cached` ones too, which cost nothing, for the hit rate
    ModelAnswered -> 4 Usage    llm, one for each bucket of tokens, which are disjoint
    ModelUnanswered -> 1 Usage  llm, no tokens: what it used was never said

An interrupted phrase was sent whole and is booked whole; how much of it was heard stands beside that. So
does, beside a model's output, how much of that was not for nothing.
"""

from functools import partial

from slukh.types import (
    TOKEN_UNITS,
    UNANSWERED,
    UNITS_PER_REQUEST,
    CallEvent,
    ModelAnswered,
    ModelUnanswered,
    PhraseSpoken,
    Unit,
    Usage,
)

# As `ModelAnswered` names them, too.
_BUCKETS: tuple[Unit, ...] = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


def voice_usage(event: CallEvent) -> tuple[Usage, ...]:
    """The usage rows of an event of the voice back; none for any other."""
    row = partial(Usage, call_id=event.call_id, leg=event.leg, occurred_at=event.received_at)
    match event.event:
        case PhraseSpoken() as spoken:
            return (
                row(
                    component="tts",
                    sequence=spoken.phrase,
                    provider=spoken.provider,
                    model=spoken.voice,
                    unit="characters",
                    quantity=spoken.characters,
                    heard_quantity=_heard(spoken),
                    outcome=spoken.outcome,
                ),
            )
        case ModelAnswered() as answered:
            return tuple(
                row(
                    component="llm",
                    sequence=answered.request * UNITS_PER_REQUEST + TOKEN_UNITS.index(unit),
                    provider=answered.provider,
                    model=answered.model,
                    unit=unit,
                    quantity=getattr(answered, unit),
                    heard_quantity=answered.output_tokens - answered.unheard_tokens
                    if unit == "output_tokens"
                    else None,
                    reported_quantity=getattr(answered, unit) if answered.outcome == "ok" else None,
                    outcome=answered.outcome,
                )
                for unit in _BUCKETS
            )
        case ModelUnanswered() as asked:
            return (
                row(
                    component="llm",
                    sequence=asked.request * UNITS_PER_REQUEST,
                    provider=asked.provider,
                    model=asked.model,
                    unit="input_tokens",
                    quantity=0,
                    outcome=UNANSWERED,
                ),
            )
    return ()


def _heard(spoken: PhraseSpoken) -> int:
    """Characters that went to the caller: of a phrase that was cut, in proportion to what was made of it."""
    if not spoken.audio_ms:
        return 0
    return min(spoken.characters, spoken.characters * spoken.played_ms // spoken.audio_ms)
