"""From the events of live calls to the experiment's store: as counts, by assignment, never in a call's way.

An event becomes rows, at once and in the caller's thread; a thread of their own brings them to the store.
What a shadow heard is compared with what was published, and both texts are forgotten; only where recording is
on, and where the two differ, they go to the recordings with the audio.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar

from slukh.experiment.background import BackgroundWriter
from slukh.experiment.canonical import canonical_text, canonical_version, entities
from slukh.experiment.evidence import CallRow, ShadowRow, TurnRow
from slukh.experiment.grammar import load_grammar
from slukh.experiment.recorded import RecordedUtterance, SpokenAudio
from slukh.experiment.recordings import Recordings
from slukh.experiment.store import ExperimentStore, Row
from slukh.experiment.wer import word_errors
from slukh.types import (
    SAMPLE_RATE_HERTZ,
    AttemptEnded,
    CallEnded,
    CallEvent,
    CallStarted,
    Failover,
    FlagDecision,
    SpeechEnded,
    Transcript,
    seconds,
)

logger = logging.getLogger(__name__)

_QUEUED = 10_000
_QUEUED_RECORDINGS = 64  # of half a megabyte at most
_UNCOMPARED = 64  # utterances of a call that wait for one of their two texts
Text = TypeVar("Text")
_SERVING = ("serve", "retry", "hedge")
_CLOCK_SLACK = timedelta(seconds=1)  # NTP slews; a step is more
_LEG_SLACK = timedelta(minutes=1)  # before its first audio, and for its last final


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowText:
    """What a shadow heard of an utterance.

    Attributes:
        provider: who it was.
        text: perhaps empty; None when it did not hear all of it, or gave no answer.
        audio_samples: how long the utterance is.
        audio: what it heard, to be recorded; None records nothing.
    """

    provider: str
    text: str | None
    audio_samples: int = 0
    audio: SpokenAudio | None = None


class _LiveText(NamedTuple):
    """What the dialogue heard of an utterance: from whom, and when it was published."""

    provider: str
    text: str
    arm: str
    published_at: datetime


class CallTally:
    """One call, over all its legs, in bounded memory: events in, rows out. No I/O.

    Args:
        call: its first leg.
        started_at: when that began.
        grammars: a user's own.
        worker: the gateway that takes it.
    """

    def __init__(
        self, call: CallStarted, started_at: datetime, grammars: Sequence[Path] = (), worker: str = ""
    ) -> None:
        self._call = call
        self._worker = worker
        self._started_at = started_at
        self._latest = started_at
        self._leg_began = started_at
        self._grammars = grammars
        self._decision: FlagDecision | None = None
        self._models: dict[str, str] = {}
        self._failovers = 0
        self._clock_jumped = False
        self._endpointing_ms: dict[int, int] = {}
        self._answered: dict[int, AttemptEnded] = {}
        self._is_shadowed = False
        self._live: OrderedDict[int, _LiveText] = OrderedDict()
        self._shadow: OrderedDict[int, ShadowText] = OrderedDict()

    def rows(self, event: CallEvent) -> tuple[Row | RecordedUtterance, ...]:
        """The rows that an event completes, and what is to be recorded."""
        self._watch_clock(event)
        match event.event:
            case FlagDecision(flag_key="stt_provider") as decision:
                self._decision = decision
            case FlagDecision(flag_key="stt_shadow", value="true"):
                self._is_shadowed = True
            case Failover():
                self._failovers += 1
            case SpeechEnded(utterance_id=utterance, position=position, endpoint=endpoint):
                self._endpointing_ms[utterance] = (endpoint - position) * 1000 // SAMPLE_RATE_HERTZ
            case AttemptEnded(purpose=purpose) as ended if purpose in _SERVING:
                self._models[ended.provider] = ended.model
                if ended.outcome in ("published", "empty"):
                    self._answered[ended.utterance_id] = ended
            case Transcript(is_final=True) as final:
                turn = self._turn(final)
                if not self._is_shadowed:
                    return (turn,)
                live = _LiveText(turn.provider, final.text, event.assigned_arm, event.received_at)
                _keep(self._live, final.utterance_id, live)
                return (turn, *self._compared(final.utterance_id))
            case CallEnded(reason=reason):
                return (self._finished(event, reason),)
        return ()

    def _watch_clock(self, event: CallEvent) -> None:
        """Against the events before, and at the end against the audio, whose clock is not the machine's."""
        self._clock_jumped |= event.received_at < self._latest - _CLOCK_SLACK
        self._latest = event.received_at
        match event.event:
            case CallStarted():
                self._leg_began = event.received_at
            case CallEnded(reason=reason, position=position) if reason != "error":  # which knows no position
                ahead = event.received_at - self._leg_began - timedelta(seconds=seconds(position))
                self._clock_jumped |= ahead > _LEG_SLACK

    def shadow_heard(self, utterance_id: int, heard: ShadowText) -> tuple[Row | RecordedUtterance, ...]:
        """The row of an utterance whose two texts are there, and what is to be recorded of it."""
        _keep(self._shadow, utterance_id, heard)
        return self._compared(utterance_id)

    def _compared(self, utterance_id: int) -> tuple[Row | RecordedUtterance, ...]:
        if utterance_id not in self._live or utterance_id not in self._shadow:
            return ()
        live, shadow = self._live.pop(utterance_id), self._shadow.pop(utterance_id)
        if live.provider == shadow.provider or not live.provider:
            return ()  # failover gave the call to its own shadow, or nobody served: nothing to compare
        language = self._call.language_code
        grammar = load_grammar(language, self._grammars)
        texts = (live.text, shadow.text or "")
        one, other = (canonical_text(text, language, grammar=grammar) for text in texts)
        is_complete = shadow.text is not None
        row = ShadowRow(
            call_id=self._call.call_id,
            utterance_id=utterance_id,
            live=live.provider,
            shadow=shadow.provider,
            canonical_version=canonical_version(grammar),
            is_complete=is_complete,
            differing_words=word_errors(one, other).errors if is_complete else 0,
            live_words=len(one.split()),
            shadow_words=len(other.split()),
            live_entities=entities(one, grammar).total(),
            shadow_entities=entities(other, grammar).total(),
            audio_ms=shadow.audio_samples * 1000 // SAMPLE_RATE_HERTZ,
        )
        if shadow.audio is None or not row.differing_words:
            return (row,)  # what both heard alike is nothing to decide, and stays the caller's
        return (row, self._recorded(utterance_id, live, shadow, shadow.audio))

    def _recorded(
        self, utterance_id: int, live: _LiveText, shadow: ShadowText, audio: SpokenAudio
    ) -> RecordedUtterance:
        return RecordedUtterance(
            call_id=self._call.call_id,
            utterance_id=utterance_id,
            caller=self._call.caller,
            language_code=self._call.language_code,
            recorded_at=live.published_at,
            start=audio.start,
            end=audio.end,
            speech_start=audio.speech_start,
            speech_end=audio.speech_end,
            pcm=audio.pcm,
            texts={live.provider: live.text, shadow.provider: shadow.text or ""},
            live=live.provider,
            arm=live.arm,
        )

    def _turn(self, final: Transcript) -> TurnRow:
        ended = self._answered.pop(final.utterance_id, None)
        seconds = None if ended is None or final.is_salvage else ended.final_seconds
        return TurnRow(
            call_id=self._call.call_id,
            utterance_id=final.utterance_id,
            provider="" if ended is None else ended.provider,
            endpointing_ms=self._endpointing_ms.pop(final.utterance_id, 0),
            final_ms=None if seconds is None else round(seconds * 1000),
            is_empty=not final.text,
            is_salvage=final.is_salvage,
        )

    def _finished(self, event: CallEvent, reason: str) -> CallRow:
        decision = self._decision
        return CallRow(
            call_id=self._call.call_id,
            caller=self._call.caller,
            language_code=self._call.language_code,
            arm=event.assigned_arm,
            flag_reason=decision.reason if decision else "",
            flag_version=decision.version if decision else "",
            serving=event.provider,
            models=dict(self._models),
            started_at=self._started_at,
            ended_at=event.received_at,
            end_reason=reason,
            failovers=self._failovers,
            clock_jumped=self._clock_jumped,
            worker=self._worker,
        )


