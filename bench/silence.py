"""What Slukh hears when nobody speaks: `python bench/silence.py [MINUTES]`, 30 of every sound by default.

Silence, hiss, ringback, hold tones and hold music, each a call of its own, as fast as it goes through Silero,
the router and the local Whisper. A final with text would be an invented sentence in a dialogue: there may be
none. CPU of hearing is the listener's, of Whisper its child's.

Two more columns say who keeps it so. `guard alone`, on a minute of each sound, has a detector that takes all
sound for voice, so that Whisper hears it and only the guard stands between. `plain`, on half a minute of
some, is faster-whisper's `transcribe` (beam 5, language forced), without detector and guard.

    --json   the numbers, for a machine

Weights: `slukh weights get silero base`.
"""

import argparse
import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from time import process_time
from typing import Any

import psutil
import uvloop
from faster_whisper import WhisperModel
from rich.console import Console
from rich.progress import track
from rich.table import Table

from slukh.assembly.parts import Parts, build_parts
from slukh.audio import Resampler, Samples, float32_from_linear16, linear16_from_samples
from slukh.settings.config import Settings, load_all
from slukh.settings.recognisers import WhisperSettings
from slukh.speech.vad import EnergyDetector
from slukh.testing.line_sounds import hold_melody, line_sounds
from slukh.types import CallStarted, Event, ResultDropped, SpeechEnded, SpeechStarted, Transcript
from slukh.weights import find_whisper

LINE_FRAME = 160

