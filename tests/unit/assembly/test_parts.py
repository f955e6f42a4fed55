"""Settings into parts."""

import asyncio
from dataclasses import replace

import pytest
from tests.unit.routing.test_pool import Unclosable

from slukh.assembly.parts import build_parts
from slukh.errors import SttAuthenticationError, SttConnectError, SttError
from slukh.routing.health import Probes, stored_clips
from slukh.routing.upstreams import Upstreams
from slukh.settings.config import load_all
from slukh.stt.fake import FakeProvider
from slukh.stt.whisper.local import LocalDecoder
from slukh.stt.whisper.provider import WhisperProvider
from slukh.testing.numbered import heard_words
from slukh.testing.parts import fake_parts
from slukh.testing.virtual_time import VirtualTimeLoop
from slukh.types import AttemptEnded


class Away(FakeProvider):
    """Cannot be reached so often, and remembers when it was tried."""

    def __init__(self, *errors: SttError) -> None:
        super().__init__(heard_words, name="away")
        self.errors = list(errors)
        self.tried: list[float] = []

    async def start(self) -> None:
        self.tried.append(asyncio.get_running_loop().time())
        if self.errors:
            raise self.errors.pop(0)


def tried(*errors: SttError) -> list[float]:
    """When it was tried in the first minute, beside a recogniser that works."""
    away = Away(*errors)
    parts = replace(
        fake_parts(), upstreams=Upstreams({"away": away, "works": FakeProvider(heard_words, name="works")})
    )

    async def first_minute() -> None:
        await parts.start()
        await asyncio.sleep(60.0)
        await parts.aclose()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(first_minute())
    return away.tried


def test_a_recogniser_that_is_away_at_the_start_is_started_when_it_is_there() -> None:
    gone = SttConnectError("away", "refused")
    assert tried(gone, gone, gone) == [0.0, 5.0, 10.0, 15.0]
    assert tried(gone, SttAuthenticationError("away", "wrong key")) == [0.0, 5.0]
    assert len(tried(*[gone] * 99)) == 12


KEY = SttAuthenticationError("away", "wrong key")


def test_a_recogniser_that_is_set_up_wrongly_gets_no_calls_and_keeps_no_other_from_them() -> None:
    away = Away(KEY, KEY)
    upstreams = Upstreams({"away": away, "works": FakeProvider(heard_words, name="works")})
    parts = replace(fake_parts(), upstreams=upstreams)

    async def three_minutes() -> None:
        await parts.start()
        assert [c.name for c in upstreams.candidates(("away", "works"), "1", 0.0)] == ["works"]
        assert upstreams.breakers["away"].standing.is_permanent
        assert list(parts.kept_away()) == ["away"]
        await asyncio.sleep(180.0)
        await parts.aclose()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(three_minutes())
    assert away.tried == [0.0, 60.0, 120.0], "until somebody mended it"


async def test_recognisers_that_are_all_set_up_wrongly_are_named_with_what_to_do() -> None:
    upstreams = Upstreams({"whisper": Away(KEY), "google": Away(SttConnectError("google", "no network"))})
    with pytest.raises(SttConnectError, match=r"whisper: wrong key; google: no network") as refused:
        await replace(fake_parts(), upstreams=upstreams).start()
    assert "WHISPER_API_KEY" in refused.value.remedy
    assert "GOOGLE_STT_LOCATION" in refused.value.remedy


def test_a_gateway_waits_for_its_only_recogniser_and_nobody_else_does() -> None:
    gone = SttConnectError("away", "refused")

    async def first_minute(away: Away, *, may_be_away: bool) -> list[float]:
        parts = replace(fake_parts(), upstreams=Upstreams({"away": away}))
        await parts.start(may_be_away=may_be_away)
        await asyncio.sleep(60.0)
        await parts.aclose()
        return away.tried

    def run(away: Away, *, may_be_away: bool) -> list[float]:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            return runner.run(first_minute(away, may_be_away=may_be_away))

    assert run(Away(gone, gone), may_be_away=True) == [0.0, 5.0, 10.0]
    with pytest.raises(SttConnectError):
        run(Away(gone), may_be_away=False)
    with pytest.raises(SttAuthenticationError):
        run(Away(KEY), may_be_away=True)


def test_a_recogniser_that_failed_gets_calls_again_wherever_the_parts_are_used() -> None:
    words = " ".join(clip.text for clip in stored_clips()).split()
    upstreams = Upstreams({"fake": FakeProvider(lambda _pcm: words)})
    parts = replace(fake_parts(), upstreams=upstreams, probes=Probes(upstreams))
    failed = AttemptEnded(
        utterance_id=1, attempt=1, provider="fake", model="m", purpose="serve", outcome="connect",
        audio_samples=0,
    )  # fmt: skip

    async def first_minute() -> None:
        await parts.start()
        for _ in range(5):
            upstreams.ended(failed, 0.0)
        failing = [upstreams.breakers["fake"].is_failing]
        await asyncio.sleep(60.0)
        assert [*failing, upstreams.breakers["fake"].is_failing] == [True, False]
        await parts.aclose()
        assert all(task.done() for task in parts.background)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(first_minute())


async def test_all_recognisers_are_closed_whatever_one_of_them_raises() -> None:
    both = {"google": Unclosable(), "whisper": Unclosable()}
    parts = replace(fake_parts(), upstreams=Upstreams(both))
    with pytest.raises(OSError, match="it did not go"):
        await parts.aclose()
    assert [provider.is_closed for provider in both.values()] == [True, True]


def test_the_parts_of_the_settings_have_probes() -> None:
    assert build_parts(load_all(provider="whisper")).probes is not None


def test_restarts_of_the_local_whisper_are_told() -> None:
    parts = build_parts(load_all(provider="whisper"))
    told: list[str] = []
    parts.tell_restarts(lambda: told.append("restart"))
    whisper = parts.providers["whisper"]
    assert isinstance(whisper, WhisperProvider)
    assert isinstance(whisper.decoder, LocalDecoder)
    whisper.decoder.on_restart()
    assert told == ["restart"]


def test_word_timings_of_google_are_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_STT_PROJECT_ID", "shop")
    given = []
    for value in ("false", "true"):
        monkeypatch.setenv("GOOGLE_STT_WORDS", value)
        google = build_parts(load_all(provider="google")).providers["google"]
        given.append(google.capabilities.words)
    assert given == [False, True]


@pytest.mark.parametrize(
    ("final_seconds", "slow_seconds", "probe_seconds"),
    [(None, 4.0, 3.0), ("4", 2.0, 3.0), ("40", 20.0, 15.0)],
)
def test_a_recogniser_that_may_take_long_is_not_called_slow_and_may_be_probed_as_long(
    monkeypatch: pytest.MonkeyPatch, final_seconds: str | None, slow_seconds: float, probe_seconds: float
) -> None:
    if final_seconds is not None:
        monkeypatch.setenv("SLUKH_FINAL_SECONDS", final_seconds)
    breaker = build_parts(load_all(provider="whisper")).upstreams.limits.breaker
    assert (breaker.slow_seconds, breaker.probe_seconds) == (slow_seconds, probe_seconds)
