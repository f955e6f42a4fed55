"""`slukh serve`: a gateway with its ports, sinks and stored clips, until SIGTERM has drained it."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import uvicorn
from pydantic import SecretStr

from slukh.accuracy import AccuracyWatch
from slukh.answering import Answering, build_answering, phrase_tally
from slukh.assembly import Parts, build_parts
from slukh.audio import linear16_from_samples
from slukh.callbook import CallBook
from slukh.callers import caller_hash, made_caller_key
from slukh.comparing import comparing
from slukh.config import AllSettings, Settings
from slukh.cost.meter import CLIP_IDS
from slukh.cost.phrase_tally import PhraseTally
from slukh.cost.pricing.price_book import PriceBook
from slukh.errors import AudioFileError, SettingsError
from slukh.experiment.evidence import OutcomeRow
from slukh.experiment.sink import ExperimentSink
from slukh.gateway import Admission, Gateway, Talks, WhenDown
from slukh.guarding import Guard, bounds_of
from slukh.metering import Metering, metering
from slukh.monitoring.metrics import Metrics
from slukh.ports import listen
from slukh.routing.health import Canaries, Heard
from slukh.routing.live_flags import LiveFlags
from slukh.telephony.asterisk_websocket import AsteriskWebSocketCodec
from slukh.telephony.twilio import TwilioCodec
from slukh.telephony.wavfile import read_recording
from slukh.types import AttemptEnded, CallEnded, CallEvent
from slukh.voices import VoiceNews
from slukh.web.api import ApiOptions, create_app
from slukh.web.server import WebServer

logger = logging.getLogger(__name__)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_STREAM_LIMIT = 256 * 1024


class CallLog:
    """One line when a leg ends tells the whole call (a sink). No text, no number of the caller's."""

    def __init__(self, book: CallBook) -> None:
        self._book = book

    def observe(self, event: CallEvent) -> None:
        """Log the end of a leg, gaps, and Attempts that failed."""
        match event.event:
            case CallEnded(reason=reason):
                record = self._book.get(event.call_id)
                fields = {} if record is None else record.detail()["usage"]
                logger.info(
                    "call_ended",
                    extra={"call_id": event.call_id, "leg": event.leg, "reason": reason, "usage": fields,
                           "provider": event.provider},
                )  # fmt: skip
            case AttemptEnded(error=str(error)) as ended:
                logger.warning(
                    "attempt_failed",
                    extra={"call_id": event.call_id, "provider": ended.provider, "attempt": ended.attempt,
                           "purpose": ended.purpose, "outcome": ended.outcome, "error": error},
                )  # fmt: skip


