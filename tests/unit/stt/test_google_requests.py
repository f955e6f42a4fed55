"""What Google is asked, and how its answers become hypotheses."""

from datetime import timedelta

import pytest
from google.cloud.speech_v2.types import cloud_speech
from hypothesis import given
from hypothesis import strategies as st

from slukh.stt.base import Hypothesis, StreamConfig
from slukh.stt.google_requests import GoogleHearing, GoogleModel, canonical, first_request
from slukh.types import Word

UK = StreamConfig(language_code="uk-UA", alternative_language_codes=("ru-RU",))


def result(
    text: str,
    *,
    final: bool = False,
    stability: float = 0.0,
    confidence: float = 0.0,
    language: str = "",
    ends_at: float = 0.0,
    words: tuple[tuple[str, float, float], ...] = (),
) -> cloud_speech.StreamingRecognitionResult:
    infos = [
        cloud_speech.WordInfo(word=word, start_offset=timedelta(seconds=a), end_offset=timedelta(seconds=b))
        for word, a, b in words
    ]
    alternative = cloud_speech.SpeechRecognitionAlternative(
        transcript=text, confidence=confidence, words=infos
    )
    return cloud_speech.StreamingRecognitionResult(
        alternatives=[alternative],
        is_final=final,
        stability=stability,
        language_code=language,
        result_end_offset=timedelta(seconds=ends_at),
    )


def says(
    *results: cloud_speech.StreamingRecognitionResult, billed: float = 0.0
) -> cloud_speech.StreamingRecognizeResponse:
    metadata = cloud_speech.RecognitionResponseMetadata(total_billed_duration=timedelta(seconds=billed))
    return cloud_speech.StreamingRecognizeResponse(results=results, metadata=metadata)


def shown(hypothesis: Hypothesis | None) -> tuple[str, str] | None:
    return None if hypothesis is None else (hypothesis.text, hypothesis.text[: hypothesis.stable_length])


def test_the_first_message_says_everything() -> None:
    model = GoogleModel(project_id="shop", location="us", model="chirp_3", boost=7.5, words=True)
    config = StreamConfig(
        language_code="uk-UA",
        alternative_language_codes=("ru-RU", "uk-UA"),
        phrase_hints=("шиномонтаж", "R16"),
    )
    request = first_request(model, config)
    assert request.recognizer == "projects/shop/locations/us/recognizers/_"
    assert not request.audio
    recognition = request.streaming_config.config
    decoding = recognition.explicit_decoding_config
    assert decoding.encoding.name == "LINEAR16"
    assert (decoding.sample_rate_hertz, decoding.audio_channel_count) == (8000, 1)
    assert list(recognition.language_codes) == ["uk-UA", "ru-RU"]
    assert recognition.model == "chirp_3"
    assert recognition.features.enable_word_time_offsets
    assert recognition.features.enable_automatic_punctuation
    [hints] = recognition.adaptation.phrase_sets
    assert [phrase.value for phrase in hints.inline_phrase_set.phrases] == ["шиномонтаж", "R16"]
    assert hints.inline_phrase_set.boost == 7.5
    assert request.streaming_config.streaming_features.interim_results


def test_what_is_not_wanted_is_not_asked() -> None:
    config = StreamConfig(language_code="uk-UA", interim_results=False)
    request = first_request(GoogleModel(project_id="shop", punctuation=False), config)
    assert "adaptation" not in request.streaming_config.config
    assert not request.streaming_config.streaming_features.interim_results
    assert not request.streaming_config.config.features.enable_word_time_offsets
    assert not request.streaming_config.config.features.enable_automatic_punctuation


def test_pieces_are_joined_and_the_interim_stands_behind_them() -> None:
    hearing = GoogleHearing(UK)
    assert shown(hearing.hear(says(result("добрий", stability=0.01)))) == ("добрий", "")
    finalised = hearing.hear(says(result("добрий день", final=True, ends_at=1)))
    assert shown(finalised) == ("добрий день", "добрий день")
    interim = hearing.hear(says(result(" скажіть", stability=0.9), result(" будь", stability=0.01)))
    assert shown(interim) == ("добрий день скажіть будь", "добрий день скажіть")
    unfinished = [hearing.has_unfinished_text]
    hearing.hear(says(result(" скажіть будь ласка", final=True, ends_at=2)))
    assert [*unfinished, hearing.has_unfinished_text] == [True, False]
    final = hearing.final()
    assert (final.text, final.is_final) == ("добрий день скажіть будь ласка", True)
    assert final.stable_length == len(final.text)


def test_stable_text_is_never_taken_back_and_a_contradiction_is_only_a_sign_of_life() -> None:
    hearing = GoogleHearing(UK)
    assert shown(hearing.hear(says(result("двісті п'ять", stability=0.9)))) == (
        "двісті п'ять",
        "двісті п'ять",
    )
    again = hearing.hear(says(result("двісті шість", stability=0.9)))
    assert shown(again) == ("двісті п'ять", "двісті п'ять")
    later = hearing.hear(says(result("двісті п'ять на", stability=0.01)))
    assert shown(later) == ("двісті п'ять на", "двісті п'ять")
    hearing.hear(says(result("двісті шість", final=True)))
    assert hearing.final().text == "двісті шість"


def test_zero_is_not_a_number_google_says() -> None:
    hearing = GoogleHearing(UK)
    interim = hearing.hear(says(result("так")))
    assert interim is not None
    assert interim.stability is None
    assert interim.confidence is None
    hearing.hear(says(result("так", final=True)))
    assert hearing.final().confidence is None
    assert hearing.final().reported_ms is None


