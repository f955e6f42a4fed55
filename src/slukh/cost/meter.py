"""What a call used: events in, rows for the ledger out. No I/O, no clock, nothing a caller said.

    AttemptEnded -> Usage   stt, milliseconds of audio that left us
    CallEnded    -> Usage   line, milliseconds of call
    PhraseSpoken, ModelAnswered, ModelUnanswered -> see voice.py
    CallStarted  -> CallFacts (started)
    CallEnded    -> CallFacts (ended)

A row's key is derived from intent (which call, which leg, which Attempt), never random: a row that is
delivered twice is one row.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from slukh.cost.voice import voice_usage
from slukh.types import SAMPLE_RATE_HERTZ, AttemptEnded, CallEnded, CallEvent, CallStarted, Transcript, Usage

# Decodes of one utterance stay far below: 28 s of audio has room for about a hundred.
ATTEMPTS_PER_UTTERANCE = 1000

# How ids begin of what is used for nobody's call, and billed all the same: a stored clip that a recogniser
# is tried with, a phrase that is made before anybody calls.
CLIP_IDS, PHRASE_IDS = "canary-", "phrase-"

UsageStage = Literal["meter", "spool", "spool_full", "rejected", "ledger", "conflict"]
USAGE_STAGES: tuple[UsageStage, ...] = ("meter", "spool", "spool_full", "rejected", "ledger", "conflict")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """One leg of a call, for `slukh calls`; written when it starts and, complete, when it ends.

    Attributes:
        call_id: which call.
        leg: which connection of it.
        state: `started` rows tell of calls that run, or whose gateway was killed (`spool_owners`); their
            counts are 0.
        started_at: wall clock, UTC.
        ended_at: wall clock, UTC; None while `started`.
        language_code: BCP-47.
        announced: whether the dial plan announced it.
        trunk: the trunk it came from, or None.
        caller: keyed hash of the caller's number, or None.
        provider: who served it, at its end.
        model: that provider's model.
        assigned_arm: whom the rollout chose.
        heard_ms: audio that came from the line.
        voiced_ms: of it, with a voice.
        sent_ms: audio that left us, over all Attempts; an utterance sent twice counts twice.
        withheld_ms: audio heard that went to no recogniser.
        attempts: how many ended; shadows have their usage rows only.
        utterances: how many finals were published.
        end_reason: `CallEnded.reason`; None while `started`.
    """

    call_id: str
    leg: int
    state: Literal["started", "ended"]
    started_at: datetime
    ended_at: datetime | None = None
    language_code: str
    announced: bool
    trunk: str | None = None
    caller: str | None = None
    provider: str
    model: str
    assigned_arm: str
    heard_ms: int = 0
    voiced_ms: int = 0
    sent_ms: int = 0
    withheld_ms: int = 0
    attempts: int = 0
    utterances: int = 0
    end_reason: str | None = None


Row = Usage | CallFacts


def row_json(row: Row) -> dict[str, object]:
    """A row as plain JSON values in field order, moments in ISO 8601."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return {name: v.isoformat() if isinstance(v, datetime) else v for name, v in values.items()}


