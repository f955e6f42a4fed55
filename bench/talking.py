"""What talking costs and how soon it comes: `python bench/talking.py [--calls N] [--seconds S]`.

One process is the gateway, on uvloop: scripted dialogue, a voice of tones behind the phrase cache, a
recogniser that truly hears numbered audio, an energy detector, the meter. Another one plays the callers, each
with a telephone of its own over loopback AudioSocket. All times but the stages are the caller's:

    turn       from the end of the caller's last word to the first audio of the answer
    stages     of it, as the gateway's `TurnTimed` says
    barge-in   from the caller's first sample to our last frame
    jitter     how far a frame of an answer comes from 20 ms after the one before
    underruns  gaps of more than 60 ms inside a phrase
    cpu        of the gateway, of one core, for each call
    cache      from asking for a kept phrase to its audio, a hundred asking at once
"""

# ruff: noqa: RUF001  # Cyrillic letters that look Latin are meant

import argparse
import asyncio
import multiprocessing
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from uuid import uuid4

import numpy as np
import psutil
import uvloop

from slukh.assembly.answering import Answering
from slukh.cost.meter import Meter
from slukh.dialog.script import Script
from slukh.dialog.scripted import ScriptedDialog
from slukh.handset import Handset, handset
from slukh.serving.callbook import CallBook
from slukh.serving.gateway import Admission, Gateway
from slukh.talking.talk import TalkRules
from slukh.testing.numbered import PAUSE_MS, numbered_speech
from slukh.testing.parts import fake_parts
from slukh.tts.base import SpeechRequest
from slukh.tts.cache import MemoryStore
from slukh.tts.chain import VoiceChain
from slukh.tts.fake import FakeTts
from slukh.tts.speaker import Speaker
from slukh.types import TURN_BUDGET_SECONDS, CallEvent, TurnTimed

SPAWN = multiprocessing.get_context("spawn")
FRAME_SECONDS = 0.02
BREAK_SECONDS = 0.06
ANSWERS = ("Назвіть, будь ласка, розмір шин, ширину, профіль і радіус.", "Літні, зимові чи всесезонні шини?")
SCRIPT = {
    "name": "bench", "languages": ["uk-UA"], "start": "one", "give_up": "one", "patience": 9,
    "unclear": {"uk-UA": "Ще раз."}, "silence": {"uk-UA": "Алло?"},
    "states": {
        "one": {"say": {"uk-UA": ANSWERS[0]}, "when": [{"hears": {"uk-UA": ["11"]}, "goto": "two"}]},
        "two": {"say": {"uk-UA": ANSWERS[1]}, "when": [{"hears": {"uk-UA": ["11"]}, "goto": "one"}]},
    },
}  # fmt: skip


@dataclass
class Stages:
    """A sink that keeps the stages, and meters as the gateway does."""

    turns: list[tuple[float, ...]] = field(default_factory=list)
    meter: Meter = field(default_factory=Meter)

    def observe(self, event: CallEvent) -> None:
        """Keep it."""
        self.meter.rows(event)
        match event.event:
            case TurnTimed() as turn:
                self.turns.append(tuple(getattr(turn, f"{stage}_seconds") for stage in TURN_BUDGET_SECONDS))


def gateway_process(parent: Connection, calls: int) -> None:
    uvloop.run(serve(parent, calls))


def answering() -> Answering:
    return Answering(
        dialog=ScriptedDialog(Script.model_validate(SCRIPT)),
        speaker=Speaker(VoiceChain([FakeTts()]), MemoryStore(max_bytes=50_000_000)),
        rules=TalkRules(silence_seconds=60),
    )


async def serve(parent: Connection, calls: int) -> None:
    voice, stages = answering(), Stages()
    await voice.start()
    gateway = Gateway(
        fake_parts(),
        CallBook(transcript_seconds=600),
        (stages,),
        Admission(max_calls=calls),
        lambda _reason: None,
        talks=voice.talk,
    )
    server = await asyncio.start_server(gateway.handle, "127.0.0.1", 0)
    parent.send(server.sockets[0].getsockname()[1])
    await asyncio.to_thread(parent.recv)
    server.close()
    await gateway.drain(0)
    await voice.aclose()
    parent.send(stages.turns)


