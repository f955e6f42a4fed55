"""Slukh's local Whisper against plain faster-whisper on the same clips: `python bench/local_whisper.py`.

Each clip is a call at the pace of speech: a second of silence, the clip, a second of silence, through Silero,
the router and the Whisper child. Its rival is plain `WhisperModel.transcribe` of faster-whisper, beam 5, the
same weights, arithmetic, threads and forced language, given the whole clip at the moment of our endpoint: the
time it takes is its endpoint-to-final. The two take turns, clip by clip, and never run at once.

Word and character errors are pooled over a set, after `plain_text`: digits stay digits, so "17" for
"seventeen" is an error of either side.

    --all    every clip, as fast as it goes: errors only
    --json   the numbers, for a machine

Recorded speech is in the folder that SLUKH_TEST_CALLS names (default ../shared/calls); without it only the
sentences of examples/calls are played. Weights: `slukh weights get silero base`.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import numpy as np
import uvloop
from faster_whisper import WhisperModel
from rich.console import Console
from rich.progress import track
from rich.table import Table

from slukh.assembly.parts import Parts, build_parts
from slukh.audio import Resampler, float32_from_linear16, linear16_from_samples
from slukh.audio_files import Recording, read_recording
from slukh.experiment.wer import CharacterErrors, WordErrors, character_errors, plain_text, word_errors
from slukh.session import run_call
from slukh.settings.config import load_all
from slukh.speech.segmenter import UtteranceEnded
from slukh.telephony.file_line import FileLine
from slukh.testing.numbered import silence
from slukh.testing.recorded_speech import LANGUAGES, Clip, recorded_clips
from slukh.types import AttemptEnded, CallStarted, Event, Transcript
from slukh.weights import find_whisper

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 600.0


@dataclass(slots=True, kw_only=True)
class Heard:
    """What one side made of a clip; `seconds` from our endpoint to its final, of every utterance."""

    texts: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it, as it is compared."""
        return plain_text(" ".join(self.texts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """One clip, heard by both."""

    clip: Clip
    ours: Heard
    rival: Heard


def example_clips(parts: Parts) -> list[Clip]:
    """The sentences of examples/calls, parted in the pauses between them."""
    clips = []
    for language in LANGUAGES:
        path = ROOT / "examples" / "calls" / f"tyre-shop-{language}.wav"
        samples, listener = read_recording(path).samples, parts.listener()
        events = listener.hear(samples, 0) + listener.finish()
        heard = [event.utterance for event in events if isinstance(event, UtteranceEnded)]
        texts = path.with_suffix(".txt").read_text("utf-8").splitlines()
        for utterance, text in zip(heard, texts, strict=True):
            part = samples[utterance.start : utterance.speech_end + 2000]
            clips.append(Clip(set=f"{language} examples", language=language, samples=part, text=text))
    return clips


async def ours(parts: Parts, clip: Clip, *, paced: bool) -> Heard:
    heard = Heard()

    def publish(event: Event) -> None:
        match event:
            case Transcript(is_final=True, text=text):
                heard.texts.append(text)
            case AttemptEnded(final_seconds=float() as seconds):
                heard.seconds.append(seconds)

    call = CallStarted(call_id=str(uuid4()), language_code=LANGUAGES[clip.language])
    samples = np.concatenate([silence(1.0), clip.samples, silence(1.0)])
    line = FileLine(Recording(samples=samples, source_sample_rate_hertz=8000), paced=paced)
    await run_call(line, parts.listener(), parts.router(call, publish, interim_results=paced))
    return heard


def rival(model: WhisperModel, clip: Clip) -> Heard:
    began = time.perf_counter()
    resampler = Resampler(8000, 16_000)
    samples = np.concatenate([resampler.resample(clip.samples), resampler.flush()])
    audio = float32_from_linear16(linear16_from_samples(samples))
    segments, _ = model.transcribe(audio, language=clip.language, beam_size=5)
    texts = [segment.text for segment in segments]
    return Heard(texts=texts, seconds=[time.perf_counter() - began])


async def hear_all(options: argparse.Namespace) -> list[Duel]:
    given = load_all(provider="whisper")
    whisper, settings = given.whisper, given.settings
    if options.all:
        settings = settings.model_copy(update={"slukh_final_seconds": PATIENCE_SECONDS})
    parts = build_parts(given._replace(settings=settings))
    model = WhisperModel(
        str(find_whisper(settings.slukh_weights_dir, whisper.whisper_model_size)),
        compute_type=whisper.slukh_whisper_compute_type,
        cpu_threads=whisper.slukh_whisper_threads,
    )
    clips = [*example_clips(parts), *recorded_clips(ROOT, every=options.all)]
    duels = []
    await parts.start()
    try:
        await ours(parts, clips[0], paced=False)  # both have heard something before it counts
        rival(model, clips[0])
        for number, clip in enumerate(track(clips, "clips", console=Console(stderr=True))):
            first = rival(model, clip) if number % 2 else None
            own = await ours(parts, clip, paced=not options.all)
            duels.append(Duel(clip=clip, ours=own, rival=first or rival(model, clip)))
    finally:
        await parts.aclose()
    return duels


def side_of(duels: Sequence[Duel], side: Literal["ours", "rival"]) -> dict[str, float | None]:
    """Times of the clips that were one utterance to us, so that both sides heard the same; errors of all."""
    heard: list[tuple[str, str]] = [(plain_text(d.clip.text), getattr(d, side).text) for d in duels]
    times = [getattr(d, side).seconds[0] for d in duels if len(d.ours.seconds) == 1]
    return {
        "p50": float(np.percentile(times, 50)) if times else None,
        "p95": float(np.percentile(times, 95)) if times else None,
        "wer": sum((word_errors(*pair) for pair in heard), WordErrors()).wer,
        "cer": sum((character_errors(*pair) for pair in heard), CharacterErrors()).cer,
    }


def report(duels: Sequence[Duel]) -> dict[str, dict[str, Any]]:
    names = dict.fromkeys(duel.clip.set for duel in duels)
    sets = {name: [duel for duel in duels if duel.clip.set == name] for name in names}
    return {
        name: {
            "clips": len(chosen),
            "one_utterance": sum(len(d.ours.seconds) == 1 for d in chosen),
            "sooner": sum(d.ours.seconds[0] < d.rival.seconds[0] for d in chosen if len(d.ours.seconds) == 1),
            "words": sum(len(plain_text(d.clip.text).split()) for d in chosen),
            "ours": side_of(chosen, "ours"),
            "rival": side_of(chosen, "rival"),
        }
        for name, chosen in {**sets, "all": duels}.items()
    }


def table(rows: dict[str, dict[str, Any]]) -> Table:
    columns = ["set", "clips", "words", "timed", "p50 s", "rival", "p95 s", "rival", "sooner",
               "WER", "rival", "CER", "rival"]  # fmt: skip
    drawn = Table(*columns, title="Endpoint to final, and errors")
    for name, row in rows.items():
        pairs = [(row["ours"][what], row["rival"][what]) for what in ("p50", "p95", "wer", "cer")]
        p50, p95, wer, cer = [[*map(_shown, pair)] for pair in pairs]
        drawn.add_row(name, str(row["clips"]), str(row["words"]), str(row["one_utterance"]), *p50, *p95,
                      f"{row['sooner']}/{row['one_utterance']}", *wer, *cer)  # fmt: skip
    return drawn


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = report(uvloop.run(hear_all(options)))
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        Console().print(table(rows))


if __name__ == "__main__":
    main()
