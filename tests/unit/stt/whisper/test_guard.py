"""What nobody said is refused, and what callers do say is not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.stt.whisper.decoding import Decoding, compression_ratio, token_cap
from slukh.stt.whisper.guard import drop_reason, loop_reason, phrase_kind, repeats
from slukh.types import DropReason

LOOP = "Звісно, я вважаю, " + "що я вважаю, " * 40


def reason(
    text: str,
    *,
    voiced_seconds: float = 2.0,
    voiced_share: float = 0.9,
    no_speech: float | None = 0.05,
    avg_logprob: float | None = -0.3,
    limit: bool = False,
) -> DropReason | None:
    decoding = Decoding(
        text=text,
        avg_logprob=avg_logprob,
        no_speech_probability=no_speech,
        language_code="uk-UA",
        token_limit_hit=limit,
    )
    return drop_reason(decoding, voiced_seconds=voiced_seconds, voiced_share=voiced_share)


@pytest.mark.parametrize(
    "text",
    [
        "Субтитры сделал DimaTorzok",
        "Субтитры создавал DimaTorzok.",
        "Субтитры подогнал «Коронован»",
        "Редактор субтитров А.Синецкая Корректор А.Егорова",
        "Редактор субтитров А.Семкин Корректор А.Егорова",
        "Спасибо за просмотр!",
        "Подписывайтесь на канал",
        "СПОКОЙНАЯ МУЗЫКА",
        "Весёлая музыка",
        "Дякую за перегляд!",
        "ДЯКУЮ ЗА ПІДПИСКУ!",
        "Підписуйтесь на канал.",
        "Ставте лайки",
        "Субтитрувальниця Оля Шор",
        "[музика]",
        "(музыка)",
        "*тиша*",
        " [Музика]. [Сміх] ",
        "♪ ля-ля ♪",
    ],
)
def test_known_inventions_are_refused_however_confident(text: str) -> None:
    assert reason(text, avg_logprob=-0.05, no_speech=0.01) == "phrase"


@pytest.mark.parametrize(
    "text",
    [
        "Мені потрібен корректор фар.",
        "Субтитры мне не нужны, спасибо за просмотр моей машины.",
        "Дякую за перегляд моєї заявки, до побачення.",
        "Запишіть мене (на ранок) будь ласка.",
        "Алло, алло!",
        "Ні, ні, ні, ні.",
        "Нуль, нуль, нуль, сім.",
        "Шини двісті п'ять на п'ятдесят п'ять, радіус шістнадцять.",
    ],
)
def test_what_callers_say_passes(text: str) -> None:
    assert reason(text) is None


@pytest.mark.parametrize("text", ["Дякую.", "Спасибо!", "До побачення.", "Продолжение следует..."])
def test_a_courtesy_word_passes_when_it_was_clearly_spoken(text: str) -> None:
    assert reason(text, voiced_seconds=0.5) is None


@pytest.mark.parametrize(
    "doubt", [{"voiced_seconds": 0.1}, {"voiced_share": 0.2}, {"no_speech": 0.7}, {"avg_logprob": -1.2}]
)
def test_a_courtesy_word_is_refused_when_hardly_anybody_spoke(doubt: dict[str, Any]) -> None:
    assert reason("Дякую.", **doubt) == "phrase"


def test_a_confident_loop_is_refused() -> None:
    assert reason(LOOP, avg_logprob=-0.05) == "compression"


def test_a_short_loop_that_compresses_little_is_refused() -> None:
    text = "так і є " * 5
    assert compression_ratio(text) > 2.4 or repeats(text.split())
    assert reason("ага, " * 7 + "ага") in ("repetition", "compression")


def test_a_text_that_fills_its_token_cap_is_refused() -> None:
    assert reason("Мені треба зимові шини", limit=True) == "repetition"


@pytest.mark.parametrize(
    ("no_speech", "avg_logprob", "voiced_share", "expected"),
    [
        (0.7, -1.1, 0.9, "no_speech"),
        (0.7, -0.5, 0.3, "no_speech"),
        (0.7, None, 0.9, "no_speech"),
        (0.7, -0.5, 0.9, None),
        (0.5, -1.5, 0.1, None),
        (None, -1.5, 0.1, None),
    ],
)
def test_silence_is_told_by_whisper_and_by_our_detector(
    no_speech: float | None, avg_logprob: float | None, voiced_share: float, expected: str | None
) -> None:
    got = reason("Телефонна розмова", no_speech=no_speech, avg_logprob=avg_logprob, voiced_share=voiced_share)
    assert got == expected


def test_no_text_has_nothing_to_refuse() -> None:
    assert reason("", no_speech=0.99, avg_logprob=-3.0, limit=True) is None


@pytest.mark.parametrize("text", ["", "Музика грає голосно", "[музика] Добрий день", "дякую вам"])
def test_a_phrase_counts_only_as_the_whole_utterance(text: str) -> None:
    assert phrase_kind(text) is None


@given(st.lists(st.sampled_from("абвгд"), min_size=1, max_size=6, unique=True), st.integers(8, 30))
def test_any_phrase_said_eight_times_is_a_loop(phrase: list[str], times: int) -> None:
    assert repeats(phrase * times)


@given(st.lists(st.integers(), unique=True))
def test_words_that_all_differ_are_no_loop(numbers: list[int]) -> None:
    assert not repeats([str(number) for number in numbers])


def test_a_loop_within_a_longer_sentence_is_not_most_of_it() -> None:
    said = [f"слово{n}" for n in range(10)] + ["так"] * 8
    assert not repeats(said)


def test_a_clean_text_is_no_loop() -> None:
    assert loop_reason(Decoding(text="Добрий день", language_code="uk-UA")) is None


def test_the_token_cap_follows_the_length_of_the_audio_up_to_whispers_own() -> None:
    assert token_cap(1.0, 9.0) == 23
    assert token_cap(10.0, 9.0) == 104
    assert token_cap(28.0, 9.0) == 224
