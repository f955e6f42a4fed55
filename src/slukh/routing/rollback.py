"""Whisper's share was taken back by itself: what is remembered of it, and how it is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """One time that a guardrail took Whisper's share back.

    Attributes:
        at: wall clock, UTC.
        reason: which guardrail, with its numbers.
        from_percent: the share before.
        flag_number: of the flag file that it stands against; a higher one is a person's decision.
    """

    at: datetime
    reason: str
    from_percent: int
    flag_number: int = 0

    def __str__(self) -> str:
        since = f"{self.at:%Y-%m-%d %H:%M} UTC"
        return f"Whisper was rolled back from {self.from_percent} % at {since} ({self.reason})"

    def as_json(self) -> dict[str, object]:
        """As a file has it."""
        values: dict[str, object] = {
            "at": self.at.isoformat(timespec="seconds"),
            "reason": self.reason,
            "from_percent": self.from_percent,
        }
        return values | ({"flag_number": self.flag_number} if self.flag_number else {})


def rollback_from(values: Mapping[str, object]) -> Rollback:
    """What `as_json` wrote.

    Raises:
        ValueError: it was not written so.
    """
    match values.get("at"), values.get("reason"), values.get("from_percent"), values.get("flag_number", 0):
        case str(at), str(reason), int(percent), int(number):
            moment = datetime.fromisoformat(at)
            return Rollback(
                at=moment if moment.tzinfo else moment.replace(tzinfo=UTC),
                reason=reason,
                from_percent=percent,
                flag_number=number,
            )
    raise ValueError("it tells no moment, reason and share")
