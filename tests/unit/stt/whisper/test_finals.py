"""A final: one decode of the whole utterance, begun in the caller's silence and doubted before it is told."""

import math
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.stt.whisper.scripted import LOOP, UK, ScriptedDecoder, kinds, seconds_of, settle, utterance

from slukh.errors import SttStreamError, SttTimeoutError
from slukh.stt.base import Hypothesis, Rejection


async def test_an_utterance_without_voice_is_an_empty_final_without_a_decode() -> None:
    call = await utterance()
    await call.silence(1000)
    await call.end()
    assert await call.results() == [Hypothesis(text="", is_final=True, language_code=UK)]
    assert call.decoder.requests == []


async def test_an_utterance_without_audio_is_an_empty_final() -> None:
    call = await utterance()
    await call.end()
    assert [r.text for r in await call.results()] == [""]


async def test_a_final_is_a_beam_of_five_over_thirty_seconds_with_a_token_cap() -> None:
    call = await utterance(phrase_hints=("шини", "розвал"))
    await call.voice(500)
    await call.end()
    request = await call.decoder.asked(1)
    assert (request.kind, request.beam_size, request.window_seconds) == ("final", 5, 30.0)
    assert (request.max_new_tokens, request.no_repeat_ngram_size) == (18, 0)
    assert request.phrase_hints == ("шини", "розвал")
    await call.stream.close()


async def test_confidence_is_the_exponential_of_the_mean_log_probability() -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says("Так.", avg_logprob=-0.5, reported_ms=500)
    (final,) = await call.results()
    assert final.confidence == pytest.approx(math.exp(-0.5))
    assert (final.is_final, final.stable_length, final.reported_ms) == (True, 4, 500)


async def test_a_score_that_is_none_costs_no_text() -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says("Так.", avg_logprob=1000.0)
    (final,) = await call.results()
    assert (final.text, final.confidence) == ("Так.", 1.0)


async def test_a_final_that_cannot_be_told_is_a_failure_and_no_silence() -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says("Так.", avg_logprob="much")
    with pytest.raises(SttStreamError, match="decoding failed with TypeError"):
        await call.results()


async def test_an_engine_without_scores_has_no_confidence() -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says("Так.", avg_logprob=None, no_speech_probability=None)
    assert (await call.results())[0].confidence is None


async def test_200_ms_of_silence_begin_the_final_and_the_endpoint_takes_it() -> None:
    call = await utterance(interim_results=False)
    await call.voice(600)
    await call.silence(180)
    assert call.decoder.requests == []
    await call.silence(20)
    request = await call.decoder.asked(1)
    assert (request.kind, request.beam_size, request.window_seconds) == ("speculative", 5, 30.0)
    await call.decoder.says("Так.")
    await call.silence(300)
    await call.end()
    assert [r.text for r in await call.results()] == ["Так."]
    assert kinds(call.decoder) == ["speculative"]


async def test_a_speculation_that_still_runs_at_the_endpoint_is_hastened_and_awaited() -> None:
    call = await utterance(interim_results=False)
    await call.voice(600)
    await call.silence(500)
    request = await call.decoder.asked(1)
    await call.end()
    await settle()
    assert call.decoder.hastened == [request]
    await call.decoder.says("Так.")
    assert [r.text for r in await call.results()] == ["Так."]
    assert len(call.decoder.requests) == 1


async def test_voice_after_the_silence_makes_a_speculation_void() -> None:
    call = await utterance(interim_results=False)
    await call.voice(600)
    await call.silence(200)
    void = await call.decoder.asked(1)
    await call.decoder.says("Мені")
    await call.voice(20)
    await call.silence(200)
    again = await call.decoder.asked(2)
    assert seconds_of(again) > seconds_of(void)
    await call.decoder.says("Мені шини.")
    await call.end()
    assert [r.text for r in await call.results()] == ["Мені шини."]


