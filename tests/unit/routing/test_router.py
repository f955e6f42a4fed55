"""One call's router over fakes that truly hear numbered audio."""

import asyncio
from collections.abc import Iterable

import pytest

from slukh.errors import SttConnectError, SttStreamError
from slukh.routing.attempts import AttemptPolicy
from slukh.routing.choosing import Assignment
from slukh.routing.router import CallRouter, Publisher
from slukh.routing.upstreams import Limits, Upstreams
from slukh.speech.listener import Listener
from slukh.speech.segmenter import Endpointing
from slukh.speech.vad import EnergyDetector
from slukh.stt.base import Hypothesis, Rejection, StreamConfig
from slukh.stt.fake import FakeProvider, FakeStream, Script
from slukh.testing.numbered import heard_numbers, heard_words, numbered_speech
from slukh.testing.speaking import speak
from slukh.types import (
    AttemptEnded,
    AudioChunk,
    CallStarted,
    Event,
    Failover,
    RecognisersDown,
    ResultDropped,
    SpeechEnded,
    SpeechStarted,
    Transcript,
)

CALL = CallStarted(call_id="c", language_code="uk-UA")


def router_of(upstreams: Upstreams, publish: Publisher, policy: AttemptPolicy) -> CallRouter:
    chain = tuple(upstreams.providers)
    return CallRouter(CALL, Assignment(arm=chain[0], chain=chain), upstreams, publish, policy=policy)


class TwoEars:
    """A call of numbered words, heard to its end; with a backup that always works where one is wanted."""

    def __init__(
        self,
        *scripts: Script,
        policy: AttemptPolicy | None = None,
        backup: bool = False,
        limits: Limits | None = None,
    ) -> None:
        providers = {"fake": FakeProvider(heard_words, iter(scripts))}
        if backup:
            providers["backup"] = FakeProvider(heard_words, name="backup")
        self.upstreams = Upstreams(providers, limits=limits)
        self.events: list[Event] = []
        self.policy = policy or AttemptPolicy()
        self.serving = ""

    async def speak(self, *utterances: Iterable[int]) -> None:
        router = router_of(self.upstreams, self.events.append, self.policy)
        router.begin()
        listener = await speak(router, utterances)
        for event in listener.finish():
            router.hear(event)
        await router.finish()
        self.serving = router.serving

    @property
    def finals(self) -> list[str]:
        return [e.text for e in self.events if isinstance(e, Transcript) and e.is_final]

    @property
    def outcomes(self) -> list[str]:
        return [e.outcome for e in self.events if isinstance(e, AttemptEnded)]

    @property
    def failovers(self) -> list[Failover]:
        return [e for e in self.events if isinstance(e, Failover)]


def failing(after_seconds: float) -> Script:
    return Script(error=SttStreamError("fake", "reset"), error_after_seconds=after_seconds)


def test_numbered_audio_is_heard_as_it_was_spoken() -> None:
    assert heard_numbers(numbered_speech(range(100)).tobytes()) == list(range(100))


async def test_every_utterance_has_one_final_in_order() -> None:
    call = TwoEars()
    await call.speak([1, 2, 3], [4, 5])
    assert call.finals == ["1 2 3", "4 5"]
    assert call.outcomes == ["published", "published"]


async def test_events_of_an_utterance_come_in_the_order_of_the_call() -> None:
    call = TwoEars()
    await call.speak([1, 2, 3])
    assert call.events[0] == CALL
    assert isinstance(call.events[1], SpeechStarted)
    interims = [e for e in call.events if isinstance(e, Transcript) and not e.is_final]
    assert interims
    assert any(isinstance(e, SpeechEnded) for e in call.events)
    assert isinstance(call.events[-1], Transcript)


async def test_an_attempt_that_dies_in_mid_word_loses_and_doubles_no_word() -> None:
    for cut in (0.1, 0.5, 0.9, 1.3):
        call = TwoEars(failing(cut))
        await call.speak([11, 22, 33, 44])
        assert call.finals == ["11 22 33 44"]
        assert call.outcomes == ["stream", "published"]


async def test_three_failures_in_a_row_still_lose_no_word() -> None:
    refused = Script(open_error=SttConnectError("fake", "refused"))
    call = TwoEars(refused, failing(0.3), refused, policy=AttemptPolicy(retry_seconds=0.01))
    await call.speak([7, 8, 9])
    assert call.finals == ["7 8 9"]
    assert call.outcomes == ["connect", "stream", "connect", "published"]


async def test_a_stream_that_blocks_is_given_up_and_the_utterance_told_anew() -> None:
    call = TwoEars(Script(blocks_send=True), policy=AttemptPolicy(send_seconds=0.05))
    await call.speak([1, 2])
    assert call.finals == ["1 2"]
    assert call.outcomes == ["timeout", "published"]


async def test_a_stream_that_blocks_in_mid_utterance_is_given_up_before_the_caller_has_finished() -> None:
    call = TwoEars(Script(blocks_send=True), policy=AttemptPolicy(send_seconds=0.05))
    ended = asyncio.Event()

    def publish(event: Event) -> None:
        call.events.append(event)
        if isinstance(event, AttemptEnded):
            ended.set()

    router = router_of(call.upstreams, publish, call.policy)
    for event in Listener(EnergyDetector(), Endpointing()).hear(numbered_speech([1, 2]), 0):
        router.hear(event)
    async with asyncio.timeout(5):
        await ended.wait()
    assert call.outcomes == ["timeout"]
    router.abandon()
    await router.finish()


