"""Google's voice over a local Google that speaks its own messages."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import grpc  # type: ignore[import-untyped]  # grpcio ships no types
import pytest

from slukh.audio import linear16_from_mulaw, mulaw_from_linear16
from slukh.errors import (
    SettingsError,
    TtsAuthenticationError,
    TtsConnectError,
    TtsError,
    TtsOverloadedError,
    TtsProtocolError,
    TtsRequestError,
    TtsStreamError,
    TtsTimeoutError,
)
from slukh.testing.google_tts import GoogleTtsScript, LocalGoogleTts
from slukh.tts.base import SpeechRequest
from slukh.tts.chain import spoken
from slukh.tts.fake import fake_speech
from slukh.tts.google import GoogleSpeech, GoogleTts
from slukh.tts.google_errors import error_from_status

UK = SpeechRequest(text="Ваше замовлення 4512 готове.", language_code="uk-UA")
STANDARD = {"uk-UA": "uk-UA-Standard-A"}
MULAW = linear16_from_mulaw(mulaw_from_linear16(fake_speech(UK.text)))


@asynccontextmanager
async def google(
    scripts: Iterable[GoogleTtsScript] = (), **speech: object
) -> AsyncIterator[tuple[GoogleTts, LocalGoogleTts]]:
    async with LocalGoogleTts(scripts) as local:
        voice = GoogleTts(GoogleSpeech(endpoint=local.endpoint, **speech))  # type: ignore[arg-type]
        await voice.start()
        try:
            yield voice, local
        finally:
            await voice.aclose()


async def test_a_chirp_voice_is_streamed_as_mulaw_at_8_khz() -> None:
    async with google(speaking_rate=1.1) as (voice, local):
        pieces = [piece async for piece in voice.synthesize(UK)]
        assert b"".join(pieces) == MULAW
        assert len(pieces) > 5
        (asked,) = local.requests
        assert asked.is_streamed
        assert (asked.voice, asked.encoding, asked.sample_rate_hertz) == (
            "uk-UA-Chirp3-HD-Kore",
            "MULAW",
            8000,
        )
        assert asked.speaking_rate == pytest.approx(1.1)


@pytest.mark.parametrize(("encoding", "audio"), [("MULAW", MULAW), ("LINEAR16", fake_speech(UK.text))])
async def test_another_voice_answers_at_once_and_its_wav_header_is_not_played(
    encoding: str, audio: bytes
) -> None:
    async with google(voices=STANDARD, encoding=encoding) as (voice, local):
        assert await spoken(voice, UK) == audio
        assert [(r.is_streamed, r.encoding) for r in local.requests] == [(False, encoding)]


async def test_ssml_goes_as_ssml() -> None:
    async with google(voices=STANDARD) as (voice, local):
        document = "<speak>Так</speak>"
        await spoken(voice, SpeechRequest(text=document, language_code="uk-UA", is_ssml=True))
        assert [(r.is_ssml, r.text) for r in local.requests] == [(True, document)]


async def test_a_voice_that_does_not_exist_is_named_in_the_error() -> None:
    async with google(voices={"uk-UA": "uk-UA-Chirp3-HD-Nobody"}) as (voice, _):
        with pytest.raises(TtsRequestError, match=r"uk-UA-Chirp3-HD-Nobody.*SLUKH_TTS_GOOGLE_VOICES"):
            await spoken(voice, UK)


def test_a_voice_of_another_language_is_refused_before_anybody_is_asked() -> None:
    with pytest.raises(SettingsError, match="no voice of Google's for uk-UA"):
        GoogleTts(GoogleSpeech(voices={"uk-UA": "ru-RU-Standard-A"}))


@pytest.mark.parametrize("voices", [None, STANDARD])
@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.UNAVAILABLE, TtsConnectError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, TtsOverloadedError),
        (grpc.StatusCode.PERMISSION_DENIED, TtsAuthenticationError),
    ],
)
async def test_a_refusal_is_the_error_it_means(
    voices: dict[str, str] | None, code: grpc.StatusCode, error: type[TtsError]
) -> None:
    script = GoogleTtsScript(refusal=(code, "no"))
    async with google([script], **({} if voices is None else {"voices": voices})) as (voice, _):
        with pytest.raises(error):
            await spoken(voice, UK)
        assert await spoken(voice, UK)  # the next sentence is none the worse


async def test_a_stream_that_breaks_off_is_a_broken_stream() -> None:
    script = GoogleTtsScript(refusal=(grpc.StatusCode.UNAVAILABLE, "gone"), pieces=2)
    async with google([script]) as (voice, _):
        with pytest.raises(TtsStreamError):
            await spoken(voice, UK)


@pytest.mark.parametrize("voices", [None, STANDARD])
async def test_silence_is_a_time_out_of_ours(voices: dict[str, str] | None) -> None:
    script = GoogleTtsScript(is_silent=True)
    own = {} if voices is None else {"voices": voices}
    async with google([script], first_seconds=0.2, **own) as (voice, _):
        with pytest.raises(TtsTimeoutError):
            await spoken(voice, UK)


@pytest.mark.parametrize("voices", [None, STANDARD])
async def test_an_answer_without_audio_is_no_answer(voices: dict[str, str] | None) -> None:
    own = {} if voices is None else {"voices": voices}
    async with google([GoogleTtsScript(is_empty=True)], **own) as (voice, _):
        with pytest.raises(TtsProtocolError):
            await spoken(voice, UK)


async def test_nobody_there_is_said_at_the_start() -> None:
    local = LocalGoogleTts()
    async with local:
        endpoint = local.endpoint
    with pytest.raises(TtsConnectError, match="no connection"):
        await GoogleTts(GoogleSpeech(endpoint=endpoint, first_seconds=0.3)).start()


async def test_a_voice_is_back_soon_after_its_server() -> None:
    async with google() as (voice, local):
        await local.stop()
        with pytest.raises(TtsConnectError):
            await spoken(voice, UK)
        async with LocalGoogleTts(port=int(local.endpoint.rpartition(":")[2])):
            await asyncio.sleep(0.7)  # gRPC by itself waits a second, then longer, up to two minutes
            assert await spoken(voice, UK) == MULAW


def test_a_key_that_the_token_server_refused_is_no_fault_of_the_network() -> None:
    words = "Getting metadata from plugin failed with error: ('invalid_grant: account not found', ...)"
    assert error_from_status("google", "UNAVAILABLE", words, has_spoken=False).is_permanent


def test_an_unknown_status_is_a_fault_of_the_way_there_or_of_the_stream() -> None:
    assert isinstance(error_from_status("google", "WEIRD", "", has_spoken=False), TtsConnectError)
    assert isinstance(error_from_status("google", "WEIRD", "", has_spoken=True), TtsStreamError)
