"""A local Google for whoever has no account: it hears with the Whisper that is set up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from slukh.assembly.parts import build_parts
from slukh.settings.config import AllSettings, load_all
from slukh.stt.registry import require_google_library

_PROJECT = "local"


@asynccontextmanager
async def local_google(given: AllSettings) -> AsyncIterator[AllSettings]:
    """These settings, with Google's endpoint and project those of a local Google in this process.

    It claims the location that is set, and has `chirp_3` there: another model is refused, as Google would.

    Raises:
        SettingsError: Google's client library is not installed.
        WeightsError, SttError: Whisper cannot be started.
    """
    require_google_library()
    from slukh.testing.google import LocalGoogle
    from slukh.testing.google_ears import ProviderEars
    from slukh.testing.google_limits import GoogleLimits

    alone = given.settings.model_copy(update={"slukh_stt_fallback": ()})
    parts = build_parts(load_all(provider="whisper")._replace(settings=alone))
    try:
        await parts.start()
        whisper = parts.providers["whisper"]
        limits = GoogleLimits(
            location=given.google.google_stt_location, languages=whisper.capabilities.languages
        )
        async with LocalGoogle(ProviderEars(whisper), limits=limits) as google:
            here = {"google_stt_endpoint": google.endpoint, "google_stt_project_id": _PROJECT}
            yield given._replace(google=given.google.model_copy(update=here))
    finally:
        await parts.aclose()
