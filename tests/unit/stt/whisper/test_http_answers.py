"""What Whisper servers answer, in every form we met."""

import json
import socket
from typing import Any

import pytest

from slukh.errors import SttLanguageError, SttProtocolError
from slukh.stt.whisper.decoding import DecodeRequest, Decoding
from slukh.stt.whisper.failures import connect_error, error_from_status
from slukh.stt.whisper.http_answers import decoding_from_body
from slukh.testing.whisper_server import Says

UK = DecodeRequest(pcm=b"", kind="final", language_code="uk-UA")
UK_OR_RU = DecodeRequest(
    pcm=b"", kind="final", language_code="uk-UA", language_prior={"uk-UA": 0.8, "ru-RU": 0.2}
)


def heard(answer: Any, request: DecodeRequest = UK) -> Decoding:
    return decoding_from_body("whisper", json.dumps(answer).encode(), "application/json", request)


def segment(text: str, **fields: Any) -> dict[str, Any]:
    return {"text": text, "tokens": [1], "avg_logprob": -0.2, "no_speech_prob": 0.1, **fields}


def test_a_full_answer_gives_text_scores_and_billed_audio() -> None:
    decoding = heard(Says("Добрий день.").body())
    assert decoding.text == "Добрий день."
    assert decoding.avg_logprob == -0.25
    assert decoding.no_speech_probability == 0.02
    assert decoding.language_code == "uk-UA"
    assert decoding.reported_ms == 1000


def test_segments_are_joined_as_they_are_because_some_servers_wrap_the_text_inside_words() -> None:
    answer = {"text": " п'ять ліц\nю", "segments": [segment(" п'ять ліц"), segment("ю, обісяти")]}
    assert heard(answer).text == "п'ять ліцю, обісяти"


def test_an_answer_without_segments_is_its_text() -> None:
    decoding = heard({"text": " Добрий день \n"})
    assert (decoding.text, decoding.avg_logprob, decoding.no_speech_probability) == (
        "Добрий день",
        None,
        None,
    )


def test_segments_without_text_give_way_to_the_text() -> None:
    assert heard({"text": "так", "segments": [{"id": 0}]}).text == "так"


def test_scores_are_weighed_by_tokens_and_one_spoken_segment_is_speech() -> None:
    answer = {
        "text": "x",
        "segments": [
            segment("a", tokens=[1, 2, 3], avg_logprob=-0.2, no_speech_prob=0.9),
            segment("b", tokens=[4], avg_logprob=-1.0, no_speech_prob=0.1),
        ],
    }
    assert heard(answer).avg_logprob == pytest.approx(-0.4)
    assert heard(answer).no_speech_probability == 0.1


def test_a_missing_no_speech_probability_and_a_duration_in_words_are_tolerated() -> None:
    answer = {"text": "так", "duration": "1.25", "segments": [segment("так", no_speech_prob=None)]}
    assert heard(answer).no_speech_probability is None
    assert heard(answer).reported_ms == 1250
    assert heard({"text": "так", "duration": "long"}).reported_ms is None


@pytest.mark.parametrize("language", ["uk", "ukrainian", "Ukrainian", "uk-UA", None, ""])
def test_the_language_is_understood_in_every_dialect(language: str | None) -> None:
    assert heard({"text": "так", "language": language}).language_code == "uk-UA"


def test_another_allowed_language_is_reported_as_heard() -> None:
    assert heard({"text": "да", "language": "russian"}, UK_OR_RU).language_code == "ru-RU"


@pytest.mark.parametrize("language", ["ru", "english", "ja", "klingon"])
def test_a_language_that_was_not_asked_for_is_a_broken_promise(language: str) -> None:
    with pytest.raises(SttLanguageError, match="uk-UA was asked"):
        heard({"text": "x", "language": language})


@pytest.mark.parametrize(
    "body", [b"<html>nginx</html>", b"", b"\xff", b"[]", b'{"texts": 1}', b'{"text": null}']
)
def test_what_is_no_transcription_asks_whether_this_is_a_whisper_server(body: bytes) -> None:
    with pytest.raises(SttProtocolError, match="is this a Whisper server"):
        decoding_from_body("whisper", body, "text/html", UK)


def test_a_page_where_a_websocket_was_wanted_names_the_address() -> None:
    error = error_from_status("whisper", 200, b"<html>", url="ws://gpu1:9090/")
    assert isinstance(error, SttProtocolError)
    assert "200 for ws://gpu1:9090/: is this a Whisper server?" in str(error)


def test_a_name_that_nobody_resolves_is_no_server_that_does_not_run() -> None:
    cause = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    error = connect_error("whisper", "http://gpu1:8000", cause)
    assert "cannot be resolved (Name or service not known)" in str(error)
    assert "correct the host" in error.remedy
