"""One utterance with a server that listens while the caller speaks: the shell of every `Conversation`.

What the server says goes through the same agreement and the same guard as the local engine's texts, so that
interims and finals of all dialects mean the same.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Callable, Iterator

from slukh.errors import (
    SttError,
    SttLanguageError,
    SttRequestError,
    SttStreamError,
    SttTimeoutError,
)
from slukh.stt.base import Result
from slukh.stt.results import ResultQueue
from slukh.stt.whisper.agreement import LocalAgreement
from slukh.stt.whisper.conversation import Conversation, Heard
from slukh.stt.whisper.decoding import WINDOW_SECONDS, Decoding
from slukh.stt.whisper.failures import no_answer, spoken_language, took_no_more
from slukh.stt.whisper.finals import Voice, final_results, interim, is_shown
from slukh.stt.whisper.tcp import BLOCKED_SECONDS
from slukh.stt.whisper.websocket import Socket, SocketClosedError
from slukh.types import SAMPLE_RATE_HERTZ, AudioChunk

logger = logging.getLogger(__name__)


class SocketStream:
    """An `SttStream` over one socket; made by `SocketProvider.open`."""

    def __init__(
        self,
        socket: Socket,
        conversation: Conversation,
        *,
        language_code: str,
        interims: bool,
        final_seconds: float,
        on_closed: Callable[["SocketStream", Socket], None],
    ) -> None:
        self._socket = socket
        self._conversation = conversation
        self._language_code = language_code
        self._interims = interims
        self._final_seconds = final_seconds
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._agreement = LocalAgreement()
        self._voice = Voice()
        self._results = ResultQueue()
        self._ready = asyncio.Event()
        self._deadline: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._has_ended = self._is_over = self._closed = False
        conversation.open()
        if conversation.is_ready:
            self._ready.set()
        self._reader = asyncio.create_task(self._read())

    async def wait_ready(self, ready_seconds: float) -> None:
        """Until the server takes audio. Raises SttError."""
        try:
            async with asyncio.timeout(ready_seconds):
                await self._flush()
                await self._ready.wait()
        except TimeoutError:
            name = self._conversation.name
            raise SttTimeoutError(
                name, f"connected, and not ready in {ready_seconds:g} s: it may be loading"
            ) from None
        if self._is_over:
            raise self._results.failure()

    async def send(self, chunk: AudioChunk) -> None:
        """Pass audio on; waits while the server takes none.

        Raises:
            SttRequestError: after `end`, or when the utterance outgrows what Whisper hears.
            SttTimeoutError: the server takes no more.
        """
        name = self._conversation.name
        if self._closed or self._is_over:
            return
        if self._has_ended:
            raise SttRequestError(name, "audio after the end of the utterance")
        if self._voice.samples + chunk.samples > WINDOW_SECONDS * SAMPLE_RATE_HERTZ:
            raise SttRequestError(name, f"the utterance is longer than {WINDOW_SECONDS:g} s")
        self._voice.add(chunk)
        if not chunk.pcm:
            return
        self._conversation.audio(chunk)
        try:
            async with asyncio.timeout(BLOCKED_SECONDS):
                await self._flush()
        except TimeoutError:
            raise took_no_more(name) from None

    async def end(self) -> None:
        """The utterance is over; one without a voice is not asked about."""
        if self._closed or self._is_over or self._has_ended:
            return
        self._has_ended = True
        if not self._voice.voiced:
            self._finish(Heard(text="", is_last=True))
            return
        self._deadline = self._loop.call_later(self._final_seconds, self._too_late)
        self._conversation.end()
        self._look_again()
        await self._flush()

    def __aiter__(self) -> AsyncIterator[Result]:
        """Interims, perhaps a `Rejection`, then exactly one final; for one reader."""
        return aiter(self._results)

    async def close(self) -> None:
        """Cancel whatever still runs. Idempotent."""
        if self._closed:
            return
        self._closed = self._is_over = True
        for timer in (self._deadline, self._look):
            if timer is not None:
                timer.cancel()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        self._results.close()
        self._on_closed(self, self._socket)

    async def fail(self, error: SttError) -> None:
        """Whoever listens gets this error."""
        self._over(error)
        await self.close()

    async def _flush(self) -> None:
        for message in self._conversation.to_send():
            try:
                await self._socket.send(message)
            except SocketClosedError:
                return  # the reader learns it too, and says why

    async def _read(self) -> None:
        """What the server says, until its last word."""
        conversation = self._conversation
        with self._telling():
            while not conversation.is_over:
                try:
                    message = await self._socket.receive()
                except SocketClosedError as closed:
                    self._hear(conversation.closed(closed.code, closed.reason))
                    return
                self._hear(conversation.receive(message, self._loop.time()))
                self._look_again()
                await self._flush()
                if conversation.is_ready:
                    self._ready.set()

    def _look_again(self) -> None:
        """Have the clock read when the conversation wants it."""
        if self._look is not None:
            self._look.cancel()
        look_in = self._conversation.look_in
        self._look = None if look_in is None else self._loop.call_later(look_in, self._tick)

    def _tick(self) -> None:
        with self._telling():
            self._hear(self._conversation.tick())
            self._look_again()

    def _hear(self, heard: list[Heard]) -> None:
        for each in heard:
            if each.is_last:
                self._finish(each)
            else:
                self._tell(each)

    def _tell(self, heard: Heard) -> None:
        decoding = self._decoding(heard)
        if self._interims and not self._has_ended and is_shown(decoding):
            self._results.say(interim(decoding, *self._agreement.update(decoding.text)))

    def _finish(self, heard: Heard) -> None:
        if self._is_over:
            return
        if not self._has_ended:
            self._over(SttStreamError(self._conversation.name, "a last word before the end of the utterance"))
            return
        try:
            spoken_language(self._conversation.name, heard.language, (self._language_code,))
        except SttLanguageError as error:
            self._over(error)
            return
        self._results.say(*final_results(self._decoding(heard), self._voice))
        self._over(None)

    def _too_late(self) -> None:
        self._over(no_answer(self._conversation.name, self._final_seconds))

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """What goes wrong is told: whoever listens must not wait for a deadline to hear of it."""
        try:
            yield
        except SttError as error:
            self._over(error)
        except Exception as defect:  # ours, or an answer of a form that nobody has thought of
            name = self._conversation.name
            logger.exception("recogniser_defect", extra={"provider": name})
            failure = SttStreamError(name, f"its answer was not understood ({type(defect).__name__})")
            failure.__cause__ = defect
            self._over(failure)

    def _over(self, error: SttError | None) -> None:
        if not self._is_over:
            self._is_over = True
            if error is not None:
                self._results.fail(error)
        self._ready.set()

    def _decoding(self, heard: Heard) -> Decoding:
        return Decoding(
            text=heard.text,
            avg_logprob=math.log(heard.confidence) if heard.confidence else None,
            language_code=self._language_code,
            words=heard.words,
        )
