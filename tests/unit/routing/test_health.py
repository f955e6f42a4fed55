"""Stored clips, and the probes that try a recogniser with them."""

import asyncio
import logging

import pytest

from slukh.errors import SttConnectError, SttError, SttProtocolError, SttRequestError
from slukh.routing.breaker import BreakerPolicy
from slukh.routing.breaker_store import Standing
from slukh.routing.health import Canaries, Clip, Heard, Probes, stored_clips
from slukh.routing.upstreams import Limits, Upstreams
from slukh.stt.base import StreamConfig
from slukh.stt.fake import FakeProvider, FakeStream, Script
from slukh.testing.numbered import heard_words, numbered_speech
from slukh.testing.virtual_time import VirtualTimeLoop
from slukh.types import AttemptEnded

QUICK = BreakerPolicy(
    bad_run=1, cool_seconds=(0.01,), probe_gap_seconds=0.0, probes=2, ramp=((0.0, 5), (0.01, 100))
)


class Defective(FakeProvider):
    """Its first streams meet a bug of ours; then it works."""

    def __init__(self, defects: int = 1, *, name: str = "fake") -> None:
        super().__init__(heard_words, name=name)
        self.defects = defects

    async def open(self, config: StreamConfig) -> FakeStream:
        if self.defects:
            self.defects -= 1
            raise KeyError("a bug of ours")
        return await super().open(config)


class Patient:
    """A recogniser that failed a call, and is probed until its breaker has a wanted state."""

    def __init__(self, *scripts: Script, clip: str = "1 2 3", provider: FakeProvider | None = None) -> None:
        self.states: list[str] = []
        self.heard: list[str] = []
        self.changed = asyncio.Event()
        provider = provider or FakeProvider(heard_words, iter(scripts))
        self.upstreams = Upstreams({"fake": provider}, limits=Limits(breaker=QUICK), on_standing=self._stands)
        pcm = numbered_speech([1, 2, 3]).tobytes()
        self.clips = [Clip(language_code="uk-UA", pcm=pcm, text=clip)]
        self.probes = Probes(self.upstreams, self.clips)
        self.probes.on_heard = self._hears

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
        self.upstreams.ended(failed, asyncio.get_running_loop().time())
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


async def test_a_defect_in_a_probe_is_a_failed_probe_in_the_log_and_not_the_last_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    patient = Patient(provider=Defective())
    await patient.until("open", "half_open", "open", "half_open", "recovering", "closed")
    [defect] = [record for record in caplog.records if record.message == "recogniser_defect"]
    assert defect.exc_info is not None


async def test_who_is_told_of_a_probe_does_not_decide_it(caplog: pytest.LogCaptureFixture) -> None:
    def full(_name: str, _heard: Heard) -> None:
        raise OSError("no room for its row")

    patient = Patient()
    patient.probes.on_heard = full
    await patient.until("open", "half_open", "recovering", "closed")
    assert {record.message for record in caplog.records if record.levelno >= logging.ERROR} == {"sink_failed"}


async def test_a_probe_in_a_language_that_it_does_not_take_says_nothing() -> None:
    patient = Patient()
    foreign = Clip(language_code="xx-XX", pcm=b"", text="")
    patient.probes = Probes(patient.upstreams, [foreign, *patient.clips, foreign])
    await patient.until("open", "half_open", "recovering", "closed")
    patient = Patient()
    patient.probes = Probes(patient.upstreams, [foreign, foreign])
    await patient.until("open", "half_open", "open")


class Round:
    """The first round of stored clips, played to recognisers that behave as their scripts say."""

    def __init__(
        self,
        *fakes: FakeProvider,
        languages: tuple[str, ...] = ("uk-UA",),
        interval_seconds: float = 0.0,
    ) -> None:
        self.heard: list[tuple[str, str]] = []
        self.failed: list[tuple[str, str]] = []
        self.canaries = Canaries(
            {fake.name: fake for fake in fakes},
            languages=languages,
            interval_seconds=interval_seconds,
            on_heard=lambda name, heard: self.heard.append((name, heard.clip.language_code)),
            on_failed=lambda name, error: self.failed.append((name, error.error_type)),
        )

    def deaf(self) -> str | None:
        return self.canaries.deaf

    def played(self, *, seconds: float = 1.0) -> SttError | None:
        """The error that ended it; None when it goes on looking, or is over."""

        async def first_seconds() -> BaseException | None:
            running = asyncio.create_task(self.canaries.run())
            await asyncio.wait({running}, timeout=seconds)
            error = running.exception() if running.done() else None
            running.cancel()
            return error

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            error = runner.run(first_seconds())
        assert error is None or isinstance(error, SttError)
        return error


