"""What Google refuses, in its words: requests that cannot be, messages too large, audio too fast. No I/O."""

import re
from collections import deque
from dataclasses import dataclass

import grpc  # type: ignore[import-untyped]  # grpcio ships no types
from google.cloud.speech_v2.types import cloud_speech

from slukh.types import SAMPLE_RATE_HERTZ

Refusal = tuple[grpc.StatusCode, str]

MAX_AUDIO_BYTES = 25_600
_PACE_WINDOW_SECONDS = 2.0
_FASTEST = 5.0  # times real time, over the window
_SEVERAL_LANGUAGES = frozenset({"global", "us", "eu"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleLimits:
    """What a local Google knows and allows.

    Attributes:
        project_id: the only project it serves, or empty for any.
        location: where it claims to be.
        models: what it has there.
        languages: what those speak.
        metadata: what each stream must carry; anything else is a wrong key.
        stream_limit_seconds: longest life of a stream.
        idle_limit_seconds: longest wait for audio.
    """

    project_id: str = ""
    location: str = "eu"
    models: frozenset[str] = frozenset({"chirp_3"})
    languages: frozenset[str] = frozenset({"uk-UA", "ru-RU", "en-US"})
    metadata: tuple[tuple[str, str], ...] = ()
    stream_limit_seconds: float = 300.0
    idle_limit_seconds: float = 10.0

    @property
    def stream_limit(self) -> Refusal:
        """The end of a stream that lived too long."""
        return grpc.StatusCode.ABORTED, "Max duration of 5 minutes reached for stream."

    @property
    def idle_limit(self) -> Refusal:
        """The end of a stream that nobody used."""
        return grpc.StatusCode.ABORTED, "Stream timed out after receiving no more client requests."

    def refuse_metadata(self, metadata: dict[str, str | bytes]) -> Refusal | None:
        """A caller who is not known."""
        if all(metadata.get(key) == value for key, value in self.metadata):
            return None
        return grpc.StatusCode.UNAUTHENTICATED, (
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
            "other valid authentication credential."
        )

    def refuse_request(self, request: cloud_speech.StreamingRecognizeRequest) -> Refusal | None:
        """A first message that asks for what there is not."""
        named = re.fullmatch(r"projects/([^/]+)/locations/([^/]+)/recognizers/([^/]+)", request.recognizer)
        if named is None or "streaming_config" not in request or "audio" in request:
            return _invalid("The first message must hold a recognizer and a streaming_config, and no audio.")
        project, location, recognizer = named.groups()
        if self.project_id not in ("", project):
            return grpc.StatusCode.PERMISSION_DENIED, (
                f"Permission 'speech.recognizers.recognize' denied on resource '{request.recognizer}' (or it "
                "may not exist)."
            )
        if location != self.location:
            return _invalid(
                f"Expected resource location to be {self.location}, but found {location} in resource name."
            )
        if recognizer != "_":
            return grpc.StatusCode.NOT_FOUND, f"Unable to find Recognizer {request.recognizer}"
        return self._refuse_config(request.streaming_config.config)

    def _refuse_config(self, config: cloud_speech.RecognitionConfig) -> Refusal | None:
        decoding = config.explicit_decoding_config
        wanted = (cloud_speech.ExplicitDecodingConfig.AudioEncoding.LINEAR16, SAMPLE_RATE_HERTZ, 1)
        if (decoding.encoding, decoding.sample_rate_hertz, decoding.audio_channel_count) != wanted:
            return _invalid("Audio encoding, sample rate or channels are not those of a local Google.")
        if config.model not in self.models:
            return _invalid(
                f'The model "{config.model}" does not exist in the location named "{self.location}".'
            )
        for code in config.language_codes:
            if code not in self.languages:
                return _invalid(
                    f'The language "{code}" is not supported by the model "{config.model}" in the location '
                    f'named "{self.location}".'
                )
        if len(config.language_codes) > 1 and self.location not in _SEVERAL_LANGUAGES:
            return _invalid("Multiple language recognition is only supported in global, us and eu.")
        return None


class AudioGate:
    """Refuses audio messages that are too large, and a stream that is too fast."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, float]] = deque()

    def refuse(self, audio: bytes, now: float) -> Refusal | None:
        """What is wrong with this message, taken at `now`."""
        if len(audio) > MAX_AUDIO_BYTES:
            return _invalid(
                f"Audio chunk can be of a maximum of {MAX_AUDIO_BYTES} bytes. "
                f"Received audio of {len(audio)} bytes instead."
            )
        self._recent.append((now, len(audio) / 2 / SAMPLE_RATE_HERTZ))
        while self._recent[0][0] <= now - _PACE_WINDOW_SECONDS:
            self._recent.popleft()
        if sum(length for _, length in self._recent) > _FASTEST * _PACE_WINDOW_SECONDS:
            return grpc.StatusCode.OUT_OF_RANGE, (
                "Audio data is being streamed too fast. Please stream audio data approximately at real time."
            )
        return None


def _invalid(details: str) -> Refusal:
    return grpc.StatusCode.INVALID_ARGUMENT, details
