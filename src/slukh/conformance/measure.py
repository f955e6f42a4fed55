"""Plays the stored clips to a Whisper server at the pace of speech, one caller first, then more and more.

Everything goes through the client that calls use, so what is measured is what callers get.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from slukh.conformance.report import (
    Played,
    Report,
    Step,
    bcp_47_sentence,
    disconnect_sentence,
    is_doubled,
    revised_share,
    silence_sentence,
    step_of,
    word_error_rate,
)
from slukh.errors import ServiceError, SettingsError, SttError
from slukh.routing.health import Clip, hear_clip, stored_clips
from slukh.stt.base import Rejection, StreamConfig, SttProvider
from slukh.stt.language import iso_639_1
from slukh.stt.whisper.address import Address
from slukh.stt.whisper.remedies import REMEDIES
from slukh.stt.whisper.servers import server_at, server_name
from slukh.types import SAMPLE_RATE_HERTZ, AudioChunk

_CHUNK_SECONDS = 0.1
_CHUNK_BYTES = round(_CHUNK_SECONDS * SAMPLE_RATE_HERTZ) * 2
_SILENCE_SECONDS = 3
_SHORT_SECONDS = 2
_INTO_THE_DECODE_SECONDS = 0.2
_WAIT_SECONDS = 60.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be checked.

    Attributes:
        where: the server.
        api_key: or empty.
        model: as the server names it.
        language_code: BCP-47.
        rounds: clips that one caller plays.
        max_streams: most callers at once.
        final_seconds: longest wait for a final.
        pace: times the pace of speech.
    """

    where: Address
    api_key: str = ""
    model: str = ""
    language_code: str
    rounds: int = 5
    max_streams: int = 16
    final_seconds: float = 30.0
    pace: float = 1.0

    def provider(self, as_language: Callable[[str], str] = iso_639_1) -> SttProvider:
        """Our client of it."""
        return server_at(
            self.where,
            api_key=self.api_key,
            model=self.model,
            as_language=as_language,
            final_seconds=self.final_seconds,
        )


async def check(wanted: Wanted, progress: Progress) -> Report:
    """Measure a server; takes minutes.

    Raises:
        ServiceError: it cannot be used at all.
        SettingsError: there is no clip in that language.
    """
    clip = _clip(wanted.language_code)
    provider = wanted.provider()
    try:
        progress(f"asking {wanted.where} what it is")
        await _started(provider)
        progress("one caller whom nobody measures: the first request may load the model")
        with contextlib.suppress(SttError, TimeoutError):  # what stays wrong is said by the next one
            await hear_clip(provider, clip, timeout_seconds=_WAIT_SECONDS)
        progress(f"one caller, {wanted.rounds} times")
        alone = [await play(provider, clip, wanted.pace) for _ in range(wanted.rounds)]
        worked = [played for played in alone if played.error is None]
        if not worked:
            raise _unusable(alone[0].error)
        steps = [_as_one_caller(step_of(alone))]
        doubled_at = await _load(provider, clip, wanted, steps, progress)
        progress("silence")
        silence = await play(provider, _silence(wanted.language_code), wanted.pace)
        progress("a caller who hangs up")
        on_disconnect = await _on_hang_up(provider, clip)
        server = server_name(provider)
    finally:
        await provider.aclose()
    progress(f"{wanted.language_code} as the name of the language")
    other_form = await _with_bcp_47(wanted, clip)
    first_interims = [p.first_interim_seconds for p in worked if p.first_interim_seconds is not None]
    return Report(
        url=str(wanted.where),
        dialect=wanted.where.dialect,
        server=server,
        model=wanted.model,
        language_code=wanted.language_code,
        wer=word_error_rate(clip.text, alone, clip.language_code),
        interims=sum(len(p.interims) for p in worked) / len(worked),
        first_interim_seconds=median(first_interims) if first_interims else None,
        revised_share=revised_share(worked),
        steps=tuple(steps),
        streams=max(step.streams for step in steps if step is steps[0] or not is_doubled(step, steps[0])),
        doubled_at=doubled_at,
        on_silence=silence_sentence(silence),
        on_bcp_47=bcp_47_sentence(other_form, worked[0]),
        on_disconnect=on_disconnect,
    )


