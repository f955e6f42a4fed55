"""Where phrases are kept: in memory, and behind it in a folder or in Redis. None of it can break speech.

A phrase is linear 16-bit audio at 8 kHz under its content address (`phrases.phrase_key`), so it is
never changed, only forgotten. What is kept outside the process carries its digest: a phrase that does not
match is made again. A store that cannot be read or written (a full or read-only folder, a Redis that is gone)
tells `on_error`, and the phrase is made as if nothing had been kept.
"""

import asyncio
import logging
import os
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Literal, Protocol, get_args

logger = logging.getLogger(__name__)

StoreError = Literal["corrupt", "read", "write"]
STORE_ERRORS: tuple[StoreError, ...] = get_args(StoreError)

MAGIC = b"SLPHR1\r\n"
_DIGEST_BYTES = 32


class PhraseStore(Protocol):
    """A level of the cache behind the memory. Neither method raises, or waits for long."""

    async def get(self, key: str) -> bytes | None:
        """The audio of a key, or None."""

    async def put(self, key: str, linear16: bytes) -> None:
        """Keep it, if that is possible."""

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
        self._max_bytes = max_bytes
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
        if len(linear16) > self._max_bytes:
            return
        self._kept[key] = (self._now(), linear16)
        self.bytes += len(linear16)
        while self.bytes > self._max_bytes:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: str) -> None:
        self.bytes -= len(self._kept.pop(key)[1])


class _CorruptError(Exception):
    """A file is there, and its digest is another's."""


class DiskStore:
    """Phrases in a folder, shared by the gateways of a machine (`PhraseStore`).

    Every phrase is a file that appears whole. Files are read, digested and written in threads: a slow disk
    delays one phrase, never the line of another call.

    Args:
        folder: made when it is not there.
        max_bytes: of all files; the ones made first go first, down to nine tenths.
        max_age_seconds: after which a phrase is made again.
        on_error: told every time something is wrong.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        max_age_seconds: float = float("inf"),
        on_error: Callable[[StoreError], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_age = max_age_seconds
        self._on_error = on_error
        self._size: int | None = None
        self._said: set[StoreError] = set()
        self._writing = asyncio.Lock()

    async def get(self, key: str) -> bytes | None:
        """The audio of a key, or None."""
        try:
            return await asyncio.to_thread(self._read, self._path(key))
        except OSError as error:
            self._wrong("read", error.strerror)
        except _CorruptError:
            self._wrong("corrupt", key)
        return None

    async def put(self, key: str, linear16: bytes) -> None:
        """Keep it, if the folder takes it."""
        async with self._writing:
            try:
                await asyncio.to_thread(self._write, self._path(key), linear16)
            except OSError as error:
                self._wrong("write", error.strerror)

    async def aclose(self) -> None:
        """Nothing is open between phrases."""

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.phrase"

    def _read(self, path: Path) -> bytes | None:
        try:
            made = path.stat().st_mtime
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        if time.time() - made > self._max_age:
            return None
        if (linear16 := unsealed(data)) is None:
            raise _CorruptError
        return linear16

    def _write(self, path: Path, linear16: bytes) -> None:
        data = sealed(linear16)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._size = self._measure() if self._size is None else self._size + len(data)
        if self._size > self._max_bytes:
            self._make_room()

    def _files(self) -> list[tuple[float, int, Path]]:
        """Moment of writing, size and path of every phrase that is still there."""
        found = []
        for path in self._folder.glob("??/*.phrase"):
            try:
                status = path.stat()
            except OSError:
                continue
            found.append((status.st_mtime, status.st_size, path))
        return found

    def _measure(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _make_room(self) -> None:
        files = sorted(self._files())
        size = sum(size for _, size, _ in files)
        for _, own, path in files:
            if size <= self._max_bytes * 9 // 10:
                break
            path.unlink(missing_ok=True)
            size -= own
        self._size = size

    def _wrong(self, what: StoreError, detail: str | None) -> None:
        self._on_error(what)
        if what not in self._said:  # the metric counts; the log need not repeat it for every phrase
            self._said.add(what)
            logger.warning(
                "phrase_cache", extra={"error": what, "folder": str(self._folder), "detail": detail}
            )
