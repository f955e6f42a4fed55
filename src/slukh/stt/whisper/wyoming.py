"""Wyoming, the protocol of Home Assistant's voice servers: one TCP connection per utterance.

Audio goes at 8 kHz while it is spoken, and the server answers once, after `audio-stop`. It has no words,
scores, keys or interims, and shows a failure by closing without an answer.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from slukh.errors import SttError, SttProtocolError, SttTimeoutError
from slukh.stt.language import SUPPORTED, iso_639_1
from slukh.stt.whisper.decoding import DecodeRequest, DecoderLimits, Decoding, likeliest
from slukh.stt.whisper.failures import (
    connect_error,
    failed,
    given_back,
    no_answer,
    no_words,
    quoted,
    slow_connect,
    spoken_language,
    took_no_more,
)
from slukh.stt.whisper.tcp import BLOCKED_SECONDS, watch
from slukh.stt.whisper.wyoming_events import Event, Events, WyomingFormatError, encoded
from slukh.types import SAMPLE_RATE_HERTZ

_FORMAT: Final = {"rate": SAMPLE_RATE_HERTZ, "width": 2, "channels": 1}


class WyomingDecoder:
    """A `Decoder` over a server.

    Args:
        url: `tcp://host:10300`.
        as_language: BCP-47 to what is sent.
        connect_seconds: longest that connecting may take.
        total_seconds: longest from the end of an utterance to its text.
        start_seconds: longest that it may take to connect and say what it is, however patient requests are.
        name: registry name for errors.
    """

    def __init__(
        self,
        url: str,
        *,
        as_language: Callable[[str], str] = iso_639_1,
        connect_seconds: float = 2.0,
        total_seconds: float = 10.0,
        start_seconds: float = 6.0,
        name: str = "whisper",
    ) -> None:
        self.limits = DecoderLimits(
            interims=False, speculative=False, repetition_guard=False, languages=frozenset(SUPPORTED)
        )
        self.url = url
        self.as_language = as_language
        self.connect_seconds = connect_seconds
        self.total_seconds = total_seconds
        self._start_seconds = start_seconds
        self.name = name
        self.uploads: set[WyomingUpload] = set()
        self.is_closed = False

    @property
    def queue_age_seconds(self) -> float:
        """Nothing waits here; what waits at the server shows in its latency."""
        return 0.0

    async def start(self) -> None:
        """Ask it what it is. Raises SttError."""
        connection = WyomingConnection(self)
        try:
            async with asyncio.timeout(self._start_seconds):
                await connection.open()
                await connection.send(Event(type="describe"))
                info = await connection.receive("info")
        except TimeoutError:
            raise SttTimeoutError(
                self.name,
                f"{self.url} does not say what it is: does it speak Wyoming?",
                remedy="correct host, port and scheme in WHISPER_API_URL: HTTP servers are silent so; "
                "one of Wyoming is then still loading",
            ) from None
        finally:
            await connection.close()
        if not info.data.get("asr"):
            raise SttProtocolError(self.name, f"{self.url} speaks Wyoming and has no speech recognition")

    async def decode(self, request: DecodeRequest) -> Decoding:
        """The text of an utterance. Cancelling closes the connection."""
        upload = self.upload(request)
        upload.feed(request.pcm)
        upload.end()
        return await upload.decode()

    def upload(self, request: DecodeRequest) -> "WyomingUpload":
        """Begin to send an utterance."""
        return WyomingUpload(self, request)

    def hasten(self, request: DecodeRequest) -> None:
        """Nothing: every request is on its way at once."""

    async def aclose(self) -> None:
        """Close the connections; what they wait for fails."""
        self.is_closed = True
        for upload in tuple(self.uploads):
            upload.fail()


class WyomingUpload:
    """One utterance over one connection."""

    def __init__(self, decoder: WyomingDecoder, request: DecodeRequest) -> None:
        self._decoder = decoder
        self._request = request
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._connection = WyomingConnection(decoder)

    def feed(self, pcm: bytes) -> None:
        """More of it."""
        if pcm:
            self._pieces.put_nowait(pcm)

    def end(self) -> None:
        """That was all."""
        self._pieces.put_nowait(None)

    def fail(self) -> None:
        """Break the connection; `decode` raises."""
        self._connection.abort()

    async def decode(self) -> Decoding:
        """Its text. Raises SttError."""
        decoder, connection = self._decoder, self._connection
        if decoder.is_closed:
            raise given_back(decoder.name)
        decoder.uploads.add(self)
        tasks: list[asyncio.Task[Any]] = []
        try:
            await connection.open()
            # Listening from the first: a server that goes away is noticed while the caller speaks.
            answer = asyncio.create_task(connection.receive("transcript"))
            sending = asyncio.create_task(self._send())
            tasks += [answer, sending]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if answer.done() and not sending.done():
                answer.result()
                raise SttProtocolError(decoder.name, "a text before the end of the utterance")
            await sending
            async with asyncio.timeout(decoder.total_seconds):
                transcript = await answer
        except TimeoutError:
            raise no_answer(decoder.name, decoder.total_seconds) from None
        finally:
            decoder.uploads.discard(self)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await connection.close()
        text = " ".join(str(transcript.data.get("text") or "").split())
        asked = likeliest(self._request)
        spoken = spoken_language(decoder.name, transcript.data.get("language"), (asked,))
        return Decoding(text=text, language_code=spoken)

    async def _send(self) -> None:
        connection = self._connection
        language = self._decoder.as_language(likeliest(self._request))
        await connection.send(Event(type="transcribe", data={"language": language}))
        await connection.send(Event(type="audio-start", data=_FORMAT))
        while (pcm := await self._pieces.get()) is not None:
            await connection.send(Event(type="audio-chunk", data=_FORMAT, payload=pcm))
        await connection.send(Event(type="audio-stop"))


class WyomingConnection:
    """A TCP connection that carries events."""

    def __init__(self, decoder: WyomingDecoder) -> None:
        self._decoder = decoder
        self._events = Events()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        """Raises SttConnectError."""
        decoder = self._decoder
        parts = urlsplit(decoder.url)
        try:
            async with asyncio.timeout(decoder.connect_seconds):
                self._reader, self._writer = await asyncio.open_connection(parts.hostname, parts.port)
            watch(self._writer.get_extra_info("socket"))
        except TimeoutError as error:
            raise slow_connect(decoder.name, decoder.url, decoder.connect_seconds) from error
        except OSError as error:
            raise connect_error(decoder.name, decoder.url, error) from error

    async def send(self, event: Event) -> None:
        """Raises SttError."""
        assert self._writer is not None
        try:
            self._writer.write(encoded(event))
            async with asyncio.timeout(BLOCKED_SECONDS):
                await self._writer.drain()
        except TimeoutError:
            raise took_no_more(self._decoder.name) from None
        except OSError as error:
            raise self._broken() from error

    async def receive(self, wanted: str) -> Event:
        """The next event of a type; others are passed over. Raises SttError."""
        assert self._reader is not None
        while True:
            try:
                data = await self._reader.read(65536)
                events = self._events.receive(data)
            except OSError as error:
                raise self._broken() from error
            except WyomingFormatError as error:
                raise SttProtocolError(
                    self._decoder.name, f"{self._decoder.url} does not speak Wyoming ({error!s:.80})"
                ) from error
            for event in events:
                if event.type == wanted:
                    return event
                if event.type == "error":
                    raise failed(self._decoder.name, quoted(event.data.get("text")))
            if not data:
                raise self._broken()

    def abort(self) -> None:
        """Break it."""
        if self._writer is not None:
            self._writer.transport.abort()

    async def close(self) -> None:
        """Idempotent; never raises."""
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()

    def _broken(self) -> SttError:
        return no_words(self._decoder.name)