async def serve(given: AllSettings) -> None:
    """Run a gateway until SIGTERM or SIGINT has drained it; a second one gives its calls back at once.

    Raises:
        UserError: a port is taken, weights are missing, the ledger cannot be written.
        SttError: the recogniser cannot serve.
    """
    settings = given.settings
    stop, hurry = _signals()
    async with contextlib.AsyncExitStack() as stack:
        sockets = _sockets(settings, stack)
        caller_key = made_caller_key(settings.slukh_data_dir)
        parts = build_parts(given, caller_hash=partial(caller_hash, caller_key))
        stack.push_async_callback(parts.aclose)
        metrics = Metrics(providers=tuple(parts.providers))
        parts.upstreams.on_standing = metrics.breaker
        payees = {"whisper": given.whisper.payee, "line": given.cost.slukh_trunk}
        meter = stack.enter_context(metering(settings, given.cost, metrics, payees=payees))
        grammars = settings.slukh_grammars
        store, experiment = await stack.enter_async_context(
            comparing(
                settings.experiment_url,
                given.recording,
                parts,
                metrics,
                grammars=grammars,
                worker=f"{socket.gethostname()}:{settings.slukh_audiosocket_port}",
            )
        )
        accuracy = AccuracyWatch(store, experiment, metrics, providers=parts.providers, grammars=grammars)
        assert parts.flags is not None  # build_parts asks them
        guard = _guard(given, parts.flags, metrics, experiment)
        answering = _answering(given, metrics, stack)
        tallies: list[PhraseTally] = []
        if answering is not None:
            answering.on_made = partial(_book, metrics, meter)
            tallies = [phrase_tally(answering, caller_key)]
        book = CallBook(transcript_seconds=settings.slukh_transcript_minutes * 60)
        hangs_up = given.cost.slukh_when_over_budget == "hangup"
        gateway = Gateway(
            parts,
            book,
            (metrics, experiment, guard, CallLog(book), *tallies),
            Admission(
                max_calls=settings.slukh_max_calls,
                require_announced=settings.slukh_require_announced,
                when_down=_when_down(settings),
                when_over_budget="hangup" if hangs_up else "continue",
                is_spent=meter.is_day_spent if hangs_up else lambda: False,
            ),
            metrics.refused,
            talks=_talks(answering),
            costs_of=meter.costs_of,
        )
        on_heard = partial(_book_clip, parts, accuracy, metrics, meter)
        if parts.probes is not None:
            parts.probes.on_heard = partial(on_heard, is_kept=False)
        canaries = Canaries(
            parts.providers,
            languages=(parts.language_code, *parts.alternative_language_codes),
            interval_seconds=settings.slukh_canary_minutes * 60,
            on_heard=on_heard,
            on_failed=lambda name, error: logger.error(
                "canary_failed", extra={"provider": name, "error": str(error)}
            ),
        )

        options = ApiOptions(
            token=_secret(settings.slukh_api_token),
            caller_key=caller_key,
            language_code=parts.language_code,
            alternative_language_codes=parts.alternative_language_codes,
            refuse_reason=gateway.refuse_reason,
            not_ready=lambda: _wrong(canaries, parts, meter, gateway),
            metrics=metrics.render,
            outcome=lambda call_id, outcome: experiment.put(
                OutcomeRow(call_id=call_id, **outcome.model_dump())
            ),
            forgotten=experiment.forget,
        )
        web = WebServer(uvicorn.Config(create_app(book, options), log_config=None, lifespan="off", ws="none"))
        serving_web = asyncio.create_task(web.serve(sockets=[sockets["http"]]))
        await _start(parts, answering)
        hearing = asyncio.create_task(canaries.run())
        background = [
            asyncio.create_task(work)
            for work in (
                _forget(book),
                _follow_flags(parts.flags, guard),
                meter.follow_statements(),
                accuracy.follow(),
                *map(meter.keep_phrases, tallies),
            )
        ]
        servers = [
            await asyncio.start_server(handle, sock=sockets[name], limit=_STREAM_LIMIT)
            for name, handle in _handlers(gateway, settings).items()
            if name in sockets
        ]
        if len(parts.providers) == 1:
            logger.warning("no_backup", extra={"providers": list(parts.providers)})
        logger.info("listening", extra={name: listener.getsockname() for name, listener in sockets.items()})
        try:
            await _until(stop, hearing)
        finally:
            for server in servers:
                server.close()
            await gateway.drain(settings.slukh_drain_seconds, hurry)
            for task in (hearing, *background):
                task.cancel()
            await asyncio.wait({hearing, *background})
            web.should_exit = True
            await serving_web


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Set by the first SIGTERM or SIGINT, and by the second one."""
    first, second = asyncio.Event(), asyncio.Event()

    def signalled() -> None:
        (second if first.is_set() else first).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signalled)
    return first, second


def _wrong(canaries: Canaries, parts: Parts, meter: Metering, gateway: Gateway) -> dict[str, str]:
    """What keeps this gateway from taking calls, by part."""
    reasons = {
        "recogniser": canaries.deaf or parts.upstreams.deaf,
        "disk": meter.last_error,
        "gateway": "draining" if gateway.is_draining else None,
    }
    return {part: reason for part, reason in reasons.items() if reason is not None}


async def _until(stop: asyncio.Event, work: asyncio.Task[None]) -> None:
    """Wait for the signal to stop; an error of the work comes first."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, work}, return_when=asyncio.FIRST_COMPLETED)
    if work.done():
        work.result()
    await stopping


