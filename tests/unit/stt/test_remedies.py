"""What to do about a recogniser that failed."""

import pytest

from slukh.errors import STT_ERRORS, SttAuthenticationError, SttConnectError, SttError
from slukh.google_access import error_from_credentials
from slukh.stt.remedies import all_failed, remedy_for, sentence


@pytest.mark.parametrize("provider", ["whisper", "google"])
@pytest.mark.parametrize("kind", STT_ERRORS)
def test_every_error_of_every_recogniser_has_a_remedy(provider: str, kind: type[SttError]) -> None:
    error = kind(provider, "what was seen")
    assert remedy_for(error)
    assert sentence(error) == f"{provider}: what was seen: {remedy_for(error)}"


def test_an_error_that_knows_more_than_its_class_says_so() -> None:
    assert remedy_for(SttConnectError("whisper", "no TLS there", remedy="write http")) == "write http"


def test_a_remedy_that_stands_in_the_error_is_not_said_twice() -> None:
    error = error_from_credentials(
        "google",
        OSError(21, "Is a directory"),
        unreachable=SttConnectError,
        refused=SttAuthenticationError,
    )
    assert isinstance(error, SttError)
    assert sentence(error) == str(error)
    assert sentence(error).endswith(remedy_for(error).partition(";")[0])


def test_a_question_and_its_remedy_are_two_sentences() -> None:
    error = SttConnectError("whisper", "cannot connect: is the server running?", remedy="start the server")
    assert sentence(error) == "whisper: cannot connect: is the server running? Start the server"


def test_servers_that_want_the_same_are_told_it_once() -> None:
    key, other = SttAuthenticationError("whisper", "401"), SttAuthenticationError("whisper", "403")
    error = all_failed({"a": key, "b": other}, name="whisper")
    assert (str(error), error.remedy) == ("whisper: a: 401; b: 403", f"a and b: {remedy_for(key)}")
    assert error.is_permanent
    assert not all_failed({"a": key, "b": SttConnectError("whisper", "gone")}).is_permanent
    assert all_failed({"a": key}) is key
