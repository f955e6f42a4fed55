"""A server that listens while the caller speaks, as a recogniser: the shell of every `Conversation`.

One socket per utterance, opened with the voice. What the server says goes through the same agreement and the
same guard as the local engine's texts, so that interims and finals of all dialects mean the same.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable

from slukh.errors import (
    SettingsError,
    SttError,
    SttLanguageError,
    SttRequestError,
    SttStreamError,
    SttTimeoutError,
)
from slukh.stt.base import Capabilities, Result, StreamConfig
from slukh.stt.language import SUPPORTED, iso_639_1
from slukh.stt.results import ResultQueue
from slukh.stt.whisper.address import Address
from slukh.stt.whisper.agreement import LocalAgreement
from slukh.stt.whisper.conversation import Asked, Call, Conversation, Heard
from slukh.stt.whisper.decoding import WINDOW_SECONDS, Decoding
from slukh.stt.whisper.failures import given_back, no_answer, spoken_language, took_no_more
from slukh.stt.whisper.finals import Voice, final_results, interim, is_shown
from slukh.stt.whisper.policy import language_prior
from slukh.stt.whisper.tcp import BLOCKED_SECONDS
from slukh.stt.whisper.websocket import Socket, SocketClosedError, open_socket
from slukh.types import SAMPLE_RATE_HERTZ, AudioChunk

MakeCall = Callable[[Address, Asked], Call]
"""A dialect: how one utterance is put to a server."""


class SocketProvider:
    """An `SttProvider` over a server's socket.

    Args:
        address: of the server.
        make_call: its dialect.
        api_key: or empty.
        model: which it runs; some dialects name it.
        metered: whether it bills.
        as_language: BCP-47 to what is sent.
        interim_results: whether silence from it, while a caller speaks, means that it fails.
        words: whether its finals have word timings.
        final_seconds: longest from our endpoint to its last word.
        connect_seconds: longest that the connection may take.
        ready_seconds: longest from there until it takes audio; some load their model then.
        name: registry name and metric label.
    """

    def __init__(
        self,
        address: Address,
        make_call: MakeCall,
        *,
        api_key: str = "",
        model: str = "",
        metered: bool = False,
        as_language: Callable[[str], str] = iso_639_1,
        interim_results: bool = False,
        words: bool = False,
        final_seconds: float = 10.0,
        connect_seconds: float = 2.0,
        ready_seconds: float = 5.0,
        name: str = "whisper",
    ) -> None:
        self.name = name
        self.model = model
        self.address = address
        self.capabilities = Capabilities(
            interim_results=interim_results,
            words=words,
            metered=metered,
            languages=frozenset(SUPPORTED),
            max_seconds=WINDOW_SECONDS,
        )
        self._make_call = make_call
        self._as_language = as_language
        self._api_key = api_key
        self._final_seconds = final_seconds
        self._connect_seconds = connect_seconds
        self._ready_seconds = ready_seconds
        self._streams: set[SocketStream] = set()
        self._goodbyes: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """See that it is there, takes the key, and becomes ready. Raises SttError."""
        stream = await self.open(StreamConfig(language_code="uk-UA"))
        await stream.close()

    async def open(self, config: StreamConfig) -> "SocketStream":
        """A connection for one utterance, ready for audio.

        Raises:
            SttLanguageError: one that nobody knows.
            SttError: it cannot be reached, or refuses.
        """
        try:
            prior = language_prior(config)
            for code in prior:
                iso_639_1(code)
        except SettingsError as error:
            raise SttLanguageError(self.name, str(error)) from error
        language_code = max(prior, key=prior.__getitem__)
        call = self._make_call(
            self.address,
            Asked(
                name=self.name,
                key=self._api_key,
                model=self.model,
                language=self._as_language(language_code),
                hints=config.phrase_hints,
                words=self.capabilities.words,
            ),
        )
        socket = await open_socket(
            self.name,
            call.url,
            headers=call.headers,
            connect_seconds=self._connect_seconds,
            secret=self._api_key,
        )
        stream = SocketStream(
            socket,
            call.conversation,
            language_code=language_code,
            interims=config.interim_results,
            final_seconds=self._final_seconds,
            on_closed=self._closed,
        )
        self._streams.add(stream)
        try:
            await stream.wait_ready(self._ready_seconds)
        except BaseException:
            await stream.close()
            raise
        return stream

    def backlog_seconds(self) -> float:
        """Nothing waits here."""
        return 0.0

    async def aclose(self) -> None:
        """Close what is open; those streams fail."""
        for stream in tuple(self._streams):
            await stream.fail(given_back(self.name))
        await asyncio.gather(*self._goodbyes)

    def _closed(self, stream: "SocketStream", socket: Socket) -> None:
        """The goodbye of a socket waits for the server's; nobody else does."""
        self._streams.discard(stream)
        goodbye = asyncio.create_task(socket.close())
        self._goodbyes.add(goodbye)
        goodbye.add_done_callback(self._goodbyes.discard)


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
        try:
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
        except SttError as error:
            self._over(error)

    def _look_again(self) -> None:
        """Have the clock read when the conversation wants it."""
        if self._look is not None:
            self._look.cancel()
        look_in = self._conversation.look_in
        self._look = None if look_in is None else self._loop.call_later(look_in, self._tick)

    def _tick(self) -> None:
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
