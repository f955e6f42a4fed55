"""One gateway process: what all of its calls share, put together from settings."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args
from uuid import uuid4

from slukh.assembly.answering import Answering, build_answering, phrase_tally
from slukh.assembly.parts import Parts, build_parts
from slukh.assembly.voices import VoiceNews
from slukh.audio import linear16_from_samples
from slukh.audio_files import read_recording
from slukh.callers import caller_hash, made_caller_key
from slukh.cost.meter import CLIP_IDS
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.spools import leave_address, url_of
from slukh.errors import AudioFileError, SettingsError
from slukh.experiment.sink import ExperimentSink
from slukh.monitoring.metrics import Metrics
from slukh.routing.breaker_store import Standing
from slukh.routing.health import Canaries, Heard
from slukh.routing.live_flags import LiveFlags, follow
from slukh.routing.pool import ServerPool
from slukh.serving.accuracy import AccuracyWatch
from slukh.serving.call_log import CallLog
from slukh.serving.callbook import CallBook
from slukh.serving.comparing import comparing
from slukh.serving.gateway import Admission, Gateway, WhenDown
from slukh.serving.guarding import Guard, bounds_of
from slukh.serving.metering import Metering, metering
from slukh.serving.phrase_keeping import PhraseKeeping, let_go
from slukh.serving.standing_log import StandingLog
from slukh.session import Sink
from slukh.settings.config import AllSettings, Settings
from slukh.stt.remedies import remedy_for
from slukh.types import AttemptEnded, CallEvent

logger = logging.getLogger(__name__)

NotReady = Literal["recogniser", "disk", "gateway"]
NOT_READY: tuple[NotReady, ...] = get_args(NotReady)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What all calls of a gateway process share.

    Attributes:
        settings: the gateway's.
        parts: recognisers and detector.
        flags: in force.
        metrics: of everything here.
        meter: books what calls use, and says what it costs.
        experiment: what calls tell the comparison of recognisers.
        accuracy: how well each recogniser hears, for the metrics.
        guard: takes Whisper's share back.
        answering: who answers callers; None when nobody does.
        phrases: what callers are told, by digest; None when nobody answers.
        book: the calls there are.
        gateway: takes them.
        caller_key: of the hashes of their numbers.
    """

    settings: Settings
    parts: Parts
    flags: LiveFlags
    metrics: Metrics
    meter: Metering
    experiment: ExperimentSink
    accuracy: AccuracyWatch
    guard: Guard
    answering: Answering | None
    phrases: PhraseKeeping | None
    book: CallBook
    gateway: Gateway
    caller_key: bytes

    async def start(self) -> None:
        """Load and warm everything that calls need; recognisers that are away for now are waited for later.

        Raises:
            UserError: weights are missing, or who answers cannot.
            SttError: a recogniser is not set up as it should be.
        """
        if self.parts.probes is not None:
            self.parts.probes.on_heard = partial(self._heard_clip, is_kept=False)
        if self.answering is not None:
            self.answering.on_made = self._book
        await self.parts.start(may_be_away=True)
        if self.answering is not None:
            await self.answering.start()

    def canaries(self) -> Canaries:
        """The stored clips, to be played to every recogniser now and then."""
        return Canaries(
            self.parts.providers,
            languages=(self.parts.language_code, *self.parts.alternative_language_codes),
            interval_seconds=self.settings.slukh_canary_minutes * 60,
            on_heard=self._heard_clip,
            on_failed=lambda name, error: logger.error(
                "canary_failed", extra={"provider": name, "error": error.detail, "remedy": remedy_for(error)}
            ),
        )

    def background(self) -> list[Coroutine[Any, Any, None]]:
        """What is done beside calls, until it is cancelled."""
        work = [
            self._forget(),
            follow(self.flags),
            self._guard(),
            self.meter.follow_statements(),
            self.accuracy.follow(),
        ]
        if self.phrases is not None:
            work.append(self.phrases.run())
        return work

    def not_ready(self, canaries: Canaries) -> dict[str, str]:
        """What keeps this gateway from taking calls, by part; doc/operations.md has a section for each."""
        reasons: dict[NotReady, str | None] = {
            "recogniser": canaries.deaf or self.parts.upstreams.deaf,
            "disk": self.meter.last_error,
            "gateway": "draining" if self.gateway.is_draining else None,
        }
        return {part: reason for part, reason in reasons.items() if reason is not None}

    def answers_at(self, host: str, port: int) -> None:
        """Say on disk where the HTTP API is, for `slukh forget`. Raises OSError."""
        leave_address(self.meter.directory, url_of(host, port))

    async def let_go(self, caller: str | None) -> str | None:
        """See that nothing in memory names a caller to the ledger later, see `phrase_keeping.let_go`."""
        return await let_go(self.meter.meter, self.phrases, caller)

    async def _forget(self) -> None:
        """Transcripts leave memory when their time is over, asked for or not."""
        while True:
            await asyncio.sleep(10.0)
            self.book.expire()

    async def _guard(self) -> None:
        """Whisper's share is taken back soon after it has to be."""
        while True:
            await asyncio.sleep(1.0)
            self.metrics.flag_file_refused(self.flags.is_file_refused)
            self.guard.look()

    def _heard_clip(self, name: str, heard: Heard, *, is_kept: bool = True) -> None:
        """A stored clip was heard: how well into the comparison, its audio into the ledger."""
        self.accuracy.heard_clip(name, heard, is_kept=is_kept)
        provider = self.parts.providers[name]
        attempt = AttemptEnded(
            utterance_id=1, attempt=1, provider=name, model=provider.model, purpose="canary",
            outcome="published" if heard.text else "empty", audio_samples=len(heard.clip.pcm) // 2,
            final_seconds=heard.final_seconds,
        )  # fmt: skip
        event = CallEvent(
            call_id=f"{CLIP_IDS}{uuid4()}", leg=1, provider=name, model=provider.model, assigned_arm=name,
            received_at=datetime.now(UTC), event=attempt,
        )  # fmt: skip
        self._book(event)

    def _book(self, event: CallEvent) -> None:
        """Nobody's call, but somebody's bill."""
        for cost in self.meter.costs_of(event):
            self.metrics.observe(replace(event, event=cost))


