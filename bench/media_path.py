"""What a frame costs on its way from the socket to the listener: `python bench/media_path.py`.

One process plays the calls: 20 ms frames over loopback TCP, evenly staggered, which is the worst case for a
server, because no two frames arrive together. Another one takes them, on uvloop, and its CPU time over the
frames of the same seconds is the result. The servers take turns, so that a busy machine is busy for all:

    floor     reads and discards whatever came
    sink      a bare asyncio AudioSocket sink: two `readexactly` a frame, a frame of silence every second
    gateway   Slukh with metrics, spool, ledger and call book, an energy detector, and a recogniser that
              returns words without listening
    silero    the same with the real voice detector

Three calls of four speak half of the time, in utterances of two seconds; the fourth only listens. Weights for
`silero`: `slukh weights get silero`; without them that row is left out.
"""

import argparse
import asyncio
import json
import multiprocessing
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import psutil
import uvloop
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from slukh.assembly.parts import Parts
from slukh.cost.drain import MeterSink
from slukh.cost.ledger.store import Ledger
from slukh.cost.live import LiveCosts
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.spool import Spool
from slukh.errors import WeightsError
from slukh.monitoring.metrics import Metrics
from slukh.routing.upstreams import Upstreams
from slukh.serving.callbook import CallBook
from slukh.serving.gateway import Admission, Gateway
from slukh.speech.listener import Listener
from slukh.speech.segmenter import SegmentEvent
from slukh.speech.vad import SileroModel
from slukh.stt.fake import FakeProvider
from slukh.telephony.audiosocket import AUDIO_8K, encode_frame, encode_id
from slukh.testing.numbered import numbered_speech
from slukh.testing.parts import fake_parts
from slukh.weights import find_silero, weights_dir

FRAME_SECONDS = 0.02
FRAME_SAMPLES = 160
STAMP_SAMPLES = 4
WARM_UP_SECONDS = 2.0
SILENCE = encode_frame(AUDIO_8K, bytes(2 * FRAME_SAMPLES))

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
SPAWN = multiprocessing.get_context("spawn")


# --- The callers ---------------------------------------------------------------------------------------


def turns() -> NDArray[np.int16]:
    """Four seconds of a caller: two of speech, two of the hiss of a good line, below the energy floor."""
    hiss = np.random.default_rng(1).normal(0, 10, 4 * 8000).astype(np.int16)
    speech = numbered_speech(range(6))[:16_000]
    hiss[: speech.size] += speech
    return hiss


def stamp_now() -> bytes:
    """The time in microseconds as four samples, a byte each: too soft for any detector."""
    now = time.monotonic_ns() // 1000 & 0xFFFFFFFF
    return bytes((now >> 24, 0, now >> 16 & 255, 0, now >> 8 & 255, 0, now & 255, 0))