async def test_a_void_speculation_that_still_runs_is_cancelled() -> None:
    call = await utterance(interim_results=False)
    await call.voice(600)
    await call.silence(200)
    void = await call.decoder.asked(1)
    await call.voice(20)
    await settle()
    assert call.decoder.cancelled == [void]
    await call.end()
    assert (await call.decoder.asked(2)).kind == "final"
    await call.stream.close()


async def test_a_speculation_that_failed_is_decoded_again_at_the_endpoint_and_hears_the_same() -> None:
    call = await utterance(interim_results=False)
    await call.voice(600)
    await call.silence(200)
    failed = await call.decoder.asked(1)
    await call.decoder.fails(SttStreamError("whisper", "died"))
    await call.silence(300)
    await call.end()
    final = await call.decoder.asked(2)
    assert final == replace(failed, kind="final")
    await call.decoder.says("Так.")
    assert [r.text for r in await call.results()] == ["Так."]


async def test_a_final_that_fails_is_raised_to_whoever_listens() -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.fails(SttTimeoutError("whisper", "30 s"))
    with pytest.raises(SttTimeoutError):
        await call.results()


async def test_a_bug_in_a_decoder_does_not_leave_the_listener_waiting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.fails(KeyError("text"))
    with pytest.raises(SttStreamError, match="KeyError"):
        await call.results()
    assert "decode_failed" in caplog.text


# The guard


async def test_a_loop_in_clear_voice_is_decoded_once_more_without_repetitions() -> None:
    call = await utterance(interim_results=False)
    await call.voice(2000)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says(LOOP)
    again = await call.decoder.asked(2)
    assert (again.kind, again.no_repeat_ngram_size) == ("final", 3)
    await call.decoder.says("Я вважаю, що так.")
    assert [r.text for r in await call.results()] == ["Я вважаю, що так."]


async def test_a_loop_that_stays_one_is_dropped() -> None:
    call = await utterance(interim_results=False)
    await call.voice(2000)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says(LOOP)
    await call.decoder.asked(2)
    await call.decoder.says(LOOP)
    rejection, final = await call.results()
    assert rejection == Rejection(reason="compression")
    assert final == Hypothesis(text="", is_final=True, language_code=UK)
    assert len(call.decoder.requests) == 2


async def test_the_second_try_of_a_speculation_is_hastened_at_the_endpoint() -> None:
    call = await utterance(interim_results=False)
    await call.voice(2000)
    await call.silence(200)
    await call.decoder.asked(1)
    await call.decoder.says(LOOP)
    again = await call.decoder.asked(2)
    assert again.kind == "speculative"
    await call.end()
    await settle()
    assert call.decoder.hastened == [again]
    await call.decoder.says("Так.")
    assert [r.text for r in await call.results()] == ["Так."]


@pytest.mark.parametrize(("options", "voiced_ms"), [({"repetition_guard": False}, 2000), ({}, 200)])
async def test_a_loop_is_not_tried_again_without_a_guard_or_without_clear_voice(
    options: Any, voiced_ms: int
) -> None:
    call = await utterance(ScriptedDecoder(**options), interim_results=False)
    await call.voice(voiced_ms)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says("так", token_limit_hit=True)
    assert await call.results() == [
        Rejection(reason="repetition"),
        Hypothesis(text="", is_final=True, language_code=UK),
    ]


async def test_an_invention_is_a_rejection_and_an_empty_final() -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says("Дякую за перегляд!")
    rejection, final = await call.results()
    assert (rejection, final.text, final.confidence) == (Rejection(reason="phrase"), "", None)


async def test_silence_around_the_voice_does_not_make_it_doubtful() -> None:
    call = await utterance(interim_results=False)
    await call.silence(300)
    await call.voice(400)
    await call.silence(2000)
    await call.decoder.asked(1)
    await call.decoder.says("Дякую.")
    await call.end()
    assert [r.text for r in await call.results()] == ["Дякую."]


async def test_scattered_crackle_is_doubted() -> None:
    call = await utterance(ScriptedDecoder(speculative=False), interim_results=False)
    for _ in range(6):
        await call.voice(60)
        await call.silence(180)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says("Дякую.")
    assert (await call.results())[0] == Rejection(reason="phrase")
