"""What the voice back used: events in, rows for the ledger out. Pure; see `meter.py`.

    PhraseSpoken  -> 1 Usage    tts, characters; `cached` ones too, which cost nothing, for the hit rate
    ModelAnswered -> 4 Usage    llm, one for each bucket of tokens, which are disjoint
    ModelUnanswered -> 1 Usage  llm, no tokens: what it used was never said

An interrupted phrase was sent whole and is booked whole; how much of it was heard stands beside that.
"""

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

_BUCKETS: tuple[tuple[Unit, str], ...] = (
    ("input_tokens", "input_tokens"),
    ("output_tokens", "output_tokens"),
    ("cache_read_tokens", "cache_read_tokens"),
    ("cache_write_tokens", "cache_write_tokens"),
)


def voice_usage(event: CallEvent) -> tuple[Usage, ...]:
    """The usage rows of an event of the voice back; none for any other."""
    match event.event:
        case PhraseSpoken() as spoken:
            return (
                Usage(
                    call_id=event.call_id,
                    leg=event.leg,
                    component="tts",
                    sequence=spoken.phrase,
                    provider=spoken.provider,
                    model=spoken.voice,
                    unit="characters",
                    quantity=spoken.characters,
                    heard_quantity=_heard(spoken),
                    outcome=spoken.outcome,
                    occurred_at=event.received_at,
                ),
            )
        case ModelAnswered() as answered:
            return tuple(
                Usage(
                    call_id=event.call_id,
                    leg=event.leg,
                    component="llm",
                    sequence=answered.request * UNITS_PER_REQUEST + TOKEN_UNITS.index(unit),
                    provider=answered.provider,
                    model=answered.model,
                    unit=unit,
                    quantity=getattr(answered, name),
                    reported_quantity=getattr(answered, name) if answered.outcome == "ok" else None,
                    outcome=answered.outcome,
                    occurred_at=event.received_at,
                )
                for unit, name in _BUCKETS
            )
        case ModelUnanswered() as asked:
            return (
                Usage(
                    call_id=event.call_id,
                    leg=event.leg,
                    component="llm",
                    sequence=asked.request * UNITS_PER_REQUEST,
                    provider=asked.provider,
                    model=asked.model,
                    unit="input_tokens",
                    quantity=0,
                    outcome=UNANSWERED,
                    occurred_at=event.received_at,
                ),
            )
    return ()


def _heard(spoken: PhraseSpoken) -> int:
    """Characters that went to the caller: of a phrase that was cut, in proportion to what was made of it."""
    if not spoken.audio_ms:
        return 0
    return min(spoken.characters, spoken.characters * spoken.played_ms // spoken.audio_ms)