class Ages:
    """How long frames were on their way; what costs time is left for later."""

    def __init__(self) -> None:
        self._notes: list[tuple[int, bytes]] = []

    def note(self, samples: NDArray[np.int16]) -> None:
        """These frames have arrived."""
        stamps = samples.reshape(-1, FRAME_SAMPLES)[:, :STAMP_SAMPLES].tobytes()
        self._notes.append((time.monotonic_ns() // 1000, stamps))

    def percentiles_ms(self) -> list[float]:
        """p50 and p99. Silence that nobody sent has no stamp."""
        ages = [
            ((now - int.from_bytes(stamps[at : at + 8 : 2])) & 0xFFFFFFFF) / 1000
            for now, stamps in self._notes
            for at in range(0, len(stamps), 2 * STAMP_SAMPLES)
            if any(stamps[at : at + 8])
        ]
        return [float(value) for value in np.percentile(ages, [50, 99])]


def play(port: int, calls: int, seconds: float, parent: Connection) -> None:
    """Play the calls. Tells the parent when the counted seconds begin and end; then the lateness."""
    pcm = turns().tobytes()
    pieces = [pcm[at : at + 320] for at in range(0, len(pcm), 320)]
    header, stamp = SILENCE[:3], slice(2 * STAMP_SAMPLES, None)
    talking = [piece[stamp] for piece in pieces]
    listening = talking[len(talking) // 2 :] * 2
    lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(calls)]
    for number, line in enumerate(lines):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.sendall(encode_id(str(UUID(int=number))))
    step, warm_up = FRAME_SECONDS / calls, round(WARM_UP_SECONDS / FRAME_SECONDS)
    late: list[float] = []
    began = time.monotonic() + 0.5
    for frame in range(warm_up + round(seconds / FRAME_SECONDS)):
        if frame == warm_up:
            parent.send("begin")
            late.clear()
        for number, line in enumerate(lines):
            due = began + frame * FRAME_SECONDS + number * step
            if (early := due - time.monotonic()) > 0:
                time.sleep(early)
            late.append(max(0.0, -early))
            said = listening if number % 4 == 3 else talking
            line.sendall(header + stamp_now() + said[(frame + number * 7) % len(said)])
    parent.send("end")
    for line in lines:
        line.close()
    parent.send(np.percentile(late, [50, 99]).tolist())


# --- The servers ---------------------------------------------------------------------------------------


async def floor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass
    writer.close()


async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ages: Ages | None = None) -> None:
    """What anyone would write to take AudioSocket with asyncio's streams."""

    async def keep_alive() -> None:
        while True:
            await asyncio.sleep(1.0)
            writer.write(SILENCE)

    audio_bytes = 0
    silence = asyncio.create_task(keep_alive())
    try:
        while True:
            header = await reader.readexactly(3)
            payload = await reader.readexactly(int.from_bytes(header[1:], "big"))
            if header[0] == AUDIO_8K:
                audio_bytes += len(payload)
                if ages is not None:
                    ages.note(np.frombuffer(payload, np.int16))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        silence.cancel()
        writer.close()


class TimedListener(Listener):
    """A listener that notes how old audio is once it has heard it."""

    ages: Ages

    def hear(self, samples: NDArray[np.int16], position: int) -> list[SegmentEvent]:
        """As the listener does."""
        events = super().hear(samples, position)
        self.ages.note(samples)
        return events


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedParts(Parts):
    """Parts whose listeners are timed."""

    ages: Ages

    def listener(self, first_utterance_id: int = 1) -> Listener:
        """A timed one."""
        listener = TimedListener(self.detector(), self.endpointing, first_utterance_id)
        listener.ages = self.ages
        return listener


def gateway(stack: ExitStack, ages: Ages | None, *, silero: bool) -> Handler:
    """The real gateway with its real sinks; only the recogniser is fake."""
    fake = FakeProvider(lambda pcm: ["word"] * (len(pcm) // 8000))
    parts = replace(fake_parts(), upstreams=Upstreams({"fake": fake}))
    if silero:
        parts = replace(parts, detector=SileroModel(find_silero(weights_dir())).detector)
    if ages is not None:
        parts = TimedParts(ages=ages, **{field.name: getattr(parts, field.name) for field in fields(parts)})
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    metrics = Metrics(providers=("fake",))
    ledger = stack.enter_context(Ledger(f"sqlite:///{folder / 'ledger.db'}"))
    spool = stack.enter_context(Spool(folder / "spool"))
    costs = LiveCosts(PriceBook.load("market-2026-11"))
    meter = MeterSink(spool, ledger, costs=costs, on_rows=metrics.spooled)
    meter.start()
    stack.callback(meter.stop)
    book = CallBook(transcript_seconds=600)
    admission = Admission(max_calls=10_000)
    return Gateway(parts, book, (metrics,), admission, metrics.refused, costs_of=meter.costs_of).handle


def serve(kind: str, parent: Connection, *, timed: bool) -> None:
    """Take calls until the parent says enough, then give it how old audio was when it was heard."""
    ages = Ages() if timed else None

    async def main() -> None:
        with ExitStack() as stack:
            if kind == "floor":
                handler: Handler = floor
            elif kind == "sink":
                handler = partial(sink, ages=ages)
            else:
                handler = gateway(stack, ages, silero=kind == "silero")
            server = await asyncio.start_server(handler, "127.0.0.1", 0, backlog=512, limit=256 * 1024)
            parent.send(server.sockets[0].getsockname()[1])
            await asyncio.to_thread(parent.recv)
            server.close()
            if calls := [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]:
                await asyncio.wait(calls, timeout=5.0)
        parent.send(None if ages is None else ages.percentiles_ms())

    uvloop.run(main())


# --- The measurement -----------------------------------------------------------------------------------


def measure(kind: str, calls: int, seconds: float, *, timed: bool = False) -> dict[str, Any]:
    """One run: microseconds of CPU per frame in the counted seconds, and milliseconds of latency if timed."""
    (here, there), (ours, callers) = SPAWN.Pipe(), SPAWN.Pipe()
    server = SPAWN.Process(target=serve, args=(kind, there), kwargs={"timed": timed}, daemon=True)
    server.start()
    player = SPAWN.Process(target=play, args=(here.recv(), calls, seconds, callers), daemon=True)
    player.start()
    process = psutil.Process(server.pid)
    readings = []
    for _ in ("begin", "end"):
        ours.recv()
        times = process.cpu_times()
        readings.append(times.user + times.system)
    before, after = readings
    frames = calls * round(seconds / FRAME_SECONDS)
    late = ours.recv()
    here.send("enough")
    latency = here.recv()
    player.join()
    server.join()
    return {
        "cpu_us": (after - before) / frames * 1e6,
        "latency_ms": latency,
        "late_ms": [value * 1000 for value in late],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0, help="counted, of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    kinds = ["floor", "sink", "gateway", "silero"]
    try:
        find_silero(weights_dir())
    except WeightsError:
        kinds.remove("silero")
    runs: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for kind in kinds:
            runs[kind].append(measure(kind, options.calls, options.seconds))
    timed = {
        kind: measure(kind, options.calls, options.seconds, timed=True) for kind in kinds if kind != "floor"
    }
    rows = {kind: summary(kind, runs, timed.get(kind)) for kind in kinds}
    if options.json:
        print(json.dumps({"calls": options.calls, "seconds": options.seconds, "rows": rows}, indent=2))
    else:
        show(rows, options.calls)


def summary(
    kind: str, runs: dict[str, list[dict[str, Any]]], timed: dict[str, Any] | None
) -> dict[str, float | None]:
    """Medians over the rounds; a ratio is taken within its round."""
    cpu = [run["cpu_us"] for run in runs[kind]]
    ratios = [mine / run["cpu_us"] for mine, run in zip(cpu, runs["sink"], strict=True)]
    p50, p99 = (None, None) if timed is None else timed["latency_ms"]
    return {
        "cpu_us": statistics.median(cpu), "cpu_us_min": min(cpu), "cpu_us_max": max(cpu),
        "times_sink": statistics.median(ratios), "times_sink_min": min(ratios), "times_sink_max": max(ratios),
        "latency_p50_ms": p50, "latency_p99_ms": p99,
        "late_p99_ms": None if timed is None else timed["late_ms"][1],
    }  # fmt: skip


def show(rows: dict[str, dict[str, float | None]], calls: int) -> None:
    table = Table(title=f"{calls} calls, medians over the rounds (least - most)", caption="late: the callers")
    for name in ("server", "us/frame", "x sink", "p50 ms", "p99 ms", "late p99"):
        table.add_column(name, justify="left" if name == "server" else "right", no_wrap=True)
    for kind, row in rows.items():
        text = {key: "" if value is None else f"{value:.2f}" for key, value in row.items()}
        table.add_row(
            kind,
            "{cpu_us:.1f} ({cpu_us_min:.1f} - {cpu_us_max:.1f})".format_map(row),
            "{times_sink} ({times_sink_min} - {times_sink_max})".format_map(text),
            text["latency_p50_ms"], text["latency_p99_ms"], text["late_p99_ms"],
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