def _answering(given: AllSettings, metrics: Metrics, stack: contextlib.AsyncExitStack) -> Answering | None:
    """Who answers callers, given back with the stack; None when nobody does."""
    answering = build_answering(
        given.voice,
        VoiceNews(
            on_lookup=metrics.phrase_lookup,
            on_voice_failed=metrics.voice_failed,
            on_store_error=metrics.phrase_cache_error,
        ),
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


def _talks(answering: Answering | None) -> Talks | None:
    return None if answering is None else answering.talk


async def _start(parts: Parts, answering: Answering | None) -> None:
    """Load and warm everything that calls need."""
    await parts.start()
    if answering is not None:
        await answering.start()


def _sockets(settings: Settings, stack: contextlib.AsyncExitStack) -> dict[str, socket.socket]:
    """The ports we listen on, taken before anything is loaded."""
    wanted = {
        "audiosocket": (settings.slukh_audiosocket_host, settings.slukh_audiosocket_port),
        "http": (settings.slukh_http_host, settings.slukh_http_port),
        "websocket": (settings.slukh_websocket_host, settings.slukh_websocket_port),
        "twilio": (settings.slukh_twilio_host, settings.slukh_twilio_port),
    }
    return {
        name: stack.enter_context(listen(host, port, name.upper()))
        for name, (host, port) in wanted.items()
        if port is not None
    }


def _handlers(gateway: Gateway, settings: Settings) -> dict[str, Handler]:
    """What takes the connections of each transport."""
    password, token = _secret(settings.slukh_websocket_password), _secret(settings.slukh_twilio_token)
    url = settings.slukh_twilio_url
    return {
        "audiosocket": gateway.handle,
        "websocket": lambda reader, writer: gateway.handle(
            reader, writer, AsteriskWebSocketCodec(password=password)
        ),
        "twilio": lambda reader, writer: gateway.handle(
            reader, writer, TwilioCodec(url=url, auth_token=token)
        ),
    }


def _secret(setting: SecretStr | None) -> str | None:
    return None if setting is None else setting.get_secret_value()


async def _forget(book: CallBook) -> None:
    """Transcripts leave memory when their time is over, asked for or not."""
    while True:
        await asyncio.sleep(10.0)
        book.expire()


def _guard(given: AllSettings, flags: LiveFlags, metrics: Metrics, experiment: ExperimentSink) -> Guard:
    """What takes Whisper's share back."""
    bounds = None
    if given.guardrails.slukh_guardrails:
        bounds = bounds_of(given.guardrails, final_seconds=given.settings.slukh_final_seconds)
    return Guard(flags, bounds, metrics, experiment.put)


async def _follow_flags(flags: LiveFlags, guard: Guard) -> None:
    """A flag file that changed is in force for the next call, and so is a rollback."""
    while True:
        await asyncio.sleep(1.0)
        flags.reload()
        guard.look()


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


def _book_clip(  # noqa: PLR0917  # who shares it, then what happened
    parts: Parts,
    accuracy: AccuracyWatch,
    metrics: Metrics,
    meter: Metering,
    name: str,
    heard: Heard,
    *,
    is_kept: bool = True,
) -> None:
    """A stored clip was heard: how well into the comparison, its audio into the ledger."""
    accuracy.heard_clip(name, heard, is_kept=is_kept)
    provider = parts.providers[name]
    attempt = AttemptEnded(
        utterance_id=1, attempt=1, provider=name, model=provider.model, purpose="canary",
        outcome="published" if heard.text else "empty", audio_samples=len(heard.clip.pcm) // 2,
        final_seconds=heard.final_seconds,
    )  # fmt: skip
    event = CallEvent(
        call_id=f"{CLIP_IDS}{uuid4()}", leg=1, provider=name, model=provider.model, assigned_arm=name,
        received_at=datetime.now(UTC), event=attempt,
    )  # fmt: skip
    _book(metrics, meter, event)


def _book(metrics: Metrics, meter: Metering, event: CallEvent) -> None:
    """Nobody's call, but somebody's bill."""
    for cost in meter.costs_of(event):
        metrics.observe(replace(event, event=cost))