def write_capacity(report: Report, path: Path) -> None:
    """The capacity file, whole or not at all.

    Raises:
        ServiceError: it cannot be written.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_text(json.dumps(report.capacity(), indent=2) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise ServiceError(
            f"{path} cannot be written ({error.strerror})", remedy="choose another file for --capacity"
        ) from error


async def play(provider: SttProvider, clip: Clip, pace: float = 1.0) -> Played:
    """One caller says a clip."""
    chunk_seconds = _CHUNK_SECONDS / pace
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        stream = await provider.open(StreamConfig(language_code=clip.language_code))
    except SttError as error:
        return Played(error=error)
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
        return Played(error=error)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await stream.close()
    return Played(
        text=final,
        ended_at=ended,
        final_seconds=heard_at - ended,
        first_interim_seconds=interims[0][0] if interims else None,
        interims=tuple(text for _, text in interims),
        dropped=dropped,
    )


async def _load(
    provider: SttProvider, clip: Clip, wanted: Wanted, steps: list[Step], progress: Progress
) -> int | None:
    """Twice as many callers each time; then half way back, to where they begin to wait twice as long."""

    async def step(streams: int) -> bool:
        progress(f"{streams} callers at once")
        steps.append(
            step_of(await asyncio.gather(*(play(provider, clip, wanted.pace) for _ in range(streams))))
        )
        return is_doubled(steps[-1], steps[0])

    most, good, streams = wanted.max_streams, 1, 2
    while streams <= most and not await step(streams):
        good, streams = streams, streams * 2
    if streams > most:
        return None
    bad = streams
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (good, middle) if await step(middle) else (middle, bad)
    return bad


async def _on_hang_up(provider: SttProvider, clip: Clip) -> str:
    """How long a short clip takes alone, and right after a caller has gone in the middle of a decode."""
    short = Clip(language_code=clip.language_code, pcm=clip.pcm[: _SHORT_SECONDS * 16000], text="")
    try:
        usual = (await hear_clip(provider, short, timeout_seconds=_WAIT_SECONDS)).final_seconds
        stream = await provider.open(StreamConfig(language_code=clip.language_code, interim_results=False))
        try:
            await stream.send(AudioChunk(pcm=clip.pcm))
            await stream.end()
            await asyncio.sleep(_INTO_THE_DECODE_SECONDS)
        finally:
            await stream.close()
        after = (await hear_clip(provider, short, timeout_seconds=_WAIT_SECONDS)).final_seconds
    except (SttError, TimeoutError):
        return "the next caller got no answer"
    return disconnect_sentence(after, usual)


async def _with_bcp_47(wanted: Wanted, clip: Clip) -> Played:
    provider = wanted.provider(as_language=str)
    try:
        return await play(provider, clip, wanted.pace)
    finally:
        await provider.aclose()


async def _started(provider: SttProvider) -> None:
    try:
        await provider.start()
    except SttError as error:
        raise _unusable(error) from error


def _unusable(error: SttError | None) -> ServiceError:
    assert error is not None
    return ServiceError(error.detail, remedy=REMEDIES[error.error_type])


def _as_one_caller(step: Step) -> Step:
    """The clips of one caller came one after the other."""
    return Step(streams=1, p50_seconds=step.p50_seconds, p95_seconds=step.p95_seconds, failed=step.failed)


def _clip(language_code: str) -> Clip:
    clips = {clip.language_code: clip for clip in stored_clips()}
    if language_code not in clips:
        raise SettingsError(f"no clip in {language_code}", remedy=f"use {' or '.join(clips)}")
    return clips[language_code]


def _silence(language_code: str) -> Clip:
    pcm = bytes(_SILENCE_SECONDS * SAMPLE_RATE_HERTZ * 2)
    return Clip(language_code=language_code, pcm=pcm, text="")
