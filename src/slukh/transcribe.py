"""A recording, heard as if it were a call, without a server."""

from collections.abc import Callable, Mapping
from uuid import uuid4

from slukh.assembly.parts import build_parts
from slukh.audio_files import Recording
from slukh.session import run_call
from slukh.settings.config import AllSettings
from slukh.telephony.file_line import FileLine
from slukh.types import CallStarted, Event, event_json

_PATIENCE_SECONDS = 600.0


async def transcribe_recording(
    given: AllSettings,
    recording: Recording,
    on_event: Callable[[Mapping[str, object]], None],
    *,
    paced: bool,
) -> None:
    """Run a recording through the whole line and tell its events.

    Raises:
        WeightsError, SttError: the recogniser cannot be started.
        BrokenPipeError: nobody reads the events any more; the rest of the recording is not heard.
    """
    if not paced:  # utterances queue up in front of the recogniser: none of them is late
        patient = {"slukh_final_seconds": _PATIENCE_SECONDS, "slukh_hedge_seconds": _PATIENCE_SECONDS}
        given = given._replace(settings=given.settings.model_copy(update=patient))
    parts = build_parts(given)
    line = FileLine(recording, paced=paced)
    gone: list[BrokenPipeError] = []

    def publish(event: Event) -> None:
        try:
            if not gone:
                on_event(event_json(event))
        except BrokenPipeError as error:
            gone.append(error)
            line.stop("gateway")

    call = CallStarted(
        call_id=str(uuid4()),
        language_code=parts.language_code,
        alternative_language_codes=parts.alternative_language_codes,
    )
    try:
        await parts.start()
        await run_call(line, parts.listener(), parts.router(call, publish))
    finally:
        await parts.aclose()
    if gone:
        raise gone[0]
