"""Several servers as one recogniser."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from itertools import repeat
from typing import Any

import pytest

from slukh.errors import (
    SttAuthenticationError,
    SttConnectError,
    SttError,
    SttLanguageError,
    SttRequestError,
    SttStreamError,
)
from slukh.routing.health import Clip
from slukh.routing.pool import Condition, ServerPool
from slukh.stt.base import StreamConfig, SttStream
from slukh.stt.fake import FakeProvider, FakeStream, Script
from slukh.stt.whisper.remedies import REMEDIES
from slukh.testing.numbered import heard_words, numbered_speech
from slukh.testing.virtual_time import VirtualTimeLoop
from slukh.types import AudioChunk

UK = StreamConfig(language_code="uk-UA")
SPEECH = AudioChunk(pcm=numbered_speech([7]).tobytes())
GONE = SttConnectError("whisper", "gone")
CLIP = Clip(language_code="uk-UA", pcm=numbered_speech([1, 2, 3]).tobytes(), text="1 2 3")


def virtually(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on a clock that jumps to whatever comes next."""

    def run() -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test())

    run.__name__ = test.__name__
    return run


def pool_of(**scripts: Script) -> tuple[ServerPool, dict[str, FakeProvider]]:
    servers = {
        key: FakeProvider(heard_words, repeat(script), name="whisper") for key, script in scripts.items()
    }
    return ServerPool(servers), servers


async def hear(pool: ServerPool) -> str:
    stream = await pool.open(UK)
    try:
        await stream.send(SPEECH)
        await stream.end()
        return [result async for result in stream][-1].text  # type: ignore[union-attr]
    finally:
        await stream.close()


async def opened(pool: ServerPool, count: int) -> list[SttStream]:
    return [await pool.open(UK) for _ in range(count)]


def heard_by(servers: dict[str, FakeProvider]) -> dict[str, int]:
    return {key: len(server.heard) for key, server in servers.items()}


@virtually
async def test_open_utterances_are_spread_evenly() -> None:
    pool, servers = pool_of(a=Script(), b=Script(), c=Script())
    streams = await opened(pool, 9)
    assert Counter(stream._key for stream in streams) == dict.fromkeys(servers, 3)  # type: ignore[attr-defined]


@virtually
async def test_an_utterance_that_is_over_is_no_load_any_more() -> None:
    pool, _ = pool_of(a=Script(), b=Script())
    first, second = await opened(pool, 2)
    await first.close()
    await first.close()
    third = await pool.open(UK)
    assert third._key == first._key  # type: ignore[attr-defined]
    await second.close()


@virtually
async def test_a_server_that_takes_twice_as_long_gets_half_as_much() -> None:
    pool, servers = pool_of(fast=Script(final_after_seconds=0.4), slow=Script(final_after_seconds=0.8))
    await asyncio.gather(*(hear(pool) for _ in range(2)))
    streams = await opened(pool, 9)
    keys = Counter(stream._key for stream in streams)  # type: ignore[attr-defined]
    assert keys == {"fast": 6, "slow": 3}
    assert sum(heard_by(servers).values()) == 2


@virtually
async def test_a_server_that_cannot_be_reached_costs_the_caller_nothing() -> None:
    pool, servers = pool_of(gone=Script(open_error=GONE), there=Script())
    assert await hear(pool) == "7"
    assert heard_by(servers) == {"gone": 0, "there": 1}


@virtually
async def test_when_none_can_be_reached_the_caller_is_told() -> None:
    pool, _ = pool_of(a=Script(open_error=GONE), b=Script(open_error=GONE))
    with pytest.raises(SttConnectError):
        await hear(pool)


@virtually
async def test_a_second_attempt_goes_to_another_server() -> None:
    broken = Script(error=SttStreamError("whisper", "reset"), error_after_seconds=0.1)
    pool, servers = pool_of(broken=broken, sound=Script())
    with pytest.raises(SttError):
        await hear(pool)
    assert await hear(pool) == "7"
    assert heard_by(servers)["sound"] == 1


