"""The four-method shim over fakes."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from slukh.audio import Resampler
from slukh.engine import EngineTranscript, STTEngine
from slukh.errors import SettingsError, SttConnectError
from slukh.stt.fake import Script
from slukh.testing.numbered import numbered_speech, silence
from slukh.testing.parts import fake_parts
from slukh.testing.virtual_time import VirtualTimeLoop

AUDIO = np.concatenate([silence(0.4), numbered_speech([1, 2]), silence(0.8), numbered_speech([3])])


@dataclass
class Config:
    """As an existing pipeline has it."""

    language_code: str = "uk-UA"
    alternative_languages: tuple[str, ...] = ()
    sample_rate_hertz: int = 8000
    interim_results: bool = True
    phrase_hints: tuple[str, ...] = ()


async def heard(config: object, audio: bytes = AUDIO.tobytes(), step: int = 640) -> list[EngineTranscript]:
    engine = STTEngine(fake_parts())
    await engine.start_stream(config)
    listening = asyncio.create_task(_all(engine))
    for at in range(0, len(audio), step):
        await engine.feed_audio(audio[at : at + step])
    await engine.stop_stream()
    return await listening


async def _all(engine: STTEngine) -> list[EngineTranscript]:
    return [transcript async for transcript in engine.get_transcripts()]


def finals(transcripts: list[EngineTranscript]) -> list[str]:
    return [transcript.text for transcript in transcripts if transcript.is_final]


async def test_stop_flushes_the_last_final_and_ends_the_iteration() -> None:
    transcripts = await heard(Config())
    assert finals(transcripts) == ["1 2", "3"]
    assert any(not transcript.is_final for transcript in transcripts)


async def test_a_transcript_has_the_four_fields_and_confidence_is_a_float() -> None:
    transcript = (await heard(Config()))[-1]
    assert (transcript.text, transcript.is_final, transcript.language) == ("3", True, "uk-UA")
    assert transcript.confidence == 0.0


async def test_any_object_will_do_as_a_config() -> None:
    assert finals(await heard(SimpleNamespace(language_code="ru-RU"))) == ["1 2", "3"]
    assert (await heard(SimpleNamespace(language_code="ru")))[-1].language == "ru-RU"
    assert finals(await heard(object())) == ["1 2", "3"]


async def test_interims_can_be_switched_off() -> None:
    assert all(transcript.is_final for transcript in await heard(Config(interim_results=False)))


def test_without_interims_a_long_sentence_is_no_stall() -> None:
    opened: list[Script] = []

    def scripts() -> Iterator[Script]:
        while True:
            opened.append(Script())
            yield opened[-1]

    async def call() -> list[EngineTranscript]:
        engine = STTEngine(fake_parts(scripts()))
        await engine.start_stream(Config(interim_results=False))
        for frame in np.array_split(numbered_speech(range(1, 21)), 300):  # six seconds
            await engine.feed_audio(frame.tobytes())
            await asyncio.sleep(0.02)
        await engine.stop_stream()
        return await _all(engine)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert finals(runner.run(call())) == [" ".join(str(number) for number in range(1, 21))]
    assert len(opened) == 1


async def test_audio_at_another_rate_is_brought_to_the_line() -> None:
    wide = Resampler(8000, 16000).resample(AUDIO).tobytes()
    assert finals(await heard(Config(sample_rate_hertz=16000), wide, step=1280)) == ["1 2", "3"]


async def test_pieces_of_any_length_are_taken_even_of_half_a_sample() -> None:
    assert finals(await heard(Config(), step=333)) == ["1 2", "3"]


async def test_an_engine_can_be_used_for_one_stream_after_another() -> None:
    engine = STTEngine(fake_parts())
    for _ in range(2):
        await engine.start_stream(Config())
        await engine.feed_audio(AUDIO.tobytes())
        await engine.stop_stream()
        assert finals(await _all(engine)) == ["1 2", "3"]


async def test_transcripts_may_be_asked_for_before_the_stream_starts() -> None:
    engine = STTEngine(fake_parts())
    listening = asyncio.create_task(_all(engine))
    await asyncio.sleep(0)
    await engine.start_stream(Config())
    await engine.feed_audio(AUDIO.tobytes())
    await engine.stop_stream()
    assert finals(await listening) == ["1 2", "3"]


async def test_a_recogniser_that_failed_is_no_caller_without_words(caplog: pytest.LogCaptureFixture) -> None:
    broken = Script(open_error=SttConnectError("fake", "refused"))
    engine = STTEngine(fake_parts([broken] * 20))
    async with engine:
        await engine.start_stream(Config())
        await engine.feed_audio(AUDIO.tobytes())
        await engine.stop_stream()
        last = (await _all(engine))[-1]
    assert (last.text, last.is_final, last.is_salvage) == ("", True, True)
    assert "not_transcribed" in caplog.messages
    assert not any(transcript.is_salvage for transcript in await heard(Config()))


async def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(SettingsError, match="uk-UA"):
        await STTEngine(fake_parts()).start_stream(Config(language_code="tlh"))


async def test_misuse_is_said() -> None:
    engine = STTEngine(fake_parts())
    with pytest.raises(RuntimeError, match="start_stream"):
        await engine.feed_audio(b"")
    await engine.start_stream(Config())
    with pytest.raises(RuntimeError, match="stop_stream"):
        await engine.start_stream(Config())
    await engine.stop_stream()
    await engine.stop_stream()
