"""What calls tell the comparison of recognisers, put together: store, sink, recordings, shadows."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from slukh.assembly.parts import Parts
from slukh.background import in_background
from slukh.errors import ExperimentError
from slukh.experiment.recorded import SpokenAudio
from slukh.experiment.recordings import Recordings
from slukh.experiment.sink import ExperimentSink, ShadowText
from slukh.experiment.store import ExperimentStore
from slukh.monitoring.metrics import Metrics
from slukh.routing.shadows import ShadowHeard
from slukh.settings.recordings import RecordingSettings

logger = logging.getLogger(__name__)

_EXPIRE_SECONDS = 600.0
_GRACE_SECONDS = 5.0  # Google's stream takes an utterance of 20 s in as much


@contextlib.asynccontextmanager
async def comparing(
    url: str,
    given: RecordingSettings,
    parts: Parts,
    metrics: Metrics,
    *,
    grammars: Sequence[Path] = (),
    worker: str = "",
) -> AsyncIterator[tuple[ExperimentStore, ExperimentSink]]:
    """The experiment's store and its sink, told of every call and of what shadows hear, until the block ends.

    Args:
        url: of the experiment's store.
        given: what is recorded.
        parts: of the gateway, with the shadows.
        metrics: told of what was lost.
        grammars: a user's own, by which texts are compared.
        worker: this gateway's name.

    Raises:
        ExperimentError: the store cannot be used, or what recording needs is not installed.
    """
    is_recorded = given.days is not None

    def heard(shadow: ShadowHeard) -> None:
        text = ShadowText(
            provider=shadow.provider,
            text=shadow.text,
            audio_samples=shadow.utterance.samples,
            audio=_audio(shadow) if is_recorded else None,
        )
        sink.shadow_heard(shadow.call_id, shadow.utterance.id, text)

    async with contextlib.AsyncExitStack() as stack:
        store = stack.enter_context(ExperimentStore(url, may_be_away=True))
        recordings = stack.enter_context(
            Recordings(url, key=given.key if is_recorded else None, days=given.days, may_be_away=True)
        )
        sink = ExperimentSink(
            store,
            grammars=grammars,
            worker=worker,
            recordings=recordings if is_recorded else None,
            on_dropped=lambda rows: metrics.experiment_lost("row", rows),
            on_recordings_dropped=lambda lost: metrics.experiment_lost("recording", lost),
        )
        sink.start()
        stack.callback(sink.stop)
        expiring = in_background(_expire(recordings))
        stack.callback(expiring.cancel)
        if parts.shadows is not None:
            parts.shadows.on_heard = heard
            # While there still are books for it.
            stack.push_async_callback(parts.shadows.aclose, grace_seconds=_GRACE_SECONDS)
        yield store, sink


def _audio(shadow: ShadowHeard) -> SpokenAudio | None:
    if not shadow.chunks:
        return None
    utterance = shadow.utterance
    return SpokenAudio(
        start=utterance.start,
        end=utterance.end,
        speech_start=utterance.speech_start,
        speech_end=utterance.speech_end,
        pcm=b"".join(chunk.pcm for chunk in shadow.chunks),
    )


async def _expire(recordings: Recordings) -> None:
    """What was kept long enough goes, though recording is off by now; until cancelled."""
    while True:
        try:
            if gone := await asyncio.to_thread(recordings.expire, datetime.now(UTC)):
                logger.info("recordings_expired", extra={"recordings": gone})
        except ExperimentError as error:
            logger.error("recordings_not_expired", extra={"error": str(error)})  # noqa: TRY400  # its sentence says it
        await asyncio.sleep(_EXPIRE_SECONDS)
