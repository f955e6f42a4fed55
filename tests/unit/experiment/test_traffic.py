from datetime import UTC, datetime, timedelta

from slukh.experiment.evidence import CallRow
from slukh.experiment.traffic import a_month, busiest

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def call(start: float, end: float) -> CallRow:
    """A call between two seconds."""
    return CallRow(
        call_id=f"{start}", caller=None, language_code="uk-UA", arm="google", flag_reason="SPLIT",
        flag_version="1-a", serving="google", models={}, started_at=BEGAN + timedelta(seconds=start),
        ended_at=BEGAN + timedelta(seconds=end), end_reason="hangup",
    )  # fmt: skip


def test_the_busiest_moment_counts_who_is_on_the_line_together() -> None:
    assert busiest([call(0, 10), call(5, 15), call(9, 20), call(30, 40)]) == 3
    assert busiest([call(0, 10), call(10, 20)]) == 1
    assert busiest([]) == 0


def test_a_month_is_told_from_a_day_at_least() -> None:
    day = 86_400
    assert a_month([call(0, 60)]) == 30
    assert a_month([call(0, 60), call(2 * day - 60, 2 * day)]) == 30
    assert a_month([]) == 0
