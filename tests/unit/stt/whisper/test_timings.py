"""Word timings, in every form that servers write."""

import json
from typing import Any

import pytest

from slukh.stt.base import StreamConfig
from slukh.stt.whisper.address import address
from slukh.stt.whisper.decoding import DecodeRequest
from slukh.stt.whisper.http_answers import decoding_from_body
from slukh.stt.whisper.servers import server_at
from slukh.stt.whisper.timings import words_from
from slukh.testing.numbered import numbered_speech
from slukh.testing.whisper_server import FakeWhisperServer, Says
from slukh.types import AudioChunk, Word

UK = DecodeRequest(pcm=b"", kind="final", language_code="uk-UA")
SPEECH = numbered_speech([1, 2, 3, 4]).tobytes()


def item(word: str, start: object, end: object, **fields: Any) -> dict[str, Any]:
    return {"word": word, "start": start, "end": end, **fields}


def words(answer: Any) -> list[tuple[str, int, int]]:
    body = json.dumps({"text": "x", **answer}).encode()
    found = decoding_from_body("whisper", body, "application/json", UK).words
    return [(word.text, word.start, word.end) for word in found]


def test_words_beside_the_text_are_in_samples_of_the_utterance() -> None:
    answer = {"words": [item("Добрий", 0.1, 0.5), item("день.", 0.5, 1.0)]}
    assert words(answer) == [("Добрий", 800, 4000), ("день.", 4000, 8000)]


def test_words_whose_times_are_no_numbers_of_samples_are_none_at_all() -> None:
    for end in (1e999, float("nan"), "soon"):
        assert words_from([item("так", 0.0, 0.5), item("ні", 0.5, end)]) == ()


def test_words_inside_segments_are_those_of_all_segments() -> None:
    answer = {"segments": [{"words": [item(" Так.", 0, 0.5)]}, {"words": [item(" Ні.", 1, 1.5)]}, {}]}
    assert words(answer) == [("Так.", 0, 4000), ("Ні.", 8000, 12000)]


def test_pieces_of_words_are_joined_where_no_space_begins_a_new_one() -> None:
    tokens = [
        item(" ши", 0, 0.2),
        item("ном", 0.2, 0.3),
        item(" ко", 0.4, 0.5),
        item("ліс", 0.5, 0.6),
        item(".", 0.6, 0.7),
    ]
    assert words({"segments": [{"words": tokens}]}) == [("шином", 0, 2400), ("коліс.", 3200, 5600)]


def test_deepgrams_words_have_punctuation_and_a_confidence_that_is_not_zero() -> None:
    found = words_from(
        [item("так", 0, 0.5, punctuated_word="Так,", confidence=0.9), item("ні", 0.5, 1, confidence=0.0)]
    )
    assert found == (
        Word(text="Так,", start=0, end=4000, confidence=0.9),
        Word(text="ні", start=4000, end=8000),
    )


@pytest.mark.parametrize(
    "items", [None, "x", [1], [{}], [{"word": "x"}], [item("x", 0, 1), item("y", "soon", 1)]]
)
def test_words_that_cannot_be_read_are_none(items: Any) -> None:
    assert words_from(items) == ()
    assert words({"words": items}) == []
    assert words({"segments": [{"words": items}]}) == []


async def final(url: str, **options: Any) -> Any:
    provider = server_at(address(url), interims=False, **options)
    stream = await provider.open(StreamConfig(language_code="uk-UA"))
    await stream.send(AudioChunk(pcm=SPEECH))
    await stream.end()
    (found,) = [result async for result in stream]
    await stream.close()
    await provider.aclose()
    return found


async def test_words_that_come_unasked_are_told_and_nobody_is_made_slower_for_them() -> None:
    async with FakeWhisperServer([Says("Так.", fields={"words": [item("Так.", 0.0, 0.5)]})]) as server:
        found = await final(f"{server.url}/v1")
    assert found.words == (Word(text="Так.", start=0, end=4000),)
    assert "timestamp_granularities[]" not in server.received[0].form


async def test_words_are_asked_for_where_a_setting_says_so() -> None:
    async with FakeWhisperServer([Says("Так.")]) as server:
        assert (await final(f"{server.url}/v1", words=True)).words == ()
        await final(f"whisper.cpp+{server.url}", words=True)
    openai, whisper_cpp = server.received
    assert openai.form["timestamp_granularities[]"] == "word"
    assert openai.filename == "utterance.wav"
    assert whisper_cpp.form["token_timestamps"] == "true"


async def test_a_text_whose_noise_was_taken_out_has_no_words() -> None:
    tokens = [item(" [дзвонить", 0, 1), item(" телефон]", 1, 2), item(" Так.", 2, 3)]
    answer = Says(
        "[дзвонить телефон] Так.",
        fields={"segments": [{"text": " [дзвонить телефон] Так.", "words": tokens}]},
    )
    async with FakeWhisperServer([answer]) as server:
        found = await final(f"whisper.cpp+{server.url}", words=True)
    assert (found.text, found.words) == ("Так.", ())
