"""Several servers as one recogniser."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from itertools import repeat
from typing import Any

import pytest

from slukh.errors import SttAuthenticationError, SttConnectError, SttError, SttLanguageError, SttStreamError
from slukh.routing.health import Clip
from slukh.routing.pool import ServerPool
from slukh.stt.base import StreamConfig, SttStream
from slukh.stt.fake import FakeProvider, Script
from slukh.testing.numbered import heard_words, numbered_speech
from slukh.testing.virtual_time import VirtualTimeLoop
from slukh.types import AudioChunk

UK = StreamConfig(language_code="uk-UA")
SPEECH = AudioChunk(pcm=numbered_speech([7]).tobytes())
GONE = SttConnectError("whisper", "gone")


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
    clip = Clip(language_code="uk-UA", pcm=numbered_speech([1, 2, 3]).tobytes(), text="1 2 3")
    pool = ServerPool(servers, clips=[clip])
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


class WrongKey(FakeProvider):
    async def start(self) -> None:
        raise SttAuthenticationError("whisper", "401: the server wants another key", remedy="set its key")


async def test_a_server_that_is_not_set_up_is_named_when_the_pool_does_not_start() -> None:
    pool = ServerPool({"gpu1:8000": FakeProvider(heard_words), "gpu2:8000": WrongKey(heard_words)})
    with pytest.raises(SttAuthenticationError, match="gpu2:8000: 401") as refused:
        await pool.start()
    assert refused.value.remedy == "set its key"
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
