"""Settings into parts: which recognisers, which detector, which deadlines. Everything else takes values."""

import asyncio
import contextlib
import hashlib
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from slukh.background import in_background
from slukh.errors import SettingsError, SttError
from slukh.routing.attempts import AttemptPolicy
from slukh.routing.breaker import BreakerPolicy
from slukh.routing.choosing import Assignment, BackupRules, Chooser
from slukh.routing.flag_values import CallerHash
from slukh.routing.flags import Flags
from slukh.routing.health import Probes, start_error
from slukh.routing.live_flags import LiveFlags
from slukh.routing.pool import ServerPool
from slukh.routing.router import CallRouter, Publisher
from slukh.routing.shadows import Shadows
from slukh.routing.share_files import RollbackFile
from slukh.routing.upstreams import Limits, Upstreams
from slukh.settings.config import AllSettings, Settings
from slukh.speech.listener import Listener
from slukh.speech.segmenter import Endpointing
from slukh.speech.vad import SileroModel, VoiceDetector
from slukh.stt.base import SttProvider
from slukh.stt.registry import google, local_whisper, whisper_servers
from slukh.stt.remedies import all_failed, remedy_for
from slukh.stt.whisper.local import LocalDecoder
from slukh.stt.whisper.provider import WhisperProvider
from slukh.types import CallStarted
from slukh.weights import find_silero

logger = logging.getLogger(__name__)

_START_AGAIN_SECONDS = 5.0
_MENDED_SECONDS = 60.0  # as a breaker waits after a permanent error


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What all calls of a process share.

    Attributes:
        detector: makes the voice detector of one call.
        upstreams: the recognisers.
        chooser: who hears which call; None gives every call to the first, with the others as backups.
        shadows: who compares the recognisers; None where nobody does.
        flags: those in force, where the chooser asks them.
        endpointing: thresholds.
        policy: deadlines of an Attempt.
        language_code: of calls that do not say theirs.
        alternative_language_codes: what else callers may speak.
        phrase_hints: words to expect.
        probes: try recognisers that calls are kept away from, while the parts are in use; None tries none.
        background: the probes, and starts of recognisers that could not be reached at first.
    """

    detector: Callable[[], VoiceDetector]
    upstreams: Upstreams
    chooser: Chooser | None = None
    shadows: Shadows | None = None
    flags: LiveFlags | None = None
    endpointing: Endpointing
    policy: AttemptPolicy
    language_code: str
    alternative_language_codes: tuple[str, ...] = ()
    phrase_hints: tuple[str, ...] = ()
    probes: Probes | None = None
    background: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def providers(self) -> Mapping[str, SttProvider]:
        """The recognisers, by registry name."""
        return self.upstreams.providers

    def kept_away(self) -> dict[str, str]:
        """Recognisers, and servers of several, that no call goes to for now, and why if it is known."""
        away = {
            name: "kept away from calls, tried by stored clips"
            for name, breaker in self.upstreams.breakers.items()
            if breaker.is_failing
        }
        pools = (provider for provider in self.providers.values() if isinstance(provider, ServerPool))
        return away | {key: reason for pool in pools for key, reason in pool.kept_away().items()}

    def tell_restarts(self, on_restart: Callable[[], None]) -> None:
        """Have it called whenever the local Whisper's process is started again."""
        for provider in self.providers.values():
            decoder = provider.decoder if isinstance(provider, WhisperProvider) else None
            if isinstance(decoder, LocalDecoder):
                decoder.on_restart = on_restart

    def assign(self, call: CallStarted) -> Assignment:
        """Who hears a call. To be asked once per call."""
        if self.chooser is None:
            names = tuple(self.providers)
            return Assignment(arm=names[0], chain=names)
        return self.chooser.assign(call)

    def listener(self, first_utterance_id: int = 1) -> Listener:
        """Ears of one call."""
        return Listener(self.detector(), self.endpointing, first_utterance_id=first_utterance_id)

    def router(
        self,
        call: CallStarted,
        publish: Publisher,
        *,
        assignment: Assignment | None = None,
        interim_results: bool = True,
        phrase_hints: tuple[str, ...] = (),
    ) -> CallRouter:
        """The router of one call; without an assignment it is made now."""
        # Who is asked for no interims is not silent for want of them.
        policy = self.policy if interim_results else replace(self.policy, stall_seconds=math.inf)
        return CallRouter(
            call,
            assignment or self.assign(call),
            self.upstreams,
            publish,
            policy=policy,
            interim_results=interim_results,
            phrase_hints=phrase_hints or self.phrase_hints,
            shadows=self.shadows,
        )

    async def start(self, *, may_be_away: bool = False) -> None:
        """Load the models, warm the channels, all at once.

        A recogniser that does not start is tried again where another one works: every five seconds, or every
        minute where an operator has to mend something first. Until then that one gets no calls.

        Args:
            may_be_away: likewise where none works: a gateway may come up before its recogniser.

        Raises:
            WeightsError: a model is missing or corrupt.
            SttError: none works, and either all are set up wrongly or none may be away; its sentence and its
                remedy name each.
        """
        errors = await asyncio.gather(*map(start_error, self.providers.values()))
        failed = {n: error for n, error in zip(self.providers, errors, strict=True) if error is not None}
        if len(failed) == len(self.providers):
            error = all_failed(failed)
            if error.is_permanent or not may_be_away:
                raise error
        for name, error in failed.items():
            told = {"provider": name, "error": error.detail, "remedy": remedy_for(error)}
            logger.error("recogniser_not_started", extra=told)
            if error.is_permanent:
                self.upstreams.keep_away(name, asyncio.get_running_loop().time())
            self.background.add(in_background(_start_later(self.providers[name], error)))
        if self.probes is not None:
            self.background.add(in_background(self.probes.run()))

    async def aclose(self) -> None:
        """Give everything back, whatever one of them raises on the way; that is raised at the end."""
        async with contextlib.AsyncExitStack() as closing:  # from the last line to the first
            if self.chooser is not None:
                closing.callback(self.chooser.close)
            for provider in self.providers.values():
                closing.push_async_callback(provider.aclose)
            if self.shadows is not None:
                closing.push_async_callback(self.shadows.aclose)
            for task in self.background:
                task.cancel()
            await asyncio.gather(*self.background, return_exceptions=True)


