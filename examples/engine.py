"""Slukh in a pipeline that has four methods for its recogniser already.

    FF_STT_PROVIDER=whisper python examples/engine.py examples/calls/tyre-shop-ru.wav ru-RU

Weights come first, once: `slukh weights get silero base`. Without that variable Google hears it, which needs
an account.
"""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from slukh.audio import linear16_from_samples
from slukh.audio_files import read_recording
from slukh.engine import STTEngine
from slukh.errors import SlukhError


@dataclass
class StreamConfig:
    """What the pipeline knows of the stream; any object with some of these attributes will do."""

    language_code: str
    sample_rate_hertz: int
    interim_results: bool = False


async def main(path: str, language_code: str) -> None:
    """Hear a recording and print its finals."""
    audio = linear16_from_samples(read_recording(Path(path)).samples)
    rate = 8000  # which the reader makes of any other

    async with STTEngine() as engine:
        await engine.start_stream(StreamConfig(language_code=language_code, sample_rate_hertz=rate))

        async def print_transcripts() -> None:
            async for transcript in engine.get_transcripts():
                failed = "  (not transcribed: every recogniser failed)" if transcript.is_salvage else ""
                print(f"{transcript.language}  {transcript.confidence:.2f}  {transcript.text}{failed}")

        printing = asyncio.create_task(print_transcripts())
        for at in range(0, len(audio), 3200):
            await engine.feed_audio(audio[at : at + 3200])
            await asyncio.sleep(1600 / rate / 8)  # eight times the pace of speech
        await engine.stop_stream()
        await printing


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2]))
    except SlukhError as error:
        sys.exit(str(error))
