"""Settings into parts: which recogniser, which detector, which deadlines. Everything else takes values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from slukh.config import FeatureFlagSettings, Settings, WhisperSettings
from slukh.routing.attempts import AttemptPolicy
from slukh.routing.router import CallRouter, Publisher
from slukh.speech.listener import Listener
from slukh.speech.segmenter import Endpointing
from slukh.speech.vad import SileroModel, VoiceDetector
from slukh.stt.base import SttProvider
from slukh.stt.registry import whisper
from slukh.types import CallStarted
from slukh.weights import find_silero


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What all calls of a process share.

    Attributes:
        detector: makes the voice detector of one call.
        providers: recognisers by registry name; the first is the calls', the others its backups.
        endpointing: thresholds.
        policy: deadlines of an Attempt.
        language_code: of calls that do not say theirs.
        alternative_language_codes: what else callers may speak.
        phrase_hints: words to expect.
    """

    detector: Callable[[], VoiceDetector]
    providers: Mapping[str, SttProvider]
    endpointing: Endpointing
    policy: AttemptPolicy
    language_code: str
    alternative_language_codes: tuple[str, ...] = ()
    phrase_hints: tuple[str, ...] = ()

    @property
    def serving(self) -> SttProvider:
        """The recogniser that calls get."""
        return next(iter(self.providers.values()))

    def listener(self, first_utterance_id: int = 1) -> Listener:
        """Ears of one call."""
        return Listener(self.detector(), self.endpointing, first_utterance_id=first_utterance_id)

    def router(
        self,
        call: CallStarted,
        publish: Publisher,
        *,
        interim_results: bool = True,
        phrase_hints: tuple[str, ...] = (),
    ) -> CallRouter:
        """The router of one call."""
        return CallRouter(
            call,
            self.providers,
            publish,
            policy=self.policy,
            interim_results=interim_results,
            phrase_hints=phrase_hints or self.phrase_hints,
        )

    async def start(self) -> None:
        """Load the models. Raises WeightsError or SttError when a recogniser cannot serve."""
        for provider in self.providers.values():
            await provider.start()

    async def aclose(self) -> None:
        """Give everything back."""
        for provider in self.providers.values():
            await provider.aclose()


def build_parts(flags: FeatureFlagSettings, whisper_settings: WhisperSettings, settings: Settings) -> Parts:
    """The parts that these settings name.

    Raises:
        WeightsError: a model file is missing or corrupt.
    """
    silero = SileroModel(find_silero(settings.slukh_weights_dir))
    key = whisper_settings.whisper_api_key
    provider = whisper(
        api_url=whisper_settings.whisper_api_url,
        api_key="" if key is None else key.get_secret_value(),
        model=whisper_settings.whisper_model_size,
        weights_dir=settings.slukh_weights_dir,
        compute_type=whisper_settings.slukh_whisper_compute_type,
        threads=whisper_settings.slukh_whisper_threads,
        workers=whisper_settings.slukh_whisper_workers,
        final_seconds=settings.slukh_final_seconds,
    )
    return Parts(
        detector=silero.detector,
        providers={flags.ff_stt_provider: provider},
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
