"""A recording, heard as if it were a call, without a server."""

from collections.abc import Callable, Mapping
from uuid import uuid4

from slukh.assembly import build_parts
from slukh.config import AllSettings
from slukh.session import run_call
from slukh.telephony.wavfile import FileLine, Recording
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
    """
    if not paced:  # utterances queue up in front of the recogniser: none of them is late
        patient = {"slukh_final_seconds": _PATIENCE_SECONDS, "slukh_hedge_seconds": _PATIENCE_SECONDS}
        given = given._replace(settings=given.settings.model_copy(update=patient))
    parts = build_parts(given)

    def publish(event: Event) -> None:
        on_event(event_json(event))

    call = CallStarted(
        call_id=str(uuid4()),
        language_code=parts.language_code,
        alternative_language_codes=parts.alternative_language_codes,
    )
    try:
        await parts.start()
        await run_call(FileLine(recording, paced=paced), parts.listener(), parts.router(call, publish))
    finally:
        await parts.aclose()
