"""What a Whisper is asked and what it answers: the one interface of the local child and of a server.

The policy (stream.py) says what to decode and when; a `Decoder` only decodes.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from slukh.types import SAMPLE_RATE_HERTZ, Word

Kind = Literal["final", "speculative", "interim", "background"]

WINDOW_SECONDS = 30.0
MAX_NEW_TOKENS = 224  # Whisper's own bound: half of its 448 positions


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeRequest:
    """One piece of audio to be turned into text.

    Attributes:
        pcm: linear 16-bit little-endian mono at 8 kHz, at most 30 s.
        kind: who waits: `final` somebody, now; `speculative` perhaps somebody, soon; `interim` nobody; and
            `background` nobody at all.
        stream: whose it is; a newer interim of the same stream replaces one that still waits.
        language_code: BCP-47, spoken unless `language_prior` leaves a choice.
        language_prior: BCP-47 -> probability; the language is chosen among these when there are two or more.
        phrase_hints: words to expect.
        beam_size: 1 is greedy.
        window_seconds: what the encoder sees: the audio and silence up to here. Its cost grows faster than
            this.
        max_new_tokens: text longer than this is cut off, and the answer says so.
        no_repeat_ngram_size: no run of so many tokens may come twice; 0 allows everything.
    """

    pcm: bytes
    kind: Kind
    stream: int = 0
    language_code: str
    language_prior: Mapping[str, float] = field(default_factory=dict)
    phrase_hints: tuple[str, ...] = ()
    beam_size: int = 5
    window_seconds: float = WINDOW_SECONDS
    max_new_tokens: int = MAX_NEW_TOKENS
    no_repeat_ngram_size: int = 0

    @property
    def audio_seconds(self) -> float:
        """How long the audio is."""
        return len(self.pcm) / 2 / SAMPLE_RATE_HERTZ


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """What Whisper made of it.

    Attributes:
        text: stripped; empty when nothing was said.
        avg_logprob: mean log probability of a token, or None when the engine does not say.
        no_speech_probability: that nobody spoke, or None.
        language_code: BCP-47, forced or chosen.
        language_probabilities: BCP-47 -> what was heard among the allowed, without the prior; empty when
            forced.
        token_limit_hit: it would have gone on talking.
        decode_seconds: time the engine spent, waiting not counted; None when it is not ours to know.
        reported_ms: audio the engine says it took, or None.
        words: timings from the first sample on, where the engine gives them.
    """

    text: str
    avg_logprob: float | None = None
    no_speech_probability: float | None = None
    language_code: str
    language_probabilities: Mapping[str, float] = field(default_factory=dict)
    token_limit_hit: bool = False
    decode_seconds: float | None = None
    reported_ms: int | None = None
    words: tuple[Word, ...] = ()

    @property
    def compression_ratio(self) -> float:
        """How many times shorter zlib makes the text; above 2.4 it repeats itself."""
        return compression_ratio(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderLimits:
    """What a decoder can be asked for.

    Attributes:
        interims: decoding growing audio again and again is fine.
        interims_when_idle: likewise, as long as nobody else waits there; one that comes too often is refused,
            so silence means nothing.
        speculative: decoding before the endpoint is known is fine.
        repetition_guard: it honours `no_repeat_ngram_size`.
        languages: BCP-47 codes it takes.
        words: its finals have word timings.
        max_seconds: longest audio of one request.
    """

    interims: bool
    interims_when_idle: bool = False
    speculative: bool
    repetition_guard: bool
    languages: frozenset[str]
    words: bool = False
    max_seconds: float = WINDOW_SECONDS


class Upload(Protocol):
    """An utterance on its way to a decoder while it is still spoken."""

    def feed(self, pcm: bytes) -> None:
        """More of it. Never blocks."""

    def end(self) -> None:
        """That was all: its deadline begins."""

    async def decode(self) -> Decoding:
        """Its text, after `end`; fails earlier when the decoder does. Cancelling gives up. To be run once."""


class Decoder(Protocol):
    """Something that runs Whisper. All calls may raise a `SttError` leaf."""

    @property
    def limits(self) -> DecoderLimits:
        """What it can be asked for; known once it has started."""

    @property
    def queue_age_seconds(self) -> float:
        """How long the final that waits longest for its turn has waited; 0.0 when none does."""

    async def start(self) -> None:
        """Load or probe; raises SttError, or WeightsError for a model that cannot be loaded."""

    async def decode(self, request: DecodeRequest) -> Decoding:
        """The text of a request. Cancelling the call gives up on it."""

    def upload(self, request: DecodeRequest) -> Upload | None:
        """Begin to send an utterance; what is asked is that of `request`, its audio is fed.

        None from a decoder that has to have it whole.
        """

    def hasten(self, request: DecodeRequest) -> None:
        """Somebody waits for this request now: it goes with the finals. No effect on one that is done."""

    async def aclose(self) -> None:
        """Give everything back; what is being decoded fails. Idempotent."""


def likeliest(request: DecodeRequest) -> str:
    """The language to force where there is a choice that the decoder cannot make, BCP-47."""
    prior = request.language_prior
    return max(prior, key=lambda code: prior[code]) if prior else request.language_code


def compression_ratio(text: str) -> float:
    """UTF-8 bytes of a text divided by the bytes zlib needs for it; 0.0 for no text."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def token_cap(audio_seconds: float, per_second: float) -> int:
    """Most tokens a speaker can fill a piece of audio with; a loop is cut there."""
    return min(MAX_NEW_TOKENS, 14 + round(per_second * audio_seconds))
