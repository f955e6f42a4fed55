"""The recogniser contract: one Protocol for Google, Whisper here, Whisper there, and the fakes.

A provider is long-lived and shared by all calls. A stream is one Attempt over one utterance:

    stream = await provider.open(config)
    await stream.send(chunk)        # again and again; blocks on back-pressure
    await stream.end()              # our endpoint: the utterance is over
    async for result in stream:     # interims, perhaps a rejection, then exactly one final, possibly empty
        ...
    await stream.close()            # idempotent, cancels what still runs

Everything that fails raises a `SttError` leaf, from whichever of these calls notices it first.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from slukh.types import AudioChunk, DropReason, Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a recogniser can do; read before it is asked.

    Attributes:
        interim_results: it speaks while the caller speaks (so silence from it means something).
        words: it gives word timings.
        metered: every request costs money; no speculative or interim decodes unless asked.
        languages: BCP-47 codes it accepts.
        max_seconds: longest utterance it takes.
    """

    interim_results: bool
    words: bool
    metered: bool
    languages: frozenset[str]
    max_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamConfig:
    """What one Attempt is asked for. Audio is linear 16-bit mono at 8 kHz.

    Attributes:
        language_code: BCP-47, the call's language.
        alternative_language_codes: when not empty, the engine may choose among these and the first.
        language_prior: BCP-47 -> probability, from the call so far; empty when there is no choice.
        interim_results: whether anybody wants interims.
        phrase_hints: words to expect.
        call_id: whose utterance; empty when it belongs to no call. For what an engine keeps from one
            utterance to the next.
        is_background: nobody waits for it: it goes behind everything that somebody waits for.
    """

    language_code: str
    alternative_language_codes: tuple[str, ...] = ()
    language_prior: Mapping[str, float] = field(default_factory=dict)
    interim_results: bool = True
    phrase_hints: tuple[str, ...] = ()
    call_id: str = ""
    is_background: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """What an engine believes of the utterance; the router makes a `Transcript` of it.

    Attributes:
        text: the whole utterance so far.
        is_final: the last word of this stream; it may be empty.
        stable_length: characters of `text` that will not change.
        stability: engine's own 0..1, or None.
        confidence: engine's own 0..1, or None.
        language_code: BCP-47.
        language_probabilities: BCP-47 -> probability among those allowed, when there was a choice.
        words: timings in samples from the first sample of the utterance.
        reported_ms: the provider's own figure of billed audio, on finals.
    """

    text: str
    is_final: bool
    stable_length: int = 0
    stability: float | None = None
    confidence: float | None = None
    language_code: str
    language_probabilities: Mapping[str, float] = field(default_factory=dict)
    words: tuple[Word, ...] = ()
    reported_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A result the engine's own guard refused; an empty final follows it."""

    reason: DropReason


Result = Hypothesis | Rejection


class SttStream(Protocol):
    """One Attempt over one utterance. All calls may raise a `SttError` leaf."""

    async def send(self, chunk: AudioChunk) -> None:
        """Give it audio; returns when there is room for more."""

    async def end(self) -> None:
        """The utterance is over; its final is wanted now."""

    def __aiter__(self) -> AsyncIterator[Result]:
        """Interims, then exactly one final `Hypothesis`, then the end."""

    async def close(self) -> None:
        """Cancel whatever still runs. Idempotent; never raises."""


class SttProvider(Protocol):
    """A recogniser, shared by all calls.

    Attributes:
        name: registry name and metric label.
        model: the model, as the provider names it.
        capabilities: what it can do.
    """

    name: str
    model: str

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    async def start(self) -> None:
        """Load the model or warm the channel; raises SttError or WeightsError when it cannot serve."""

    async def open(self, config: StreamConfig) -> SttStream:
        """A stream for one utterance. Raises SttError."""

    def backlog_seconds(self) -> float:
        """How long the oldest final has waited for its turn; 0.0 where requests do not queue."""

    async def aclose(self) -> None:
        """Give everything back; open streams fail. Idempotent."""
