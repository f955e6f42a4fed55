"""What every voice promises (tts/base.py), asked of each: a new one is one more entry in VOICES."""

import asyncio
import sys
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from slukh.audio import rms_dbfs, samples_from_linear16
from slukh.errors import SettingsError, TtsRequestError
from slukh.testing.google_tts import LocalGoogleTts
from slukh.tts.base import SpeechRequest, TtsProvider
from slukh.tts.chain import spoken
from slukh.tts.espeak import EspeakVoice
from slukh.tts.fake import FakeTts, fake_speech
from slukh.tts.google import GoogleSpeech, GoogleTts
from slukh.tts.recorded import RecordedVoice
from slukh.tts.rhvoice import RhVoice

UK = SpeechRequest(text="Добрий день!", language_code="uk-UA")

Open = Callable[[Path], AbstractAsyncContextManager[TtsProvider]]


@asynccontextmanager
async def fake(_: Path) -> AsyncIterator[TtsProvider]:
    yield FakeTts()


@asynccontextmanager
async def recorded(folder: Path) -> AsyncIterator[TtsProvider]:
    (folder / "uk-UA").mkdir()
    with wave.open(str(folder / "uk-UA" / "hello.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(fake_speech(UK.text))
    (folder / "uk-UA" / "hello.txt").write_text("добрий  день", encoding="utf-8")
    yield RecordedVoice(folder)


@asynccontextmanager
async def espeak(_: Path) -> AsyncIterator[TtsProvider]:
    try:
        yield EspeakVoice()
    except SettingsError as error:
        pytest.skip(f"ESPEAK IS NOT TESTED: {error}")


@asynccontextmanager
async def rhvoice(folder: Path) -> AsyncIterator[TtsProvider]:
    """A program that behaves as RHVoice's does on its pipes: a wav of unknown length at 24 kHz."""
    program = folder / "RHVoice-test"
    program.write_text(
        f"#!{sys.executable}\n"
        "import struct, sys\n"
        "assert sys.argv[1:] == ['-p', 'natalia', '-r', '100', '-o', '/dev/stdout'], sys.argv\n"
        "text = sys.stdin.buffer.read().decode().strip()\n"
        "head = b'RIFF' + struct.pack('<I', 0x7fffffff) + b'WAVEfmt ' \n"
        "head += struct.pack('<IHHIIHH', 16, 1, 1, 24000, 48000, 2, 16) + b'data' + b'\\xff\\xff\\xff\\x7f'\n"
        "sys.stdout.buffer.write(head + (b'\\x00\\x10' * 8 + b'\\x00\\xf0' * 8) * 100 * len(text))\n"
    )
    program.chmod(0o755)
    yield RhVoice({"uk-UA": "natalia"}, program=str(program))


@asynccontextmanager
async def google_standard(_: Path) -> AsyncIterator[TtsProvider]:
    async with LocalGoogleTts() as google:
        speech = GoogleSpeech(voices={"uk-UA": "uk-UA-Standard-A"}, endpoint=google.endpoint)
        yield GoogleTts(speech)


@asynccontextmanager
async def google_chirp(_: Path) -> AsyncIterator[TtsProvider]:
    async with LocalGoogleTts() as google:
        yield GoogleTts(GoogleSpeech(endpoint=google.endpoint))


VOICES: dict[str, Open] = {
    "fake": fake,
    "recorded": recorded,
    "espeak": espeak,
    "rhvoice": rhvoice,
    "google standard": google_standard,
    "google chirp": google_chirp,
}


@pytest.fixture(params=VOICES)
async def voice(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TtsProvider]:
    async with VOICES[request.param](tmp_path) as provider:
        await provider.start()
        try:
            yield provider
        finally:
            await provider.aclose()


async def test_a_sentence_becomes_audible_telephone_audio(voice: TtsProvider) -> None:
    samples = samples_from_linear16(await spoken(voice, UK))
    assert 0.3 < len(samples) / 8000 < 6
    assert -40 < rms_dbfs(samples) < -3


async def test_every_piece_has_whole_samples(voice: TtsProvider) -> None:
    async for piece in voice.synthesize(UK):
        assert piece
        assert len(piece) % 2 == 0


async def test_a_sentence_is_as_long_twice(voice: TtsProvider) -> None:
    first, second = await spoken(voice, UK), await spoken(voice, UK)
    assert len(second) == pytest.approx(len(first), rel=0.02)


async def test_it_says_who_speaks(voice: TtsProvider) -> None:
    named = voice.voice("uk-UA")
    assert (named.provider, named.language_code) == (voice.name, "uk-UA")
    assert named.name


async def test_a_language_that_it_does_not_speak_is_refused(voice: TtsProvider) -> None:
    assert "de-DE" not in voice.capabilities.languages
    with pytest.raises(TtsRequestError):
        await spoken(voice, SpeechRequest(text="Hallo", language_code="de-DE"))


async def test_ssml_is_refused_by_those_that_read_none(voice: TtsProvider) -> None:
    request = SpeechRequest(text="<speak>Так</speak>", language_code="uk-UA", is_ssml=True)
    if voice.capabilities.ssml:
        assert await spoken(voice, request)
    else:
        with pytest.raises(TtsRequestError):
            await spoken(voice, request)


async def test_it_speaks_on_after_somebody_stopped_listening(voice: TtsProvider) -> None:
    speaking = voice.synthesize(UK)
    await anext(speaking)
    await speaking.aclose()  # type: ignore[attr-defined]  # they are generators
    assert await spoken(voice, UK)


async def test_two_sentences_at_once_do_not_mix(voice: TtsProvider) -> None:
    alone = await spoken(voice, UK)
    for together in await asyncio.gather(spoken(voice, UK), spoken(voice, UK)):
        assert len(together) == pytest.approx(len(alone), rel=0.02)


async def test_giving_it_back_twice_is_no_error(voice: TtsProvider) -> None:
    await voice.aclose()
    await voice.aclose()
