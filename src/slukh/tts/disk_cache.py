"""Phrases in a folder, shared by the gateways of a machine (`cache.PhraseStore`).

Every phrase is a file that appears whole. Files are read, digested and written in threads: a slow disk delays
one phrase, never the line of another call. Whoever asks while others are being read waits in one queue for
the few threads that empty it: a hundred calls cost no more than the reading itself.

A folder that does not answer (a file server that is gone) is left alone for some seconds, like a Redis:
speech does not wait for it, and what was made meanwhile is not heaped up in front of it.
"""

import asyncio
import logging
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

from slukh.tts.cache import StoreError, sealed, unsealed

logger = logging.getLogger(__name__)

# More than one, so that a file that hangs does not keep the others waiting.
_READERS: Final = 2
# Each answer wakes the loop, and the two keep each other from the interpreter's lock.
_AT_ONCE: Final = 16
ANSWER_SECONDS: Final = 1.0
REST_SECONDS: Final = 5.0
WRITES_WAITING: Final = 256

_Found = bytes | None | StoreError


class DiskStore:
    """See the module.

    Args:
        folder: made when it is not there.
        max_bytes: of all files; the ones made first go first, down to nine tenths.
        max_age_seconds: after which a phrase is made again.
        on_error: told every time something is wrong.
        now: monotonic seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        max_age_seconds: float = float("inf"),
        on_error: Callable[[StoreError], None] = lambda _: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_age = max_age_seconds
        self._on_error = on_error
        self._size: int | None = None
        self._now = now
        self._rests_until = 0.0
        self._said: set[StoreError] = set()
        self._writing = asyncio.Lock()
        self._writes = 0  # at work, or waiting
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="phrases")
        self._asked: deque[tuple[Path, asyncio.Future[_Found]]] = deque()
        self._reading = 0

    async def get(self, key: str) -> bytes | None:
        """The audio of a key, or None."""
        if self._now() < self._rests_until:
            return None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await self._read(self._path(key))
        except TimeoutError:
            self._rests_until = self._now() + REST_SECONDS
            self._asked.clear()
            self._wrong("read", f"no answer in {ANSWER_SECONDS:g} s")
            return None
        if isinstance(found, str):
            self._wrong(found, key)
            return None
        return found

    async def put(self, key: str, linear16: bytes) -> None:
        """Keep it, if the folder takes it."""
        if self._now() < self._rests_until:
            return
        if self._writes >= WRITES_WAITING:
            self._wrong("write", f"{self._writes} phrases wait to be written")
            return
        self._writes += 1
        try:
            async with self._writing:
                await asyncio.to_thread(self._write, self._path(key), linear16)
        except OSError as error:
            self._wrong("write", error.strerror)
        finally:
            self._writes -= 1

    async def newest(self, max_bytes: int) -> Sequence[tuple[str, bytes]]:
        """What was made last, the oldest first, as much as fits; what cannot be read is left out."""
        return await asyncio.to_thread(self._newest, max_bytes)

    async def aclose(self) -> None:
        """Read nothing more; nothing is open between phrases."""
        self._asked.clear()
        self._readers.shutdown(wait=False)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.phrase"

    async def _read(self, path: Path) -> _Found:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Found] = loop.create_future()
        self._asked.append((path, answer))
        self._set_to_work(loop)
        return await answer

    def _set_to_work(self, loop: asyncio.AbstractEventLoop) -> None:
        """One reader for what is asked; more when they are many."""
        if self._reading < min(_READERS, -(-len(self._asked) // _AT_ONCE)):
            self._reading += 1
            working = loop.run_in_executor(self._readers, self._answer_all, loop)
            working.add_done_callback(lambda _: self._rested(loop))

    def _rested(self, loop: asyncio.AbstractEventLoop) -> None:
        self._reading -= 1
        self._set_to_work(loop)  # what came between the last look and now

    def _answer_all(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read what is asked until nothing is (a thread)."""
        while asked := self._some():
            found = [(answer, self._found(path)) for path, answer in asked if not answer.done()]
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, found)

    def _some(self) -> list[tuple[Path, "asyncio.Future[_Found]"]]:
        asked: list[tuple[Path, asyncio.Future[_Found]]] = []
        with suppress(IndexError):  # another reader took the last one
            while len(asked) < _AT_ONCE:
                asked.append(self._asked.popleft())
        return asked

    def _found(self, path: Path) -> _Found:
        try:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                status = os.fstat(descriptor)
                if time.time() - status.st_mtime > self._max_age:
                    return None
                data = os.read(descriptor, status.st_size)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return None
        except OSError:
            return "read"
        linear16 = unsealed(data)
        return "corrupt" if linear16 is None else linear16

    def _newest(self, max_bytes: int) -> list[tuple[str, bytes]]:
        kept: list[tuple[str, bytes]] = []
        for _, size, path in sorted(self._files(), reverse=True):
            max_bytes -= size
            if max_bytes < 0:
                break
            if isinstance(found := self._found(path), bytes):
                kept.append((path.stem, found))
        return kept[::-1]

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


def _settle(found: Iterable[tuple["asyncio.Future[_Found]", _Found]]) -> None:
    for answer, data in found:
        if not answer.done():  # whoever asked has given up
            answer.set_result(data)
