"""The same faults against other people's switches, in an environment of their own.

Each rival runs in a process of its own, in real time, with its own plug-ins as members, once with its
defaults and once with the settings under which it does best. What it hears after 15 s counts as lost.

They keep one stream of Google's open for the whole call. A fault that a stream has from its beginning is
therefore there when the call begins, and the call has no utterance in peace before it.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import platformdirs

from slukh.errors import ServiceError
from slukh.testing.failover import (
    EARLIEST,
    LATEST,
    UTTERANCE_WORDS,
    WARM_UP,
    WORDS,
)
from slukh.testing.failover_faults import Bench, Fault, servers
from slukh.testing.failover_rows import RivalRow, Trial, row_of
from slukh.testing.numbered import PAUSE_MS, WORD_MS, heard_numbers, numbered_speech, silence

TRIALS = 10
_AT_A_TIME = 3  # batches
_WAIT_SECONDS = 15.0  # then a trial is censored
_WARM_UP_AT, _ARMED_AT = 0.4, 3.5  # seconds into a batch
_ENDPOINT_SECONDS = 0.5
_UTTERANCE_SECONDS = UTTERANCE_WORDS * (WORD_MS + PAUSE_MS) / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A switch of somebody else's.

    Attributes:
        name: its class.
        program: beside this file; runs a batch of calls.
        version: of its packages.
        packages: to be installed.
        settings: its arguments, the defaults first.
    """

    name: str
    program: str
    version: str
    packages: tuple[str, ...]
    settings: tuple[Mapping[str, float], ...]


