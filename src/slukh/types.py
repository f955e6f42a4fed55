"""The vocabulary: what is said about a call, by whom, and in which unit.

Positions are int samples at 8 kHz on the call's own clock (`SAMPLE_RATE_HERTZ`), seconds are derived.
`None` means "the engine did not say". Names are Google Speech-to-Text v2's where it has one, because
every other engine maps onto them without loss.
"""

from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, get_args

SAMPLE_RATE_HERTZ = 8000

Purpose = Literal["serve", "retry", "hedge", "shadow", "canary", "interim", "speculative"]
PURPOSES: tuple[Purpose, ...] = ("serve", "retry", "hedge", "shadow", "canary", "interim", "speculative")

Outcome = Literal[
    "published",       # its final became the utterance's
    "empty",           # its final had no text, or the guard dropped it
    "superseded",      # another Attempt was published first
    "cancelled",       # the call ended, or nobody waits for it any more
    "timeout",
    "stalled",
    "connect",
    "stream",
    "limit",
    "overloaded",
    "protocol",
    "request",
    "language",
    "authentication",
]  # fmt: skip
OUTCOMES: tuple[Outcome, ...] = Outcome.__args__  # type: ignore[attr-defined]  # Literal has no typed args

DropReason = Literal["compression", "no_speech", "phrase", "repetition"]
DROP_REASONS: tuple[DropReason, ...] = ("compression", "no_speech", "phrase", "repetition")

Unit = Literal[
    "audio_ms", "call_ms", "characters", "requests",
    "connection_ms",  # how long a socket was open: what some recognisers bill instead of audio
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens",
]  # fmt: skip
UNITS: tuple[Unit, ...] = Unit.__args__  # type: ignore[attr-defined]  # Literal has no typed args

# A request to a language model makes one row per bucket that is not empty, the buckets disjoint:
# sequence = request * UNITS_PER_REQUEST + TOKEN_UNITS.index(unit). Other components' rows are a request each.
TOKEN_UNITS: tuple[Unit, ...] = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens",
)  # fmt: skip
UNITS_PER_REQUEST = 8
# Outcome of a request to a language model that never said what it used: one row, of no tokens.
UNANSWERED: Final = "unanswered"


def seconds(samples: int) -> float:
    """Seconds of a position or length in 8 kHz samples."""
    return samples / SAMPLE_RATE_HERTZ


