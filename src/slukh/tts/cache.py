"""Where phrases are kept: in memory, and behind it in a folder or in Redis. None of it can break speech.

A phrase is linear 16-bit audio at 8 kHz under its content address (`phrases.phrase_key`), so it is
never changed, only forgotten. What is kept outside the process carries its digest: a phrase that does not
match is made again. A store that cannot be read or written (a full or read-only folder, a Redis that is gone)
tells `on_error`, and the phrase is made as if nothing had been kept.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Literal, Protocol, get_args

StoreError = Literal["corrupt", "read", "write"]
STORE_ERRORS: tuple[StoreError, ...] = get_args(StoreError)

MAGIC = b"SLPHR1\r\n"
_DIGEST_BYTES = 32


class PhraseStore(Protocol):
    """A level of the cache behind the memory. No method raises, or waits for long."""

    async def get(self, key: str) -> bytes | None:
        """The audio of a key, or None."""

    async def put(self, key: str, linear16: bytes) -> None:
        """Keep it, if that is possible."""

    async def newest(self, max_bytes: int) -> Sequence[tuple[str, bytes]]:
        """What was made last, the oldest first, for the memory of a process that starts. Takes seconds."""

    async def aclose(self) -> None:
        """Give everything back."""


def sealed(linear16: bytes) -> bytes:
    """Audio as it is kept outside: magic, sha256, samples."""
    return MAGIC + sha256(linear16).digest() + linear16


def unsealed(data: bytes) -> bytes | None:
    """The audio, or None when not every byte of it is as it was."""
    start = len(MAGIC) + _DIGEST_BYTES
    linear16 = data[start:]
    if data[: len(MAGIC)] != MAGIC or sha256(linear16).digest() != data[len(MAGIC) : start]:
        return None
    return linear16


class MemoryStore:
    """The phrases of a process; the ones not said for longest go first. Not thread safe.

    Args:
        max_bytes: of audio.
        max_age_seconds: after which a phrase is made again.
        now: monotonic seconds.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        max_age_seconds: float = float("inf"),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bytes = 0
        self.max_bytes = max_bytes
        self._max_age = max_age_seconds
        self._now = now
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> bytes | None:
        """The audio of a key, or None."""
        found = self._kept.get(key)
        if found is None:
            return None
        kept_at, linear16 = found
        if self._now() - kept_at > self._max_age:
            self._forget(key)
            return None
        self._kept.move_to_end(key)
        return linear16

    def put(self, key: str, linear16: bytes) -> None:
        """Keep it; what is larger than everything that may be kept is not."""
        if key in self._kept:
            self._forget(key)
        if len(linear16) > self.max_bytes:
            return
        self._kept[key] = (self._now(), linear16)
        self.bytes += len(linear16)
        while self.bytes > self.max_bytes:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: str) -> None:
        self.bytes -= len(self._kept.pop(key)[1])
