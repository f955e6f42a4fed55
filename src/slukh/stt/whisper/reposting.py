"""Interims from a server that gives none: the utterance is posted again and again, while nobody waits there.

The policy (stream.py) asks for them as it asks the local engine. What is different is that the server decodes
for others too, and few of them stop when we give up. So interims go only to a server whose last final was
quick, one at a time, none while a final is due there, one that runs is given up when a final comes, and after
one that took long there are none for a while: finals would wait behind them.
"""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from slukh.errors import SttOverloadedError
from slukh.stt.whisper.decoding import Decoder, DecodeRequest, DecoderLimits, Decoding, Upload

QUICK_SECONDS = 0.6
QUICK_FINAL_SECONDS = 1.0
PAUSE_SECONDS = 60.0


class RepostingDecoder:
    """A `Decoder` over that of a server.

    Args:
        decoder: of the server.
        quick_final_seconds: after a final that took longer there are none, until one is quicker.
        quick_seconds: an interim that takes longer is the last one for a while ...
        pause_seconds: ... of this length.
        name: registry name for errors.

    Attributes:
        inner: that of the server.
        held_back: why the last interim was not asked for; empty when it was.
    """

    def __init__(
        self,
        decoder: Decoder,
        *,
        quick_final_seconds: float = QUICK_FINAL_SECONDS,
        quick_seconds: float = QUICK_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
        name: str = "whisper",
    ) -> None:
        self.inner = decoder
        self.held_back = ""
        self._quick_final_seconds = quick_final_seconds
        self._quick_seconds = quick_seconds
        self._pause_seconds = pause_seconds
        self._name = name
        self._finals = 0
        self._is_quick = False
        self._interim: asyncio.Task[Decoding] | None = None
        self._none_before = 0.0

    @property
    def limits(self) -> DecoderLimits:
        """The server's, with interims."""
        return replace(self.inner.limits, interims_when_idle=True)

    @property
    def queue_age_seconds(self) -> float:
        """As the server's decoder sees it."""
        return self.inner.queue_age_seconds

    async def start(self) -> None:
        """See that the server is there. Raises SttError."""
        await self.inner.start()

    async def decode(self, request: DecodeRequest) -> Decoding:
        """A final at once; an interim when it disturbs nobody.

        Raises:
            SttOverloadedError: an interim that would, or has to give way.
        """
        if request.kind == "interim":
            return await self._decode_interim(request)
        with self.final_due():
            return await self.inner.decode(request)

    def upload(self, request: DecodeRequest) -> Upload | None:
        """The server's, its final counted from the end of the utterance."""
        upload = self.inner.upload(request)
        return None if upload is None else _CountedUpload(self, upload)

    def hasten(self, request: DecodeRequest) -> None:
        """Pass it on."""
        self.inner.hasten(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.inner.aclose()

    @contextmanager
    def final_due(self) -> Iterator[None]:
        """While somebody waits for the server: an interim makes room, and how long it takes is remembered."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._finals += 1
        self._is_quick = False  # unless it comes, and in time
        if self._interim is not None:
            self._interim.cancel()
        try:
            yield
            self._is_quick = loop.time() - began <= self._quick_final_seconds
        finally:
            self._finals -= 1

    async def _decode_interim(self, request: DecodeRequest) -> Decoding:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.held_back = self._why_not_now(began)
        if self.held_back:
            raise SttOverloadedError(self._name, f"no interim now: {self.held_back}")
        self._interim = asyncio.create_task(self.inner.decode(request))
        try:
            await asyncio.wait((self._interim,))
            if self._interim.cancelled():
                raise SttOverloadedError(self._name, "the interim gave way to a final")
            return self._interim.result()
        finally:
            self._interim.cancel()
            self._interim = None
            if loop.time() - began > self._quick_seconds:
                self._none_before = loop.time() + self._pause_seconds

    def _why_not_now(self, now: float) -> str:
        """Whom an interim would disturb; empty when nobody."""
        if self._finals:
            return "a final is due there"
        if self._interim is not None:
            return "another interim is under way"
        if not self._is_quick:
            return f"its last final took more than {self._quick_final_seconds:g} s, or failed"
        if now < self._none_before:
            return f"an interim took more than {self._quick_seconds:g} s"
        return ""


class _CountedUpload:
    """An `Upload` whose final is counted, from our endpoint until it is there."""

    def __init__(self, decoder: RepostingDecoder, upload: Upload) -> None:
        self._decoder = decoder
        self._upload = upload
        self._due = ExitStack()
        self._is_over = False

    def feed(self, pcm: bytes) -> None:
        self._upload.feed(pcm)

    def end(self) -> None:
        if self._is_over:  # it failed while the caller spoke: no final is due any more
            return
        self._due.enter_context(self._decoder.final_due())
        self._upload.end()

    async def decode(self) -> Decoding:
        try:
            with self._due:
                return await self._upload.decode()
        finally:
            self._is_over = True
