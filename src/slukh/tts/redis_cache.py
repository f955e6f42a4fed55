"""Phrases in Redis, shared by gateways on several machines (`cache.PhraseStore`).

Redis drops what is too old (`EX`) and, set to `maxmemory-policy allkeys-lru`, what is too much. One that does
not answer at once is left alone for some seconds: speech does not wait for it.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from slukh.errors import SettingsError
from slukh.tts.cache import StoreError, sealed, unsealed

logger = logging.getLogger(__name__)

PREFIX = "slukh:phrase:"
ANSWER_SECONDS = 0.1
REST_SECONDS = 5.0


class RedisStore:
    """See the module.

    Args:
        url: such as `redis://10.0.0.5:6379/0`, or `rediss://` with TLS.
        max_age_seconds: after which Redis forgets a phrase.
        on_error: told every time something is wrong.
        now: monotonic seconds.

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
    ) -> None:
        try:
            self._redis = Redis.from_url(
                url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, retry=None
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

    async def newest(self, _max_bytes: int) -> Sequence[tuple[str, bytes]]:
        """Nothing: Redis does not know what was made last, and is read in a millisecond."""
        return ()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _wrong(self, what: StoreError, error: Exception) -> None:
        self._on_error(what)
        self._rests_until = self._now() + REST_SECONDS
        logger.warning("phrase_cache", extra={"error": what, "detail": type(error).__name__})