@dataclass
class Measured:
    """What callers saw, in seconds."""

    turns: list[float] = field(default_factory=list)
    barge_ins: list[float] = field(default_factory=list)
    jitter: list[float] = field(default_factory=list)
    underruns: int = 0
    answers: int = 0

    def arrivals(self, times: list[float]) -> None:
        """When the frames of an answer came."""
        gaps = np.diff(times)
        inside = gaps[gaps < 0.5]  # longer ones lie between answers
        self.jitter += list(np.abs(inside - FRAME_SECONDS))
        self.underruns += int((inside > BREAK_SECONDS).sum())


async def talk(port: int, until: float, measured: Measured) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(float(np.random.default_rng().uniform(0, 2)))
    async with handset("127.0.0.1", port, str(uuid4())) as phone:
        await phone.answered(quiet_seconds=0.4)
        while loop.time() < until:
            mark = len(phone.arrivals)
            await phone.say(numbered_speech([11]))
            ended = phone.said_at - PAUSE_MS / 1000
            await phone.speaks()
            measured.turns.append(loop.time() - ended)
            measured.answers += 1
            if measured.answers % 4 == 0:
                measured.barge_ins.append(await interrupt(phone))
            else:
                await phone.answered(quiet_seconds=0.4)
                measured.arrivals([at for at, _ in phone.arrivals[mark:]][1:])


async def interrupt(phone: Handset) -> float:
    """Speak over the answer; how long it went on. The answer to that is waited for."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.2)
    began, mark = loop.time(), len(phone.arrivals)
    await phone.say(numbered_speech([11, 12]))
    times = [at for at, _ in phone.arrivals[mark:]]
    await phone.answered(quiet_seconds=0.4)
    last = began
    for at in times:
        if at - last > BREAK_SECONDS:
            break
        last = at
    return last - began


async def cache_seconds() -> list[float]:
    """A hundred that ask at once, fifty times."""
    speaker = answering().speaker
    request = SpeechRequest(text=ANSWERS[0], language_code="uk-UA")
    await speaker.warm([request])
    taken = []

    async def ask() -> None:
        began = time.perf_counter()
        async for _ in speaker.say(request):
            break
        taken.append(time.perf_counter() - began)

    for _ in range(50):
        await asyncio.gather(*(ask() for _ in range(100)))
    return taken


async def callers(port: int, pid: int, calls: int, seconds: float) -> tuple[Measured, float]:
    loop, measured, gateway = asyncio.get_running_loop(), Measured(), psutil.Process(pid)
    until = loop.time() + seconds
    tasks = [asyncio.create_task(talk(port, until, measured)) for _ in range(calls)]
    await asyncio.sleep(4)
    before, began = gateway.cpu_times(), loop.time()
    await asyncio.sleep(max(0.0, until - loop.time() - 1))
    after, ended = gateway.cpu_times(), loop.time()
    await asyncio.gather(*tasks)
    used = after.user + after.system - before.user - before.system
    return measured, used / (ended - began) / calls


def shown(name: str, values: list[float], unit: str = "ms") -> None:
    p50, p95, p99 = (1000 * float(value) for value in np.percentile(values, [50, 95, 99]))
    print(f"{name:<22} p50 {p50:8.2f}  p95 {p95:8.2f}  p99 {p99:8.2f} {unit}  n {len(values)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    given = parser.parse_args()
    own, other = SPAWN.Pipe()
    process = SPAWN.Process(target=gateway_process, args=(other, given.calls))
    process.start()
    port = own.recv()
    measured, cpu = uvloop.run(callers(port, process.pid or 0, given.calls, given.seconds))
    own.send("stop")
    stages = np.array(own.recv())
    process.join()
    print(f"{given.calls} calls, {given.seconds:g} s, {measured.answers} answers")
    shown("turn", measured.turns)
    for number, name in enumerate(TURN_BUDGET_SECONDS):
        shown(f"  {name}", list(stages[:, number]))
    shown("barge-in", measured.barge_ins)
    shown("frame jitter", measured.jitter)
    print(f"{'underruns':<22} {measured.underruns}")
    print(f"{'cpu for a call':<22} {cpu:.2%} of a core")
    shown("cache hit", uvloop.run(cache_seconds()))


if __name__ == "__main__":
    main()
