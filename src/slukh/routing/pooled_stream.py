"""A stream of one server among several, whose end is told to whoever spreads the utterances."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from slukh.errors import SttError
from slukh.stt.base import Hypothesis, Result, SttStream
from slukh.types import AudioChunk, Outcome


class Pool(Protocol):
    """Who wants to know."""

    def closed(self, key: str) -> None:
        """A stream is no longer open."""

    def ended(self, key: str, outcome: Outcome, final_seconds: float | None) -> None:
        """A stream gave a final, `final_seconds` after its utterance."""

    def failed(self, key: str, error: SttError) -> SttError:
        """A stream failed; what that is to a caller, for whom there are others."""


class PooledStream:
    """An `SttStream` of one server.

    Args:
        stream: the server's.
        pool: is told how it ends, once.
        key: of the server.
    """

    def __init__(self, stream: SttStream, pool: Pool, key: str) -> None:
        self._stream = stream
        self._pool = pool
        self._key = key
        self._ended_at: float | None = None
        self._is_told = self._is_closed = False

    async def send(self, chunk: AudioChunk) -> None:
        """As the server's."""
        try:
            await self._stream.send(chunk)
        except SttError as error:
            raise self._failed(error) from error

    async def end(self) -> None:
        """As the server's."""
        self._ended_at = asyncio.get_running_loop().time()
        try:
            await self._stream.end()
        except SttError as error:
            raise self._failed(error) from error

    async def __aiter__(self) -> AsyncIterator[Result]:
        """As the server's."""
        try:
            async for result in self._stream:
                if isinstance(result, Hypothesis) and result.is_final:
                    self._gave("published" if result.text else "empty")
                yield result
        except SttError as error:
            raise self._failed(error) from error

    async def close(self) -> None:
        """As the server's."""
        if not self._is_closed:
            self._is_closed = True
            self._pool.closed(self._key)
        await self._stream.close()

    def _gave(self, outcome: Outcome) -> None:
        if not self._is_told:
            self._is_told = True
            now = asyncio.get_running_loop().time()
            self._pool.ended(self._key, outcome, None if self._ended_at is None else now - self._ended_at)

    def _failed(self, error: SttError) -> SttError:
        if self._is_told:
            return error
        self._is_told = True
        return self._pool.failed(self._key, error)
