"""Interims: when Whisper is asked for one, and what of it is shown."""

from typing import Any

import pytest
from tests.unit.stt.whisper.scripted import LOOP, UK, ScriptedDecoder, kinds, seconds_of, utterance

from slukh.errors import SttStreamError
from slukh.stt.base import StreamConfig
from slukh.stt.whisper.policy import DEFAULT_POLICY, request_for


async def test_the_first_interim_waits_for_800_ms_of_voice() -> None:
    call = await utterance()
    await call.voice(780)
    assert call.decoder.requests == []
    await call.voice(20)
    request = await call.decoder.asked(1)
    assert (request.kind, request.beam_size, request.no_repeat_ngram_size) == ("interim", 1, 3)
    assert (request.window_seconds, seconds_of(request)) == (10.0, 0.8)
    await call.stream.close()


async def test_the_next_interim_waits_for_the_last_one_and_for_400_ms_of_voice() -> None:
    call = await utterance()
    await call.voice(2000)
    assert len(call.decoder.requests) == 1
    await call.decoder.says("добрий")
    await call.voice(20)
    assert [seconds_of(r) for r in call.decoder.requests] == [0.8, 2.02]
    await call.decoder.says("добрий день")
    await call.voice(380)
    assert len(call.decoder.requests) == 2
    await call.voice(20)
    assert len(call.decoder.requests) == 3
    await call.stream.close()


async def test_no_interim_begins_in_a_pause_where_the_final_is_about_to() -> None:
    call = await utterance()
    await call.voice(1600)
    await call.decoder.says("добрий")
    await call.silence(180)
    assert kinds(call.decoder) == ["interim"]
    await call.silence(20)
    assert kinds(call.decoder) == ["interim", "speculative"]
    await call.stream.close()


async def test_an_interim_outgrows_its_window_with_a_margin() -> None:
    call = await utterance()
    await call.voice(800)
    await call.voice(7200)
    await call.decoder.says("добрий")
    await call.voice(20)
    assert call.decoder.requests[-1].window_seconds == pytest.approx(8.02 + 4.0)
    await call.stream.close()


def test_no_window_of_an_interim_is_longer_than_that_of_a_final() -> None:
    asked = request_for(
        "interim", bytes(2 * 8000 * 28), voiced_seconds=28.0, stream=1,
        config=StreamConfig(language_code=UK), policy=DEFAULT_POLICY,
    )  # fmt: skip
    assert asked.window_seconds == 30.0


async def test_interims_show_what_two_in_a_row_agree_on_and_never_take_it_back() -> None:
    call = await utterance()
    for text in ("добрий день", "добрий день мені", "доброго дня мені шини"):
        await call.voice(800)
        await call.decoder.says(text)
    await call.end()
    await call.decoder.says("Добрий день, мені шини.")
    *interims, final = await call.results()
    assert [(r.text, r.stable_length) for r in interims] == [
        ("добрий день", 0),
        ("добрий день мені", 11),
        ("добрий день мені шини", 16),
    ]
    assert not any(r.is_final for r in interims)
    assert final.text == "Добрий день, мені шини."


@pytest.mark.parametrize("text", ["", LOOP, "[музика]", "Субтитри"])
async def test_an_interim_that_nobody_said_is_not_shown(text: str) -> None:
    call = await utterance()
    await call.voice(800)
    await call.decoder.says(text)
    await call.end()
    await call.decoder.says("Добрий день.")
    assert [r.text for r in await call.results()] == ["Добрий день."]


async def test_an_interim_that_fails_is_passed_over() -> None:
    call = await utterance()
    await call.voice(800)
    await call.decoder.fails(SttStreamError("whisper", "died"))
    await call.voice(400)
    await call.decoder.says("добрий")
    await call.end()
    await call.decoder.says("Добрий.")
    assert [r.text for r in await call.results()] == ["добрий", "Добрий."]


async def test_a_running_interim_is_given_up_at_the_end_and_is_not_shown() -> None:
    call = await utterance()
    await call.voice(800)
    interim = await call.decoder.asked(1)
    await call.end()
    final = await call.decoder.asked(2)
    assert call.decoder.cancelled == [interim]
    assert final.kind == "final"
    await call.decoder.says("Добрий.")
    assert [r.text for r in await call.results()] == ["Добрий."]


@pytest.mark.parametrize(
    ("decoder", "options"),
    [
        ({"interims": False, "speculative": False}, {}),
        ({}, {"metered": True}),
    ],
)
async def test_a_server_or_a_metered_one_is_asked_once_per_utterance(
    decoder: dict[str, bool], options: Any
) -> None:
    call = await utterance(ScriptedDecoder(**decoder), **options)
    await call.voice(3000)
    await call.silence(500)
    await call.end()
    await call.decoder.asked(1)
    assert kinds(call.decoder) == ["final"]
    await call.stream.close()


async def test_interims_that_nobody_wants_are_not_decoded() -> None:
    call = await utterance(interim_results=False)
    await call.voice(3000)
    assert call.decoder.requests == []
    await call.stream.close()