PLAIN = ("silence", "hiss", "ringback", "hold tone", "hold melody")  # it takes a minute for some of them
PATIENCE_SECONDS = 600.0  # utterances may queue up in front of Whisper here: none of them is late


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of one call."""

    seconds: float = 0.0
    hearing_cpu_seconds: float = 0.0
    utterances: int = 0
    waiting: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    empty: int = 0
    invented: list[str] = field(default_factory=list)


class Call:
    """One sound on one line."""

    def __init__(self, name: str, parts: Parts) -> None:
        self.tally = Tally()
        call = CallStarted(call_id=name, language_code=parts.language_code)
        self._listener = parts.listener()
        self._router = parts.router(call, self._publish)
        self._position = 0
        self._caught_up = asyncio.Event()
        self._caught_up.set()

    async def hear(self, samples: Samples) -> None:
        """Some more of the sound; waits until Whisper has caught up."""
        for at in range(0, samples.size, LINE_FRAME):
            began = process_time()
            events = self._listener.hear(samples[at : at + LINE_FRAME], self._position)
            self.tally.hearing_cpu_seconds += process_time() - began
            self._position += LINE_FRAME
            for event in events:
                self._router.hear(event)
            if events:
                await asyncio.sleep(0)
        await self._caught_up.wait()

    async def finish(self) -> Tally:
        """The caller hangs up."""
        for event in self._listener.finish():
            self._router.hear(event)
        await self._router.finish()
        self.tally.seconds = self._position / 8000
        return self.tally

    def _publish(self, event: Event) -> None:
        tally = self.tally
        match event:
            case SpeechStarted():
                tally.utterances += 1
            case SpeechEnded():
                tally.waiting += 1
                self._caught_up.clear()
            case ResultDropped(reason=reason):
                tally.dropped[reason] = tally.dropped.get(reason, 0) + 1
            case Transcript(is_final=True, text=text):
                tally.waiting -= 1
                tally.empty += not text
                tally.invented += [text] if text else []
                if not tally.waiting:
                    self._caught_up.set()


def minutes_of_sound(minutes: int) -> Iterator[Mapping[str, Samples]]:
    """A minute of every sound at a time, each minute with noise of its own."""
    for seed in track(range(minutes), "minutes", console=Console(stderr=True)):
        yield {**line_sounds(60, seed), "hold melody": hold_melody(60, seed=seed)}


async def hear_all(parts: Parts, minutes: int) -> dict[str, Any]:
    calls: dict[str, Call] = {}
    await parts.start()
    try:
        (child,) = psutil.Process().children()
        loading = sum(child.cpu_times()[:2])
        for sounds in minutes_of_sound(minutes):
            for name, samples in sounds.items():
                if name not in calls:
                    calls[name] = Call(name, parts)
                await calls[name].hear(samples)
        tallies = {name: await call.finish() for name, call in calls.items()}
        whisper = sum(child.cpu_times()[:2]) - loading
    finally:
        await parts.aclose()
    return {
        "sounds": {name: asdict(tally) for name, tally in tallies.items()},
        "minutes": sum(tally.seconds for tally in tallies.values()) / 60,
        "utterances": sum(tally.utterances for tally in tallies.values()),
        "invented": [text for tally in tallies.values() for text in tally.invented],
        "hearing_cpu_seconds": sum(tally.hearing_cpu_seconds for tally in tallies.values()),
        "whisper_cpu_seconds": whisper,
    }


def plain(settings: Settings, whisper: WhisperSettings) -> dict[str, list[str]]:
    """What faster-whisper makes of half a minute of some sounds."""
    folder = find_whisper(settings.slukh_weights_dir, whisper.whisper_model_size)
    model = WhisperModel(str(folder), compute_type=whisper.slukh_whisper_compute_type, cpu_threads=1)
    heard: dict[str, list[str]] = {}
    for sounds in minutes_of_sound(1):
        for name in PLAIN:
            wide = Resampler(8000, 16_000).resample(sounds[name][: 30 * 8000])
            audio = float32_from_linear16(linear16_from_samples(wide))
            segments, _ = model.transcribe(audio, language="uk", beam_size=5)
            heard[name] = [segment.text.strip() for segment in segments]
    return heard


def measure(minutes: int) -> dict[str, Any]:
    given = load_all(provider="whisper")
    settings = given.settings.model_copy(update={"slukh_final_seconds": PATIENCE_SECONDS})
    given = given._replace(settings=settings)

    def parts() -> Parts:
        return build_parts(given)

    rows = uvloop.run(hear_all(parts(), minutes))
    fooled = replace(parts(), detector=lambda: EnergyDetector(-59.0))
    guarded = uvloop.run(hear_all(fooled, 1))
    bare = plain(settings, given.whisper)
    for name, alone in guarded["sounds"].items():
        rows["sounds"][name] |= {"plain": bare.get(name), "guard_alone": alone["invented"],
                                 "guard_alone_dropped": alone["dropped"]}  # fmt: skip
    return rows


def table(rows: dict[str, Any]) -> Table:
    minutes = rows["minutes"] / len(rows["sounds"])
    drawn = Table("sound", "utterances", "dropped by the guard", "empty finals", "finals with text",
                  "hearing, CPU s", "guard alone", "plain", title=f"{minutes:g} minutes of each")  # fmt: skip
    for name, tally in rows["sounds"].items():
        dropped = ", ".join(f"{count} {reason}" for reason, count in tally["dropped"].items())
        bare = "-" if tally["plain"] is None else str(len(tally["plain"]))
        drawn.add_row(name, str(tally["utterances"]), dropped or "0", str(tally["empty"]),
                      str(len(tally["invented"])), f"{tally['hearing_cpu_seconds']:.1f}",
                      str(len(tally["guard_alone"])), bare)  # fmt: skip
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("minutes", type=int, nargs="?", default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure(options.minutes)
    if options.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    console = Console()
    console.print(table(rows))
    console.print(
        f"{rows['minutes']:g} minutes in all: {rows['utterances']} utterances opened, "
        f"{len(rows['invented'])} finals with text {rows['invented']}; "
        f"CPU {rows['hearing_cpu_seconds']:.0f} s of hearing, {rows['whisper_cpu_seconds']:.0f} s of Whisper"
    )


if __name__ == "__main__":
    main()
