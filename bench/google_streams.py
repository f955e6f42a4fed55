"""One of Google's streams for each utterance, or one for the call: `python bench/google_streams.py`.

Calls of numbered speech run at the pace of speech through the segmenter, the router and the Google provider
into a local Google on loopback: 1 to 4 s of words, 1 to 6 s in which the agent would speak, and so on.

    final    from our endpoint to the final that is published
    billed   seconds after Google's rounding, up to the next second of each stream
    saved    against one stream that is sent the whole call

These numbers are our own overhead and Google's billing rules. A local Google answers at once: how long the
real one takes comes on top. When it would finalise by itself is not documented, so three silences are tried.
All four ways run at once, so that a busy machine is busy for each of them.

    --calls N     at a time (default 10)
    --seconds N   of a call (default 60)
    --json        the numbers, for a machine
"""

import argparse
import asyncio
import json
import math
import random
from dataclasses import asdict, dataclass, field
from itertools import repeat
from uuid import uuid4

import numpy as np
import uvloop
from rich.console import Console
from rich.table import Table

from slukh.assembly.parts import Parts
from slukh.audio_files import Recording
from slukh.experiment.wer import word_errors
from slukh.routing.attempts import AttemptPolicy
from slukh.routing.upstreams import Upstreams
from slukh.session import run_call
from slukh.speech.segmenter import Endpointing
from slukh.speech.vad import EnergyDetector
from slukh.stt.google import GoogleProvider
from slukh.stt.google_channel import GoogleLink
from slukh.stt.google_requests import GoogleModel
from slukh.stt.google_sharing import SharingRules
from slukh.telephony.file_line import FileLine
from slukh.testing.google import LocalGoogle
from slukh.testing.google_recognition import GoogleScript
from slukh.testing.numbered import heard_words, numbered_speech, silence
from slukh.types import SAMPLE_RATE_HERTZ, AttemptEnded, CallStarted, Event, Transcript

SILENCES = (0.4, 0.8, 1.2)  # seconds after which the local Google finalises by itself


@dataclass(slots=True, kw_only=True)
class Row:
    """What one way cost.

    Attributes:
        stream: `utterance` or `call`.
        google_endpoint_seconds: silence after which the local Google finalises by itself.
        utterances: published.
        words_wrong: lost, doubled or misheard words of all calls.
        streams: opened.
        final_ms_p50: from our endpoint to the final.
        final_ms_p95: likewise.
        speech_seconds: sent by the router.
        billed_seconds: after Google's rounding.
        reported_seconds: what the finals said that Google billed.
        whole_call_seconds: billed if the whole calls were sent.
    """

    stream: str
    google_endpoint_seconds: float
    utterances: int = 0
    words_wrong: int = 0
    streams: int = 0
    final_ms_p50: float = 0.0
    final_ms_p95: float = 0.0
    speech_seconds: float = 0.0
    billed_seconds: int = 0
    reported_seconds: float = 0.0
    whole_call_seconds: int = 0

    @property
    def saved(self) -> float:
        """Share of the bill that is not paid."""
        return 1 - self.billed_seconds / self.whole_call_seconds


@dataclass(slots=True, kw_only=True)
class Call:
    """One caller's recording, the numbers in it, and what was heard."""

    recording: Recording
    said: list[str]
    heard: list[str] = field(default_factory=list)
    attempts: list[AttemptEnded] = field(default_factory=list)

    def publish(self, event: Event) -> None:
        """Keep what is heard and what it took."""
        match event:
            case Transcript(is_final=True, text=text):
                self.heard += text.split()
            case AttemptEnded():
                self.attempts.append(event)


def call_of(seconds: float, draw: random.Random) -> Call:
    said: list[str] = []
    parts, length = [silence(1.0)], 0.0
    while length < seconds:
        numbers = [draw.randrange(100) for _ in range(draw.randint(3, 11))]
        said += map(str, numbers)
        parts += [numbered_speech(numbers), silence(draw.uniform(1.0, 6.0))]
        length = sum(map(len, parts)) / SAMPLE_RATE_HERTZ
    return Call(recording=Recording(samples=np.concatenate(parts), source_sample_rate_hertz=8000), said=said)


async def measure(stream: str, endpoint_seconds: float, options: argparse.Namespace) -> Row:
    draw = random.Random(1)
    calls = [call_of(options.seconds, draw) for _ in range(options.calls)]
    row = Row(stream=stream, google_endpoint_seconds=endpoint_seconds)
    async with LocalGoogle(heard_words, repeat(GoogleScript(endpoint_seconds=endpoint_seconds))) as google:
        provider = GoogleProvider(
            GoogleModel(project_id="bench"),
            GoogleLink(endpoint=google.endpoint),
            sharing=SharingRules() if stream == "call" else None,
        )
        parts = Parts(
            detector=EnergyDetector,
            upstreams=Upstreams({"google": provider}),
            endpointing=Endpointing(),
            policy=AttemptPolicy(),
            language_code="uk-UA",
        )
        await parts.start()
        await asyncio.gather(*(hear(parts, call) for call in calls))
        await parts.aclose()
        row.streams = len(google.streams)
        row.billed_seconds = sum(record.billed_seconds for record in google.streams)
    attempts = [attempt for call in calls for attempt in call.attempts]
    finals = [attempt.final_seconds * 1000 for attempt in attempts if attempt.final_seconds is not None]
    row.utterances = len(finals)
    row.final_ms_p50, row.final_ms_p95 = (round(float(np.percentile(finals, p)), 1) for p in (50, 95))
    row.words_wrong = sum(word_errors(" ".join(call.said), " ".join(call.heard)).errors for call in calls)
    row.speech_seconds = round(sum(attempt.audio_samples for attempt in attempts) / SAMPLE_RATE_HERTZ, 1)
    row.reported_seconds = sum(attempt.reported_ms or 0 for attempt in attempts) / 1000
    row.whole_call_seconds = sum(math.ceil(len(call.recording.samples) / SAMPLE_RATE_HERTZ) for call in calls)
    return row


async def hear(parts: Parts, call: Call) -> None:
    started = CallStarted(call_id=str(uuid4()), language_code="uk-UA")
    line = FileLine(call.recording, paced=True)
    await run_call(line, parts.listener(), parts.router(started, call.publish))


def table(rows: list[Row]) -> Table:
    columns = ["stream", "Google's silence s", "utterances", "words wrong", "streams", "final ms p50", "p95",
               "speech s", "billed s", "saved"]  # fmt: skip
    drawn = Table(*columns, title="Google's streams, on a local Google")
    for row in rows:
        drawn.add_row(row.stream, f"{row.google_endpoint_seconds:.1f}", str(row.utterances),
                      str(row.words_wrong), str(row.streams), f"{row.final_ms_p50:.0f}",
                      f"{row.final_ms_p95:.0f}", f"{row.speech_seconds:.0f}", str(row.billed_seconds),
                      f"{row.saved:.0%}")  # fmt: skip
    return drawn


async def run(options: argparse.Namespace) -> list[Row]:
    ways = [("utterance", SILENCES[1]), *(("call", seconds) for seconds in SILENCES)]
    return await asyncio.gather(*(measure(stream, seconds, options) for stream, seconds in ways))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = uvloop.run(run(options))
    if options.json:
        print(json.dumps([asdict(row) | {"saved": round(row.saved, 3)} for row in rows], indent=2))
    else:
        Console().print(table(rows))


if __name__ == "__main__":
    main()
