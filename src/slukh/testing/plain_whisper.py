"""A plain client of each real Whisper server, as one writes it in ten lines: what ours is measured against.

Each is given a whole clip and a port on loopback, and returns the seconds from the end of the audio to the
final. Servers that are posted to are posted the file at its end. Those with a socket get the audio at the
pace of speech and are told that it is over, as their own clients do; WhisperLive and speaches cannot be told,
and get silence until a segment, or a turn, is complete.
"""

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import urlencode

import httpx
from websockets.asyncio.client import ClientConnection, connect

from slukh.audio import Resampler, linear16_from_samples, samples_from_linear16, wav_from_linear16
from slukh.stt.language import iso_639_1
from slukh.stt.whisper.wyoming_events import Event, Events, encoded

_LONG_SECONDS: Final = 600.0
_SOCKET_SECONDS: Final = 60.0
PlainClient = Callable[[int, str, bytes, str], Awaitable[float]]
"""Port, model, linear 16-bit audio at 8 kHz, BCP-47."""


async def openai(port: int, model: str, pcm: bytes, language_code: str) -> float:
    """`POST /v1/audio/transcriptions`."""
    form = {"model": model, "language": iso_639_1(language_code), "temperature": "0"}
    return await _posted(port, "/v1/audio/transcriptions", pcm, form)


async def whisper_cpp(port: int, _model: str, pcm: bytes, language_code: str) -> float:
    """`POST /inference`."""
    return await _posted(port, "/inference", pcm, {"language": iso_639_1(language_code), "temperature": "0"})


async def _posted(port: int, path: str, pcm: bytes, form: dict[str, str]) -> float:
    """Over a connection that is there, as ours is by then."""
    async with httpx.AsyncClient(trust_env=False, timeout=_LONG_SECONDS) as client:
        await client.get(f"http://127.0.0.1:{port}/health")
        began = time.monotonic()
        answer = await client.post(
            f"http://127.0.0.1:{port}{path}",
            data={**form, "response_format": "verbose_json"},
            files={"file": ("clip.wav", wav_from_linear16(pcm), "audio/wav")},
        )
        answer.raise_for_status()
        answer.json()["text"]
        return time.monotonic() - began


async def wyoming(port: int, _model: str, pcm: bytes, language_code: str) -> float:
    """A connection, the audio, a transcript."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    form = {"rate": 8000, "width": 2, "channels": 1}
    writer.write(encoded(Event(type="transcribe", data={"language": iso_639_1(language_code)})))
    writer.write(encoded(Event(type="audio-start", data=form)))
    for at in range(0, len(pcm), 2048):
        writer.write(encoded(Event(type="audio-chunk", data=form, payload=pcm[at : at + 2048])))
    writer.write(encoded(Event(type="audio-stop")))
    events = Events()
    while data := await reader.read(65536):
        if any(event.type == "transcript" for event in events.receive(data)):
            writer.close()
            return time.monotonic() - began
    raise ConnectionError("closed without a transcript")


async def whisperlive(port: int, model: str, pcm: bytes, language_code: str) -> float:
    """Its defaults, and silence at the end until it says that all is complete."""
    async with _socket(port, "/") as socket:
        options = {"uid": "plain", "task": "transcribe", "model": model, "use_vad": True}
        language = {"language": iso_639_1(language_code), "audio_format": "int16"}
        await socket.send(json.dumps(options | language))
        await socket.recv()
        async for piece in _spoken(pcm, 16000):
            await socket.send(piece)
        began = time.monotonic()
        await socket.send(bytes(64000))
        while True:
            segments = json.loads(await socket.recv()).get("segments", [])
            if segments and all(segment["completed"] for segment in segments):
                return time.monotonic() - began


async def listen(port: int, _model: str, pcm: bytes, language_code: str) -> float:
    """`/v1/listen` of WhisperLiveKit, up to its goodbye."""
    path = (
        f"/v1/listen?language={iso_639_1(language_code)}&encoding=linear16&sample_rate=16000"
        "&interim_results=true&endpointing=false"
    )
    async with _socket(port, path) as socket:
        async for piece in _spoken(pcm, 16000):
            await socket.send(piece)
        began = time.monotonic()
        await socket.send(json.dumps({"type": "CloseStream"}))
        async for _ in socket:
            pass
        return time.monotonic() - began


async def asr(port: int, _model: str, pcm: bytes, language_code: str) -> float:
    """`/asr` of WhisperLiveKit."""
    async with _socket(port, f"/asr?language={iso_639_1(language_code)}") as socket:
        async for piece in _spoken(pcm, 16000):
            await socket.send(piece)
        began = time.monotonic()
        await socket.send(b"")
        await _said(socket, "ready_to_stop")
        return time.monotonic() - began


async def realtime(port: int, model: str, pcm: bytes, language_code: str) -> float:
    """`/v1/realtime` of speaches with its own voice detection, and the silence that ends a turn."""
    query = urlencode({"intent": "transcription", "model": model, "language": iso_639_1(language_code)})
    async with _socket(port, f"/v1/realtime?{query}") as socket:
        async for piece in _spoken(pcm, 24000):
            await socket.send(_append(piece))
        began = time.monotonic()
        await socket.send(_append(bytes(48000)))
        await _said(socket, "conversation.item.input_audio_transcription.completed")
        return time.monotonic() - began


def _socket(port: int, path: str) -> connect:
    return connect(f"ws://127.0.0.1:{port}{path}", proxy=None, ping_interval=None)


async def _spoken(pcm: bytes, rate_hertz: int) -> AsyncIterator[bytes]:
    """In pieces of 100 ms at another rate, at the pace of speech."""
    resampler = Resampler(8000, rate_hertz)
    for at in range(0, len(pcm), 1600):
        yield linear16_from_samples(resampler.resample(samples_from_linear16(pcm[at : at + 1600])))
        await asyncio.sleep(0.1)


def _append(piece: bytes) -> str:
    return json.dumps({"type": "input_audio_buffer.append", "audio": b64encode(piece).decode()})


async def _said(socket: ClientConnection, kind: str) -> None:
    async with asyncio.timeout(_SOCKET_SECONDS):
        while json.loads(await socket.recv()).get("type") != kind:
            pass


PLAIN: Final[Mapping[str, PlainClient]] = {
    "http": openai,
    "whisper.cpp+http": whisper_cpp,
    "wyoming+tcp": wyoming,
    "whisperlive+ws": whisperlive,
    "deepgram+ws": listen,
    "whisperlivekit+ws": asr,
    "realtime+ws": realtime,
}
"""By the scheme of an address."""
