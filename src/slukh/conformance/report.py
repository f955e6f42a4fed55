"""What `slukh whisper check` found out about a server, in figures and in sentences. Pure."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from slukh.errors import SttError
from slukh.experiment.canonical import canonical_text
from slukh.experiment.wer import WordErrors, character_errors, plain_text, word_errors

CAPACITY_VERSION = 1

LATE_SECONDS = 3.0  # a final that callers feel
TWICE = 2.0
STILL_BUSY = 1.6  # times as long as after nothing: it went on decoding for a caller who had gone
CLEARLY_WRONG = 0.5  # of the words
UNDERSTOOD = 0.35  # of the letters may be wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One clip through the server.

    Attributes:
        said: the words of the clip.
        text: its final; empty when it gave none.
        ended_at: when its audio was over, on the loop's clock.
        final_seconds: from then to the final.
        first_interim_seconds: from its first sample, or None when there was none.
        interims: their texts.
        dropped: our guard refused what it said.
        error: instead of a final.
    """

    said: str = ""
    text: str = ""
    ended_at: float = 0.0
    final_seconds: float = 0.0
    first_interim_seconds: float | None = None
    interims: tuple[str, ...] = ()
    dropped: bool = False
    error: SttError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What so many callers at once got.

    Attributes:
        streams: callers.
        p50_seconds: median from the end of the audio to the final; infinite when nobody got one.
        p95_seconds: 95th percentile of the same.
        failed: callers that got an error.
    """

    streams: int
    p50_seconds: float
    p95_seconds: float
    failed: int = 0

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return {name: None if value == math.inf else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A server, as callers would find it.

    Attributes:
        url: as `WHISPER_API_URL` has it.
        dialect: that is spoken with it.
        server: which it is, as far as it could be told.
        model: that was asked for.
        language_code: of the clips.
        wer: word errors on the clips.
        words: of the clips, which that stands on; a size of tyre or a telephone number is one.
        interims: that a clip had, on average.
        first_interim_seconds: median from the first sample, or None without interims.
        revised_share: words of interims that a later text changed, or None without interims.
        why_no_interims: when there were none, else empty.
        steps: one caller first, then more.
        streams: most callers at once whose finals were less than twice as late as one caller's.
        doubled_at: callers at once at which they were, or None within what was tried.
        on_silence: what it made of silence that was taken for voice.
        on_bcp_47: what it does with `uk-UA` instead of `uk`.
        on_disconnect: whether it stops when nobody waits any more.
    """

    url: str
    dialect: str
    server: str
    model: str
    language_code: str
    wer: float
    words: int
    interims: float
    first_interim_seconds: float | None
    revised_share: float | None
    why_no_interims: str
    steps: tuple[Step, ...]
    streams: int
    doubled_at: int | None
    on_silence: str
    on_bcp_47: str
    on_disconnect: str

    def as_json(self) -> dict[str, object]:
        """Plain values, the findings with them; JSON has no infinity, so what nobody got is None."""
        return {
            **asdict(self),
            "steps": [step.as_json() for step in self.steps],
            "findings": list(findings(self)),
        }

    def capacity(self) -> dict[str, object]:
        """What the cost model reads: how many callers it carries, and how late its finals then are.

        A server that is not fit for calls carries none, whatever it answers.
        """
        carried = next(step for step in self.steps if step.streams == self.streams)
        return {
            "version": CAPACITY_VERSION,
            "url": self.url,
            "model": self.model,
            "streams": 0 if findings(self) else self.streams,
            "p95_ms": round(carried.p95_seconds * 1000),
        }


def findings(report: Report) -> tuple[str, ...]:
    """What callers would feel, worst first; empty for a server that is fit for calls."""
    alone = report.steps[0]
    found = []
    if alone.failed:
        found.append(f"{alone.failed} clips of one caller failed: look into the server's log")
    if report.wer >= CLEARLY_WRONG:
        found.append(
            f"{report.wer:.0%} of {report.words} words are wrong: a larger model, "
            f"and one for {report.language_code}"
        )
    if alone.p95_seconds > LATE_SECONDS:
        found.append(
            f"finals come {alone.p95_seconds:.1f} s after the end of speech: a smaller model, or a GPU"
        )
    if report.on_silence.startswith(("invented", "gave no answer")):
        found.append(f"on silence it {report.on_silence}: start it with its voice detection on")
    return tuple(found)


def step_of(played: Sequence[Played]) -> Step:
    """What callers at once got."""
    latencies = sorted(p.final_seconds for p in played if p.error is None)
    return Step(
        streams=len(played),
        p50_seconds=percentile(latencies, 0.5),
        p95_seconds=percentile(latencies, 0.95),
        failed=len(played) - len(latencies),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that so many are not above; infinite when there is none."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else math.inf


def is_doubled(step: Step, alone: Step) -> bool:
    """Whether more callers wait twice as long as one, or are not served at all."""
    return step.failed > 0 or step.p95_seconds >= TWICE * alone.p95_seconds


def word_errors_of(played: Sequence[Played], language_code: str) -> WordErrors:
    """Over all clips that gave a text, numbers in either spelling."""
    canonical = (
        (canonical_text(p.said, language_code), canonical_text(p.text, language_code))
        for p in played
        if p.error is None
    )
    return sum((word_errors(said, text) for said, text in canonical), start=WordErrors())


def is_understood(reference: str, text: str) -> bool:
    """Letters, not words: one word boundary moves with rounding and costs two words of eight."""
    return (character_errors(plain_text(reference), plain_text(text)).cer or 0.0) <= UNDERSTOOD


def revised_share(played: Sequence[Played]) -> float | None:
    """Words of interims that the text after them did not have at their place; None without interims."""
    words = changed = 0
    for one in played:
        texts = [plain_text(text).split() for text in (*one.interims, one.text)]
        for earlier, later in pairwise(texts):
            words += len(earlier)
            changed += sum(
                position >= len(later) or word != later[position] for position, word in enumerate(earlier)
            )
    return changed / words if words else None


def silence_sentence(played: Played) -> str:
    """What a server made of silence that was taken for voice."""
    if played.error is not None:
        return f"gave no answer ({played.error.error_type})"
    if played.dropped:
        return "invented words, which our guard refused"
    return f'invented "{played.text[:60]}"' if played.text else "said nothing"


def bcp_47_sentence(played: Played, alone: Played) -> str:
    """What a server does with a language in a form that it does not know."""
    if played.error is not None:
        return f"refuses it ({played.error.error_type})"
    if plain_text(played.text) == plain_text(alone.text):
        return "takes it"
    return "takes it and hears something else" if played.text else "takes it and hears nothing"


def disconnect_sentence(after_seconds: float, usual_seconds: float) -> str:
    """Whether a server stops when nobody waits any more."""
    busy = after_seconds > STILL_BUSY * usual_seconds
    return "goes on decoding for a caller who has gone" if busy else "stops, or has room for the next one"
