"""A thousand switches, and two hundred at once, under a clock that jumps: no word is lost, none doubled."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine, Iterator

from slukh.errors import SttConnectError, SttOverloadedError, SttStreamError
from slukh.routing.attempts import AttemptPolicy
from slukh.routing.breaker import BreakerPolicy
from slukh.routing.choosing import Assignment
from slukh.routing.router import CallRouter
from slukh.routing.upstreams import Limits, Upstreams
from slukh.speech.listener import Listener
from slukh.speech.segmenter import Endpointing
from slukh.speech.vad import EnergyDetector
from slukh.stt.base import StreamConfig
from slukh.stt.fake import FakeProvider, FakeStream, Script
from slukh.testing.numbered import heard_words, numbered_speech, silence
from slukh.testing.virtual_time import VirtualTimeLoop
from slukh.types import AttemptEnded, CallStarted, Event, Transcript

CHAIN = ("primary", "backup")
NEVER_OPENS = BreakerPolicy(bad_run=10**9, bad_share=2.0, slow_share=2.0)
FAULTS: tuple[Callable[[float], Script], ...] = (
    lambda at: Script(error=SttStreamError("primary", "reset"), error_after_seconds=at),
    lambda at: Script(error=SttOverloadedError("primary", "429"), error_after_seconds=at / 4),
    lambda _at: Script(open_error=SttConnectError("primary", "refused")),
    lambda _at: Script(is_silent=True),
    lambda _at: Script(blocks_send=True),
    lambda _at: Script(final_after_seconds=5.0),
    lambda _at: Script(final_after_seconds=1000.0),
)


def in_virtual_time(work: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(work)


class Call:
    """A caller who says numbers, one utterance after the other, at the pace of speech."""

    def __init__(self, upstreams: Upstreams, number: int) -> None:
        self.events: list[Event] = []
        call = CallStarted(call_id=f"call-{number}", language_code="uk-UA")
        self.router = CallRouter(
            call,
            Assignment(arm=CHAIN[0], chain=CHAIN),
            upstreams,
            self.events.append,
            policy=AttemptPolicy(),
        )

    async def say(self, *utterances: list[int], pause: float = 0.8) -> None:
        listener, position = Listener(EnergyDetector(), Endpointing()), 0
        self.router.begin()
        for numbers in utterances:
            for samples in (numbered_speech(numbers), silence(pause)):
                for at in range(0, len(samples), 800):  # as a busy gateway reads its lines
                    piece = samples[at : at + 800]
                    for event in listener.hear(piece, position):
                        self.router.hear(event)
                    position += len(piece)
                    await asyncio.sleep(len(piece) / 8000)
        for event in listener.finish():
            self.router.hear(event)
        await self.router.finish()

    @property
    def heard(self) -> list[list[int]]:
        finals = sorted(
            (e.utterance_id, e.text) for e in self.events if isinstance(e, Transcript) and e.is_final
        )
        return [[int(word) for word in text.split()] for _, text in finals]

    @property
    def switches(self) -> int:
        attempts = [e for e in self.events if isinstance(e, AttemptEnded)]
        return sum(e.provider == "backup" for e in attempts)


def utterances(rng: random.Random, count: int) -> Iterator[list[int]]:
    for _ in range(count):
        yield [rng.randrange(100) for _ in range(rng.randint(6, 9))]


def test_a_thousand_switches_lose_and_double_no_word() -> None:
    rng = random.Random(20261125)
    switches = 0

    async def one_call(number: int) -> None:
        nonlocal switches
        scripts = [rng.choice(FAULTS)(rng.uniform(0.0, 2.5)) for _ in range(10)]
        providers = {
            "primary": FakeProvider(heard_words, iter(scripts), name="primary"),
            "backup": FakeProvider(heard_words, name="backup"),
        }
        call = Call(Upstreams(providers, limits=Limits(breaker=NEVER_OPENS)), number)
        said = list(utterances(rng, 10))
        await call.say(*said)
        assert call.heard == said
        switches += call.switches

    async def calls() -> None:
        for number in range(100):
            await one_call(number)

    in_virtual_time(calls())
    assert switches == 1000


class Dying(FakeProvider):
    """Works until a moment, then refuses and breaks everything, and remembers when it was connected to."""

    def __init__(self, dies_at: float) -> None:
        super().__init__(heard_words, name="primary")
        self.opened: list[float] = []
        self._dies_at = dies_at
        self._streams: list[FakeStream] = []

    async def open(self, config: StreamConfig) -> FakeStream:
        now = asyncio.get_running_loop().time()
        self.opened.append(now)
        if now >= self._dies_at:
            raise SttConnectError(self.name, "refused")
        stream = await super().open(config)
        self._streams.append(stream)
        return stream

    def die(self) -> None:
        """Every open stream breaks at once."""
        for stream in self._streams:
            stream.fail(SttStreamError(self.name, "reset"))


def test_two_hundred_calls_switch_at_once_and_do_not_storm_the_one_that_failed() -> None:
    rng, callers, dies_at = random.Random(200), 200, 1.7

    async def calls() -> None:
        primary = Dying(dies_at)
        upstreams = Upstreams({"primary": primary, "backup": FakeProvider(heard_words, name="backup")})
        said = [list(utterances(rng, 5)) for _ in range(callers)]
        talking = [Call(upstreams, number) for number in range(callers)]
        asyncio.get_running_loop().call_at(dies_at, primary.die)
        await asyncio.gather(*(call.say(*words) for call, words in zip(talking, said, strict=True)))
        assert [call.heard for call in talking] == said
        assert all(call.switches for call in talking)
        after = [moment for moment in primary.opened if moment >= dies_at]
        assert busiest_ten_seconds(after) <= 1.2 * callers

    in_virtual_time(calls())


def busiest_ten_seconds(moments: list[float]) -> int:
    window, most = deque[float](), 0
    for moment in moments:
        window.append(moment)
        while moment - window[0] >= 10.0:
            window.popleft()
        most = max(most, len(window))
    return most
