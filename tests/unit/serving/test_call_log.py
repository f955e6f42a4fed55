"""What the log says of a call."""

from datetime import UTC, datetime

import pytest

from slukh.serving.call_log import CallLog
from slukh.serving.callbook import CallBook
from slukh.types import AttemptEnded, CallEvent, Event, RecognisersDown


def logged(event: Event, caplog: pytest.LogCaptureFixture) -> tuple[str, str, dict[str, object]]:
    CallLog(CallBook(transcript_seconds=60.0)).observe(
        CallEvent(
            call_id="c-1", leg=1, provider="whisper", model="base", assigned_arm="whisper",
            received_at=datetime.now(UTC), event=event,
        )
    )  # fmt: skip
    (line,) = caplog.records
    return line.levelname, line.message, vars(line)


def test_an_attempt_that_failed_is_logged_with_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    failed = AttemptEnded(
        utterance_id=1, attempt=1, provider="whisper", model="base", purpose="serve", outcome="connect",
        audio_samples=0, error="cannot connect", remedy="start the server",
    )  # fmt: skip
    level, name, fields = logged(failed, caplog)
    assert (level, name) == ("WARNING", "attempt_failed")
    assert (fields["error"], fields["remedy"]) == ("cannot connect", "start the server")


def test_what_nobody_heard_is_an_error_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    level, name, fields = logged(RecognisersDown(utterance_id=7), caplog)
    assert (level, name) == ("ERROR", "recognisers_down")
    assert (fields["call_id"], fields["utterance_id"]) == ("c-1", 7)
