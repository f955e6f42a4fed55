"""A stream of Whisper's: its language, and the edges of the recogniser contract."""

import asyncio
from typing import Any

import pytest
from tests.unit.stt.whisper.scripted import RU, UK, ScriptedDecoder, settle, utterance

from slukh.errors import SttRequestError
from slukh.stt.whisper.decoding import DecoderLimits
from slukh.stt.whisper.provider import WhisperProvider
from slukh.types import AudioChunk

# Languages


async def test_two_languages_are_left_to_the_decoder_with_the_calls_prior() -> None:
    prior = {UK: 0.3, RU: 0.7}
    call = await utterance(alternative_language_codes=(RU,), language_prior=prior, interim_results=False)
    await call.voice(2000)
    await call.end()
    request = await call.decoder.asked(1)
    assert request.language_prior == prior
    await call.decoder.says("Да.", language_code=RU, language_probabilities={UK: 0.1, RU: 0.9})
    (final,) = await call.results()
    assert (final.language_code, final.language_probabilities) == (RU, {UK: 0.1, RU: 0.9})


async def test_a_prior_that_was_not_given_favours_the_calls_language() -> None:
    call = await utterance(alternative_language_codes=(RU,), interim_results=False)
    await call.voice(2000)
    await call.end()
    prior = (await call.decoder.asked(1)).language_prior
    assert prior[UK] == pytest.approx(5 * prior[RU])
    await call.stream.close()


async def test_less_than_two_seconds_of_voice_are_taken_in_the_favoured_language() -> None:
    call = await utterance(
        alternative_language_codes=(RU,), language_prior={UK: 0.2, RU: 0.8}, interim_results=False
    )
    await call.voice(1900)
    await call.end()
    request = await call.decoder.asked(1)
    assert (request.language_code, request.language_prior) == (RU, {})
    await call.stream.close()


async def test_one_language_is_forced() -> None:
    call = await utterance(language_code=RU, language_prior={RU: 1.0}, interim_results=False)
    await call.voice(3000)
    await call.end()
    request = await call.decoder.asked(1)
    assert (request.language_code, request.language_prior) == (RU, {})
    await call.stream.close()


@pytest.mark.parametrize("config", [{"language_code": "xx-YY"}, {"alternative_language_codes": ("uk",)}])
async def test_an_unknown_language_is_refused_before_anything_is_sent(config: Any) -> None:
    with pytest.raises(SttRequestError, match="unknown language"):
        await utterance(**config)


async def test_a_language_that_the_model_does_not_speak_is_refused() -> None:
    decoder = ScriptedDecoder()
    decoder.limits = DecoderLimits(
        interims=True, speculative=True, repetition_guard=True, languages=frozenset({"en-US"})
    )
    with pytest.raises(SttRequestError, match="does not speak uk-UA"):
        await utterance(decoder)


def test_a_provider_says_what_its_decoder_can_do() -> None:
    local = WhisperProvider(ScriptedDecoder(), model="base").capabilities
    assert (local.interim_results, local.metered, local.words, local.max_seconds) == (
        True,
        False,
        False,
        30.0,
    )
    assert {UK, RU, "en-US"} <= local.languages
    metered = WhisperProvider(ScriptedDecoder(), model="base", metered=True).capabilities
    assert (metered.interim_results, metered.metered) == (False, True)


# The contract's edges


async def test_end_twice_is_once() -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says("Так.")
    assert [r.text for r in await call.results()] == ["Так."]


async def test_audio_after_the_end_is_refused_and_after_close_ignored() -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    with pytest.raises(SttRequestError, match="after the end"):
        await call.voice(20)
    await call.stream.close()
    await call.voice(20)


async def test_close_ends_the_iteration_and_cancels_what_runs() -> None:
    call = await utterance()
    await call.voice(800)
    request = await call.decoder.asked(1)
    reader = asyncio.create_task(call.results())
    await settle()
    await call.stream.close()
    await call.stream.close()
    await call.end()
    assert await reader == []
    assert call.decoder.cancelled == [request]


async def test_close_cancels_a_final_and_a_speculation() -> None:
    call = await utterance(interim_results=False)
    await call.voice(500)
    await call.silence(200)
    request = await call.decoder.asked(1)
    await call.end()
    await settle()
    await call.stream.close()
    assert call.decoder.cancelled == [request]
    assert await call.results() == []


async def test_an_utterance_longer_than_whispers_window_is_refused() -> None:
    call = await utterance(interim_results=False)
    second = AudioChunk(pcm=bytes(16000))
    for _ in range(30):
        await call.stream.send(second)
    with pytest.raises(SttRequestError, match="longer than 30 s"):
        await call.stream.send(AudioChunk(pcm=bytes(2)))
    await call.stream.close()
