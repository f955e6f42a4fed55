"""`slukh whisper check`: what a Whisper server is like, from the first question to the capacity file."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from slukh.conformance.clips import clips_in, silence
from slukh.conformance.measure import WAIT_SECONDS, after_a_hang_up, callers_at_once, load, play
from slukh.conformance.report import (
    Played,
    Report,
    Step,
    bcp_47_sentence,
    is_doubled,
    revised_share,
    silence_sentence,
    step_of,
    word_errors_of,
)
from slukh.errors import ServiceError, SttError
from slukh.routing.health import Clip, hear_clip
from slukh.stt.base import SttProvider
from slukh.stt.language import iso_639_1
from slukh.stt.remedies import remedy_for
from slukh.stt.whisper.address import Address
from slukh.stt.whisper.servers import server_at, server_name, why_no_interims

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be checked.

    Attributes:
        where: the server.
        api_key: or empty.
        model: as the server names it.
        metered: whether it bills each request; None asks who is known to.
        asks_again: whether one that gives no interims is asked again and again for them.
        language_code: BCP-47.
        rounds: clips that one caller plays.
        max_streams: most callers at once.
        final_seconds: longest wait for a final.
        pace: times the pace of speech.
    """

    where: Address
    api_key: str = ""
    model: str = ""
    metered: bool | None = None
    asks_again: bool = True
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
            metered=self.metered,
            interims=self.asks_again,
            as_language=as_language,
            final_seconds=self.final_seconds,
        )


async def check(wanted: Wanted, progress: Progress) -> Report:
    """Measure a server; takes minutes.

    Raises:
        ServiceError: it cannot be used at all.
        SettingsError: there is no clip in that language.
    """
    clips = clips_in(wanted.language_code)
    longest = max(clips, key=lambda clip: len(clip.pcm))
    provider = wanted.provider()
    try:
        progress(f"asking {wanted.where} what it is")
        await _started(provider)
        progress("one caller whom nobody measures: the first request may load the model")
        try:
            await hear_clip(provider, clips[0], timeout_seconds=WAIT_SECONDS)
        except SttError as error:
            if error.is_permanent:
                raise _unusable(error) from error
        except TimeoutError:
            pass  # what stays wrong is said by the next one
        alone = await _one_caller(provider, clips, wanted, progress)
        worked = [played for played in alone if played.error is None]
        if not worked:
            raise _unusable(alone[0].error)
        no_interims = why_no_interims(provider)

        async def at_once(streams: int) -> Step:
            progress(f"{streams} callers at once")
            return await callers_at_once(provider, longest, streams, wanted.pace)

        # The clips of one caller came one after the other.
        steps, doubled_at = await load(replace(step_of(alone), streams=1), wanted.max_streams, at_once)
        progress("silence")
        on_silence = silence_sentence(await play(provider, silence(wanted.language_code), wanted.pace))
        progress("a caller who hangs up")
        on_disconnect = await after_a_hang_up(provider, clips[0])
        server = server_name(provider)
    finally:
        await provider.aclose()
    progress(f"{wanted.language_code} as the name of the language")
    heard = worked[0]
    other_form = await _with_bcp_47(wanted, next(clip for clip in clips if clip.text == heard.said))
    first_interims = [p.first_interim_seconds for p in worked if p.first_interim_seconds is not None]
    errors = word_errors_of(worked, wanted.language_code)
    return Report(
        url=str(wanted.where),
        dialect=wanted.where.dialect,
        server=server,
        model=wanted.model,
        language_code=wanted.language_code,
        wer=errors.wer or 0.0,
        words=errors.reference_words,
        interims=sum(len(p.interims) for p in worked) / len(worked),
        first_interim_seconds=median(first_interims) if first_interims else None,
        revised_share=revised_share(worked),
        why_no_interims="" if first_interims else no_interims,
        steps=tuple(steps),
        streams=max(step.streams for step in steps if step is steps[0] or not is_doubled(step, steps[0])),
        doubled_at=doubled_at,
        on_silence=on_silence,
        on_bcp_47=bcp_47_sentence(other_form, heard),
        on_disconnect=on_disconnect,
    )


def refuse_unwritable(path: Path) -> None:
    """See that a capacity file can be written, before minutes are spent on it. Raises ServiceError."""
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


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
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ServiceError:
    return ServiceError(
        f"{path} cannot be written ({error.strerror})", remedy="choose another file for --capacity"
    )


async def _one_caller(
    provider: SttProvider, clips: tuple[Clip, ...], wanted: Wanted, progress: Progress
) -> list[Played]:
    played = []
    for number, clip in enumerate(islice(cycle(clips), wanted.rounds), start=1):
        progress(f"one caller, clip {number} of {wanted.rounds}")
        played.append(await play(provider, clip, wanted.pace))
    return played


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
    return ServiceError(error.detail, remedy=remedy_for(error))
