"""Interims from a server that gives none: the utterance is posted again and again, while nobody waits there.

The policy (stream.py) asks for them as it asks the local engine. What is different is that the server decodes
for others too, and few of them stop when we give up. So one interim at a time goes to a server, none while a
final is due there, one that runs is given up when a final comes, and a server that takes long for one gets
none for a while: its finals would wait behind them.
"""

import asyncio
from dataclasses import replace

from slukh.errors import SttOverloadedError
from slukh.stt.whisper.decoding import Decoder, DecodeRequest, DecoderLimits, Decoding, Upload

QUICK_SECONDS = 0.6
PAUSE_SECONDS = 60.0


class RepostingDecoder:
    """A `Decoder` over that of a server.

    Args:
        decoder: of the server.
        quick_seconds: an interim that takes longer is the last one for a while ...
        pause_seconds: ... of this length.
        name: registry name for errors.
    """

    def __init__(
        self,
        decoder: Decoder,
        *,
        quick_seconds: float = QUICK_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
        name: str = "whisper",
    ) -> None:
        self.inner = decoder
        self._quick_seconds = quick_seconds
        self._pause_seconds = pause_seconds
        self._name = name
        self._finals = 0
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
        with _Waiting(self):
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

    def final_began(self) -> None:
        """Somebody waits for the server now; an interim makes room."""
        self._finals += 1
        if self._interim is not None:
            self._interim.cancel()

    def final_ended(self) -> None:
        """He does not any more."""
        self._finals -= 1

    async def _decode_interim(self, request: DecodeRequest) -> Decoding:
        loop = asyncio.get_running_loop()
        began = loop.time()
        if self._finals or self._interim is not None or began < self._none_before:
            raise SttOverloadedError(self._name, "no interim now: the server has other things to do")
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


class _Waiting:
    """While a final is due."""

    def __init__(self, decoder: RepostingDecoder) -> None:
        self._decoder = decoder

    def __enter__(self) -> None:
        self._decoder.final_began()

    def __exit__(self, *_error: object) -> None:
        self._decoder.final_ended()


class _CountedUpload:
    """An `Upload` whose final is counted."""

    def __init__(self, decoder: RepostingDecoder, upload: Upload) -> None:
        self._decoder = decoder
        self._upload = upload
        self._is_due = False

    def feed(self, pcm: bytes) -> None:
        self._upload.feed(pcm)

    def end(self) -> None:
        self._is_due = True
        self._decoder.final_began()
        self._upload.end()

    async def decode(self) -> Decoding:
        try:
            return await self._upload.decode()
        finally:
            if self._is_due:
                self._decoder.final_ended()
