"""Results on their way from a recogniser to the one who reads its stream."""

import asyncio
from collections.abc import AsyncIterator

from slukh.errors import SttError
from slukh.stt.base import Hypothesis, Result


class ResultQueue:
    """What a stream said; read by one reader, until the final, a failure or the close."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Result | SttError | None] = asyncio.Queue()

    def say(self, *results: Result) -> None:
        """For the reader, in this order."""
        for result in results:
            self._waiting.put_nowait(result)

    def fail(self, error: SttError) -> None:
        """The reader gets this error instead of a final."""
        self._waiting.put_nowait(error)

    def close(self) -> None:
        """The reader gets no more than what was said so far."""
        self._waiting.put_nowait(None)

    def failure(self) -> SttError:
        """The error of a stream that failed before it said anything."""
        error = self._waiting.get_nowait()
        assert isinstance(error, SttError)
        return error

    async def __aiter__(self) -> AsyncIterator[Result]:
        """What is said, the final last. Raises SttError."""
        while (result := await self._waiting.get()) is not None:
            if isinstance(result, SttError):
                raise result
            yield result
            if isinstance(result, Hypothesis) and result.is_final:
                return
