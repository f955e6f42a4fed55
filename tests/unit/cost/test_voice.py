"""What the voice back used, as rows."""

from datetime import UTC, datetime

from slukh.cost.voice import voice_usage
from slukh.types import UNANSWERED, UNITS_PER_REQUEST, CallEvent, ModelUnanswered


def test_a_request_that_never_said_what_it_used_is_a_row_of_no_tokens() -> None:
    event = CallEvent(
        call_id="c", leg=2, provider="whisper", model="base", assigned_arm="whisper",
        received_at=datetime(2026, 11, 26, tzinfo=UTC),
        event=ModelUnanswered(request=3, provider="anthropic", model="claude-haiku-4-5"),
    )  # fmt: skip
    (row,) = voice_usage(event)
    assert (row.call_id, row.leg, row.component, row.sequence) == ("c", 2, "llm", 3 * UNITS_PER_REQUEST)
    assert (row.provider, row.model) == ("anthropic", "claude-haiku-4-5")
    assert (row.unit, row.quantity, row.reported_quantity, row.outcome) == (
        "input_tokens", 0, None, UNANSWERED,
    )  # fmt: skip
