from datetime import UTC, datetime

import pytest

from slukh.experiment.guardrails import Guardrails, Turn
from slukh.experiment.live_turns import LiveTurns
from slukh.types import (
    AttemptEnded,
    CallEnded,
    CallEvent,
    CallStarted,
    Event,
    Failover,
    FlagDecision,
    Outcome,
    Purpose,
    SpeechEnded,
    Transcript,
)


class Judge(Guardrails):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, Turn]] = []
        self.callers: list[str | None] = []

    def began(self, arm: str, call_id: str, now: float, caller: str | None = None) -> None:
        self.callers.append(caller)
        super().began(arm, call_id, now, caller)

    def heard(self, arm: str, call_id: str, turn: Turn, now: float) -> None:
        self.told.append((arm, turn))
        super().heard(arm, call_id, turn, now)


class Call:
    """One call of an arm, which says what a gateway would."""

    def __init__(self, arm: str = "whisper", reason: str = "SPLIT", caller: str | None = None) -> None:
        self.judge = Judge()
        self.turns = LiveTurns(self.judge)
        self.now = 0.0
        self.arm = arm
        self.tell(CallStarted(call_id="c", language_code="uk-UA", caller=caller))
        self.tell(FlagDecision(flag_key="stt_provider", value=arm, variant=arm, reason=reason, version="1-a"))

    def tell(self, event: Event) -> None:
        stamped = CallEvent(
            call_id="c", leg=1, provider=self.arm, model="m", assigned_arm=self.arm,
            received_at=datetime(2026, 11, 1, tzinfo=UTC), event=event,
        )  # fmt: skip
        self.turns.observe(stamped, self.now)

    def speech(self, utterance: int = 1) -> None:
        self.tell(SpeechEnded(utterance_id=utterance, position=8000, endpoint=12_000))

    def attempt(
        self, provider: str, outcome: Outcome, *, purpose: Purpose = "serve", seconds: float | None = None
    ) -> None:
        self.tell(
            AttemptEnded(
                utterance_id=1, attempt=1, provider=provider, model="m", purpose=purpose, outcome=outcome,
                audio_samples=1, final_seconds=seconds,
            )
        )  # fmt: skip

    def final(self, text: str = "так", *, is_salvage: bool = False) -> None:
        self.tell(
            Transcript(
                utterance_id=1, text=text, is_final=True, stable_length=0, language_code="uk-UA", start=0,
                end=1, is_salvage=is_salvage,
            )
        )  # fmt: skip

    @property
    def turn(self) -> Turn:
        ((arm, turn),) = self.judge.told
        assert arm == self.arm
        return turn


@pytest.mark.parametrize("caller", ["a hash", None])
def test_guardrails_know_who_calls_where_it_is_known(caller: str | None) -> None:
    assert Call(caller=caller).judge.callers == [caller]


def test_latency_is_from_the_end_of_speech() -> None:
    call = Call()
    call.speech()
    call.attempt("whisper", "published", seconds=0.7)
    call.final()
    assert call.turn == Turn(seconds=1.2)


@pytest.mark.parametrize(
    ("outcome", "is_failed", "is_timed_out"),
    [("stream", True, False), ("authentication", True, False), ("timeout", False, True),
     ("stalled", False, True), ("limit", False, False)],
)  # fmt: skip
def test_a_failure_of_the_arms_own_recogniser_counts_though_another_one_answered(
    outcome: Outcome, is_failed: bool, is_timed_out: bool
) -> None:
    call = Call()
    call.attempt("whisper", outcome)  # in mid-word
    call.speech()
    call.attempt("google", "published", purpose="retry", seconds=1.0)
    call.final()
    assert call.turn == Turn(seconds=1.5, is_failed=is_failed, is_timed_out=is_timed_out)


def test_a_failure_of_the_backup_is_not_the_arms() -> None:
    call = Call(arm="google")
    call.attempt("google", "published", seconds=1.0)
    call.attempt("whisper", "stream", purpose="hedge")
    call.speech()
    call.attempt("google", "published", seconds=1.0)
    call.final()
    assert not call.turn.is_failed


def test_to_be_superseded_or_shadowing_is_no_failure() -> None:
    call = Call()
    call.attempt("whisper", "stream", purpose="shadow")
    call.speech()
    call.attempt("whisper", "superseded")
    call.attempt("google", "published", purpose="hedge", seconds=3.4)
    call.final()
    assert call.turn == Turn(seconds=3.9)


def test_words_that_only_the_backup_heard_were_missed() -> None:
    call = Call()
    call.speech()
    call.attempt("whisper", "empty", seconds=0.5)
    call.attempt("google", "published", purpose="retry", seconds=1.1)
    call.final()
    assert call.turn.is_failed


def test_a_cough_that_nobody_heard_words_in_was_not_missed() -> None:
    call = Call()
    call.speech()
    call.attempt("whisper", "empty", seconds=0.5)
    call.final("")
    assert call.turn == Turn(seconds=1.0)


def test_a_call_that_the_breaker_keeps_away_is_not_served_by_its_arm() -> None:
    call = Call()
    call.tell(Failover(utterance_id=1, from_provider="whisper", to_provider="google", reason="breaker"))
    for _ in range(2):  # the switch is told once
        call.speech()
        call.attempt("google", "published", seconds=0.5)
        call.final()
    call.speech()
    call.attempt("whisper", "published", seconds=0.5)
    call.final()
    assert [turn.is_failed for _, turn in call.judge.told] == [True, True, False]


def test_a_call_that_went_elsewhere_for_want_of_room_is_no_failure() -> None:
    call = Call()
    call.speech()
    call.attempt("google", "published", seconds=0.5)
    call.final()
    assert not call.turn.is_failed


def test_a_final_that_nobody_gave_is_none() -> None:
    call = Call()
    call.speech()
    call.attempt("whisper", "stream")
    call.attempt("google", "stream", purpose="retry")
    call.final("", is_salvage=True)
    assert call.turn == Turn(seconds=None, is_failed=True)


def test_a_final_that_is_overdue_is_none_and_counts_once() -> None:
    call = Call()
    call.speech()
    call.turns.expire(8.0)
    assert call.judge.told == []
    call.turns.expire(8.1)
    call.now = 9.0
    call.attempt("whisper", "published", seconds=9.0)
    call.final()
    assert call.turn == Turn(seconds=None)


def test_what_the_end_of_the_gateway_cut_off_is_nobodys_fault() -> None:
    call = Call()
    call.speech()
    call.attempt("whisper", "cancelled")
    call.final("", is_salvage=True)
    assert call.judge.told == []


def test_calls_of_a_list_are_not_followed() -> None:
    for reason in ("TARGETING_MATCH", "DISABLED", "ERROR"):
        call = Call(reason=reason)
        call.speech()
        call.attempt("whisper", "stream")
        call.final("", is_salvage=True)
        assert call.judge.told == []


def test_a_call_that_is_over_is_forgotten() -> None:
    call = Call()
    call.speech()
    call.tell(CallEnded(position=1, reason="hangup"))
    call.turns.expire(100.0)
    call.final()
    assert call.judge.told == []
