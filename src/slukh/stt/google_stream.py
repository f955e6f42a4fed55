"""One utterance through a stream of its own, half-closed at our endpoint. See `google_wire.py`."""

from collections.abc import AsyncIterator

from slukh.errors import SttRequestError, SttStreamError
from slukh.stt.base import Hypothesis, Result, StreamConfig
from slukh.stt.google_requests import GoogleHearing
from slukh.stt.google_wire import CHUNK_BYTES, GoogleCall
from slukh.types import SAMPLE_RATE_HERTZ, AudioChunk


class GoogleStream:
    """A `SttStream`; made by `GoogleProvider.open`.

    `send` after `end` is refused, after `close` it is ignored. `end` twice is once. `close` is allowed at any
    time and ends the iteration. An utterance without audio is not asked about: its final is empty.

    Args:
        call: opened, its first message sent.
        config: what was asked.
        provider: registry name.
        max_seconds: longest utterance.
    """

    def __init__(self, call: GoogleCall, config: StreamConfig, *, provider: str, max_seconds: float) -> None:
        self._call = call
        self._provider = provider
        self._max_bytes = round(max_seconds * SAMPLE_RATE_HERTZ) * 2
        self._hearing = GoogleHearing(config)
        self._interims = config.interim_results
        self._gathered = bytearray()
        self._taken = 0  # bytes
        self._ended = False
        self._closed = False

    async def send(self, chunk: AudioChunk) -> None:
        """Take audio; blocks while Google takes none, and while it would leave too fast.

        Raises:
            SttRequestError: after `end`, or when the utterance outgrows `max_seconds`.
            SttError: Google ended the stream.
        """
        if self._closed:
            return
        self._taken += len(chunk.pcm)
        refuse_more(self._provider, ended=self._ended, taken=self._taken, most=self._max_bytes)
        self._gathered += chunk.pcm
        while len(self._gathered) >= CHUNK_BYTES:
            await self._call.write(bytes(self._gathered[:CHUNK_BYTES]))
            del self._gathered[:CHUNK_BYTES]

    async def end(self) -> None:
        """Half-close: Google says its last and bills no silence."""
        if self._closed or self._ended:
            return
        self._ended = True
        if not self._taken:
            self._call.cancel()
            return
        if self._gathered:
            await self._call.write(bytes(self._gathered))
        await self._call.half_close()

    async def __aiter__(self) -> AsyncIterator[Result]:
        """Interims, then exactly one final; for one reader."""
        while (answer := await self._call.read()) is not None:
            interim = self._hearing.hear(answer)
            if interim is not None and self._interims:
                yield interim
        if not self._closed:
            yield last_word(self._provider, self._hearing, is_whole=self._ended or not self._taken)

    async def close(self) -> None:
        """Cancel the call; whoever still listens hears the end."""
        self._closed = True
        self._call.cancel()


def refuse_more(provider: str, *, ended: bool, taken: int, most: int) -> None:
    """Refuse audio that does not belong to an utterance any more.

    Args:
        provider: registry name.
        ended: whether the utterance is over.
        taken: its bytes, these included.
        most: what is agreed.

    Raises:
        SttRequestError: it is not taken.
    """
    if ended:
        raise SttRequestError(provider, "audio after the end of the utterance")
    if taken > most:
        raise SttRequestError(provider, "the utterance is longer than Google is asked to take")


def last_word(provider: str, hearing: GoogleHearing, *, is_whole: bool) -> Hypothesis:
    """The final of an utterance whose stream Google closed in peace.

    Raises:
        SttStreamError: it closed before it had heard all (`is_whole`) or finalised all.
    """
    if not is_whole:
        raise SttStreamError(provider, "Google closed the stream before the utterance was over")
    if hearing.has_unfinished_text:
        raise SttStreamError(provider, "Google closed the stream with an interim and no final")
    return hearing.final()
