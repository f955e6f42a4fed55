"""The local Google refuses what Google refuses, and our pace stays below that."""

import pytest
from google.cloud.speech_v2.types import cloud_speech
from hypothesis import given
from hypothesis import strategies as st

from slukh.stt.base import StreamConfig
from slukh.stt.google_requests import GoogleModel, first_request
from slukh.stt.google_wire import FASTEST, Pace
from slukh.testing.google_limits import AudioGate, GoogleLimits

SECOND = bytes(16_000)


@pytest.mark.parametrize(
    ("limits", "model", "languages", "code", "words"),
    [
        (GoogleLimits(), GoogleModel(project_id="p"), ("uk-UA", "ru-RU"), None, ""),
        (
            GoogleLimits(),
            GoogleModel(project_id="p", model="chirp_9"),
            ("uk-UA",),
            "INVALID_ARGUMENT",
            "chirp_9",
        ),
        (GoogleLimits(), GoogleModel(project_id="p"), ("kk-KZ",), "INVALID_ARGUMENT", "kk-KZ"),
        (GoogleLimits(), GoogleModel(project_id="p", location="us"), ("uk-UA",), "INVALID_ARGUMENT", "us"),
        (GoogleLimits(project_id="q"), GoogleModel(project_id="p"), ("uk-UA",), "PERMISSION_DENIED", "may"),
        (
            GoogleLimits(location="europe-west4"),
            GoogleModel(project_id="p", location="europe-west4"),
            ("uk-UA", "ru-RU"),
            "INVALID_ARGUMENT",
            "only supported in",
        ),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_is_refused_in_googles_words(
    limits: GoogleLimits, model: GoogleModel, languages: tuple[str, ...], code: str | None, words: str
) -> None:
    config = StreamConfig(language_code=languages[0], alternative_language_codes=languages[1:])
    refusal = limits.refuse_request(first_request(model, config))
    if code is None:
        assert refusal is None
    else:
        assert refusal is not None
        assert (refusal[0].name, words in refusal[1]) == (code, True)


def test_a_recogniser_that_nobody_made_is_not_found() -> None:
    request = first_request(GoogleModel(project_id="p"), StreamConfig(language_code="uk-UA"))
    request.recognizer = "projects/p/locations/eu/recognizers/mine"
    refusal = GoogleLimits().refuse_request(request)
    assert refusal is not None
    assert refusal[0].name == "NOT_FOUND"


def test_audio_before_the_request_is_refused() -> None:
    refusal = GoogleLimits().refuse_request(cloud_speech.StreamingRecognizeRequest(audio=b"\0\0"))
    assert refusal is not None
    assert refusal[0].name == "INVALID_ARGUMENT"


def test_a_wrong_key_is_refused() -> None:
    limits = GoogleLimits(metadata=(("authorization", "Bearer good"),))
    assert limits.refuse_metadata({"authorization": "Bearer good", "other": "x"}) is None
    for metadata in ({}, {"authorization": "Bearer bad"}):
        refusal = limits.refuse_metadata(dict(metadata))
        assert refusal is not None
        assert refusal[0].name == "UNAUTHENTICATED"


def test_a_message_may_have_25600_bytes_and_no_more() -> None:
    assert AudioGate().refuse(bytes(25_600), 0.0) is None
    refusal = AudioGate().refuse(bytes(25_602), 0.0)
    assert refusal is not None
    assert "25600" in refusal[1]


def test_five_times_real_time_over_two_seconds_is_the_limit() -> None:
    gate = AudioGate()
    assert all(gate.refuse(SECOND, 0.1 * i) is None for i in range(10))
    refusal = gate.refuse(SECOND, 1.9)
    assert refusal is not None
    assert refusal[0].name == "OUT_OF_RANGE"
    rested = AudioGate()
    assert all(rested.refuse(SECOND, 0.5 * i) is None for i in range(100))


def test_a_live_caller_never_waits() -> None:
    pace = Pace(FASTEST)
    assert all(pace.wait(0.1, 0.1 * i) == 0.0 for i in range(100))


def test_a_replay_leaves_at_four_times_real_time() -> None:
    pace, now = Pace(FASTEST), 0.0
    for _ in range(100):
        now += pace.wait(0.1, now)
    assert now == pytest.approx(99 * 0.1 / 4)


@given(st.lists(st.floats(0, 3), min_size=1, max_size=300))
def test_whatever_stalls_our_pace_is_never_refused(pauses: list[float]) -> None:
    pace, gate, now = Pace(FASTEST), AudioGate(), 0.0
    for pause in pauses:
        now += pace.wait(0.1, now)
        assert gate.refuse(bytes(1600), now) is None
        now += pause
