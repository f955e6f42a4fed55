"""The calls a gateway knows: announced, live, and those of the last minutes, for the HTTP API."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from slukh.routing.choosing import Assignment
from slukh.talking.thread import Thread
from slukh.telephony.clock import CallClock
from slukh.types import (
    AttemptEnded,
    CallCost,
    CallEnded,
    CallEvent,
    CallStarted,
    Transcript,
    event_json,
    seconds,
)

ANNOUNCED_SECONDS = 30.0
REATTACH_SECONDS = 30.0
_EVENTS_KEPT = 1000

State = Literal["announced", "live", "detached", "ended"]


@dataclass(slots=True, kw_only=True)
class CallRecord:
    """One call as the API shows it. Transcripts live here, in memory, and nowhere else.

    Attributes:
        call: who and in which language.
        state: `detached` = the connection broke and may come back within 30 s.
        changed_at: monotonic seconds of the last change of state.
        assignment: who hears it, decided once for all its legs.
        clock: the call's, kept for a further leg.
        next_utterance_id: likewise.
        thread: what the talk has come to, likewise; None where nobody talks.
        finals: by utterance, in the order they were published.
        sent: samples that went to recognisers, over all Attempts.
        covered: by utterance, the samples of it that went to any.
        cost: the newest; None until something was rated.
    """

    call: CallStarted
    state: State
    changed_at: float
    provider: str = ""
    assignment: Assignment | None = None
    clock: CallClock = field(default_factory=CallClock)
    next_utterance_id: int = 1
    thread: Thread | None = None
    heard: int = 0
    voiced: int = 0
    sent: int = 0
    attempts: int = 0
    cost: CallCost | None = None
    end_reason: str | None = None
    finals: list[Transcript] = field(default_factory=list)
    events: deque[tuple[int, dict[str, object]]] = field(default_factory=lambda: deque(maxlen=_EVENTS_KEPT))
    covered: dict[int, int] = field(default_factory=dict)
    event_count: int = 0
    bells: set[asyncio.Event] = field(default_factory=set)

    @property
    def is_done(self) -> bool:
        """Ended on purpose: a dial plan need not connect it again."""
        return self.state == "ended" and self.end_reason not in ("drained", "error")

    def ring(self) -> None:
        """Wake everybody who follows this call."""
        for bell in self.bells:
            bell.set()

    def summary(self) -> dict[str, object]:
        """The row of `GET /v1/calls`."""
        decision = self.assignment.decision if self.assignment else None
        return {
            "call_id": self.call.call_id,
            "state": self.state,
            "done": self.is_done,
            "announced": self.call.announced,
            "language_code": self.call.language_code,
            "trunk": self.call.trunk,
            "leg": self.call.leg,
            "provider": self.provider or None,
            "flag": None if decision is None else event_json(decision),
            "end_reason": self.end_reason,
        }

    def detail(self) -> dict[str, object]:
        """The body of `GET /v1/calls/{id}`."""
        return self.summary() | {
            "usage": {
                "attempts": self.attempts,
                "call_seconds": round(seconds(self.heard), 3),
                "speech_seconds": round(seconds(self.voiced), 3),
                "sent_seconds": round(seconds(self.sent), 3),
                "withheld_seconds": round(seconds(max(self.heard - sum(self.covered.values()), 0)), 3),
                "cost_usd": None if self.cost is None else f"{self.cost.call_usd:f}",
                "cost_is_whole": self._is_cost_whole,
            },
            "transcript": [event_json(final) for final in self.finals],
        }

    @property
    def _is_cost_whole(self) -> bool:
        """Whether that is all it used: a leg that has begun will use more before its first row says so."""
        return self.cost is not None and self.cost.is_whole and self.state in {"ended", "detached"}


class CallBook:
    """All calls this gateway knows, and the sink that keeps their records true.

    Args:
        transcript_seconds: how long an ended call is remembered.
        now: monotonic seconds.
    """

    def __init__(self, *, transcript_seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._keep = transcript_seconds
        self._now = now
        self._records: dict[str, CallRecord] = {}

    def __len__(self) -> int:
        return len(self._records)

    def announce(self, call: CallStarted) -> CallRecord | None:
        """Expect a call for 30 s. None when a call of that id is known already."""
        self.expire()
        if call.call_id in self._records:
            return None
        record = CallRecord(call=call, state="announced", changed_at=self._now())
        self._records[call.call_id] = record
        return record

    def get(self, call_id: str) -> CallRecord | None:
        """The record of a call that is still remembered."""
        self.expire()
        return self._records.get(call_id)

    def all(self) -> list[CallRecord]:
        """Every remembered call, oldest first."""
        self.expire()
        return list(self._records.values())

    @property
    def live(self) -> int:
        """Calls that are on the line now."""
        return sum(record.state == "live" for record in self._records.values())

    def attach(self, call: CallStarted) -> CallRecord:
        """A call's audio begins: announced, unannounced or (a further leg) back again."""
        record = self._records.setdefault(
            call.call_id, CallRecord(call=call, state="live", changed_at=self._now())
        )
        record.call, record.state, record.changed_at, record.end_reason = call, "live", self._now(), None
        return record

    def can_reattach(self, record: CallRecord) -> bool:
        """Whether a connection for this call would continue it."""
        away = self._now() - record.changed_at
        return record.state in ("detached", "ended") and away <= REATTACH_SECONDS

    def observe(self, event: CallEvent) -> None:
        """Keep a call's record true (a sink)."""
        record = self._records.get(event.call_id)
        if record is None:
            return
        record.provider = event.provider
        match event.event:
            case AttemptEnded(utterance_id=utterance_id, audio_samples=sent, purpose=purpose) if (
                purpose != "shadow"  # it may end after the call
            ):
                record.attempts += 1
                record.sent += sent
                record.covered[utterance_id] = max(sent, record.covered.get(utterance_id, 0))
            case Transcript(is_final=True, text=text) as final if text:
                record.finals.append(final)
            case CallCost() as cost:
                record.cost = cost
            case CallEnded(reason=reason, heard=heard, voiced=voiced):
                record.heard += heard
                record.voiced += voiced
                record.end_reason = reason
                record.state = "detached" if reason == "detached" else "ended"
                record.changed_at = self._now()
        record.event_count += 1
        record.events.append((record.event_count, event_json(event.event)))
        record.ring()

    async def events(
        self, call_id: str, *, after: int = 0, idle_seconds: float = 15.0
    ) -> AsyncIterator[tuple[int, Mapping[str, object]] | None]:
        """A call's events from the beginning (or after a number), then as they happen, to its end.

        Yields None when nothing happened for a while, so that the connection can be kept alive.
        """
        record = self._records[call_id]
        bell = asyncio.Event()
        record.bells.add(bell)
        try:
            while True:
                bell.clear()
                if fresh := [item for item in record.events if item[0] > after]:
                    for item in fresh:
                        yield item
                    after = fresh[-1][0]
                    continue  # more may have happened while the follower was busy with these
                if record.state == "ended" or self._records.get(call_id) is not record:
                    return
                try:
                    async with asyncio.timeout(idle_seconds):
                        await bell.wait()
                except TimeoutError:
                    yield None
        finally:
            record.bells.discard(bell)

    def forget(self, *, call_id: str | None = None, caller: str | None = None) -> tuple[list[str], int]:
        """Let go of a call, or of all calls of a caller's hash, once they are over.

        Returns: the ids of those that went, and how many stay because they are not over.
        """
        named = [
            record
            for record in self._records.values()
            if record.call.call_id == call_id or (caller is not None and record.call.caller == caller)
        ]
        over = [record for record in named if record.state == "ended"]
        for record in over:
            del self._records[record.call.call_id]
            record.ring()
        return [record.call.call_id for record in over], len(named) - len(over)

    def expire(self) -> None:
        """Forget what nobody may need: transcripts leave memory, announcements lapse."""
        now = self._now()
        for call_id, record in tuple(self._records.items()):
            away = now - record.changed_at
            if record.state == "detached" and away > REATTACH_SECONDS:
                record.state = "ended"
            limit = {"announced": ANNOUNCED_SECONDS, "ended": max(self._keep, REATTACH_SECONDS)}
            if away > limit.get(record.state, float("inf")):
                del self._records[call_id]
                record.ring()