async def _start_later(provider: SttProvider, error: SttError | None) -> None:
    """Until it is there; an operator may mend it without a restart of ours."""
    while error is not None:
        await asyncio.sleep(_MENDED_SECONDS if error.is_permanent else _START_AGAIN_SECONDS)
        error = await start_error(provider)
    logger.info("recogniser_started", extra={"provider": provider.name})


def _unlinked(number: str) -> str | None:
    """A hash for processes that take no announced calls: it is nobody's."""
    return hashlib.sha256(number.encode()).hexdigest()[:16] if any(c.isdigit() for c in number) else None


def recognisers(given: AllSettings) -> tuple[str, ...]:
    """Registry names of everybody whom calls may get. Raises SettingsError: flags that cannot be followed."""
    return _backup_rules(given.settings).providers(live_flags(given).given)


def build_parts(given: AllSettings, *, caller_hash: CallerHash = _unlinked) -> Parts:
    """The parts that these settings name.

    Args:
        given: settings.
        caller_hash: the one that announced calls get, for the lists of the flags.

    Raises:
        SettingsError: flags that cannot be followed.
        WeightsError: a model file is missing or corrupt.
    """
    settings = given.settings
    rules = _backup_rules(settings)
    built: dict[str, SttProvider] = {}

    def accept(flags: Flags) -> None:
        missing = [name for name in rules.providers(flags) if built and name not in built]
        if missing:
            raise SettingsError(
                f"these flags give calls to {missing[0]}, which was not started",
                remedy=f"restart with SLUKH_STT_FALLBACK={','.join((*built, *missing))}",
            )

    flags = live_flags(given, caller_hash=caller_hash, accept=accept)
    silero = SileroModel(find_silero(settings.slukh_weights_dir))
    names = rules.providers(flags.given)  # whom a rollback gives no calls now may get some again
    built |= {name: _PROVIDERS[name](given) for name in names}
    limit = {"whisper": settings.slukh_whisper_calls, "google": settings.slukh_google_calls}
    upstreams = Upstreams(
        built,
        limits=Limits(
            hedge_floor_seconds=settings.slukh_hedge_floor_seconds,
            hedge_cap_seconds=settings.slukh_hedge_seconds,
            capacity={name: calls for name, calls in limit.items() if calls is not None},
            breaker=_breaker_policy(settings.slukh_final_seconds),
        ),
    )
    return Parts(
        detector=silero.detector,
        upstreams=upstreams,
        probes=Probes(upstreams),
        chooser=Chooser(lambda: flags.flags, rules),
        shadows=Shadows(built, minutes_a_day=settings.slukh_shadow_minutes),
        flags=flags,
        endpointing=Endpointing(
            endpoint_ms=settings.slukh_endpoint_ms, pre_roll_ms=settings.slukh_pre_roll_ms
        ),
        policy=AttemptPolicy(
            final_seconds=settings.slukh_final_seconds, give_up_seconds=settings.slukh_final_seconds * 2.5
        ),
        language_code=settings.slukh_language,
        alternative_language_codes=settings.slukh_alternative_languages,
        phrase_hints=settings.slukh_phrase_hints,
    )