def test_stability_is_that_of_the_least_stable_part() -> None:
    interim = GoogleHearing(UK).hear(says(result("a", stability=0.9), result("b", stability=0.25)))
    assert interim is not None
    assert interim.stability == pytest.approx(0.25)


def test_confidence_is_weighed_by_text_and_leaves_out_what_is_unset() -> None:
    hearing = GoogleHearing(UK)
    for text, confidence in (("aaa", 0.9), ("b", 0.5), ("ccc", 0.0)):
        hearing.hear(says(result(text, final=True, confidence=confidence)))
    assert hearing.final().confidence == pytest.approx((3 * 0.9 + 0.5) / 4)


def test_a_final_sent_twice_is_said_once_but_a_word_said_twice_stays() -> None:
    hearing = GoogleHearing(UK)
    hearing.hear(says(result("так", final=True, ends_at=1), billed=1))
    hearing.hear(says(result("так", final=True, ends_at=1), billed=1))
    hearing.hear(says(result("так", final=True, ends_at=2), billed=2))
    assert hearing.final().text == "так так"
    without_offset = GoogleHearing(UK)
    for _ in range(2):
        without_offset.hear(says(result("так", final=True)))
    assert without_offset.final().text == "так так"


def test_the_language_is_the_one_of_most_of_the_text_in_canonical_case() -> None:
    hearing = GoogleHearing(UK)
    assert hearing.final().language_code == "uk-UA"
    interim = hearing.hear(says(result("да", stability=0.1, language="ru-ru")))
    assert interim is not None
    assert interim.language_code == "ru-RU"
    hearing.hear(says(result("да", final=True, language="ru-ru", ends_at=1)))
    hearing.hear(says(result("мені потрібні шини", final=True, language="uk-ua", ends_at=2)))
    assert hearing.final().language_code == "uk-UA"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("uk-ua", "uk-UA"),
        ("RU-ru", "ru-RU"),
        ("cmn-hans-cn", "cmn-Hans-CN"),
        ("es-419", "es-419"),
        ("uk", "uk"),
    ],
)
def test_language_codes_are_written_as_bcp_47_recommends(said: str, code: str) -> None:
    assert canonical(said, ("uk-UA",)) == code


def test_word_offsets_become_samples_of_the_utterance() -> None:
    hearing = GoogleHearing(UK)
    hearing.hear(says(result("так", final=True, ends_at=1, words=(("так", 0.25, 0.5),))))
    hearing.hear(says(result("ні дуже", final=True, ends_at=2, words=(("ні", 1.5, 1.75), ("дуже", 0, 0)))))
    assert hearing.final().words == (
        Word(text="так", start=2000, end=4000),
        Word(text="ні", start=12000, end=14000),
    )


def test_an_utterance_in_the_middle_of_a_stream_hears_only_its_own() -> None:
    start = timedelta(seconds=10)
    hearing = GoogleHearing(UK, starts_at=start, billed=timedelta(seconds=11))
    assert hearing.hear(says(result("попередня", final=True, ends_at=10.0), billed=11)) is None
    assert hearing.finalised_until == start
    hearing.hear(says(result("шини", final=True, ends_at=11.5, words=(("шини", 10.5, 11.0),)), billed=13))
    final = hearing.final()
    assert (final.text, final.reported_ms) == ("шини", 2000)
    assert final.words == (Word(text="шини", start=4000, end=8000, confidence=None),)
    assert hearing.finalised_until == timedelta(seconds=11.5)


def test_text_that_was_promised_to_stay_stays_over_a_change_of_streams() -> None:
    hearing = GoogleHearing(UK, stable="добрий")
    assert shown(hearing.hear(says(result("добре", stability=0.9)))) == ("добрий", "добрий")
    assert shown(hearing.hear(says(result("добрий день", stability=0.1)))) == ("добрий день", "добрий")


def test_the_billed_duration_is_the_last_one_reported() -> None:
    hearing = GoogleHearing(UK)
    hearing.hear(says(result("a", final=True), billed=2))
    hearing.hear(says(billed=5))
    hearing.hear(says(result("b", final=True)))
    assert hearing.final().reported_ms == 5000


def test_results_without_text_say_nothing() -> None:
    hearing = GoogleHearing(UK)
    nothing = cloud_speech.StreamingRecognitionResult(is_final=True)
    assert hearing.hear(says(nothing)) is None
    assert hearing.hear(says(result("  ", stability=0.9))) is None
    assert not hearing.has_unfinished_text
    assert hearing.final().text == ""


WORDS = st.lists(st.sampled_from(["так", "ні", " добрий ", "день,", ""]), max_size=3).map(" ".join)
RESULTS = st.builds(
    result,
    WORDS,
    final=st.booleans(),
    stability=st.sampled_from([0.0, 0.01, 0.5, 0.9]),
    ends_at=st.integers(0, 3),
)


@given(st.lists(st.lists(RESULTS, max_size=3), max_size=8))
def test_whatever_google_says_what_was_shown_as_stable_stays(
    answers: list[list[cloud_speech.StreamingRecognitionResult]],
) -> None:
    hearing, stable = GoogleHearing(UK), ""
    for results in answers:
        interim = hearing.hear(says(*results))
        if interim is None:
            continue
        assert not interim.is_final
        assert interim.text.startswith(stable)
        assert len(stable) <= interim.stable_length <= len(interim.text)
        stable = interim.text[: interim.stable_length]
    final = hearing.final()
    assert final.text == " ".join(final.text.split())
