"""How soon a kept phrase is there: `python bench/phrases.py [--calls N] [--rounds R]`.

N calls ask at once for phrases of 3 s, again and again, each for another one:

    started    from asking to the first audio, in a gateway that has just started on the folder
    first read the same, where the memory could not hold the phrase: it is read from the folder
    bare read  the same files, each in a thread of `asyncio.to_thread`, and nothing done with them

The last lines are the first read's p99 against that of the bare read, in the same run, and the CPU that one
phrase takes. The system has the files in its own memory by then; a disk that has not is as slow as it is.
"""

# ruff: noqa: RUF001  # Cyrillic letters that look Latin are meant

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import uvloop

from slukh.tts.base import SpeechRequest
from slukh.tts.cache import MemoryStore
from slukh.tts.chain import VoiceChain
from slukh.tts.disk_cache import DiskStore
from slukh.tts.fake import FakeTts
from slukh.tts.speaker import Speaker

PHRASE = "Назвіть, будь ласка, розмір шин, ширину, профіль і радіус, дочекайтеся відповіді оператора {:03}."
LARGE = 10**9


def speaker_over(folder: Path, *, memory_bytes: int) -> Speaker:
    store = DiskStore(folder, max_bytes=LARGE)
    return Speaker(VoiceChain([FakeTts()]), MemoryStore(max_bytes=memory_bytes), store)


async def timed(ask: Callable[[int], Awaitable[None]], calls: int, rounds: int) -> tuple[list[float], float]:
    """Seconds that each of them took, `calls` at once, and of CPU all of them together."""
    taken: list[float] = []

    async def one(number: int) -> None:
        began = time.perf_counter()
        await ask(number)
        taken.append(time.perf_counter() - began)

    cpu = time.process_time()
    for _ in range(rounds):
        await asyncio.gather(*map(one, range(calls)))
    return taken, time.process_time() - cpu


async def fill(folder: Path, requests: list[SpeechRequest]) -> None:
    speaker = speaker_over(folder, memory_bytes=0)
    assert await speaker.warm(requests) == len(requests)
    await speaker.aclose()


async def measure(
    folder: Path, files: list[Path], requests: list[SpeechRequest], rounds: int
) -> dict[str, tuple[list[float], float]]:
    started, cold = speaker_over(folder, memory_bytes=LARGE), speaker_over(folder, memory_bytes=0)
    began = time.perf_counter()
    await started.start()
    await started.filled()
    print(f"filled in {time.perf_counter() - began:.3f} s with {len(files)} phrases")

    def asking(speaker: Speaker) -> Callable[[int], Awaitable[None]]:
        async def ask(number: int) -> None:
            speech = speaker.say(requests[number])
            async for _ in speech:
                break
            assert speech.outcome == "cached"

        return ask

    async def read(number: int) -> None:
        await asyncio.to_thread(files[number].read_bytes)

    return {
        name: await timed(ask, len(requests), rounds)
        for name, ask in (("started", asking(started)), ("first read", asking(cold)), ("bare read", read))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        requests = [SpeechRequest(text=PHRASE.format(n), language_code="uk-UA") for n in range(given.calls)]
        uvloop.run(fill(Path(folder), requests))
        files = sorted(Path(folder).glob("??/*.phrase"))
        found = uvloop.run(measure(Path(folder), files, requests, given.rounds))
    p99s = {}
    for name, (taken, cpu) in found.items():
        p50, p95, p99s[name] = 1000 * np.percentile(taken, [50, 95, 99])
        quantiles = f"p50 {p50:7.3f}  p95 {p95:7.3f}  p99 {p99s[name]:7.3f} ms"
        print(f"{name:<10} {quantiles}  CPU {1e6 * cpu / len(taken):4.0f} us each")
    print(f"{'ratio':<10} {p99s['first read'] / p99s['bare read']:.2f} of a bare read at p99")


if __name__ == "__main__":
    main()
