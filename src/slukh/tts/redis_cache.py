"""Phrases in Redis, shared by gateways on several machines (`cache.PhraseStore`).

Redis drops what is too old (`EX`) and, set to `maxmemory-policy allkeys-lru`, what is too much. One that does
not answer at once is left alone for some seconds: speech does not wait for it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from slukh.errors import SettingsError
from slukh.tts.cache import StoreError, sealed, unsealed

logger = logging.getLogger(__name__)

PREFIX = "slukh:phrase:"
ANSWER_SECONDS = 0.1
REST_SECONDS = 5.0
FILL_SECONDS = 10.0  # for a process that starts; it serves meanwhile
# Keys that are looked at then, in one question, and of all that there are; phrases that are read in one.
_SCANNED: Final = 500
_MOST_KEYS: Final = 20_000
_TOGETHER: Final = 8  # a second of speech is 16 kB, and all of them have to come within ANSWER_SECONDS


class RedisStore:
    """See the module.

    Args:
        url: such as `redis://10.0.0.5:6379/0`, or `rediss://` with TLS.
        max_age_seconds: after which Redis forgets a phrase.
        on_error: told every time something is wrong.
        now: monotonic seconds.
        answer_seconds: after which it counts as gone.

    Raises:
        SettingsError: a URL that is none.
    """

    def __init__(
        self,
        url: str,
        *,
        max_age_seconds: float,
        on_error: Callable[[StoreError], None] = lambda _: None,
        now: Callable[[], float] = time.monotonic,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        try:
            self._redis = Redis.from_url(
                url, socket_timeout=answer_seconds, socket_connect_timeout=answer_seconds, retry=None
            )
        except ValueError as error:
            raise SettingsError(
                "SLUKH_PHRASE_CACHE is no URL of a Redis", remedy="write redis://HOST:6379/0"
            ) from error
        self._expire_seconds = max(1, int(max_age_seconds))
        self._on_error = on_error
        self._now = now
        self._rests_until = 0.0

    async def get(self, key: str) -> bytes | None:
        """The audio of a key, or None."""
        if self._now() < self._rests_until:
            return None
        try:
            data = await cast("Awaitable[bytes | None]", self._redis.get(PREFIX + key))
        except (RedisError, OSError) as error:
            self._wrong("read", error)
            return None
        if data is None:
            return None
        if (linear16 := unsealed(data)) is None:
            self._on_error("corrupt")
            logger.warning("phrase_cache", extra={"error": "corrupt", "detail": key})
        return linear16

    async def put(self, key: str, linear16: bytes) -> None:
        """Keep it, if Redis takes it."""
        if self._now() < self._rests_until:
            return
        try:
            await cast(
                "Awaitable[object]", self._redis.set(PREFIX + key, sealed(linear16), ex=self._expire_seconds)
            )
        except (RedisError, OSError) as error:
            self._wrong("write", error)

    async def newest(self, max_bytes: int) -> Sequence[tuple[str, bytes]]:
        """What was put last, the oldest first, as far as it is read in `FILL_SECONDS`."""
        kept: list[tuple[str, bytes]] = []
        try:
            async with asyncio.timeout(FILL_SECONDS):
                keys = await self._by_age(max_bytes)
                for start in range(0, len(keys), _TOGETHER):
                    some = keys[start : start + _TOGETHER]
                    found = await cast("Awaitable[list[bytes | None]]", self._redis.mget(some))
                    kept += (
                        (key.decode().removeprefix(PREFIX), linear16)
                        for key, data in zip(some, found, strict=True)
                        if data is not None and (linear16 := unsealed(data)) is not None
                    )
        except TimeoutError:
            pass  # what there is will do
        except (RedisError, OSError) as error:
            self._wrong("read", error)
        return kept[::-1]

    async def _by_age(self, max_bytes: int) -> list[bytes]:
        """The keys that were put last, the newest first, as many as fit: they have longest to live."""
        aged: list[tuple[int, int, bytes]] = []
        cursor = 0
        while True:
            cursor, found = await self._redis.scan(cursor, match=f"{PREFIX}*", count=_SCANNED)
            keys = cast("list[bytes]", found)
            asking = self._redis.pipeline(transaction=False)
            for key in keys:
                asking.pttl(key)
                asking.strlen(key)
            told = await asking.execute()
            aged += zip(told[::2], told[1::2], keys, strict=True)
            if cursor == 0 or len(aged) >= _MOST_KEYS:
                break
        newest = []
        for _, size, key in sorted(aged, reverse=True):
            max_bytes -= size
            if max_bytes < 0:
                break
            newest.append(key)
        return newest

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _wrong(self, what: StoreError, error: Exception) -> None:
        self._on_error(what)
        self._rests_until = self._now() + REST_SECONDS
        logger.warning("phrase_cache", extra={"error": what, "detail": type(error).__name__})
