"""Slukh in a pipeline that has four methods for its recogniser already.

    FF_STT_PROVIDER=whisper python examples/engine.py examples/calls/tyre-shop-ru.wav ru-RU

Weights come first, once: `slukh weights get silero base`. Without that variable Google hears it, which needs
an account.
"""

import asyncio
import sys
import wave
from dataclasses import dataclass

from slukh.engine import STTEngine


@dataclass
class StreamConfig:
    """What the pipeline knows of the stream; any object with some of these attributes will do."""

    language_code: str
    sample_rate_hertz: int
    interim_results: bool = False


async def main(path: str, language_code: str) -> None:
    """Hear a recording and print its finals."""
    with wave.open(path) as recording:
        rate = recording.getframerate()
        audio = recording.readframes(recording.getnframes())

    async with STTEngine() as engine:
        await engine.start_stream(StreamConfig(language_code=language_code, sample_rate_hertz=rate))

        async def print_transcripts() -> None:
            async for transcript in engine.get_transcripts():
                print(f"{transcript.language}  {transcript.confidence:.2f}  {transcript.text}")

        printing = asyncio.create_task(print_transcripts())
        for at in range(0, len(audio), 3200):
            await engine.feed_audio(audio[at : at + 3200])
            await asyncio.sleep(1600 / rate / 8)  # eight times the pace of speech
        await engine.stop_stream()
        await printing


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1], sys.argv[2]))