def samples_from_ms(milliseconds: int) -> int:
    """8 kHz samples in a number of milliseconds."""
    return milliseconds * SAMPLE_RATE_HERTZ // 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioChunk:
    """A piece of an utterance on its way to a recogniser.

    Attributes:
        pcm: linear 16-bit little-endian mono at 8 kHz.
        voiced: whether our detector heard a voice in it.
    """

    pcm: bytes
    voiced: bool = True

    @property
    def samples(self) -> int:
        """How long it is, in 8 kHz samples."""
        return len(self.pcm) // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word of a transcript; positions in samples of the call's clock."""

    text: str
    start: int
    end: int
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted:
    """A caller is on the line.

    Attributes:
        call_id: the UUID of the line, lower case with hyphens.
        leg: 1, and one more for every re-attach of the same call; another gateway that takes it over counts
            from where its announcement says.
        caller: keyed hash of the caller's number, or None when it is withheld.
        language_code: BCP-47, the language the call is transcribed in.
        alternative_language_codes: further languages the caller may speak.
        trunk: the trunk the dial plan named, or None.
        announced: False when audio came without a `POST /v1/calls` before it.
    """

    call_id: str
    leg: int = 1
    caller: str | None = None
    language_code: str
    alternative_language_codes: tuple[str, ...] = ()
    trunk: str | None = None
    announced: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """The line is gone; no more audio of this leg will come.

    Attributes:
        position: where the call's clock stood.
        reason: `hangup` (the caller), `gateway` (we hung up), `detached` (the connection broke; the call may
            come back within 30 s), `drained` (we were stopped), `error`.
        heard: samples of audio that came from the line, inserted silence not counted.
        voiced: samples of those in which our detector heard a voice.
        is_settled: nothing goes on behind the leg that is still to say what it used, such as a request to a
            model or a shadow; else `CallSettled` follows.
    """

    position: int
    reason: Literal["hangup", "gateway", "detached", "drained", "error"]
    heard: int = 0
    voiced: int = 0
    is_settled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettled:
    """What went on behind a leg that had ended is over: nothing more of it will come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStarted:
    """The first voiced sample of an utterance."""

    utterance_id: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechEnded:
    """Our endpoint: the utterance is over.

    Attributes:
        utterance_id: which one.
        position: the end of the last voiced sample.
        endpoint: where the clock stood when we decided so.
    """

    utterance_id: int
    position: int
    endpoint: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dtmf:
    """A key the caller pressed. Its digit may be of a card's PIN: it is in no log and no JSON."""

    position: int
    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioGap:
    """Audio between two positions that nobody heard; silence stands in its place.

    Attributes:
        start: first missing sample.
        end: first sample after the gap.
        reason: `idle` (the line sent nothing), `stale` (it came more than 2 s late and was discarded),
            `detached` (the connection was away).
    """

    start: int
    end: int
    reason: Literal["idle", "stale", "detached"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What the caller said in one utterance, so far (interim) or for good (final).

    Attributes:
        utterance_id: ours; every utterance has exactly one final.
        text: the whole utterance, not an increment.
        is_final: nothing of this utterance will change any more.
        stable_length: characters of `text` that later interims will not change; all of them in a final.
        stability: the engine's own 0..1 for an interim, or None.
        confidence: the engine's own 0..1, or None. It is not accuracy: Whisper's is exp(mean token log
            probability), which ranks transcripts of one model and is calibrated for none.
        language_code: BCP-47, detected or forced.
        words: word timings where the engine gives them.
        start: first voiced sample.
        end: end of the last voiced sample.
        is_salvage: a final that never came; this is the last stable interim in its place.
    """

    utterance_id: int
    text: str
    is_final: bool
    stable_length: int
    stability: float | None = None
    confidence: float | None = None
    language_code: str
    words: tuple[Word, ...] = ()
    start: int
    end: int
    is_salvage: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultDropped:
    """A final that the guard against invented text kept from the dialogue."""

    utterance_id: int
    provider: str
    reason: DropReason


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    """One recogniser stream over one utterance is over; the source of one usage row.

    Attributes:
        utterance_id: which utterance.
        attempt: 1 for the first, counted up within the utterance.
        provider: registry name, such as `whisper`.
        model: the model it ran, as the provider names it.
        purpose: why it was opened.
        outcome: how it ended; error classes of `errors.py` by their `error_type`.
        audio_samples: 8 kHz samples that left us.
        replayed_samples: of those, what the caller had said before this Attempt was opened.
        reported_ms: the provider's own figure of billed audio, or None.
        first_result_seconds: first audio sent to first interim or final, or None.
        final_seconds: our endpoint to its final, or None when there was none.
        error: what went wrong, one clause for an operator; None when nothing did.
        remedy: what to do about that, one clause; None when nothing is known.
    """

    utterance_id: int
    attempt: int
    provider: str
    model: str
    purpose: Purpose
    outcome: Outcome
    audio_samples: int
    replayed_samples: int = 0
    reported_ms: int | None = None
    first_result_seconds: float | None = None
    final_seconds: float | None = None
    error: str | None = None
    remedy: str | None = None


SwitchReason = Outcome | Literal["breaker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """Another provider hears the call now.

    Attributes:
        utterance_id: the first one it hears.
        from_provider: who was given up.
        to_provider: who took over.
        reason: how the Attempt before it ended; `breaker` when none was made, because calls are kept away.
        seconds: from the fault to the first result of the provider that took over; None when it gave none, or
            when there was no fault.
    """

    utterance_id: int
    from_provider: str
    to_provider: str
    reason: SwitchReason
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognisersDown:
    """Every provider failed on an utterance; what stood as stable, if anything, is published in its place."""

    utterance_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagDecision:
    """What a flag said for one call, and why (OpenFeature's terms)."""

    flag_key: str
    value: str
    variant: str
    reason: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCost:
    """Something that a call used was rated. An estimate until the provider's statement is reconciled.

    Attributes:
        component: what it was: `stt`, `tts`, `llm` or `line`.
        provider: whom it will be paid to.
        unit: what was counted.
        quantity: how many.
        added_usd: what it costs; None when the price book has no price for it.
        call_usd: what the call has cost so far, over all its legs.
        is_whole: whether `call_usd` is all that the call used: everything had a price and figures, every leg
            is over, and nothing of it is still to come. `slukh calls show` goes by the same.
        is_final: the leg is over, nothing more of it will come. Once for each leg; of nothing, where that
            turned out after the end of the line.
        leg_usd: what this leg has cost so far.
        over_budget: the budget that was spent by this, once for each.
    """

    component: str
    provider: str
    unit: Unit
    quantity: int
    added_usd: Decimal | None
    call_usd: Decimal
    leg_usd: Decimal
    is_whole: bool
    is_final: bool = False
    over_budget: Literal["call", "day"] | None = None


SpokenOutcome = Literal["sent", "cached", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseSpoken:
    """A phrase of ours was played to the caller, or as much of it as they let us; one usage row.

    Attributes:
        phrase: counted up within the leg.
        utterance_id: what it answers; 0 for a greeting or a question into silence.
        text: what was said.
        language_code: BCP-47.
        provider: whose voice.
        voice: which one.
        characters: of the text.
        outcome: `sent`: made for this call; `cached`: nothing to pay; `interrupted`: made for this call, paid
            for, and not heard to its end.
        audio_ms: how long it is; while it is still being made, at least as speech of its characters takes.
        played_ms: of it, what went to the caller.
    """

    phrase: int
    utterance_id: int
    text: str
    language_code: str
    provider: str
    voice: str
    characters: int
    outcome: SpokenOutcome
    audio_ms: int
    played_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BargeIn:
    """The caller spoke while we did, and we stopped.

    Attributes:
        utterance_id: with which utterance.
        position: its first voiced sample.
        reaction_seconds: of voice that had come until we stopped.
    """

    utterance_id: int
    position: int
    reaction_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTimed:
    """The steps of one answer, in seconds, one after the other; their sum is what the caller waited.

    Attributes:
        utterance_id: what was answered.
        endpoint_seconds: from the last voiced sample to our endpoint.
        final_seconds: to the final.
        held_seconds: to the dialogue; more than nothing when they seemed not to have finished.
        first_text_seconds: to the first sentence of the answer.
        first_audio_seconds: to its first audio on the line.
    """

    utterance_id: int
    endpoint_seconds: float
    final_seconds: float
    held_seconds: float
    first_text_seconds: float
    first_audio_seconds: float


# What each step of an answer may take, in seconds; all of it two.
TURN_BUDGET_SECONDS: Final = {
    "endpoint": 0.6,
    "final": 0.6,
    "held": 0.0,
    "first_text": 0.6,
    "first_audio": 0.2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswered:
    """One request to a language model is over; four usage rows, one for each bucket, which are disjoint.

    Attributes:
        request: counted up within the leg.
        provider: whom it will be paid to.
        model: which answered.
        outcome: `ok`; `aborted`: given up by us, paid as far as it had come.
        input_tokens: neither read from the cache nor written to it.
        output_tokens: of an aborted answer at least these.
        cache_read_tokens: of the prompt.
        cache_write_tokens: of the prompt.
        first_text_seconds: from the request, or None when there was no text.
        spoken_tokens: of the output, words for the caller: no tool's arguments, and none of a summary.
        spoken_characters: of those words, as they were written.
        unheard_tokens: of `spoken_tokens`, those whose words the caller never heard, by the share of the
            answer's characters. A dialogue leaves it at 0, and whoever speaks for it fills it in.
    """

    request: int
    provider: str
    model: str
    outcome: Literal["ok", "aborted"]
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    first_text_seconds: float | None = None
    spoken_tokens: int = 0
    spoken_characters: int = 0
    unheard_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUnanswered:
    """A request to a language model was given up, or broke off, before it said what it used.

    It may be billed; with how much, nobody has said. One usage row, of no tokens, which tells of it.

    Attributes:
        request: counted up as those of `ModelAnswered`.
        provider: whom it would be paid to.
        model: which was asked.
    """

    request: int
    provider: str
    model: str


Event = (
    CallStarted | SpeechStarted | SpeechEnded | Dtmf | AudioGap | Transcript | ResultDropped
    | AttemptEnded | Failover | RecognisersDown | FlagDecision | PhraseSpoken | BargeIn | TurnTimed
    | ModelAnswered | ModelUnanswered | CallCost | CallEnded | CallSettled
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent:
    """The envelope every sink receives, stamped once.

    Attributes:
        call_id: whose event.
        leg: which connection of that call.
        provider: the provider that serves the call now.
        model: its model.
        assigned_arm: the provider the rollout chose; failover does not change it.
        received_at: wall clock, UTC.
        event: what happened.
    """

    call_id: str
    leg: int
    provider: str
    model: str
    assigned_arm: str
    received_at: datetime
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A billable quantity, counted where it left us.

    Attributes:
        call_id: whose.
        leg: which connection of the call.
        component: `stt`, `tts`, `llm` or `line`.
        sequence: with call, leg and component the idempotency key; derived from intent, never random.
        provider: whom it will be paid to.
        model: what it ran.
        unit: what is counted.
        quantity: how many.
        reported_quantity: the provider's own figure, or None.
        heard_quantity: of the characters of a phrase, those that the caller heard; of a model's output, the
            tokens without those of words that the caller never heard; None elsewhere, and in rows of
            versions that did not count them.
        purpose: why it was spent.
        outcome: how it ended.
        occurred_at: wall clock, UTC.
    """

    call_id: str
    leg: int
    component: Literal["stt", "tts", "llm", "line"]
    sequence: int
    provider: str
    model: str
    unit: Unit
    quantity: int
    reported_quantity: int | None = None
    heard_quantity: int | None = None
    purpose: Purpose = "serve"
    outcome: str
    occurred_at: datetime


_POSITIONS = frozenset({"start", "end", "position", "endpoint", "heard", "voiced"})
_MONEY = frozenset({"added_usd", "call_usd", "leg_usd"})
_PRIVATE = frozenset({"digit"})


def _shape(kind: type[Any]) -> tuple[str, tuple[str, ...]]:
    name = "".join(f"_{c.lower()}" if c.isupper() else c for c in kind.__name__).lstrip("_")
    return name, tuple(item.name for item in fields(kind) if item.name not in _PRIVATE)


# How a kind of event is called, and what of it may be shown.
_SHAPES: dict[type[Any], tuple[str, tuple[str, ...]]] = {kind: _shape(kind) for kind in get_args(Event)}


def event_name(event: Event) -> str:
    """`SpeechStarted` -> `speech_started`, as JSON and server-sent events call it."""
    return _SHAPES[type(event)][0]


def event_json(event: Event) -> dict[str, object]:
    """An event as plain JSON values: positions in seconds, money as text, DTMF digits left out."""
    kind, names = _SHAPES[type(event)]
    out: dict[str, object] = {"event": kind}
    for name in names:
        value = getattr(event, name)
        if name in _POSITIONS:
            value = round(seconds(value), 3)
        elif name in _MONEY and value is not None:
            value = f"{value:f}"  # exact, as no float is
        elif name == "words":
            value = [
                {"text": w.text, "start": round(seconds(w.start), 3), "end": round(seconds(w.end), 3),
                 "confidence": w.confidence}
                for w in value
            ]  # fmt: skip
        out[name] = value
    return out
