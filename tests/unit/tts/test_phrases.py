from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.tts.base import SpeechRequest, Voice
from slukh.tts.phrases import (
    LONGEST_REPLY,
    LONGEST_SENTENCE,
    SentenceCutter,
    Templates,
    normalised,
    phrase_key,
    sentences,
    speakable,
)

REQUEST = SpeechRequest(text="Добрий день!", language_code="uk-UA")
VOICE = Voice(provider="google", name="uk-UA-Standard-A", language_code="uk-UA")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("**Добрий** день! 😀", "Добрий день!"),
        ("# Розмір\n- 205/55 R16\n- 195/65 R15", "Розмір\n205 на 55 радіус 16\n195 на 65 радіус 15"),
        ("Дивіться [тут](https://shop.example/a) або https://shop.example", "Дивіться тут або"),
        ("<speak>Так</speak>", "Так"),
        ("```python\n...\n```", ""),
        ("  \n 😀 ... \n", ""),
        ("Michelin за 3200 ₴", "Michelin за 3200 гривень"),
        ("е\u0301", "е\u0301"),
        ("а\x00б\u200dв", "а б в"),
    ],
)
def test_only_what_can_be_said_is_left(written: str, said: str) -> None:
    assert speakable(written, "uk-UA") == said


def test_ten_thousand_characters_are_cut_to_a_reply() -> None:
    assert len(speakable("Слово. " * 2000, "uk-UA")) == LONGEST_REPLY


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Добрий день! Слухаю вас.", ["Добрий день!", "Слухаю вас."]),
        ("Коштує 3.5 тис. грн за шт. разом.", ["Коштує 3.5 тис. грн за шт. разом."]),
        ("Розмір 205/55? Так… Чекайте", ["Розмір 205/55?", "Так…", "Чекайте"]),
        ("Перше\nдруге", ["Перше", "друге"]),
        ("", []),
    ],
)
def test_a_text_is_cut_into_its_sentences(text: str, found: list[str]) -> None:
    assert sentences(text) == found


@given(st.text(alphabet="аб, .!?\n1", max_size=2000))
def test_no_sentence_is_too_long_and_no_letter_is_lost(text: str) -> None:
    found = sentences(text)
    assert all(len(sentence) <= LONGEST_SENTENCE for sentence in found)
    assert [c for s in found for c in s if c.isalnum()] == [c for c in text if c.isalnum()]


@given(st.text(alphabet="аБ, .!?\n1", max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_sentences_are_the_same_however_the_text_came(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    cutter = SentenceCutter()
    found = [s for a, b in pairwise(edges) for s in cutter.push(text[a:b])]
    assert "".join("".join(found + cutter.finish()).split()) == "".join(text.split())


def test_a_template_keeps_its_fixed_parts_apart_from_what_changes() -> None:
    templates = Templates.declared(["Ваше замовлення {n} готове.", "Дякую!"])
    assert templates.pieces("Ваше замовлення 4512 готове.") == ["Ваше замовлення", "4512", "готове."]
    assert templates.pieces("Дякую!") == ["Дякую!"]


def test_a_template_is_matched_as_it_is_said() -> None:
    said = speakable("Замовлення № {order_number} готове.", "uk-UA")
    assert said == "Замовлення номер {order_number} готове."
    spoken = speakable("Замовлення № 4512 готове.", "uk-UA")
    assert Templates.declared([said]).pieces(spoken) == ["Замовлення номер", "4512", "готове."]


def test_a_template_of_two_sentences_is_a_template_of_each_and_no_piece_is_a_mark() -> None:
    templates = Templates.declared(["Отже, {width} на {profile}, {season}. Ваше {n}, так?"])
    assert templates.pieces("Отже, 205 на 55, зимові.") == ["Отже,", "205", "на", "55", "зимові"]
    assert templates.pieces("Ваше 7, так?") == ["Ваше", "7", "так?"]


def test_a_recording_is_known_by_its_words() -> None:
    assert normalised("  Добрий ДЕНЬ!  Шини 205/55 — є.") == "добрий день шини 205/55 є"
    assert normalised("п\u2019ять") == normalised("П'ять")


def test_the_key_of_a_phrase_holds_everything_that_changes_its_sound() -> None:
    key = phrase_key(REQUEST, VOICE)
    others = [
        phrase_key(SpeechRequest(text="Добрий день?", language_code="uk-UA"), VOICE),
        phrase_key(SpeechRequest(text="Добрий день!", language_code="uk-UA", is_ssml=True), VOICE),
        *(
            phrase_key(REQUEST, Voice(**{"provider": "google", "name": "uk-UA-Standard-A",
                                         "language_code": "uk-UA"} | change))
            for change in ({"name": "x"}, {"provider": "piper"}, {"speaking_rate": 1.1}, {"edition": "2"})
        ),
    ]  # fmt: skip
    assert len({key, *others}) == 1 + len(others)
    assert key == phrase_key(SpeechRequest(text=" Добрий\n день! ", language_code="uk-UA"), VOICE)
