"""The other recogniser beside the one that serves: heard, compared, and never in the way."""

import asyncio
from datetime import date

import pytest

from slukh.errors import SttStreamError
from slukh.routing.attempts import AttemptPolicy
from slukh.routing.choosing import Assignment
from slukh.routing.router import CallRouter
from slukh.routing.shadows import SHADOW_ATTEMPT, ShadowHeard, Shadows
from slukh.routing.upstreams import Upstreams
from slukh.stt.base import StreamConfig
from slukh.stt.fake import FakeProvider, FakeStream, Script
from slukh.testing.numbered import heard_words
from slukh.testing.speaking import speak
from slukh.types import AttemptEnded, CallStarted, Event, FlagDecision, Transcript

CALL = CallStarted(call_id="c", language_code="uk-UA")
DECISION = FlagDecision(flag_key="stt_shadow", value="true", variant="on", reason="SPLIT", version="1-x")
BLOCKS, HANGS = Script(blocks_send=True), Script(is_silent=True)


class AskedProvider(FakeProvider):
    """A fake that remembers what it was asked for."""

    def __init__(self, *scripts: Script) -> None:
        super().__init__(heard_words, iter(scripts), name="whisper")
        self.asked: list[StreamConfig] = []

    async def open(self, config: StreamConfig) -> FakeStream:
        self.asked.append(config)
        return await super().open(config)


class ShadowedCalls:
    """Calls that `google` serves and `whisper` shadows."""

    def __init__(self, *scripts: Script, minutes_a_day: float = 60.0, patience_seconds: float = 5.0) -> None:
        self.whisper = AskedProvider(*scripts)
        self.today = date(2026, 11, 26)
        google = FakeProvider(heard_words, name="google")
        self.upstreams = Upstreams({"google": google, "whisper": self.whisper})
        self.shadows = Shadows(
            self.upstreams.providers,
            minutes_a_day=minutes_a_day,
            today=lambda: self.today,
            patience_seconds=patience_seconds,
        )
        self.heard: list[ShadowHeard] = []
        self.told = asyncio.Event()
        self.shadows.on_heard = self.hear
        self.events: list[Event] = []

    def hear(self, heard: ShadowHeard) -> None:
        self.heard.append(heard)
        self.told.set()

    async def speak(self, *utterances: list[int]) -> CallRouter:
        assignment = Assignment(arm="google", chain=("google",), shadow="whisper", shadow_decision=DECISION)
        router = CallRouter(
            CALL, assignment, self.upstreams, self.events.append, policy=AttemptPolicy(), shadows=self.shadows
        )
        router.begin()
        await speak(router, utterances)
        await router.finish()
        return router

    async def settle(self, count: int) -> None:
        """Until so many utterances are told."""
        async with asyncio.timeout(10):
            while len(self.heard) < count:
                self.told.clear()
                await self.told.wait()

    @property
    def finals(self) -> list[str]:
        return [e.text for e in self.events if isinstance(e, Transcript) and e.is_final]

    @property
    def ends(self) -> list[AttemptEnded]:
        return [e for e in self.events if isinstance(e, AttemptEnded) and e.purpose == "shadow"]


async def test_a_shadow_hears_the_same_audio_and_none_of_it_is_published() -> None:
    calls = ShadowedCalls()
    await calls.speak([1, 2, 3], [4, 5])
    await calls.settle(2)
    assert calls.finals == ["1 2 3", "4 5"]
    assert [(h.call_id, h.utterance.id, h.provider, h.text) for h in calls.heard] == [
        ("c", 1, "whisper", "1 2 3"), ("c", 2, "whisper", "4 5"),
    ]  # fmt: skip
    assert DECISION in calls.events


async def test_a_shadow_is_booked_as_one_with_a_key_of_its_own() -> None:
    calls = ShadowedCalls()
    await calls.speak([1, 2, 3])
    await calls.settle(1)
    (end,) = calls.ends
    assert (end.provider, end.attempt, end.outcome) == ("whisper", SHADOW_ATTEMPT, "superseded")
    serving = next(e for e in calls.events if isinstance(e, AttemptEnded) and e.purpose == "serve")
    assert end.audio_samples == serving.audio_samples > 0


async def test_nobody_waits_for_a_shadow_and_it_says_so_to_its_recogniser() -> None:
    calls = ShadowedCalls()
    await calls.speak([1, 2])
    await calls.settle(1)
    (asked,) = calls.whisper.asked
    assert (asked.is_background, asked.interim_results, asked.call_id) == (True, False, "")
    assert asked.language_code == "uk-UA"


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (BLOCKS, "timeout"),
        (HANGS, "timeout"),
        (Script(open_error=SttStreamError("whisper", "no")), "stream"),
        (Script(error=SttStreamError("whisper", "reset")), "stream"),
    ],
)
async def test_a_shadow_that_fails_touches_no_call_and_is_told_as_lost(script: Script, outcome: str) -> None:
    calls = ShadowedCalls(script, patience_seconds=0.05)
    await calls.speak([1, 2, 3])
    assert calls.finals == ["1 2 3"]
    await calls.settle(1)
    assert [heard.text for heard in calls.heard] == [None]
    assert [end.outcome for end in calls.ends] == [outcome]
    assert calls.upstreams.breakers["whisper"].standing.state == "closed"


async def test_a_call_does_not_end_later_for_a_shadow_that_blocks() -> None:
    calls = ShadowedCalls(BLOCKS, patience_seconds=60.0)
    async with asyncio.timeout(5):
        router = await calls.speak([1, 2, 3])
    assert calls.finals == ["1 2 3"]
    assert calls.heard == []
    assert not router.is_settled  # its cost is not all known
    await calls.shadows.aclose()
    await router.settled()
    assert [heard.text for heard in calls.heard] == [None]
    assert [end.outcome for end in calls.ends] == ["cancelled"]


async def test_a_shadow_that_runs_when_all_is_over_is_let_finish() -> None:
    calls = ShadowedCalls()
    await calls.speak([1, 2, 3])
    await calls.shadows.aclose(grace_seconds=5.0)
    assert [heard.text for heard in calls.heard] == ["1 2 3"]


async def test_when_the_budget_of_a_day_is_spent_new_calls_have_no_shadow_until_the_next() -> None:
    calls = ShadowedCalls(minutes_a_day=0.01)
    await calls.speak([1, 2, 3], [4, 5])  # a call that began is heard to its end
    await calls.settle(2)
    await calls.speak([6, 7])
    assert len(calls.whisper.asked) == 2
    assert calls.finals[-1] == "6 7"
    calls.today = date(2026, 11, 27)
    await calls.speak([8, 9])
    await calls.settle(3)
    assert calls.heard[-1].text == "8 9"


async def test_nothing_is_shadowed_where_nobody_compares() -> None:
    calls = ShadowedCalls()
    calls.shadows.on_heard = None
    await calls.speak([1, 2])
    assert calls.finals == ["1 2"]
    assert calls.whisper.asked == []
    assert DECISION not in calls.events


async def test_too_many_that_wait_are_told_as_lost_at_once() -> None:
    calls = ShadowedCalls(*[BLOCKS] * 100, patience_seconds=60.0)
    for _ in range(65):
        await calls.speak([1])
    assert [heard.text for heard in calls.heard] == [None]
    await calls.shadows.aclose()
    assert len(calls.heard) == 65
