"""Stored clips, and the probes that try a recogniser with them."""

import asyncio
from dataclasses import replace

import pytest

from slukh.errors import SttConnectError, SttError
from slukh.routing.breaker import BreakerPolicy
from slukh.routing.breaker_store import Standing
from slukh.routing.health import Canaries, Clip, Heard, Probes, stored_clips
from slukh.routing.upstreams import Limits, Upstreams
from slukh.stt.fake import FakeProvider, Script
from slukh.testing.numbered import heard_words, numbered_speech
from slukh.types import AttemptEnded

QUICK = BreakerPolicy(
    bad_run=1, cool_seconds=(0.01,), probe_gap_seconds=0.0, probes=2, ramp=((0.0, 5), (0.01, 100))
)


class Patient:
    """A recogniser that failed a call, and is probed until its breaker has a wanted state."""

    def __init__(self, *scripts: Script, clip: str = "1 2 3") -> None:
        self.states: list[str] = []
        self.heard: list[str] = []
        self.changed = asyncio.Event()
        provider = FakeProvider(heard_words, iter(scripts))
        self.upstreams = Upstreams({"fake": provider}, limits=Limits(breaker=QUICK), on_standing=self._stands)
        pcm = numbered_speech([1, 2, 3]).tobytes()
        self.clips = [Clip(language_code="uk-UA", pcm=pcm, text=clip)]
        self.probes = Probes(self.upstreams, self.clips, on_heard=self._hears)

    def _hears(self, name: str, heard: Heard) -> None:
        self.heard.append(f"{name}: {heard.text}")

    def _stands(self, _name: str, standing: Standing) -> None:
        self.states.append(standing.state)
        self.changed.set()

    async def until(self, *states: str) -> None:
        failed = AttemptEnded(
            utterance_id=1, attempt=1, provider="fake", model="m", purpose="serve", outcome="connect",
            audio_samples=0,
        )  # fmt: skip
        self.upstreams.ended(failed, asyncio.get_running_loop().time(), was_outrun=False)
        running = asyncio.create_task(self.probes.run())
        try:
            async with asyncio.timeout(20):
                while tuple(self.states[: len(states)]) != states:
                    self.changed.clear()
                    await self.changed.wait()
        finally:
            running.cancel()


async def test_a_recogniser_that_hears_its_probes_gets_calls_again() -> None:
    patient = Patient()
    await patient.until("open", "half_open", "recovering", "closed")
    assert patient.heard == ["fake: 1 2 3"] * 2


async def test_a_probe_that_fails_or_hears_other_words_keeps_calls_away() -> None:
    await Patient(Script(open_error=SttConnectError("fake", "refused"))).until("open", "half_open", "open")
    await Patient(clip="7 8 9").until("open", "half_open", "open")


async def test_a_probe_in_a_language_that_it_does_not_take_says_nothing() -> None:
    patient = Patient()
    foreign = Clip(language_code="xx-XX", pcm=b"", text="")
    patient.probes = Probes(patient.upstreams, [foreign, *patient.clips, foreign])
    await patient.until("open", "half_open", "recovering", "closed")
    patient = Patient()
    patient.probes = Probes(patient.upstreams, [foreign, foreign])
    await patient.until("open", "half_open", "open")


@pytest.mark.parametrize(
    ("languages", "fails"), [(("uk-UA", "ru-RU"), False), (("uk-UA",), False), ((), True)]
)
async def test_a_canary_fails_when_it_takes_the_language_of_no_clip(
    languages: tuple[str, ...], fails: bool
) -> None:
    provider = FakeProvider(heard_words)
    provider.capabilities = replace(provider.capabilities, languages=frozenset(languages))
    heard: list[str] = []

    def failed(_name: str, _error: SttError) -> None:
        rounds.cancel()  # else it tries again

    canaries = Canaries(
        {"fake": provider},
        interval_seconds=0,
        on_heard=lambda _name, clip: heard.append(clip.clip.language_code),
        on_failed=failed,
    )
    rounds = asyncio.create_task(canaries.run())
    await asyncio.wait([rounds], timeout=20)
    assert heard == list(languages)
    assert bool(canaries.failing) is (not languages)


def test_there_is_a_clip_for_each_language_of_the_callers() -> None:
    assert [clip.language_code for clip in stored_clips()] == ["uk-UA", "ru-RU"]
    assert all(len(clip.text.split()) >= 5 and len(clip.pcm) > 2 * 16_000 for clip in stored_clips())
