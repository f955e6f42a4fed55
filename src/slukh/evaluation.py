"""A manifest of recordings, heard by one recogniser after the other, each as if it were a call."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from uuid import uuid4

from slukh.assembly.parts import Parts, build_parts
from slukh.audio import linear16_from_samples
from slukh.audio_files import Recording, read_recording
from slukh.cost.meter import milliseconds
from slukh.errors import AudioFileError, ExperimentError
from slukh.experiment.evaluation import Heard, Request, Results, audio_digest
from slukh.experiment.manifest import Problem, Row
from slukh.session import run_call
from slukh.settings.config import AllSettings
from slukh.stt.language import SUPPORTED
from slukh.telephony.file_line import FileLine
from slukh.types import AttemptEnded, CallStarted, Event, RecognisersDown, Transcript

_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A recogniser to evaluate.

    Attributes:
        name: registry name.
        given: settings with which it alone hears every call.
    """

    name: str
    given: AbstractAsyncContextManager[AllSettings]


async def hear_manifest(
    provider: Provider,
    rows: Sequence[Row],
    results: Results,
    *,
    paced: bool,
    on_row: Callable[[], None],
) -> tuple[dict[int, Heard], list[Problem]]:
    """Hear what was not heard before; a row that cannot be heard is named and left out.

    Args:
        provider: who hears.
        rows: what.
        results: what was heard before, and where it is kept.
        paced: at the pace of speech, as a caller speaks; else as fast as it goes.
        on_row: told of every row when it is done.

    Raises:
        WeightsError, SttError: the recogniser cannot be started.
    """
    heard: dict[int, Heard] = {}
    problems: list[Problem] = []
    async with provider.given as given:
        alone: dict[str, object] = {"slukh_stt_fallback": ()}
        if not paced:  # utterances queue up in front of the recogniser: none of them is late
            alone |= {"slukh_final_seconds": _PATIENCE_SECONDS, "slukh_hedge_seconds": _PATIENCE_SECONDS}
        parts = build_parts(given._replace(settings=given.settings.model_copy(update=alone)))
        try:
            await parts.start()
            for row in rows:
                try:
                    heard[row.line] = await _hear(parts, row, results, paced=paced)
                except (AudioFileError, ExperimentError) as error:
                    problems.append(Problem(line=row.line, problem=str(error)))
                on_row()
        finally:
            await parts.aclose()
    return heard, problems


async def _hear(parts: Parts, row: Row, results: Results, *, paced: bool) -> Heard:
    """One recording, from memory or by ear. Raises AudioFileError, ExperimentError."""
    if row.language_code not in SUPPORTED:
        raise ExperimentError(
            f"unknown language {row.language_code!r}", remedy=f"allowed: {', '.join(sorted(SUPPORTED))}"
        )
    (provider,) = parts.providers.values()
    recording = read_recording(row.audio)
    digest = audio_digest(linear16_from_samples(recording.samples))
    before = results.get((provider.name, provider.model, digest, row.language_code, paced))
    if before is not None:
        return before
    began = time.monotonic()
    text, finals, requests = await _listen(parts, recording, row.language_code, paced=paced)
    heard = Heard(
        provider=provider.name,
        model=provider.model,
        audio=digest,
        language_code=row.language_code,
        text=text,
        audio_seconds=recording.seconds,
        took_seconds=time.monotonic() - began,
        final_seconds=finals,
        is_paced=paced,
        requests=requests,
    )
    results.add(heard)
    return heard


async def _listen(
    parts: Parts, recording: Recording, language_code: str, *, paced: bool
) -> tuple[str, tuple[float, ...], tuple[Request, ...]]:
    """Its finals in one text, the seconds each took, and what was sent.

    Raises:
        ExperimentError: a final never came.
    """
    texts: dict[int, str] = {}  # they come in the order in which they are ready
    finals: list[float] = []
    requests: list[Request] = []
    errors: list[str] = []
    is_down = False

    def publish(event: Event) -> None:
        nonlocal is_down
        match event:
            case Transcript(is_final=True, text=text, utterance_id=utterance) if text:
                texts[utterance] = text
            case AttemptEnded(error=error, final_seconds=seconds) as ended:
                requests.append(
                    Request(
                        outcome=ended.outcome,
                        sent_ms=milliseconds(ended.audio_samples),
                        reported_ms=ended.reported_ms,
                    )
                )
                if error is not None:
                    errors.append(error)
                elif seconds is not None:
                    finals.append(seconds)
            case RecognisersDown():
                is_down = True

    call = CallStarted(call_id=str(uuid4()), language_code=language_code)
    router = parts.router(call, publish, interim_results=paced)
    await run_call(FileLine(recording, paced=paced), parts.listener(), router)
    if is_down:
        raise ExperimentError(
            f"not heard ({errors[-1] if errors else 'no recogniser answered'})", remedy="run it again"
        )
    return " ".join(texts[utterance] for utterance in sorted(texts)), tuple(finals), tuple(requests)
