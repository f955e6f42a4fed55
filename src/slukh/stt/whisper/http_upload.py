"""An utterance that is posted while it is spoken: a form of unknown length, its WAV header before the audio.

The upload is over when the caller is, and a server that is not there is noticed at the first word instead of
after the last. Servers that were tried (faster-whisper-server, whisper.cpp) take a header that announces more
than follows. One that refuses such a form, or breaks the connection over it before it has ever taken one, is
posted to whole at the end of the utterance; when that works, so are all others, after a break the second
time.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final, Protocol
from uuid import uuid4

import httpx

from slukh.errors import SttError, SttRequestError, SttStreamError
from slukh.stt.whisper.decoding import DecodeRequest, Decoding
from slukh.types import SAMPLE_RATE_HERTZ

# Zero is refused by whisper.cpp; everything is taken that leaves room below 2 GiB.
_ANNOUNCED_BYTES: Final = 0x7FFFFF00
_ROUNDING_MS: Final = 1000  # a provider may bill a second that was begun


class Poster(Protocol):
    """What an upload asks of whoever posts: http.py.

    Attributes:
        total_seconds: longest from the end of an utterance to its text.
        pieces: utterances are sent while they are spoken.
        took_pieces: the server has taken one so.
        broke_pieces: one failed so, and was taken whole.
    """

    total_seconds: float
    pieces: bool
    took_pieces: bool
    broke_pieces: bool

    def form(self, request: DecodeRequest) -> Mapping[str, str | list[str]]:
        """Its fields besides the file."""

    async def decode(self, request: DecodeRequest) -> Decoding:
        """Post the utterance whole. Raises SttError."""

    async def decode_pieces(
        self, request: DecodeRequest, body: AsyncIterator[bytes], content_type: str
    ) -> Decoding:
        """Post a form that is still being written. Raises SttError."""

    def translated(self, within_seconds: float | None) -> AbstractAsyncContextManager[None]:
        """A deadline, and the client's errors as ours."""


class HttpUpload:
    """An `Upload` through a `Poster`."""

    def __init__(self, decoder: Poster, request: DecodeRequest) -> None:
        self._decoder = decoder
        self._request = request
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._pcm = bytearray()
        self._deadline: asyncio.Timeout | None = None
        self._ended_at: float | None = None
        self._ended = asyncio.Event()

    def feed(self, pcm: bytes) -> None:
        """More of it."""
        self._pcm += pcm
        if pcm:
            self._pieces.put_nowait(pcm)

    def end(self) -> None:
        """That was all."""
        self._pieces.put_nowait(None)
        self._ended_at = asyncio.get_running_loop().time()
        self._ended.set()
        if self._deadline is not None:
            self._deadline.reschedule(self._ended_at + self._decoder.total_seconds)

    async def decode(self) -> Decoding:
        """Its text. Raises SttError."""
        try:
            decoding = await self._in_pieces()
        except SttError as error:
            if not self._is_perhaps_the_form(error):
                raise
            await self._ended.wait()
            decoding = await self._decoder.decode(self._whole())
            said_so = isinstance(error, SttRequestError)
            self._decoder.pieces = not (said_so or self._decoder.broke_pieces)
            self._decoder.broke_pieces = True  # once may be an accident
        else:
            self._decoder.took_pieces = True
        return decoding

    async def _in_pieces(self) -> Decoding:
        boundary = uuid4().hex
        content_type = f"multipart/form-data; boundary={boundary}"
        ends_at = None if self._ended_at is None else self._ended_at + self._decoder.total_seconds
        try:
            async with self._decoder.translated(None), asyncio.timeout_at(ends_at) as self._deadline:
                return self._believed(
                    await self._decoder.decode_pieces(self._request, self._body(boundary), content_type)
                )
        finally:
            self._deadline = None  # one that is over cannot be moved

    def _is_perhaps_the_form(self, error: SttError) -> bool:
        """Whether the utterance would fare better whole; not at a server that has taken another in pieces.

        400, 411, 415, 422, 501: perhaps the form, perhaps what is asked; the whole utterance will show. "A
        server that receives a request message with a transfer coding it does not understand SHOULD respond
        with 501" (RFC 9112, section 6.1); others just break the connection.
        """
        broke = isinstance(error, SttStreamError) and isinstance(error.__cause__, httpx.RequestError)
        return not self._decoder.took_pieces and (broke or isinstance(error, SttRequestError))

    def _believed(self, decoding: Decoding) -> Decoding:
        """Without a duration that was read off our header instead of the audio."""
        said, own = decoding.reported_ms, len(self._pcm) / 2 / SAMPLE_RATE_HERTZ * 1000
        is_wrong = said is not None and said > own + _ROUNDING_MS
        return replace(decoding, reported_ms=None) if is_wrong else decoding

    def _whole(self) -> DecodeRequest:
        return replace(self._request, pcm=bytes(self._pcm))

    async def _body(self, boundary: str) -> AsyncIterator[bytes]:
        yield form_head(self._decoder.form(self._request), boundary)
        while (pcm := await self._pieces.get()) is not None:
            yield pcm
        yield form_tail(boundary)


def form_head(fields: Mapping[str, str | list[str]], boundary: str) -> bytes:
    """Multipart up to the first sample; a field with several values comes once for each."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, values in fields.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    file = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="utterance.wav"\r\n'
        "Content-Type: audio/wav\r\n\r\n"
    )
    return "".join((*parts, file)).encode() + endless_wav_header()


def form_tail(boundary: str) -> bytes:
    """Multipart behind the last sample."""
    return f"\r\n--{boundary}--\r\n".encode()


def endless_wav_header() -> bytes:
    """Of linear 16-bit mono at 8 kHz whose length nobody knows yet.

    Source: Multimedia Programming Interface and Data Specifications 1.0 (RIFF WAVE), 1991.
    """
    byte_rate = SAMPLE_RATE_HERTZ * 2
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SAMPLE_RATE_HERTZ, byte_rate, 2, 16)
    riff = struct.pack("<4sI4s", b"RIFF", _ANNOUNCED_BYTES + 36, b"WAVE")
    return riff + fmt + struct.pack("<4sI", b"data", _ANNOUNCED_BYTES)