def milliseconds(samples: int) -> int:
    """Milliseconds of a number of 8 kHz samples; a started one counts whole, as providers bill."""
    return -(-samples * 1000 // SAMPLE_RATE_HERTZ)


def usage_from(
    event: CallEvent,
    *,
    trunk: str | None = None,
    leg_start: int = 0,
    payees: Mapping[str, str] = MappingProxyType({}),
) -> Usage | None:
    """The usage row of an event, or None when nothing billable ended.

    Args:
        event: any event of a call.
        trunk: who is paid for the line.
        leg_start: position on the call's clock where the previous leg ended. The telephone call behind a
            re-attached leg went on meanwhile, so the legs' `call_ms` add up to the call's.
        payees: who is paid for what is not paid by its own name: a recogniser, or the `line` of a call that
            names no trunk.
    """
    match event.event:
        case AttemptEnded() as ended:
            return Usage(
                call_id=event.call_id,
                leg=event.leg,
                component="stt",
                sequence=ended.utterance_id * ATTEMPTS_PER_UTTERANCE + ended.attempt,
                provider=payees.get(ended.provider, ended.provider),
                model=ended.model,
                unit="audio_ms",
                quantity=milliseconds(ended.audio_samples),
                reported_quantity=ended.reported_ms,
                purpose=ended.purpose,
                outcome=ended.outcome,
                occurred_at=event.received_at,
            )
        case CallEnded() as ended:
            return Usage(
                call_id=event.call_id,
                leg=event.leg,
                component="line",
                sequence=0,
                provider=trunk or payees.get("line", "line"),
                model="",
                unit="call_ms",
                quantity=milliseconds(max(0, ended.position - leg_start)),
                outcome=ended.reason,
                occurred_at=event.received_at,
            )
    return None


class CallTally:
    """One leg's counts while it lasts, in bounded memory.

    Args:
        started: the event that carries its `CallStarted`.
        call: that `CallStarted`.
    """

    # An utterance's Attempts end within seconds of each other; older utterances are folded into a sum.
    OPEN_UTTERANCES = 64

    def __init__(self, started: CallEvent, call: CallStarted) -> None:
        self._started = started
        self._call = call
        self._sent_ms = 0
        self._attempts = 0
        self._utterances = 0
        self._covered = 0
        self._covered_by_utterance: OrderedDict[int, int] = OrderedDict()
        self._folded_up_to = -1

    def add(self, event: CallEvent) -> None:
        """Take an event of this leg."""
        match event.event:
            # A shadow may end after its call: counted or not by chance, the legs would not compare.
            case AttemptEnded(purpose=purpose) as ended if purpose != "shadow":
                self._attempts += 1
                self._sent_ms += milliseconds(ended.audio_samples)
                self._cover(ended.utterance_id, ended.audio_samples)
            case Transcript(is_final=True):
                self._utterances += 1

    def _cover(self, utterance_id: int, samples: int) -> None:
        """Audio that went out twice was withheld no less: per utterance, the longest Attempt counts."""
        if utterance_id <= self._folded_up_to:
            return
        covered = self._covered_by_utterance.get(utterance_id, 0)
        self._covered_by_utterance[utterance_id] = max(covered, samples)
        self._covered += max(0, samples - covered)
        if len(self._covered_by_utterance) > self.OPEN_UTTERANCES:
            folded, _ = self._covered_by_utterance.popitem(last=False)
            self._folded_up_to = max(self._folded_up_to, folded)

    def facts(self, event: CallEvent) -> CallFacts:
        """The leg so far; complete when `event` carries its `CallEnded`."""
        ended = event.event if isinstance(event.event, CallEnded) else None
        heard = ended.heard if ended else 0
        return CallFacts(
            call_id=event.call_id,
            leg=event.leg,
            state="ended" if ended else "started",
            started_at=self._started.received_at,
            ended_at=event.received_at if ended else None,
            language_code=self._call.language_code,
            announced=self._call.announced,
            trunk=self._call.trunk,
            caller=self._call.caller,
            provider=event.provider,
            model=event.model,
            assigned_arm=event.assigned_arm,
            heard_ms=milliseconds(heard),
            voiced_ms=milliseconds(ended.voiced) if ended else 0,
            sent_ms=self._sent_ms,
            withheld_ms=milliseconds(max(0, heard - self._covered)),
            attempts=self._attempts,
            utterances=self._utterances,
            end_reason=ended.reason if ended else None,
        )


class CallTallies:
    """The tallies of all legs that run; a leg whose end never comes is forgotten after `max_calls` others."""

    def __init__(self, *, max_calls: int = 10_000) -> None:
        self._max_calls = max_calls
        self._running: OrderedDict[tuple[str, int], CallTally] = OrderedDict()

    def __len__(self) -> int:
        """Legs that run now."""
        return len(self._running)

    def add(self, event: CallEvent) -> CallFacts | None:
        """Take an event; the facts of its leg when it starts and when it ends, else None.

        Events of a leg that has not started, or has ended, belong to no facts.
        """
        key = (event.call_id, event.leg)
        match event.event:
            case CallStarted() as call:
                tally = self._running[key] = CallTally(event, call)
                if len(self._running) > self._max_calls:
                    self._running.popitem(last=False)
                return tally.facts(event)
            case CallEnded():
                ended = self._running.pop(key, None)
                return ended.facts(event) if ended else None
            case _:
                if key in self._running:
                    self._running[key].add(event)
                return None


class Meter:
    """Rows of all calls of this process, in bounded memory.

    Args:
        payees: who is paid for what is not paid by its own name, see `usage_from`.
        max_calls: so many are remembered.
    """

    def __init__(self, *, payees: Mapping[str, str] = MappingProxyType({}), max_calls: int = 10_000) -> None:
        self._payees = payees
        self._max_calls = max_calls
        self._tallies = CallTallies(max_calls=max_calls)
        self._ended_at: OrderedDict[str, int] = OrderedDict()  # any end: a caller may be connected again

    def rows(self, event: CallEvent) -> tuple[Row, ...]:
        """The ledger rows that an event makes; most make none."""
        facts = self._tallies.add(event)
        trunk = facts.trunk if facts else None
        usage = usage_from(event, trunk=trunk, leg_start=self._leg_start(event), payees=self._payees)
        return (*(row for row in (facts, usage) if row is not None), *voice_usage(event))

    def _leg_start(self, event: CallEvent) -> int:
        if not isinstance(event.event, CallEnded):
            return 0
        position = event.event.position
        start = self._ended_at.pop(event.call_id, 0)
        self._ended_at[event.call_id] = position
        if len(self._ended_at) > self._max_calls:
            self._ended_at.popitem(last=False)
        # A clock that stands before it is another clock: a new gateway took the call over.
        return start if start <= position else 0