def _keep(texts: OrderedDict[int, Text], utterance_id: int, text: Text) -> None:
    texts[utterance_id] = text
    if len(texts) > _UNCOMPARED:
        texts.popitem(last=False)


class ExperimentSink:
    """Books live calls into the store; never blocks them, never raises into them.

    Rows that the store does not take in time are dropped and counted: an experiment that misses calls says
    so, a call that waits for an experiment is lost.

    Args:
        store: where rows end.
        grammars: a user's own, by which texts are compared.
        worker: the gateway that books.
        recordings: where recorded utterances end; None records none.
        max_calls: that are remembered for their next leg.
        on_dropped: told how many rows were dropped.
        on_recordings_dropped: told how many recordings were.
    """

    def __init__(
        self,
        store: ExperimentStore,
        *,
        grammars: Sequence[Path] = (),
        worker: str = "",
        recordings: Recordings | None = None,
        max_calls: int = 10_000,
        on_dropped: Callable[[int], None] = lambda _rows: None,
        on_recordings_dropped: Callable[[int], None] = lambda _recordings: None,
    ) -> None:
        self._grammars = grammars
        self._worker = worker
        self._max_calls = max_calls
        self._calls: OrderedDict[str, CallTally] = OrderedDict()
        self._rows = BackgroundWriter(store.record, what="rows", waiting=_QUEUED, on_dropped=on_dropped)
        self._recordings = (
            None
            if recordings is None
            else BackgroundWriter(
                recordings.keep,
                what="recordings",
                waiting=_QUEUED_RECORDINGS,
                on_dropped=on_recordings_dropped,
            )
        )

    def observe(self, event: CallEvent) -> None:
        """Take an event. To be called from one thread."""
        try:
            if isinstance(event.event, CallStarted) and event.call_id not in self._calls:
                self._calls[event.call_id] = CallTally(
                    event.event, event.received_at, self._grammars, self._worker
                )
                if len(self._calls) > self._max_calls:
                    self._calls.popitem(last=False)
            tally = self._calls.get(event.call_id)
            self._take(() if tally is None else tally.rows(event))
        except Exception as error:  # noqa: BLE001  # a sink's fault must not end a call
            fault = {"error": type(error).__name__}  # not its text, which may hold a call's data
            logger.error("experiment_not_booked", extra=fault)  # noqa: TRY400  # likewise

    def shadow_heard(self, call_id: str, utterance_id: int, heard: ShadowText) -> None:
        """Take what a shadow heard. To be called from the same thread."""
        tally = self._calls.get(call_id)
        self._take(() if tally is None else tally.shadow_heard(utterance_id, heard))

    def forget(self, call_id: str) -> None:
        """What is still told of a call goes nowhere. To be called from the same thread."""
        self._calls.pop(call_id, None)

    def put(self, row: Row) -> None:
        """Write a row when there is time; from any thread."""
        self._rows.put(row)

    def _take(self, items: tuple[Row | RecordedUtterance, ...]) -> None:
        for item in items:
            if not isinstance(item, RecordedUtterance):
                self._rows.put(item)
            elif self._recordings is not None:
                self._recordings.put(item)

    def start(self) -> None:
        """Begin to write. Once."""
        self._rows.start()
        if self._recordings is not None:
            self._recordings.start()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """Write what waits, end the threads."""
        self._rows.stop(timeout_seconds)
        if self._recordings is not None:
            self._recordings.stop(timeout_seconds)