def _backup_rules(settings: Settings) -> BackupRules:
    return BackupRules(fallback=settings.slukh_stt_fallback, audio_to_cloud=settings.slukh_audio_to_cloud)


def _breaker_policy(final_seconds: float) -> BreakerPolicy:
    """Who may take longer for a final may take longer before it is called slow, and for a probe."""
    usual = BreakerPolicy()
    share = final_seconds / AttemptPolicy().final_seconds
    return replace(
        usual,
        slow_seconds=usual.slow_seconds * share,
        probe_seconds=usual.probe_seconds * max(1.0, share),
    )


def live_flags(
    given: AllSettings,
    *,
    caller_hash: CallerHash = _unlinked,
    accept: Callable[[Flags], None] = lambda _flags: None,
) -> LiveFlags:
    """The flags in force. Raises SettingsError: they cannot be followed."""
    return LiveFlags(
        given.flags.slukh_flag_file,
        given.flags.as_environment(),
        RollbackFile(given.settings.rollback_path),
        caller_hash=caller_hash,
        accept=accept,
    )


def _whisper(given: AllSettings) -> SttProvider:
    settings, final_seconds = given.whisper, given.settings.slukh_final_seconds
    if not settings.whisper_api_url:
        return local_whisper(
            model=settings.whisper_model_size,
            weights_dir=given.settings.slukh_weights_dir,
            compute_type=settings.slukh_whisper_compute_type,
            threads=settings.slukh_whisper_threads,
            workers=settings.slukh_whisper_workers,
            final_seconds=final_seconds,
        )
    key = settings.whisper_api_key
    servers = whisper_servers(
        api_url=settings.whisper_api_url,
        api_key="" if key is None else key.get_secret_value(),
        model=settings.whisper_model_size,
        metered=settings.slukh_whisper_metered,
        interims=settings.slukh_whisper_interims,
        words=settings.slukh_whisper_words,
        final_seconds=final_seconds,
    )
    if len(servers) == 1:
        return next(iter(servers.values()))
    languages = (given.settings.slukh_language, *given.settings.slukh_alternative_languages)
    return ServerPool(servers, languages=languages)


def _google(given: AllSettings) -> SttProvider:
    settings = given.google
    if not settings.is_configured:
        raise SettingsError(
            "calls go to Google, and Google is not set up",
            remedy="set GOOGLE_STT_PROJECT_ID, or hear with Whisper alone: FF_STT_PROVIDER=whisper, no "
            "google in SLUKH_STT_FALLBACK, no FF_WHISPER_KILL",
        )
    return google(
        project_id=settings.google_stt_project_id,
        location=settings.google_stt_location,
        model=settings.google_stt_model,
        endpoint=settings.google_stt_endpoint,
        stream=settings.google_stt_stream,
        boost=settings.google_stt_boost,
        words=settings.google_stt_words,
        final_seconds=given.settings.slukh_final_seconds,
    )


_PROVIDERS: Mapping[str, Callable[[AllSettings], SttProvider]] = {"whisper": _whisper, "google": _google}
