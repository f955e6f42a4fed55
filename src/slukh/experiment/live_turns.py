"""From the events of live calls to the turns that guardrails judge: by assignment, in bounded memory. No I/O.

Only calls that the share gave to their arm are followed: one on a list would be there whatever the share.
"""

from collections import OrderedDict
from dataclasses import dataclass, field, replace

from slukh.experiment.evidence import ARMS
from slukh.experiment.guardrails import Guardrails, Turn
from slukh.types import (
    AttemptEnded,
    CallEnded,
    CallEvent,
    CallStarted,
    Failover,
    FlagDecision,
    Outcome,
    SpeechEnded,
    Transcript,
    seconds,
)

_MAX_CALLS = 2_000
_BY_SHARE = ("SPLIT", "STATIC", "DEFAULT")
_SERVING = ("serve", "retry", "hedge")
_TIMED_OUT: frozenset[Outcome] = frozenset({"timeout", "stalled"})
# As for the breaker, a stream that reached a limit of its own says nothing against its recogniser.
_FAILED: frozenset[Outcome] = frozenset(
    {"connect", "stream", "overloaded", "protocol", "request", "language", "authentication"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Utterance:
    """What is known of a turn that is not over."""

    endpoint_at: float | None = None
    endpointing_seconds: float = 0.0
    asked_own: bool = False
    is_failed: bool = False
    is_timed_out: bool = False
    heard_nothing: bool = False
    is_cancelled: bool = False
    final_seconds: float | None = None


@dataclass(slots=True)
class _Call:
    arm: str
    is_kept_away: bool = False
    utterances: dict[int, _Utterance] = field(default_factory=dict)


class LiveTurns:
    """Tells the guardrails what becomes of calls.

    Args:
        guardrails: who judges.
    """

    def __init__(self, guardrails: Guardrails) -> None:
        self._guardrails = guardrails
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._callers: OrderedDict[str, str] = OrderedDict()  # of calls that nobody decided on yet

    def observe(self, event: CallEvent, now: float) -> None:
        """Take an event.

        Args:
            event: of any call.
            now: monotonic seconds.
        """
        if isinstance(event.event, CallStarted):
            self._started(event.event)
        elif isinstance(event.event, FlagDecision):
            self._decided(event, event.event, now)
        elif (call := self._calls.get(event.call_id)) is not None:
            self._follow(call, event, now)

    def expire(self, now: float) -> None:
        """Turns whose final is overdue have none."""
        oldest = now - self._guardrails.bounds.deadline_seconds
        for call_id, call in self._calls.items():
            for number, utterance in list(call.utterances.items()):
                if utterance.endpoint_at is not None and utterance.endpoint_at < oldest:
                    del call.utterances[number]
                    self._guardrails.heard(call.arm, call_id, _turn(call, utterance, None), now)

    def _started(self, call: CallStarted) -> None:
        if call.caller is not None:
            self._callers[call.call_id] = call.caller
            if len(self._callers) > _MAX_CALLS:
                self._callers.popitem(last=False)

    def _decided(self, event: CallEvent, decision: FlagDecision, now: float) -> None:
        if decision.flag_key != "stt_provider":
            return
        caller = self._callers.pop(event.call_id, None)
        if decision.reason not in _BY_SHARE:
            return
        if event.assigned_arm in ARMS:
            self._calls.setdefault(event.call_id, _Call(event.assigned_arm))
            self._guardrails.began(event.assigned_arm, event.call_id, now, caller)
            if len(self._calls) > _MAX_CALLS:
                self._calls.popitem(last=False)

    def _follow(self, call: _Call, event: CallEvent, now: float) -> None:
        match event.event:
            case SpeechEnded(utterance_id=number) as ended:
                known = call.utterances.get(number, _Utterance())
                waited = seconds(ended.endpoint - ended.position)
                call.utterances[number] = replace(known, endpoint_at=now, endpointing_seconds=waited)
            case Failover(reason="breaker", from_provider=left) if left == call.arm:
                call.is_kept_away = True
            case AttemptEnded(purpose=purpose, outcome=outcome) as attempt if purpose in _SERVING:
                if outcome == "superseded":
                    return  # it may end after its utterance, and says nothing against its recogniser
                known = call.utterances.get(attempt.utterance_id, _Utterance())
                call.utterances[attempt.utterance_id] = _after(call, known, attempt)
            case Transcript(is_final=True, utterance_id=number) as final:
                utterance = call.utterances.pop(number, None)
                # Without an endpoint it was overdue, and is counted already.
                if utterance is not None and utterance.endpoint_at is not None:
                    self._over(call, event.call_id, utterance, final, now)
            case CallEnded():
                del self._calls[event.call_id]
                self._guardrails.ended(call.arm, event.call_id)

    def _over(self, call: _Call, call_id: str, utterance: _Utterance, final: Transcript, now: float) -> None:
        if utterance.is_cancelled:
            return  # the gateway stops: nobody was given the time to answer
        if utterance.heard_nothing and final.text:
            utterance = replace(utterance, is_failed=True)
        took = None if final.is_salvage else utterance.final_seconds
        self._guardrails.heard(call.arm, call_id, _turn(call, utterance, took), now)


def _after(call: _Call, known: _Utterance, attempt: AttemptEnded) -> _Utterance:
    """An utterance after one of its Attempts."""
    if attempt.outcome == "cancelled":
        known = replace(known, is_cancelled=True)
    if attempt.outcome in ("published", "empty"):
        known = replace(known, final_seconds=attempt.final_seconds)
    if attempt.provider != call.arm:
        return known
    call.is_kept_away = False
    return replace(
        known,
        asked_own=True,
        is_failed=known.is_failed or attempt.outcome in _FAILED,
        is_timed_out=known.is_timed_out or attempt.outcome in _TIMED_OUT,
        heard_nothing=known.heard_nothing or attempt.outcome == "empty",
    )


def _turn(call: _Call, utterance: _Utterance, final_seconds: float | None) -> Turn:
    is_away = call.is_kept_away and not utterance.asked_own
    return Turn(
        is_failed=utterance.is_failed or is_away,
        is_timed_out=utterance.is_timed_out,
        seconds=None if final_seconds is None else utterance.endpointing_seconds + final_seconds,
    )
