"""Does anything grow, does anything break: `python bench/soak.py [--calls N] [--kills N] [--json]`.

Calls in sequence: a real gateway with metrics, spool, ledger and call log, a fake recogniser, calls over
loopback TCP as fast as they are taken. The call book's clock runs a minute per call, so that records expire
as they do in service. After 10 calls and every tenth of them: resident memory, open files, asyncio tasks,
threads, and the series on the page for Prometheus. The slope of memory is that of a line through the second
half.

Kills: the same gateway with Silero and the local Whisper, whose child gets SIGKILL in the middle of every
second decode, drawn by lot, while callers say two sentences of an example call at four times the pace of
speech, the second when the first has its final. A sentence is hit three times at most: the policy gives an
utterance four Attempts. Counted are calls that ended before their caller hung up, utterances without a final,
and finals that are not what the undisturbed gateway heard. Weights:
`slukh weights get silero base`.
"""

import argparse
import asyncio
import gc
import json
import random
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psutil
import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from slukh.assembly.parts import build_parts
from slukh.audio import Samples
from slukh.audio_files import read_recording
from slukh.routing.upstreams import Upstreams
from slukh.settings.config import load_all
from slukh.stt.fake import FakeProvider
from slukh.stt.whisper.decoding import DecodeRequest
from slukh.stt.whisper.local import LocalDecoder
from slukh.stt.whisper.provider import WhisperProvider
from slukh.testing.calls import Caller
from slukh.testing.gateways import CallOutcome, Calls, LoopbackGateway, loopback_gateway
from slukh.testing.numbered import heard_words, numbered_speech, silence
from slukh.testing.parts import fake_parts
from slukh.testing.sabotage import SabotagedDecoder
from slukh.weights import find_whisper

