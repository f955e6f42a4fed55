"""A plain client of each real Whisper server, as one writes it in ten lines: what ours is measured against.

Each is given a whole clip and a port on loopback, and returns the seconds from the end of the audio to the
final. Servers that are posted to are posted the file at its end. WhisperLive's is what its own client does:
the audio at the pace of speech, then until a segment is complete.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import httpx
from websockets.asyncio.client import connect

from slukh.audio import Resampler, linear16_from_samples, samples_from_linear16, wav_from_linear16
from slukh.stt.language import iso_639_1
from slukh.stt.whisper.wyoming_events import Event, Events, encoded

_LONG_SECONDS: Final = 600.0
PlainClient = Callable[[int, str, bytes, str], Awaitable[float]]
"""Port, model, linear 16-bit audio at 8 kHz, BCP-47."""


async def openai(port: int, model: str, pcm: bytes, language_code: str) -> float:
    """`POST /v1/audio/transcriptions`, over a connection that is there, as ours is by then."""
    language = iso_639_1(language_code)
    async with httpx.AsyncClient(trust_env=False, timeout=_LONG_SECONDS) as client:
        await client.get(f"http://127.0.0.1:{port}/health")
        began = time.monotonic()
        answer = await client.post(
            f"http://127.0.0.1:{port}/v1/audio/transcriptions",
            data={
                "model": model,
                "language": language,
                "response_format": "verbose_json",
                "temperature": "0",
            },
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
    resampler = Resampler(8000, 16000)
    async with connect(f"ws://127.0.0.1:{port}", proxy=None, ping_interval=None) as socket:
        options = {"uid": "plain", "task": "transcribe", "model": model, "use_vad": True}
        language = {"language": iso_639_1(language_code), "audio_format": "int16"}
        await socket.send(json.dumps(options | language))
        await socket.recv()
        for at in range(0, len(pcm), 1600):
            await socket.send(
                linear16_from_samples(resampler.resample(samples_from_linear16(pcm[at : at + 1600])))
            )
            await asyncio.sleep(0.1)
        began = time.monotonic()
        await socket.send(bytes(64000))
        while True:
            segments = json.loads(await socket.recv()).get("segments", [])
            if segments and all(segment["completed"] for segment in segments):
                return time.monotonic() - began


PLAIN: Final[Mapping[str, PlainClient]] = {
    "http": openai,
    "wyoming+tcp": wyoming,
    "whisperlive+ws": whisperlive,
}
"""By the scheme of an address."""