def fails(name: str, *errors: SttError) -> FakeProvider:
    return FakeProvider(heard_words, iter([Script(open_error=error) for error in errors]), name=name)


HTML = SttProtocolError("web", "HTML")
GONE = SttConnectError("gone", "refused")


def test_no_recogniser_is_said_to_hear_before_it_has_heard_a_clip() -> None:
    first = Round(fails("fake"))
    assert first.deaf() == "no stored clip has been heard yet"
    assert first.played() is None
    assert first.deaf() is None
    assert first.heard == [("fake", "uk-UA"), ("fake", "ru-RU")]


def test_one_that_hears_is_enough_and_a_failing_one_is_told() -> None:
    first = Round(fails("gone", GONE, GONE), fails("works"))
    assert first.played() is None
    assert first.deaf() is None
    assert first.failed == [("gone", "connect")] * 2


def test_a_defect_in_a_recogniser_is_a_clip_that_failed_and_the_rounds_go_on() -> None:
    first = Round(Defective(2, name="broken"), fails("works"))
    assert first.played(seconds=11.0) is None
    assert first.failed == [("broken", "stream")] * 2
    assert first.heard[-1] == ("broken", "ru-RU")


@pytest.mark.parametrize("first_works", [True, False])
def test_who_heard_one_of_the_clips_works_whichever_it_was(first_works: bool) -> None:
    scripts = [Script(), Script(open_error=GONE)]
    fake = FakeProvider(heard_words, iter(scripts if first_works else scripts[::-1]))
    first = Round(fake, languages=("uk-UA", "ru-RU"))
    assert first.played() is None
    assert first.deaf() is None
    assert first.failed == [("fake", "connect")]


@pytest.mark.parametrize("errors", [(HTML, GONE), (GONE, HTML)])
def test_who_failed_in_two_ways_is_waited_for_when_one_of_them_may_pass(errors: tuple[SttError, ...]) -> None:
    first = Round(fails("fake", *errors))
    assert first.played() is None
    assert first.deaf() == str(GONE)


def test_when_nobody_is_set_up_as_he_should_be_the_gateway_learns_it() -> None:
    first = Round(fails("web", HTML, HTML))
    assert first.played() is HTML
    assert first.deaf() == "web: HTML"


def test_who_may_come_back_is_waited_for() -> None:
    first = Round(fails("web", HTML, HTML), fails("gone", GONE, GONE))
    assert first.played() is None
    assert first.deaf() == "web: HTML; gone: refused"


def test_who_failed_is_asked_again_alone_until_the_next_round() -> None:
    rounds = Round(fails("gone", *[GONE] * 4), fails("works"), interval_seconds=25.0)
    assert rounds.played(seconds=22.0) is None  # at 0, 10 and 20 s
    assert rounds.failed == [("gone", "connect")] * 4
    assert rounds.heard == [("works", "uk-UA"), ("works", "ru-RU"), ("gone", "uk-UA"), ("gone", "ru-RU")]
    later = Round(fails("gone", *[GONE] * 9), fails("works"), interval_seconds=25.0)
    assert later.played(seconds=26.0) is None
    assert later.heard == [("works", "uk-UA"), ("works", "ru-RU")] * 2


def test_a_language_that_no_call_has_may_be_refused() -> None:
    refused = SttRequestError("fake", "400")
    first = Round(fails("fake", refused, refused), languages=("en-US",))
    assert first.played() is None
    assert first.deaf() is None
    asked = Round(fails("fake", refused), languages=("uk-UA",))
    assert asked.played() is None
    assert asked.heard == [("fake", "ru-RU")]


def test_there_is_a_clip_for_each_language_of_the_callers() -> None:
    assert [clip.language_code for clip in stored_clips()] == ["uk-UA", "ru-RU"]
    assert all(len(clip.text.split()) >= 5 and len(clip.pcm) > 2 * 16_000 for clip in stored_clips())
