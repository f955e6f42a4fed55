"""The fault table: what a caller loses when a recogniser fails, measured on the real gateway.

Calls of numbered words come in over AudioSocket at the pace of speech, many at a time. All of them say a few
words that are heard in peace; then one of the two recognisers fails, and they say eight words (2.9 s), each
beginning at a moment of its own. The recognisers are the real clients on real sockets: Google's official one
against a local Google, Whisper's over HTTP against a fake server (or in a child process), the failing one
behind a fault proxy.

    detection   the fault until the Attempt it hit has ended
    switch      the fault until the first words published after that

A fault that is there before anybody speaks is counted from the moment it can be felt: Google is asked when
speech starts, Whisper at our endpoint. With Whisper as the backup the switch includes the rest of what the
caller has to say.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from random import Random

from slukh.assembly.parts import Parts
from slukh.errors import ServiceError
from slukh.routing.attempts import AttemptPolicy
from slukh.routing.upstreams import Upstreams
from slukh.speech.segmenter import Endpointing
from slukh.speech.vad import EnergyDetector
from slukh.stt.base import SttProvider
from slukh.stt.google import GoogleProvider
from slukh.stt.google_channel import GoogleLink
from slukh.stt.google_requests import GoogleModel
from slukh.stt.whisper.decoding import Decoder, DecodeRequest
from slukh.stt.whisper.http import HttpDecoder
from slukh.stt.whisper.local import LocalDecoder
from slukh.stt.whisper.provider import WhisperProvider
from slukh.testing.failover_calls import PacedCall, PacedCalls
from slukh.testing.failover_faults import FAULTS, Bench, Fault, servers
from slukh.testing.failover_rows import Report, Trial, row_of
from slukh.testing.gateways import loopback_gateway
from slukh.testing.numbered import heard_numbers
from slukh.testing.numbered_worker import DECODE_SECONDS
from slukh.testing.sabotage import SabotagedDecoder

AT_A_TIME = 25
WARM_UP = range(90, 100)  # words of the utterance before the fault
WORDS = range(AT_A_TIME, 90)  # of the utterance that is hit; its first one, below these, names the call
UTTERANCE_WORDS = 8
EARLIEST, LATEST = 0.4, 2.8  # seconds into the utterance, of a fault that strikes all at once
_WARM_UP_SECONDS, _LONGEST_SECONDS = 20.0, 60.0


async def measure(
    trials: int, *, faults: Sequence[Fault] = FAULTS, seed: int = 1, advance: Callable[[int], None]
) -> Report:
    """So many trials of each fault, 25 calls at a time.

    Args:
        trials: of each fault.
        faults: in the order of the rows.
        seed: of the moments.
        advance: told how many trials are done, as they are.

    Raises:
        ServiceError: a package of the fakes is not installed.
    """
    for package in ("ctranslate2", "grpc", "python_multipart"):
        if find_spec(package) is None:
            raise ServiceError(
                f"the fakes need {package}, which is not installed",
                remedy="pip install 'slukh[dev,google,whisper]'",
            )
    rows = []
    for fault in faults:
        rng = Random(f"{seed} {fault.name} {fault.direction}")  # noqa: S311  # no secret
        done: list[Trial] = []
        while len(done) < trials:
            batch = await _batch(fault, min(AT_A_TIME, trials - len(done)), rng)
            done += batch
            advance(len(batch))
        rows.append(row_of(fault, done))
    return Report(rows=tuple(rows))


async def _batch(fault: Fault, calls: int, rng: Random) -> list[Trial]:
    """Calls that are on the line at the same time, hit by the same fault."""
    everybody = PacedCalls(calls)
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            _recognisers(fault, rng) as rig,
            loopback_gateway(rig.parts(), Path(folder), [everybody]) as gateway,
            everybody.on_the_line(gateway.port),
        ):
            for call in everybody.calls.values():
                call.say(rng.sample(WARM_UP, 2))
            await everybody.until_quiet(1, _WARM_UP_SECONDS)
            armed_at = time.monotonic()
            await rig.bench.arm(fault)
            for number, call in enumerate(everybody.calls.values()):
                into = rng.uniform(EARLIEST, LATEST)
                loop.call_later(LATEST - into, call.say, [number, *rng.sample(WORDS, UTTERANCE_WORDS - 1)])
            await asyncio.sleep(LATEST)
            struck_at = time.monotonic()
            if fault.strike is not None:
                await fault.strike(rig.bench)
            await everybody.until_quiet(2, _LONGEST_SECONDS)
            return [rig.trial(call, armed_at, struck_at) for call in everybody.calls.values()]


class _Rig:
    """The recognisers of one batch and what is known of their failing."""

    def __init__(
        self, fault: Fault, bench: Bench, providers: Sequence[SttProvider], child: SabotagedDecoder | None
    ) -> None:
        self.fault = fault
        self.bench = bench
        self._providers = {provider.name: provider for provider in providers}
        self._child = child

    def parts(self) -> Parts:
        """Of the gateway, as the settings' defaults make them."""
        return Parts(
            detector=EnergyDetector,
            upstreams=Upstreams(self._providers),
            endpointing=Endpointing(),
            policy=AttemptPolicy(),
            language_code="uk-UA",
        )

    def trial(self, call: PacedCall, armed_at: float, struck_at: float) -> Trial:
        """What became of a call."""
        lost, doubled = call.words()
        detection = switch = None
        primary = next(iter(self._providers))
        if (failure := call.failure(armed_at, primary)) is not None:
            failed_at, ended = failure
            began = self._moment(call, ended.utterance_id, failed_at, struck_at)
            detection = (failed_at - began) * 1000
            switch = next(
                ((at - began) * 1000 for at, text in call.transcripts(ended.utterance_id) if at >= failed_at),
                None,
            )
        return Trial(
            words_lost=lost,
            words_doubled=doubled,
            has_ended=call.has_ended,
            detection_ms=detection,
            switch_ms=switch,
        )

    def _moment(self, call: PacedCall, utterance_id: int, failed_at: float, struck_at: float) -> float:
        """When a call could first feel the fault, monotonic seconds."""
        match self.fault.moment:
            case "speech":
                return call.speech_started(utterance_id)
            case "endpoint":
                return call.endpoint(utterance_id)
            case "strike":
                return struck_at
            case "kill":
                assert self._child is not None
                kills = (at for at in self._child.killed_at if at <= failed_at)
                return max(kills, default=call.endpoint(utterance_id))
            case "script":
                name = call.said[-UTTERANCE_WORDS]
                failures = (
                    stream.failed_at
                    for stream in self.bench.google.streams
                    if stream.failed_at is not None and heard_numbers(bytes(stream.audio))[:1] == [name]
                )
                return next(failures, call.speech_started(utterance_id))


@asynccontextmanager
async def _recognisers(fault: Fault, rng: Random) -> AsyncIterator[_Rig]:
    """Both recognisers, the failing one first."""
    async with servers(fault, rng) as bench:

        def when(request: DecodeRequest) -> float | None:
            is_due = bench.is_armed and request.kind != "interim"
            return rng.uniform(0, DECODE_SECONDS) if is_due else None

        child: SabotagedDecoder | None = None
        decoder: Decoder = HttpDecoder(bench.whisper_url)
        if fault.kills:
            local = LocalDecoder(Path(), workers=8, program="slukh.testing.numbered_worker")
            decoder = child = SabotagedDecoder(local, when)
        providers: list[SttProvider] = [
            GoogleProvider(GoogleModel(project_id="bench"), GoogleLink(endpoint=bench.google_endpoint)),
            WhisperProvider(decoder, model="numbered"),
        ]
        if fault.direction == "whisper->google":
            providers.reverse()
        yield _Rig(fault, bench, providers, child)