@virtually
async def test_a_server_that_fails_is_left_to_its_probes_and_comes_back() -> None:
    servers = {
        "a": FakeProvider(heard_words, iter([Script(open_error=GONE)])),
        "b": FakeProvider(heard_words),
    }
    pool = ServerPool(servers, clips=[CLIP], languages=())
    await pool.start()
    await hear(pool)
    assert pool.upstreams.breakers["a"].state == "open"
    await asyncio.gather(*(hear(pool) for _ in range(10)))
    assert heard_by(servers) == {"a": 0, "b": 11}
    await asyncio.sleep(30)
    assert heard_by(servers)["a"] == 3, "three clips tried it"
    await asyncio.gather(*(hear(pool) for _ in range(10)))
    assert heard_by(servers)["a"] > 3
    await pool.aclose()


@virtually
async def test_a_server_far_slower_than_the_others_is_avoided_and_later_tried_again() -> None:
    pool, servers = pool_of(fast=Script(final_after_seconds=0.2), lame=Script(final_after_seconds=5.0))
    await asyncio.gather(hear(pool), hear(pool))
    before = heard_by(servers)
    await asyncio.gather(*(hear(pool) for _ in range(30)))
    assert heard_by(servers)["lame"] == before["lame"]
    await asyncio.sleep(40)
    await asyncio.gather(*(hear(pool) for _ in range(30)))
    assert heard_by(servers)["lame"] > before["lame"]


@virtually
async def test_a_pool_starts_when_one_of_its_servers_does() -> None:
    pool, _ = pool_of(a=Script(), b=Script())
    await pool.start()
    await pool.aclose()
    await pool.aclose()


class Unclosable(FakeProvider):
    def __init__(self) -> None:
        super().__init__(heard_words)
        self.is_closed = False

    async def aclose(self) -> None:
        self.is_closed = True
        raise OSError("it did not go")


@virtually
async def test_all_servers_are_closed_whatever_one_of_them_raises() -> None:
    servers = {"a": Unclosable(), "b": Unclosable()}
    pool = ServerPool(servers)
    await pool.start()
    with pytest.raises(OSError, match="it did not go"):
        await pool.aclose()
    assert [server.is_closed for server in servers.values()] == [True, True]


class Refuses(FakeProvider):
    """Starts for three seconds, and then does so or not."""

    def __init__(self, error: SttError | None = None) -> None:
        super().__init__(heard_words, name="whisper")
        self.error = error

    async def start(self) -> None:
        await asyncio.sleep(3.0)
        if self.error is not None:
            raise self.error

    async def open(self, config: StreamConfig) -> FakeStream:
        if self.error is not None:
            raise self.error
        return await super().open(config)


KEY = SttAuthenticationError("whisper", "401: the server wants another key")
MODEL = SttRequestError("whisper", "404: no such model", remedy="name one that it has")


@virtually
async def test_servers_start_all_at_once() -> None:
    pool = ServerPool({"a": Refuses(), "b": Refuses(KEY), "c": Refuses(GONE)})
    await pool.start()
    assert asyncio.get_running_loop().time() == 3.0
    await pool.aclose()


def test_a_server_that_is_set_up_wrongly_is_said_and_costs_no_caller_anything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[Mapping[Condition, int]] = []

    @virtually
    async def calls() -> None:
        pool = ServerPool({"gpu1": Refuses(KEY), "gpu2": Refuses()}, clips=[CLIP])
        pool.on_conditions = told.append
        await pool.start()
        assert await asyncio.gather(*(hear(pool) for _ in range(20))) == ["7"] * 20
        assert pool.kept_away() == {"gpu1": KEY.detail}
        await pool.aclose()

    calls()
    assert told[-1] == {"works": 1, "away": 0, "wrong": 1}
    (said,) = [record for record in caplog.records if record.msg == "whisper_server_wrong"]
    assert (said.levelname, said.server, said.error) == ("ERROR", "gpu1", KEY.detail)  # type: ignore[attr-defined]
    assert said.remedy == REMEDIES["authentication"]  # type: ignore[attr-defined]