EXAMPLE = Path(__file__).parents[1] / "examples" / "calls" / "tyre-shop-uk.wav"
SENTENCES = (slice(8 * 8000, 14 * 8000), slice(14 * 8000, 20 * 8000))
PACE = 4.0
SETTLE_SECONDS = 1.2  # closed connections linger for a second
CONSOLE = Console(stderr=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The process after some calls, at rest."""

    calls: int
    rss_mib: float
    files: int
    tasks: int
    threads: int
    series: int


async def sample(calls: int, gateway: LoopbackGateway) -> Sample:
    await asyncio.sleep(SETTLE_SECONDS)
    gc.collect()
    process = psutil.Process()
    return Sample(
        calls=calls,
        rss_mib=process.memory_info().rss / 2**20,
        files=process.num_fds(),
        tasks=len(asyncio.all_tasks()),
        threads=process.num_threads(),
        series=gateway.series(),
    )


async def many_calls(calls: int) -> dict[str, Any]:
    sink, samples = Calls(), []
    speech = [silence(0.4), numbered_speech([1, 2]), silence(0.8), numbered_speech([3]), silence(0.8)]
    fake = FakeProvider(heard_words)
    parts = replace(fake_parts(), upstreams=Upstreams({"fake": fake}))
    with tempfile.TemporaryDirectory() as folder, Progress(console=CONSOLE) as progress:
        bar = progress.add_task("calls", total=calls)

        def minute() -> float:
            return 60.0 * sink.outcomes.total()

        async with loopback_gateway(parts, Path(folder), [sink], now=minute) as gateway:
            began = time.perf_counter()
            for number in range(1, calls + 1):
                async with Caller(gateway.port, str(uuid4())) as caller:
                    await caller.say(speech)
                    await caller.hang_up()
                fake.heard.clear()
                progress.advance(bar)
                if number == 10 or number % max(1, calls // 10) == 0:
                    samples.append(await sample(number, gateway))
            took = time.perf_counter() - began - SETTLE_SECONDS * len(samples)
    half = samples[len(samples) // 2 :]
    slope = np.polyfit([s.calls for s in half], [s.rss_mib * 1024 for s in half], 1)[0]
    return {
        "samples": [asdict(s) for s in samples],
        "kib_per_call": float(slope),
        "calls_per_second": calls / took,
        "outcomes": shown(sink.outcomes),
    }


async def say_in_pace(caller: Caller, samples: Samples) -> None:
    loop = asyncio.get_running_loop()
    began, frame = loop.time(), 160
    for at in range(0, len(samples), frame):
        await asyncio.sleep(max(0.0, began + at / 8000 / PACE - loop.time()))
        await caller.say([samples[at : at + frame]])


async def many_kills(kills: int) -> dict[str, Any]:
    sink, early = Calls(), 0
    rng, armed, hits = random.Random(1), asyncio.Event(), Counter[int]()

    def when(_request: DecodeRequest) -> float | None:
        if not armed.is_set() or hits[sink.published] == 3 or rng.random() < 0.5:
            return None
        hits[sink.published] += 1
        return rng.uniform(0.02, 0.6)

    given = load_all(provider="whisper")
    decoder = SabotagedDecoder(LocalDecoder(find_whisper(given.settings.slukh_weights_dir, "base")), when)
    parts = replace(
        build_parts(given),
        chooser=None,
        upstreams=Upstreams({"whisper": WhisperProvider(decoder, model="base")}),
    )
    samples = read_recording(EXAMPLE).samples

    async def call(gateway: LoopbackGateway) -> int:
        call_id = str(uuid4())
        async with Caller(gateway.port, call_id) as caller:
            for number, sentence in enumerate(SENTENCES, start=1):
                await say_in_pace(caller, samples[sentence])
                # A caller this far ahead of real time has no idle line while he waits, so that the second
                # sentence is cut at the same samples in every call.
                await caller.say([silence(20.0)])
                await sink.until(call_id, finals=number)
            record = gateway.book.get(call_id)
            is_live = record is not None and record.state == "live"
            await caller.hang_up()
        return not is_live

    with tempfile.TemporaryDirectory() as folder, Progress(console=CONSOLE) as progress:
        bar = progress.add_task("kills", total=kills)
        async with loopback_gateway(parts, Path(folder), [sink]) as gateway:
            for _ in range(3):
                await call(gateway)
            before = await sample(3, gateway)
            undisturbed, sink.outcomes = shown(sink.outcomes), Counter()
            sink.attempts.clear()
            sink.utterances = sink.published = sink.salvaged = 0
            armed.set()
            began = time.perf_counter()
            while (killed := decoder.kills.total()) < kills:
                early += await call(gateway)
                progress.update(bar, completed=killed)
            armed.clear()
            took = time.perf_counter() - began
            after = await sample(sink.outcomes.total(), gateway)
            children = len(psutil.Process().children())
    return {
        "kills": dict(decoder.kills),
        "seconds": took,
        "calls_ended_early": early,
        "utterances": sink.utterances,
        "finals": sink.published,
        "salvaged": sink.salvaged,
        "attempts": dict(sink.attempts),
        "undisturbed": undisturbed,
        "outcomes": shown(sink.outcomes),
        "restart_p50": float(np.percentile(decoder.restart_seconds, 50)),
        "restart_p95": float(np.percentile(decoder.restart_seconds, 95)),
        "before": asdict(before),
        "after": asdict(after),
        "children": children,
    }


def shown(outcomes: Counter[CallOutcome]) -> dict[str, int]:
    return {f"{reason}: {' / '.join(finals)}": calls for (reason, finals), calls in outcomes.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results: dict[str, Any] = {}
    if options.calls:
        results["calls"] = uvloop.run(many_calls(options.calls))
    if options.kills:
        results["kills"] = uvloop.run(many_kills(options.kills))
    if options.json:
        print(json.dumps(results, indent=2, ensure_ascii=False))
        return
    for name, result in results.items():
        Console().print(table(name, result))


def table(name: str, result: dict[str, Any]) -> Table:
    drawn = Table(title=name)
    samples = result.pop("samples", None) or [result.pop("before"), result.pop("after")]
    for column in samples[0]:
        drawn.add_column(column)
    for row in samples:
        drawn.add_row(*(f"{value:.1f}" if isinstance(value, float) else str(value) for value in row.values()))
    drawn.caption = "\n".join(f"{key}: {value}" for key, value in result.items())
    return drawn


if __name__ == "__main__":
    main()