async def test_a_stream_that_stays_silent_is_given_up_and_the_utterance_told_anew() -> None:
    call = TwoEars(Script(is_silent=True), policy=AttemptPolicy(final_seconds=0.05))
    await call.speak([1, 2])
    assert call.finals == ["1 2"]


async def test_when_nothing_works_the_stable_interim_is_published_marked() -> None:
    dead = [failing(1.15) for _ in range(4)]
    call = TwoEars(*dead, policy=AttemptPolicy(retry_seconds=0.01))
    await call.speak([1, 2, 3])
    salvaged = [e for e in call.events if isinstance(e, Transcript) and e.is_final]
    assert [(e.text, e.is_salvage) for e in salvaged] == [("1 2", True)]


async def test_a_defect_in_a_recogniser_does_not_end_the_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(FakeProvider):
        opened = 0

        async def open(self, config: StreamConfig) -> FakeStream:
            self.opened += 1
            if self.opened == 1:
                raise ZeroDivisionError
            return await super().open(config)

    call = TwoEars()
    call.upstreams = Upstreams({"fake": Broken(heard_words)})
    await call.speak([1, 2])
    assert call.finals == ["1 2"]
    assert "recogniser_defect" in caplog.text


async def test_a_rejected_final_is_an_event_and_an_empty_transcript() -> None:
    class GuardedStream(FakeStream):
        async def end(self) -> None:
            self._results.say(
                Rejection(reason="phrase"), Hypothesis(text="", is_final=True, language_code="uk-UA")
            )

    class Guarded(FakeProvider):
        async def open(self, config: StreamConfig) -> FakeStream:
            return GuardedStream(self, Script(), config.language_code, heard_words, interims=False)

    call = TwoEars()
    call.upstreams = Upstreams({"fake": Guarded(heard_words)})
    await call.speak([1, 2])
    assert [e.reason for e in call.events if isinstance(e, ResultDropped)] == ["phrase"]
    assert call.finals == [""]
    assert call.outcomes == ["empty"]


async def test_a_final_of_the_first_words_of_a_replay_is_not_that_of_the_utterance() -> None:
    class HastyStream(FakeStream):
        async def send(self, chunk: AudioChunk) -> None:
            await super().send(chunk)
            self._say("half of it", is_final=True)
            await asyncio.sleep(0)  # as a socket does

    class Hasty(FakeProvider):
        async def open(self, config: StreamConfig) -> FakeStream:
            return HastyStream(self, Script(), config.language_code, heard_words, interims=False)

    call = TwoEars()
    call.upstreams = Upstreams(
        {
            "fake": FakeProvider(heard_words, iter([failing(after_seconds=99.0)])),  # at its end
            "hasty": Hasty(heard_words, name="hasty"),
        }
    )
    await call.speak([11, 22, 33, 44])
    assert call.finals == ["11 22 33 44"]
    assert call.outcomes == ["stream", "stream", "published"]


async def test_audio_sent_is_counted_once_for_every_attempt() -> None:
    call = TwoEars(failing(0.5))
    await call.speak([1, 2, 3])
    first, second = (e for e in call.events if isinstance(e, AttemptEnded))
    assert 0.45 * 8000 <= first.audio_samples <= 0.6 * 8000
    assert second.audio_samples >= 3 * 0.36 * 8000
    assert second.final_seconds is not None


async def test_a_backup_takes_over_in_mid_word_and_says_so() -> None:
    call = TwoEars(failing(0.9), backup=True)
    await call.speak([11, 22, 33, 44])
    assert call.finals == ["11 22 33 44"]
    (switch,) = call.failovers
    assert (switch.from_provider, switch.to_provider, switch.reason) == ("fake", "backup", "stream")
    assert switch.seconds is not None
    backup = [e for e in call.events if isinstance(e, AttemptEnded)][1]
    assert (backup.provider, backup.purpose) == ("backup", "retry")
    assert 0.9 <= backup.replayed_samples / 8000 < 1.5


async def test_a_provider_that_keeps_failing_is_left_and_the_next_call_says_so_once() -> None:
    call = TwoEars(*[failing(0.1)] * 5, backup=True)
    await call.speak(*([number] for number in range(1, 9)))
    assert call.finals == [str(number) for number in range(1, 9)]
    assert [switch.reason for switch in call.failovers] == ["stream"] * 5
    call.events.clear()
    await call.speak([9], [10])  # another call
    assert [(switch.reason, switch.seconds) for switch in call.failovers] == [("breaker", None)]


async def test_a_late_final_is_asked_for_besides_and_the_first_answer_is_published() -> None:
    call = TwoEars(Script(final_after_seconds=30.0), backup=True, limits=Limits(hedge_cap_seconds=0.2))
    await call.speak([1, 2, 3])
    assert call.finals == ["1 2 3"]
    attempts = [e for e in call.events if isinstance(e, AttemptEnded)]
    assert [(e.provider, e.purpose, e.outcome) for e in attempts] == [
        ("backup", "hedge", "published"),
        ("fake", "serve", "superseded"),
    ]
    assert call.serving == "fake", "a hedge is beside the one that serves the call"


async def test_when_every_recogniser_fails_the_call_is_told() -> None:
    call = TwoEars(*[failing(0.1)] * 8)
    await call.speak([1, 2])
    assert [e.utterance_id for e in call.events if isinstance(e, RecognisersDown)] == [1]
    assert call.finals == [""]
