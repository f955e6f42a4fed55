"""Google's refusals become the right class, with a remedy and never with a secret."""

import pytest

from slukh.errors import (
    SttAuthenticationError,
    SttConnectError,
    SttError,
    SttLanguageError,
    SttLimitError,
    SttOverloadedError,
    SttRequestError,
    SttStreamError,
    SttTimeoutError,
)
from slukh.stt.google_errors import error_from_status

TABLE: list[tuple[str, str, type[SttError]]] = [
    ("UNAVAILABLE", "The service is currently unavailable.", SttStreamError),
    ("UNAVAILABLE", "GOAWAY received", SttStreamError),
    ("UNAVAILABLE", "Socket closed", SttStreamError),
    ("INTERNAL", "Internal error encountered.", SttStreamError),
    ("INTERNAL", "Internal error from Core", SttStreamError),
    ("UNKNOWN", "Stream removed", SttStreamError),
    ("DATA_LOSS", "", SttStreamError),
    ("CANCELLED", "Channel closed.", SttStreamError),
    ("ABORTED", "Max duration of 5 minutes reached for stream.", SttLimitError),
    ("ABORTED", "Stream timed out after receiving no more client requests.", SttLimitError),
    ("ABORTED", "The operation was aborted.", SttStreamError),
    ("OUT_OF_RANGE", "Exceeded maximum allowed stream duration of 305 seconds.", SttLimitError),
    ("OUT_OF_RANGE", "Audio Timeout Error: Long duration elapsed without audio.", SttLimitError),
    ("OUT_OF_RANGE", "Audio data is being streamed too fast. Please stream audio ...", SttLimitError),
    ("OUT_OF_RANGE", "boost must be between 0 and 20", SttRequestError),
    ("DEADLINE_EXCEEDED", "Deadline Exceeded", SttTimeoutError),
    ("RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Concurrent streams'", SttOverloadedError),
    ("INVALID_ARGUMENT", 'The model "x" does not exist in the location named "eu".', SttRequestError),
    ("INVALID_ARGUMENT", 'The language "x" is not supported by the model "y".', SttLanguageError),
    ("NOT_FOUND", "Unable to find Recognizer", SttRequestError),
    ("UNIMPLEMENTED", "Received http2 header with status: 404", SttRequestError),
    ("FAILED_PRECONDITION", "", SttRequestError),
    ("UNAUTHENTICATED", "Request had invalid authentication credentials.", SttAuthenticationError),
    ("PERMISSION_DENIED", "Permission 'speech.recognizers.recognize' denied", SttAuthenticationError),
    ("UNAVAILABLE", "Getting metadata from plugin failed with error: invalid_grant", SttAuthenticationError),
    ("UNAVAILABLE", "Getting metadata from plugin failed with error: timed out", SttStreamError),
    ("A_CODE_OF_TOMORROW", "", SttStreamError),
]  # fmt: skip


@pytest.mark.parametrize(("code", "details", "kind"), TABLE)
def test_a_status_has_its_class(code: str, details: str, kind: type[SttError]) -> None:
    assert type(error_from_status("google", code, details, is_open=True)) is kind


@pytest.mark.parametrize(("code", "details", "kind"), TABLE)
def test_what_breaks_before_the_stream_is_open_is_a_failed_connection(
    code: str, details: str, kind: type[SttError]
) -> None:
    expected = SttConnectError if kind is SttStreamError else kind
    assert type(error_from_status("google", code, details, is_open=False)) is expected


def test_the_mask_is_never_permanent() -> None:
    for is_open in (True, False):
        assert not error_from_status(
            "google", "INTERNAL", "Internal error from Core", is_open=is_open
        ).is_permanent


@pytest.mark.parametrize(
    ("code", "setting"),
    [
        ("INVALID_ARGUMENT", "GOOGLE_STT_MODEL"),
        ("INVALID_ARGUMENT", "GOOGLE_STT_LOCATION"),
        ("PERMISSION_DENIED", "GOOGLE_STT_PROJECT_ID"),
        ("RESOURCE_EXHAUSTED", "GOOGLE_STT_PROJECT_ID"),
    ],
)
def test_the_remedy_names_the_setting(code: str, setting: str) -> None:
    error = error_from_status("google", code, "as Google says it", is_open=True)
    assert setting in error.detail
    assert "as Google says it" in error.detail


def test_an_unreachable_endpoint_names_its_setting() -> None:
    error = error_from_status("google", "UNAVAILABLE", "failed to connect", is_open=False)
    assert "GOOGLE_STT_ENDPOINT" in error.detail


def test_a_long_story_is_cut_and_stays_one_line() -> None:
    error = error_from_status("google", "INTERNAL", "a\nb " + "x" * 5000, is_open=True)
    assert len(error.detail) < 400
    assert "\n" not in error.detail
