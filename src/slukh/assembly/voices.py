"""Settings into voices: who speaks, who takes over, and where phrases are kept behind them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from slukh.errors import SettingsError, TtsError
from slukh.settings.voices import VoiceSettings
from slukh.tts.base import TtsProvider
from slukh.tts.cache import MemoryStore, PhraseStore, StoreError
from slukh.tts.chain import VoiceChain
from slukh.tts.disk_cache import DiskStore
from slukh.tts.espeak import EspeakVoice
from slukh.tts.piper import PiperVoices
from slukh.tts.recorded import RecordedVoice
from slukh.tts.rhvoice import RhVoice
from slukh.tts.speaker import CacheResult, Speaker

_MEGABYTE = 1_000_000
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceNews:
    """Who is told what the voice does.

    Attributes:
        on_lookup: of every phrase: how the cache answered, and its characters.
        on_voice_failed: of every failure of a voice.
        on_store_error: of every failure of the cache.
    """

    on_lookup: Callable[[CacheResult, int], None] = lambda _result, _characters: None
    on_voice_failed: Callable[[TtsError], None] = lambda _error: None
    on_store_error: Callable[[StoreError], None] = lambda _what: None


def build_speaker(given: VoiceSettings, news: VoiceNews | None = None) -> Speaker:
    """The voices behind their cache. Raises SettingsError."""
    news = news or VoiceNews()
    max_bytes = given.slukh_phrase_cache_mb * _MEGABYTE
    age = given.slukh_phrase_cache_days * _DAY_SECONDS
    chain = VoiceChain([_VOICES[name](given) for name in given.slukh_tts], on_failed=news.on_voice_failed)
    return Speaker(
        chain,
        MemoryStore(max_bytes=max_bytes // 10, max_age_seconds=age),
        _store(given, max_bytes, age, news.on_store_error),
        on_lookup=news.on_lookup,
    )


def _store(
    given: VoiceSettings, max_bytes: int, age: float, on_error: Callable[[StoreError], None]
) -> PhraseStore | None:
    where = given.slukh_phrase_cache
    if where == "memory":
        return None
    if where == "disk":
        return DiskStore(
            given.slukh_phrase_cache_dir, max_bytes=max_bytes, max_age_seconds=age, on_error=on_error
        )
    if "://" not in where:
        raise SettingsError(
            f"SLUKH_PHRASE_CACHE={where!r:.40} is no place", remedy="use disk, memory or redis://HOST:6379/0"
        )
    try:
        from slukh.tts.redis_cache import RedisStore
    except ImportError as error:
        raise SettingsError(
            "the client of Redis is not installed", remedy="pip install 'slukh[redis]'"
        ) from error
    return RedisStore(where, max_age_seconds=age, on_error=on_error)


def _google(given: VoiceSettings) -> TtsProvider:
    try:
        from slukh.tts.google import GoogleSpeech, GoogleTts
    except ImportError as error:
        raise SettingsError(
            "Google's client library is not installed", remedy="pip install 'slukh[google]'"
        ) from error
    return GoogleTts(
        GoogleSpeech(
            voices=given.slukh_tts_google_voices,
            speaking_rate=given.slukh_tts_rate,
            endpoint=given.slukh_tts_google_endpoint,
        )
    )


def _piper(given: VoiceSettings) -> TtsProvider:
    paths = {code: Path(path) for code, path in given.slukh_piper_voices.items()}
    return PiperVoices(paths, speaking_rate=given.slukh_tts_rate)


def _recorded(given: VoiceSettings) -> TtsProvider:
    assert given.slukh_tts_recordings is not None  # held by the settings
    return RecordedVoice(given.slukh_tts_recordings)


_VOICES: Mapping[str, Callable[[VoiceSettings], TtsProvider]] = {
    "google": _google,
    "piper": _piper,
    "espeak": lambda given: EspeakVoice(speaking_rate=given.slukh_tts_rate),
    "rhvoice": lambda given: RhVoice(given.slukh_rhvoice_voices, speaking_rate=given.slukh_tts_rate),
    "recorded": _recorded,
}