@contextlib.asynccontextmanager
async def process(given: AllSettings) -> AsyncIterator[Process]:
    """A gateway's process, whose parts are given back when the block ends; `start` makes them ready.

    Raises:
        UserError: a part cannot be had, or the ledger cannot be written.
    """
    settings, grammars = given.settings, given.settings.slukh_grammars
    async with contextlib.AsyncExitStack() as stack:
        caller_key = made_caller_key(settings.slukh_data_dir)
        parts = build_parts(given, caller_hash=partial(caller_hash, caller_key))
        stack.push_async_callback(parts.aclose)
        metrics = Metrics(providers=tuple(parts.providers))
        log_standing = StandingLog(parts.upstreams.failure)

        def stands(name: str, standing: Standing) -> None:
            metrics.breaker(name, standing)
            log_standing(name, standing)

        parts.upstreams.on_standing = stands
        for provider in parts.providers.values():
            if isinstance(provider, ServerPool):
                provider.on_conditions = metrics.whisper_servers
        parts.tell_restarts(metrics.whisper_restarted)
        payees = {"whisper": given.whisper.payee, "line": given.cost.slukh_trunk}
        meter = stack.enter_context(metering(settings, given.cost, metrics, payees=payees))
        worker = f"{socket.gethostname()}:{settings.slukh_audiosocket_port}"
        store, experiment = await stack.enter_async_context(
            comparing(
                settings.experiment_url, given.recording, parts, metrics, grammars=grammars, worker=worker
            )
        )
        assert parts.flags is not None  # build_parts asks them
        guard = _guard(given, parts.flags, metrics, experiment)
        answering = _answering(given, metrics, stack)
        tally = None if answering is None else phrase_tally(answering, caller_key)
        book = CallBook(transcript_seconds=settings.slukh_transcript_minutes * 60)
        sinks: list[Sink] = [metrics, experiment, guard, CallLog(book)]
        if tally is not None:
            sinks.append(tally)
        gateway = Gateway(
            parts,
            book,
            sinks,
            _admission(given, meter),
            metrics.refused,
            talks=None if answering is None else answering.talk,
            costs_of=meter.costs_of,
        )
        yield Process(
            settings=settings,
            parts=parts,
            flags=parts.flags,
            metrics=metrics,
            meter=meter,
            experiment=experiment,
            accuracy=AccuracyWatch(store, experiment, metrics, providers=parts.providers, grammars=grammars),
            guard=guard,
            answering=answering,
            phrases=None if tally is None else PhraseKeeping(tally, meter.ledger),
            book=book,
            gateway=gateway,
            caller_key=caller_key,
        )


def _admission(given: AllSettings, meter: Metering) -> Admission:
    """Which calls are taken."""
    settings = given.settings
    hangs_up = given.cost.slukh_when_over_budget == "hangup"
    return Admission(
        max_calls=settings.slukh_max_calls,
        require_announced=settings.slukh_require_announced,
        when_down=_when_down(settings),
        when_over_budget="hangup" if hangs_up else "continue",
        is_spent=meter.is_day_spent if hangs_up else lambda: False,
    )


def _answering(given: AllSettings, metrics: Metrics, stack: contextlib.AsyncExitStack) -> Answering | None:
    """Who answers callers, given back with the stack; None when nobody does."""
    answering = build_answering(
        given.voice,
        VoiceNews(
            on_lookup=metrics.phrase_lookup,
            on_voice_failed=metrics.voice_failed,
            on_store_error=metrics.phrase_cache_error,
        ),
        final_seconds=given.settings.slukh_final_seconds,
        least_cached_tokens=_least_cached_tokens(given),
    )
    if answering is not None:
        stack.push_async_callback(answering.aclose)
    return answering


def _least_cached_tokens(given: AllSettings) -> int | None:
    if given.voice.slukh_dialog != "claude":
        return None
    book = PriceBook.load(given.cost.slukh_prices)
    return book.minimum_prefix_tokens("anthropic", given.voice.slukh_claude_model, datetime.now(UTC).date())


def _guard(given: AllSettings, flags: LiveFlags, metrics: Metrics, experiment: ExperimentSink) -> Guard:
    """What takes Whisper's share back."""
    bounds = None
    if given.guardrails.slukh_guardrails:
        bounds = bounds_of(given.guardrails, final_seconds=given.settings.slukh_final_seconds)
    return Guard(flags, bounds, metrics, experiment.put)


def _when_down(settings: Settings) -> WhenDown:
    """What is done when nobody heard a caller; a recording is read now, not at night."""
    when_down = settings.slukh_when_down
    if not isinstance(when_down, Path):
        return when_down
    try:
        return linear16_from_samples(read_recording(when_down).samples)
    except AudioFileError as error:
        raise SettingsError(
            f"SLUKH_WHEN_DOWN: {error.problem}", remedy=f"{error.remedy}; or set continue or hangup"
        ) from error