@virtually
async def test_a_server_that_was_mended_comes_back_without_a_restart() -> None:
    mended = Refuses(KEY)
    pool = ServerPool({"gpu1": mended, "gpu2": Refuses()}, clips=[CLIP, CLIP])
    await pool.start()
    mended.error = None
    await asyncio.sleep(70.0)
    assert pool.conditions == {"works": 2, "away": 0, "wrong": 0}
    assert pool.kept_away() == {}
    await pool.aclose()


@virtually
async def test_what_only_an_answer_shows_is_found_before_a_caller_speaks() -> None:
    wrong_path = Script(error=MODEL, error_after_seconds=0.1)
    pool, servers = pool_of(wrong=wrong_path, sound=Script())
    await pool.start()
    await asyncio.sleep(1.0)
    assert await hear(pool) == "7"
    assert pool.conditions == {"works": 1, "away": 0, "wrong": 1}
    assert len(servers["sound"].heard) == 2, "a clip and the caller"
    await pool.aclose()


@virtually
async def test_what_one_server_refuses_is_permanent_only_when_all_do() -> None:
    refusing = Script(error=MODEL, error_after_seconds=0.1)
    pool, _ = pool_of(a=refusing, b=refusing)
    with pytest.raises(SttStreamError, match="a: 404") as first:
        await hear(pool)
    assert (first.value.is_permanent, first.value.remedy) == (False, "name one that it has")
    with pytest.raises(SttRequestError, match=r"a: 404.*; b: 404") as second:
        await hear(pool)
    assert second.value.is_permanent


@virtually
async def test_what_a_server_that_works_refuses_once_does_not_make_it_wrong() -> None:
    refusal = Script(error=SttRequestError("whisper", "400"), error_after_seconds=0.1)
    foreign = Script(error=SttLanguageError("whisper", "transcribed ru"), error_after_seconds=0.1)
    sound = FakeProvider(heard_words, iter([Script(), refusal, foreign]), name="whisper")
    pool = ServerPool({"wrong": Refuses(KEY), "sound": sound}, languages=())
    assert await hear(pool) == "7"
    with pytest.raises(SttRequestError, match="400"):
        await hear(pool)
    with pytest.raises(SttLanguageError, match="transcribed ru"):
        await hear(pool)
    assert list(pool.wrong) == ["wrong"]
    assert await hear(pool) == "7"


@virtually
async def test_when_all_are_away_one_that_is_set_up_wrongly_is_asked_last() -> None:
    servers = {"wrong": Refuses(KEY), "late": FakeProvider(heard_words, iter([Script(open_error=GONE)]))}
    pool = ServerPool(servers, languages=())
    with pytest.raises(SttError):
        await hear(pool)
    assert pool.conditions == {"works": 0, "away": 1, "wrong": 1}
    assert await hear(pool) == "7"
    assert pool.kept_away()["wrong"] == KEY.detail


async def test_a_pool_whose_servers_are_all_wrong_names_each_and_what_to_do() -> None:
    pool = ServerPool({"gpu1:8000": Refuses(KEY), "gpu2:8000": Refuses(MODEL)})
    with pytest.raises(SttAuthenticationError, match=r"gpu1:8000: 401.*; gpu2:8000: 404") as refused:
        await pool.start()
    assert refused.value.is_permanent
    assert refused.value.remedy == f"gpu1:8000: {REMEDIES['authentication']}; gpu2:8000: name one that it has"
    await pool.aclose()


@virtually
async def test_a_language_that_no_server_speaks_is_refused() -> None:
    pool, _ = pool_of(a=Script(), b=Script())
    with pytest.raises(SttLanguageError, match="tlh-KL"):
        await pool.open(StreamConfig(language_code="tlh-KL"))
    assert {breaker.state for breaker in pool.upstreams.breakers.values()} == {"closed"}


def test_a_pool_can_do_what_all_of_its_servers_can() -> None:
    pool = ServerPool({"a": FakeProvider(heard_words), "b": FakeProvider(heard_words, interim_results=False)})
    assert not pool.capabilities.interim_results
    assert "uk-UA" in pool.capabilities.languages
