"""A gateway whose Whisper goes bad in service: its share is taken back, calls go on, and files tell why."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from itertools import chain, cycle, repeat
from pathlib import Path
from uuid import uuid4

import pytest

from slukh.errors import SttStreamError
from slukh.experiment.evidence import RampRow
from slukh.experiment.guardrails import Bounds
from slukh.monitoring.metrics import Metrics
from slukh.routing.breaker import BreakerPolicy
from slukh.routing.choosing import BackupRules, Chooser
from slukh.routing.live_flags import LiveFlags
from slukh.routing.share_files import RollbackFile, write_share
from slukh.routing.upstreams import Limits, Upstreams
from slukh.serving.guarding import Guard
from slukh.stt.fake import WORKS, FakeProvider, Script
from slukh.testing.calls import Caller
from slukh.testing.gateways import Calls, LoopbackGateway, loopback_gateway
from slukh.testing.numbered import heard_words, numbered_speech, silence
from slukh.testing.parts import fake_parts

BREAKS = Script(error=SttStreamError("whisper", "reset"), error_after_seconds=0.4)
HEARD = ["1 2", "3 4"]
# The breaker would keep all calls away after some seconds, and here nothing probes its way back.
NEVER_OPENS = BreakerPolicy(bad_run=10**9, bad_share=2.0, slow_share=2.0)
ENVIRONMENT = {"FF_WHISPER_ROLLOUT_PERCENT": "50"}


@dataclass
class Service:
    """A gateway with a rollout, and what became of its calls."""

    gateway: LoopbackGateway
    calls: Calls
    flags: LiveFlags
    guard: Guard
    ramps: list[RampRow]
    metrics: Metrics

    async def take(self, count: int) -> None:
        """So many calls at once, of two utterances each; then a look, as `slukh serve` has every second."""
        over = self.calls.outcomes.total()

        async def call() -> None:
            async with Caller(self.gateway.port, str(uuid4())) as caller:
                pause = silence(0.7)
                await caller.say([numbered_speech([1, 2]), pause, numbered_speech([3, 4]), pause])
                await caller.hang_up()

        await asyncio.gather(*(call() for _ in range(count)))
        await self.calls.until_over(over + count)
        self.flags.reload()
        self.guard.look()

    @property
    def page(self) -> str:
        return self.metrics.render()[0].decode()


@contextlib.asynccontextmanager
async def in_service(
    folder: Path, whisper: Iterator[Script], flag_file: Path | None
) -> AsyncIterator[Service]:
    flags = LiveFlags(
        flag_file, ENVIRONMENT, RollbackFile(folder / "rollback.json"), caller_hash=lambda _number: "0" * 16
    )
    ramps: list[RampRow] = []
    metrics, calls = Metrics(providers=("google", "whisper")), Calls()
    guard = Guard(flags, Bounds(), metrics, ramps.append)
    upstreams = Upstreams(
        {
            "google": FakeProvider(heard_words, name="google"),
            "whisper": FakeProvider(heard_words, whisper, name="whisper"),
        },
        limits=Limits(breaker=NEVER_OPENS),
    )
    chooser = Chooser(lambda: flags.flags, BackupRules(fallback=("google", "whisper")))
    parts = replace(fake_parts(), upstreams=upstreams, chooser=chooser, flags=flags)
    async with loopback_gateway(parts, folder, (guard, calls)) as gateway:
        yield Service(gateway=gateway, calls=calls, flags=flags, guard=guard, ramps=ramps, metrics=metrics)


def goes_bad(after: int) -> Iterator[Script]:
    """Every second utterance breaks from then on."""
    return chain(repeat(WORKS, after), cycle((BREAKS, WORKS)))


async def until_rolled_back(service: Service) -> int:
    """How many calls it took."""
    taken = 0
    while service.flags.flags.share:
        assert taken < 120, "never rolled back"
        await service.take(6)
        taken += 6
    return taken


async def test_a_whisper_that_fails_on_half_of_its_utterances_gets_no_more_calls(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "flags.json"
    path.write_text(json.dumps({"version": 7, "weights": {"google": 50, "whisper": 50}, "salt": "s"}))
    async with in_service(tmp_path, goes_bad(after=20), path) as service:
        with caplog.at_level(logging.INFO):
            await until_rolled_back(service)
        told = json.loads(path.read_text())
        assert (told["version"], told["weights"], told["salt"]) == (8, {"google": 100, "whisper": 0}, "s")
        reason = told["rolled_back"]["reason"]
        assert reason.startswith("guardrail: errors: ")
        assert told["rolled_back"]["from_percent"] == 50
        # No caller lost a word by it, before or after.
        before = service.calls.outcomes.total()
        await service.take(6)
        outcomes = service.calls.outcomes
        assert outcomes.total() == before + 6
        assert all((how, sorted(finals)) == ("hangup", HEARD) for how, finals in outcomes)
        assert service.calls.salvaged == 0
        (row,) = service.ramps
        assert (row.from_percent, row.to_percent, row.decision, row.flag_number) == (50, 0, "ROLL BACK", 8)
        assert row.override == reason
        (line,) = (record for record in caplog.records if record.message == "rolled_back")
        assert line.__dict__["guardrail"] == "errors"
        assert line.__dict__["share"] > 0.1
        assert "rollout_rolled_back 1.0" in service.page
        assert 'rollout_rollbacks_total{reason="errors"} 1.0' in service.page


async def test_a_person_ramps_again_and_what_was_seen_before_counts_no_more(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    path.write_text(json.dumps({"version": 1, "weights": {"google": 50, "whisper": 50}}))
    mended = asyncio.Event()
    scripts = (WORKS if mended.is_set() else BREAKS for _ in repeat(None))
    async with in_service(tmp_path, scripts, path) as service:
        await until_rolled_back(service)
        mended.set()
        write_share(path, 50)
        for _ in range(3):
            await service.take(6)
        assert service.flags.flags.share == 50
        assert service.flags.flags.rolled_back is None
        assert len(service.ramps) == 1
        assert "rollout_rolled_back 0.0" in service.page


async def test_without_a_flag_file_it_stays_rolled_back_over_a_restart(tmp_path: Path) -> None:
    async with in_service(tmp_path, repeat(BREAKS), None) as service:
        await until_rolled_back(service)
        assert service.ramps[0].flag_number == 0
    folder = tmp_path / "again"
    folder.mkdir()
    (tmp_path / "rollback.json").rename(folder / "rollback.json")
    async with in_service(folder, repeat(WORKS), None) as service:
        await service.take(6)
        assert service.flags.flags.share == 0
        assert "rollout_rolled_back 1.0" in service.page
        RollbackFile(folder / "rollback.json").remove()  # as `slukh ab ramp` does
        await service.take(6)
        assert service.flags.flags.share == 50
