"""A server that listens while the caller speaks, as a recogniser: a socket for each utterance."""

import asyncio
from collections.abc import Callable

from slukh.stt.base import Capabilities, StreamConfig
from slukh.stt.language import SUPPORTED, iso_639_1
from slukh.stt.whisper.address import Address
from slukh.stt.whisper.conversation import Asked, Call
from slukh.stt.whisper.decoding import WINDOW_SECONDS
from slukh.stt.whisper.failures import given_back
from slukh.stt.whisper.policy import language_prior, refuse_unknown
from slukh.stt.whisper.socket_stream import SocketStream
from slukh.stt.whisper.websocket import Socket, open_socket

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

    async def open(self, config: StreamConfig) -> SocketStream:
        """A connection for one utterance, ready for audio.

        Raises:
            SttLanguageError: one that nobody knows.
            SttError: it cannot be reached, or refuses.
        """
        refuse_unknown(self.name, config)
        prior = language_prior(config)
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

    def _closed(self, stream: SocketStream, socket: Socket) -> None:
        """The goodbye of a socket waits for the server's; nobody else does."""
        self._streams.discard(stream)
        goodbye = asyncio.create_task(socket.close())
        self._goodbyes.add(goodbye)
        goodbye.add_done_callback(self._goodbyes.discard)