RIVALS: tuple[Rival, ...] = (
    Rival(
        name="livekit.agents.stt.FallbackAdapter",
        program="rival_livekit.py",
        version="1.8.9",
        packages=(
            "livekit-agents==1.8.9",
            "livekit-plugins-google==1.8.9",
            "livekit-plugins-openai==1.8.9",
        ),
        # A dead member is tried once: tried again it swallows twice the audio.
        settings=({}, {"attempt_timeout": 2.0, "max_retry_per_stt": 0}),
    ),
    Rival(
        name="pipecat.pipeline.service_switcher.ServiceSwitcherStrategyFailover",
        program="rival_pipecat.py",
        version="1.14.0",
        packages=("pipecat-ai[google,openai]==1.14.0",),
        # It has no arguments: a strategy of one's own is what its documentation suggests.
        settings=({}, {"switches_on_any_error": 1}),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contest:
    """One rival with one of its settings against one fault."""

    rival: Rival
    python: Path
    settings: Mapping[str, float]
    fault: Fault


@dataclass(slots=True)
class _Call:
    """What a rival was told and what it said, with the monotonic seconds."""

    warm_up: list[int]
    words: list[int]
    begins_at: float  # seconds into the batch
    heard: list[tuple[float, str, str]] = field(default_factory=list)

    @property
    def audio(self) -> bytes:
        lead = [silence(_WARM_UP_AT)]
        if self.warm_up:
            lead.append(numbered_speech(self.warm_up))
        wait = silence(self.begins_at - sum(map(len, lead)) / 8000)
        rest = silence(_ARMED_AT + LATEST + _UTTERANCE_SECONDS + _WAIT_SECONDS - self.begins_at)
        return np.concatenate([*lead, wait, numbered_speech(self.words), rest]).tobytes()

    def finals(self) -> Counter[str]:
        texts = (text for _, kind, text in self.heard if kind == "final")
        return Counter(word for text in texts for word in text.split())

    def lost_and_doubled(self) -> tuple[int, int]:
        said, heard = Counter(map(str, self.warm_up + self.words)), self.finals()
        return (said - heard).total(), (heard - said).total()

    def first(self, wanted: str, since: float) -> float | None:
        return next((at for at, kind, _ in self.heard if kind == wanted and at >= since), None)

    def first_words(self, kinds: Sequence[str], since: float) -> float | None:
        spoken = (at for at, kind, text in self.heard if kind in kinds and text.strip() and at >= since)
        return next(spoken, None)


def rival_trials(faults: Sequence[Fault]) -> int:
    """How many trials `measure_rivals` makes."""
    settings = sum(len(rival.settings) for rival in RIVALS)
    return TRIALS * settings * sum(not fault.kills for fault in faults)


async def measure_rivals(
    faults: Sequence[Fault], *, seed: int = 1, advance: Callable[[int], None]
) -> tuple[RivalRow, ...]:
    """`TRIALS` of each fault against each rival with each of its settings.

    Raises:
        ServiceError: its packages cannot be installed.
    """
    contests = []
    for rival in RIVALS:
        python = await asyncio.to_thread(_environment, rival)
        contests += [
            _Contest(rival=rival, python=python, settings=settings, fault=fault)
            for settings in rival.settings
            for fault in faults
            if not fault.kills  # a child of ours
        ]
    room = asyncio.Semaphore(_AT_A_TIME)

    async def run(contest: _Contest) -> RivalRow:
        async with room:
            name = f"{seed} {contest.fault.name} {contest.fault.direction}"
            done = await _batch(contest, Random(name))  # noqa: S311  # no secret
        advance(TRIALS)
        return RivalRow(
            rival=contest.rival.name,
            version=contest.rival.version,
            settings=json.dumps(contest.settings) if contest.settings else "defaults",
            censored=sum((trial.switch_ms or 0) >= _WAIT_SECONDS * 1000 for trial in done),
            row=row_of(contest.fault, done),
        )

    return tuple(await asyncio.gather(*(run(contest) for contest in contests)))


def _environment(rival: Rival) -> Path:
    """The Python that has a rival's packages; made the first time."""
    folder = Path(platformdirs.user_cache_dir("slukh")) / "rivals" / f"{rival.program}-{rival.version}"
    python, made = folder / "bin" / "python", folder / "made"
    if not made.exists():
        venv.create(folder, clear=True, with_pip=True)
        quiet = ("--quiet", "--disable-pip-version-check")
        try:
            subprocess.run(  # noqa: S603  # our own arguments
                [python, "-m", "pip", "install", *quiet, *rival.packages],
                check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr,
            )  # fmt: skip
        except subprocess.CalledProcessError as error:
            raise ServiceError(
                f"{' '.join(rival.packages)} cannot be installed", remedy="leave out --rivals"
            ) from error
        made.touch()
    return python


async def _batch(contest: _Contest, rng: Random) -> list[Trial]:
    fault = contest.fault
    calls = [_call(number, fault, rng) for number in range(TRIALS)]
    async with servers(fault, rng) as bench:
        if fault.is_of_streams:
            await bench.arm(fault)
        async with _playing(contest, bench, calls) as began:
            if not fault.is_of_streams:
                await asyncio.sleep(began + _ARMED_AT - time.monotonic())
                await bench.arm(fault)
            await asyncio.sleep(began + _ARMED_AT + LATEST - time.monotonic())
            struck_at = time.monotonic()
            if fault.strike is not None:
                await fault.strike(bench)
            last = max(call.begins_at for call in calls) + _UTTERANCE_SECONDS + _ENDPOINT_SECONDS
            while time.monotonic() < began + last + _WAIT_SECONDS:
                if all(call.lost_and_doubled() == (0, 0) for call in calls):
                    break
                await asyncio.sleep(0.1)
            return [_trial(call, fault, _felt_at(call, fault, bench, began, struck_at)) for call in calls]


def _call(number: int, fault: Fault, rng: Random) -> _Call:
    words = [number, *rng.sample(WORDS, UTTERANCE_WORDS - 1)]
    if fault.is_of_streams:
        return _Call(warm_up=[], words=words, begins_at=_WARM_UP_AT)
    begins_at = _ARMED_AT + LATEST - rng.uniform(EARLIEST, LATEST)
    return _Call(warm_up=rng.sample(WARM_UP, 2), words=words, begins_at=begins_at)


@asynccontextmanager
async def _playing(contest: _Contest, bench: Bench, calls: Sequence[_Call]) -> AsyncIterator[float]:
    """The rival hears the calls; when they began."""
    program = Path(__file__).parent / contest.rival.program
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.pcm" for number in range(len(calls))]
        for path, call in zip(paths, calls, strict=True):
            path.write_bytes(call.audio)
        # -P: else what stands beside the program (google.py) would be imported in place of packages.
        process = await asyncio.create_subprocess_exec(
            contest.python, "-P", program,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        asked: dict[str, Any] = {
            "google": bench.google_endpoint, "whisper": bench.whisper_url,
            "direction": contest.fault.direction, "settings": dict(contest.settings),
            "audio": [str(path) for path in paths],
        }  # fmt: skip
        process.stdin.write(json.dumps(asked).encode())
        process.stdin.close()
        first = await process.stdout.readline()
        if not first:
            raise ServiceError(f"{program.name} does not run", remedy="leave out --rivals")
        reading = asyncio.create_task(_read(process.stdout, calls))
        try:
            yield json.loads(first)["at"]
        finally:
            reading.cancel()
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _read(lines: asyncio.StreamReader, calls: Sequence[_Call]) -> None:
    while line := await lines.readline():
        told = json.loads(line)
        calls[told["call"]].heard.append((told["at"], told["kind"], told["text"]))


def _felt_at(call: _Call, fault: Fault, bench: Bench, began: float, struck_at: float) -> float:
    """When a call could first feel the fault."""
    speech_at = began + call.begins_at
    match fault.moment:
        case "strike":
            return struck_at
        case "endpoint":
            return speech_at + _UTTERANCE_SECONDS + _ENDPOINT_SECONDS
        case "script":
            failures = (
                stream.failed_at
                for stream in bench.google.streams
                if stream.failed_at is not None and call.words[0] in heard_numbers(bytes(stream.audio))
            )
            return next(failures, speech_at)
        case _:
            return speech_at


def _trial(call: _Call, fault: Fault, felt_at: float) -> Trial:
    lost, doubled = call.lost_and_doubled()
    # An interim after the caller has finished says nothing of a final that is late or never comes.
    kinds = ["final"] if fault.moment == "endpoint" else ["final", "interim"]
    noticed, spoke = call.first("unavailable", felt_at), call.first_words(kinds, felt_at)
    if spoke is None and lost:
        spoke = felt_at + _WAIT_SECONDS
    return Trial(
        words_lost=lost,
        words_doubled=doubled,
        has_ended=call.first("ended", 0.0) is not None,
        detection_ms=None if noticed is None else (noticed - felt_at) * 1000,
        switch_ms=None if spoke is None else min(_WAIT_SECONDS, spoke - felt_at) * 1000,
    )
