"""Google Cloud Text-to-Speech through the official client: a voice for every language, telephone audio.

    Chirp 3: HD voices   StreamingSynthesize: audio comes while the sentence is being made; no SSML
    all others           SynthesizeSpeech: one request and one answer for a sentence; SSML

A sentence asks for 8 kHz, so nothing is resampled here: mu-law from the one (half the bytes), LINEAR16 or
mu-law from the other, whose answers carry a wav header. Deadlines are ours. Google retries nothing of ours: a
sentence that failed is the next voice's.

Google bills the characters it was sent, tags of SSML included, and reports no figure: we count them.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import grpc  # type: ignore[import-untyped]  # grpcio ships no types
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.texttospeech_v1 import TextToSpeechAsyncClient
from google.cloud.texttospeech_v1.services.text_to_speech.transports import (
    TextToSpeechGrpcAsyncIOTransport,
)
from google.cloud.texttospeech_v1.types import cloud_tts

from slukh.audio import linear16_from_mulaw
from slukh.errors import (
    SettingsError,
    TtsAuthenticationError,
    TtsConnectError,
    TtsProtocolError,
    TtsRequestError,
    TtsTimeoutError,
)
from slukh.google_access import application_credentials, channel_options
from slukh.tts.base import SpeechRequest, TtsCapabilities, Voice
from slukh.tts.google_errors import error_from_status
from slukh.tts.wav import WavReader
from slukh.types import SAMPLE_RATE_HERTZ

HOST: Final = "texttospeech.googleapis.com"
DEFAULT_VOICES: Final = {"uk-UA": "uk-UA-Chirp3-HD-Kore", "ru-RU": "ru-RU-Chirp3-HD-Kore"}
# Of these alone Google streams, and of these alone it reads no SSML.
_STREAMING: Final = "Chirp3-HD"
_LONGEST_BYTES: Final = 5000
_ENCODINGS: Final = {
    "MULAW": cloud_tts.AudioEncoding.MULAW,
    "LINEAR16": cloud_tts.AudioEncoding.LINEAR16,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleSpeech:
    """What is asked of Google.

    Attributes:
        voices: language -> voice.
        speaking_rate: 0.25 to 2.0.
        encoding: of voices that do not stream; LINEAR16 sounds the same on the line at twice the bytes.
        endpoint: `host:port` of a local Google on loopback, in clear; empty: Google's own.
        first_seconds: to the first audio.
        sentence_seconds: to the end of it.
    """

    voices: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_VOICES))
    speaking_rate: float = 1.0
    encoding: Literal["MULAW", "LINEAR16"] = "MULAW"
    endpoint: str = ""
    first_seconds: float = 2.0
    sentence_seconds: float = 20.0


class GoogleTts:
    """A `TtsProvider` over Google Cloud Text-to-Speech.

    Args:
        speech: voices and deadlines.
        name: registry name.

    Raises:
        SettingsError: a voice that is not of its language.
    """

    def __init__(self, speech: GoogleSpeech, *, name: str = "google") -> None:
        for code, voice in speech.voices.items():
            if not voice.startswith(f"{code}-"):
                raise SettingsError(
                    f"{voice!r:.60} is no voice of Google's for {code}",
                    remedy=f"name one such as {code}-Chirp3-HD-Kore in SLUKH_TTS_GOOGLE_VOICES",
                )
        self.name = name
        self.capabilities = TtsCapabilities(
            streaming=any(_streams(voice) for voice in speech.voices.values()),
            ssml=any(not _streams(voice) for voice in speech.voices.values()),
            metered=True,
            languages=frozenset(speech.voices),
            sample_rates_hertz=frozenset({SAMPLE_RATE_HERTZ}),
        )
        self._speech = speech
        self._channel: grpc.aio.Channel | None = None
        self._client: TextToSpeechAsyncClient | None = None

    async def start(self) -> None:
        """Find the credentials and connect; a second time it does nothing.

        Raises:
            TtsAuthenticationError: no credentials, or refused ones.
            TtsConnectError: Google cannot be reached.
        """
        if self._client is not None:
            return
        if self._speech.endpoint:
            channel = grpc.aio.insecure_channel(self._speech.endpoint, options=channel_options())
        else:
            credentials = await application_credentials(
                self.name, unreachable=TtsConnectError, refused=TtsAuthenticationError
            )
            channel = TextToSpeechGrpcAsyncIOTransport.create_channel(
                HOST, credentials=credentials, options=channel_options()
            )
        try:
            async with asyncio.timeout(self._speech.first_seconds):
                await channel.channel_ready()
        except TimeoutError as error:
            await channel.close()
            host = self._speech.endpoint or HOST
            raise TtsConnectError(self.name, f"no connection to {host}: is the network up?") from error
        self._channel = channel
        self._client = TextToSpeechAsyncClient(transport=TextToSpeechGrpcAsyncIOTransport(channel=channel))

    def voice(self, language_code: str) -> Voice:
        """The voice of a language. Raises TtsRequestError when none is set."""
        if language_code not in self._speech.voices:
            raise TtsRequestError(self.name, f"has no voice for {language_code}")
        return Voice(
            provider=self.name,
            name=self._speech.voices[language_code],
            language_code=language_code,
            speaking_rate=self._speech.speaking_rate,
            edition="MULAW" if _streams(self._speech.voices[language_code]) else self._speech.encoding,
        )

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[bytes]:
        """A sentence. Raises TtsError."""
        voice = self.voice(request.language_code)
        if self._client is None:
            raise TtsConnectError(self.name, "not started, or given back")
        if len(request.text.encode()) > _LONGEST_BYTES:
            raise TtsRequestError(self.name, f"a sentence of more than {_LONGEST_BYTES} bytes")
        if request.is_ssml and _streams(voice.name):
            raise TtsRequestError(self.name, f"{voice.name} reads no SSML")
        audio = self._streamed if _streams(voice.name) else self._whole
        has_spoken, loop = False, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._speech.first_seconds) as deadline:
                async for linear16 in audio(self._client, request, voice):
                    if not has_spoken:
                        deadline.reschedule(loop.time() + self._speech.sentence_seconds)
                    has_spoken = True
                    yield linear16
        except TimeoutError as error:
            what = "the end" if has_spoken else "the first audio"
            raise TtsTimeoutError(self.name, f"{what} did not come in time") from error
        except GoogleAPICallError as error:
            code = "UNKNOWN" if error.grpc_status_code is None else error.grpc_status_code.name
            raise error_from_status(self.name, code, error.message, has_spoken=has_spoken) from error
        except grpc.aio.AioRpcError as error:
            code, details = error.code().name, error.details() or ""
            raise error_from_status(self.name, code, details, has_spoken=has_spoken) from error
        if not has_spoken:
            raise TtsProtocolError(self.name, "Google answered without audio")

    async def _streamed(
        self, client: TextToSpeechAsyncClient, request: SpeechRequest, voice: Voice
    ) -> AsyncIterator[bytes]:
        config = cloud_tts.StreamingSynthesizeConfig(
            voice=_selection(voice),
            streaming_audio_config=cloud_tts.StreamingAudioConfig(
                audio_encoding=cloud_tts.AudioEncoding.MULAW,
                sample_rate_hertz=SAMPLE_RATE_HERTZ,
                speaking_rate=voice.speaking_rate,
            ),
        )

        async def requests() -> AsyncIterator[cloud_tts.StreamingSynthesizeRequest]:
            yield cloud_tts.StreamingSynthesizeRequest(streaming_config=config)
            yield cloud_tts.StreamingSynthesizeRequest(
                input=cloud_tts.StreamingSynthesisInput(text=request.text)
            )

        answers = await client.streaming_synthesize(
            requests=requests(), retry=None, timeout=self._speech.sentence_seconds
        )
        async for answer in answers:
            if answer.audio_content:
                yield linear16_from_mulaw(answer.audio_content)

    async def _whole(
        self, client: TextToSpeechAsyncClient, request: SpeechRequest, voice: Voice
    ) -> AsyncIterator[bytes]:
        text = {"ssml": request.text} if request.is_ssml else {"text": request.text}
        answer = await client.synthesize_speech(
            cloud_tts.SynthesizeSpeechRequest(
                input=cloud_tts.SynthesisInput(**text),
                voice=_selection(voice),
                audio_config=cloud_tts.AudioConfig(
                    audio_encoding=_ENCODINGS[self._speech.encoding],
                    sample_rate_hertz=SAMPLE_RATE_HERTZ,
                    speaking_rate=voice.speaking_rate,
                ),
            ),
            retry=None,
            timeout=self._speech.sentence_seconds,
        )
        wav = WavReader()
        try:
            linear16 = wav.push(answer.audio_content)
        except ValueError as error:
            raise TtsProtocolError(self.name, f"Google's answer is no wav ({error})") from error
        if wav.sample_rate_hertz not in {0, SAMPLE_RATE_HERTZ}:
            raise TtsProtocolError(self.name, f"Google's answer has {wav.sample_rate_hertz} Hz")
        if linear16:
            yield linear16

    async def check(self) -> None:
        """Have every voice say a word, which Google bills. Raises TtsError."""
        for code in self._speech.voices:
            async for _ in self.synthesize(
                SpeechRequest(text="Так." if code == "uk-UA" else "Да.", language_code=code)
            ):
                pass

    async def aclose(self) -> None:
        """Close the connection."""
        channel, self._channel, self._client = self._channel, None, None
        if channel is not None:
            await channel.close()


def _streams(voice: str) -> bool:
    return _STREAMING in voice


def _selection(voice: Voice) -> cloud_tts.VoiceSelectionParams:
    return cloud_tts.VoiceSelectionParams(language_code=voice.language_code, name=voice.name)
