"""Clips through a Whisper server at the pace of speech: one caller, many at once, one who hangs up.

Everything goes through the client that calls use, so what is measured is what callers get.
"""

import asyncio
from collections.abc import Awaitable, Callable

from slukh.conformance.clips import beginning
from slukh.conformance.report import Played, Step, disconnect_sentence, is_doubled, step_of
from slukh.errors import SttError
from slukh.routing.health import Clip, hear_clip
from slukh.stt.base import Rejection, StreamConfig, SttProvider
from slukh.types import SAMPLE_RATE_HERTZ, AudioChunk

_CHUNK_SECONDS = 0.1
_CHUNK_BYTES = round(_CHUNK_SECONDS * SAMPLE_RATE_HERTZ) * 2
_INTO_THE_DECODE_SECONDS = 0.2
WAIT_SECONDS = 60.0  # for a text that nobody's caller waits for


async def play(provider: SttProvider, clip: Clip, pace: float = 1.0) -> Played:
    """One caller says a clip."""
    chunk_seconds = _CHUNK_SECONDS / pace
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        stream = await provider.open(StreamConfig(language_code=clip.language_code))
    except SttError as error:
        return Played(said=clip.text, error=error)
    interims: list[tuple[float, str]] = []
    final, dropped, heard_at = "", False, 0.0

    async def listen() -> None:
        nonlocal final, dropped, heard_at
        async for result in stream:
            if isinstance(result, Rejection):
                dropped = True
            elif result.is_final:
                final, heard_at = result.text, loop.time()
            else:
                interims.append((loop.time() - began, result.text))

    listening = asyncio.create_task(listen())
    try:
        for at in range(0, len(clip.pcm), _CHUNK_BYTES):
            await stream.send(AudioChunk(pcm=clip.pcm[at : at + _CHUNK_BYTES]))
            await asyncio.sleep(max(0.0, began + (at / _CHUNK_BYTES + 1) * chunk_seconds - loop.time()))
        ended = loop.time()
        await stream.end()
        await listening
    except SttError as error:
        return Played(said=clip.text, error=error)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await stream.close()
    return Played(
        said=clip.text,
        text=final,
        ended_at=ended,
        final_seconds=heard_at - ended,
        first_interim_seconds=interims[0][0] if interims else None,
        interims=tuple(text for _, text in interims),
        dropped=dropped,
    )


async def load(
    alone: Step, most: int, at_once: Callable[[int], Awaitable[Step]]
) -> tuple[list[Step], int | None]:
    """Twice as many callers each time; then half way back, to where they begin to wait twice as long.

    Args:
        alone: what one caller got.
        most: callers at once.
        at_once: lets so many call.

    Returns:
        What was tried, and at how many callers finals are twice as late, or None within `most`.
    """
    steps = [alone]

    async def is_too_much(streams: int) -> bool:
        steps.append(await at_once(streams))
        return is_doubled(steps[-1], alone)

    good, streams = 1, 2
    while streams <= most and not await is_too_much(streams):
        good, streams = streams, streams * 2
    if streams > most:
        return steps, None
    bad = streams
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (good, middle) if await is_too_much(middle) else (middle, bad)
    return steps, bad


async def callers_at_once(provider: SttProvider, clip: Clip, streams: int, pace: float) -> Step:
    """So many say the same at the same moment, which is harder than calls that begin when they like."""
    return step_of(await asyncio.gather(*(play(provider, clip, pace) for _ in range(streams))))


async def after_a_hang_up(provider: SttProvider, clip: Clip) -> str:
    """How long a short clip takes alone, and right after a caller has gone in the middle of a decode."""
    short = beginning(clip)
    try:
        usual = (await hear_clip(provider, short, timeout_seconds=WAIT_SECONDS)).final_seconds
        stream = await provider.open(StreamConfig(language_code=clip.language_code, interim_results=False))
        try:
            await stream.send(AudioChunk(pcm=clip.pcm))
            await stream.end()
            await asyncio.sleep(_INTO_THE_DECODE_SECONDS)
        finally:
            await stream.close()
        after = (await hear_clip(provider, short, timeout_seconds=WAIT_SECONDS)).final_seconds
    except (SttError, TimeoutError):
        return "the next caller got no answer"
    return disconnect_sentence(after, usual)
