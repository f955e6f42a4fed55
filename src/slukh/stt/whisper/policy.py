"""The numbers of the Whisper policy, and the requests they make of an utterance."""

from dataclasses import dataclass, replace

from slukh.errors import SettingsError, SttLanguageError
from slukh.stt.base import StreamConfig
from slukh.stt.language import LanguageTracker, iso_639_1
from slukh.stt.whisper.decoding import DecodeRequest, Kind, token_cap


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPolicy:
    """When a stream decodes, and how. All distances are lengths of audio.

    Attributes:
        first_interim_ms: voice before the first interim; on less Whisper invents.
        interim_every_ms: new voice between interims.
        speculate_after_ms: silence after which the utterance may be over.
        detect_from_seconds: voice from which the language is detected where there is a choice; on less
            Whisper base is right half of the time, and the favoured one is taken.
        final_beam: beam of finals.
        final_window_seconds: what the encoder sees for a final; shorter windows loop on short Ukrainian
            prompts.
        interim_window_seconds: least window of an interim; below about five seconds Whisper loops, at
            ten its prefixes were nearer to the final (bench/local_whisper.py).
        interim_margin_seconds: silence after the audio of an interim, when it outgrows that window.
        tokens_per_second: bound of a text's length; nobody talks faster.
    """

    first_interim_ms: int = 800
    interim_every_ms: int = 400
    speculate_after_ms: int = 200
    detect_from_seconds: float = 2.0
    final_beam: int = 5
    final_window_seconds: float = 30.0
    interim_window_seconds: float = 10.0
    interim_margin_seconds: float = 4.0
    tokens_per_second: float = 9.0


DEFAULT_POLICY = StreamPolicy()


def request_for(
    kind: Kind, pcm: bytes, *, voiced_seconds: float, stream: int, config: StreamConfig, policy: StreamPolicy
) -> DecodeRequest:
    """What a decoder is asked about the audio of an utterance so far."""
    prior = language_prior(config)
    if voiced_seconds < policy.detect_from_seconds:
        prior = {max(prior, key=prior.__getitem__): 1.0}
    final = DecodeRequest(
        pcm=pcm,
        kind=kind,
        stream=stream,
        language_code=max(prior, key=prior.__getitem__),
        language_prior=prior if len(prior) > 1 else {},
        phrase_hints=config.phrase_hints,
        beam_size=policy.final_beam,
        window_seconds=policy.final_window_seconds,
    )
    final = replace(final, max_new_tokens=token_cap(final.audio_seconds, policy.tokens_per_second))
    if kind != "interim":
        return final
    window = max(policy.interim_window_seconds, final.audio_seconds + policy.interim_margin_seconds)
    return replace(
        final,
        beam_size=1,
        window_seconds=min(window, policy.final_window_seconds),
        no_repeat_ngram_size=3,
    )


def refuse_unknown(provider: str, config: StreamConfig) -> None:
    """See that a Whisper can be asked for the languages of a stream: servers fail silently on others.

    Raises:
        SttLanguageError: one that nobody knows.
    """
    try:
        for code in (config.language_code, *config.alternative_language_codes):
            iso_639_1(code)
    except SettingsError as error:
        raise SttLanguageError(provider, str(error)) from error


def language_prior(config: StreamConfig) -> dict[str, float]:
    """The allowed languages with their prior; one that was not given favours the call's language."""
    tracker = LanguageTracker(config.language_code, config.alternative_language_codes)
    if not config.language_prior:
        return tracker.prior()
    return {code: config.language_prior.get(code, 0.0) for code in tracker.allowed}
