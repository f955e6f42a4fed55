from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest

from slukh.errors import ExperimentError
from slukh.experiment.canonical import canonical_version
from slukh.experiment.evidence import CallRow, OutcomeRow, ShadowRow, TurnRow
from slukh.experiment.grammar import load_grammar
from slukh.experiment.recorded import RecordedUtterance, SpokenAudio
from slukh.experiment.recordings import Recordings
from slukh.experiment.sink import CallTally, ExperimentSink, ShadowText
from slukh.experiment.store import ExperimentStore
from slukh.types import (
    AttemptEnded,
    CallEnded,
    CallEvent,
    CallStarted,
    Event,
    FlagDecision,
    SpeechEnded,
    Transcript,
)

NOW = datetime(2026, 11, 26, 12, 0, 0, 123456, tzinfo=UTC)


def store(folder: Path) -> ExperimentStore:
    return ExperimentStore(f"sqlite:///{folder / 'experiment.db'}")


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "mysql://root:secret@host/db"])
def test_a_store_that_cannot_be_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ExperimentError, match="sqlite:///PATH") as refused:
        ExperimentStore(url)
    assert "secret" not in str(refused.value)


def test_a_store_that_cannot_be_opened_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "experiment.db").write_text("no database", encoding="utf-8")
    with pytest.raises(ExperimentError, match="SLUKH_EXPERIMENT_URL"):
        store(tmp_path)


def events(*what: tuple[float, Event]) -> list[CallEvent]:
    return [
        CallEvent(
            call_id="a", leg=1, provider="google", model="chirp_3", assigned_arm="whisper",
            received_at=NOW + timedelta(seconds=at), event=event,
        )
        for at, event in what
    ]  # fmt: skip


STARTED = CallStarted(call_id="a", caller="c", language_code="uk-UA")
DECISION = FlagDecision(
    flag_key="stt_provider", value="whisper", variant="whisper", reason="SPLIT", version="1-x"
)


def attempt(provider: str, outcome: str, final_seconds: float | None) -> AttemptEnded:
    return AttemptEnded(
        utterance_id=1, attempt=1, provider=provider, model=f"{provider}-model", purpose="serve",
        outcome=outcome, audio_samples=8000, final_seconds=final_seconds,  # type: ignore[arg-type]
    )  # fmt: skip


def final(text: str, *, is_salvage: bool = False) -> Transcript:
    return Transcript(
        utterance_id=1, text=text, is_final=True, stable_length=len(text), language_code="uk-UA", start=0,
        end=16_000, is_salvage=is_salvage,
    )  # fmt: skip


def test_a_call_is_booked_by_assignment_with_who_served_it_beside() -> None:
    tally = CallTally(STARTED, NOW)
    happened = events(
        (0, DECISION),
        (2, SpeechEnded(utterance_id=1, position=16_000, endpoint=20_000)),
        (3, attempt("whisper", "timeout", None)),
        (3, attempt("google", "published", 0.75)),
        (3, final("так")),
        (60, CallEnded(position=480_000, reason="hangup")),
    )
    turn, call = (row for event in happened for row in tally.rows(event))
    assert turn == TurnRow(call_id="a", utterance_id=1, provider="google", endpointing_ms=500, final_ms=750)
    assert isinstance(call, CallRow)
    assert (call.arm, call.serving, call.flag_reason, call.flag_version) == (
        "whisper",
        "google",
        "SPLIT",
        "1-x",
    )
    assert call.models == {"whisper": "whisper-model", "google": "google-model"}
    assert (call.caller, call.clock_jumped) == ("c", False)


def test_a_salvaged_turn_has_no_time_and_an_empty_one_has() -> None:
    tally = CallTally(STARTED, NOW)
    (salvaged,) = tally.rows(*events((1, final("та", is_salvage=True))))
    assert isinstance(salvaged, TurnRow)
    assert (salvaged.final_ms, salvaged.is_salvage, salvaged.provider) == (None, True, "")
    tally.rows(*events((2, attempt("whisper", "empty", 0.4))))
    (empty,) = tally.rows(*events((2, final(""))))
    assert isinstance(empty, TurnRow)
    assert (empty.final_ms, empty.is_empty) == (400, True)


SHADOWED = FlagDecision(flag_key="stt_shadow", value="true", variant="on", reason="SPLIT", version="1-x")


def shadowed_tally() -> CallTally:
    tally = CallTally(STARTED, NOW)
    for event in events((0, DECISION), (0, SHADOWED), (2, attempt("google", "published", 0.5))):
        tally.rows(event)
    return tally


def whisper(text: str | None) -> ShadowText:
    return ShadowText(provider="whisper", text=text, audio_samples=16_000)


def test_two_texts_of_one_utterance_are_compared_whichever_comes_first() -> None:
    said, other = "шини 205/55 R16", "шини двісті п'ятнадцять на п'ятдесят п'ять ер шістнадцять"
    first, second = shadowed_tally(), shadowed_tally()
    (_, row) = (*first.rows(*events((3, final(said)))), *first.shadow_heard(1, whisper(other)))
    assert second.shadow_heard(1, whisper(other)) == ()
    (_, same) = second.rows(*events((3, final(said))))
    assert row == same
    assert isinstance(row, ShadowRow)
    assert (row.live, row.shadow, row.is_complete, row.differing_words) == ("google", "whisper", True, 1)
    assert (row.live_words, row.shadow_words, row.live_entities, row.shadow_entities) == (2, 2, 1, 1)
    assert row.audio_ms == 2000


AUDIO = SpokenAudio(start=8000, end=24_000, speech_start=10_000, speech_end=20_000, pcm=b"12" * 16_000)


def test_what_the_two_heard_differently_is_recorded_with_the_audio() -> None:
    tally = shadowed_tally()
    tally.rows(*events((3, final("так"))))
    (_, recorded) = tally.shadow_heard(1, replace(whisper("ні"), audio=AUDIO))
    assert recorded == RecordedUtterance(
        call_id="a", utterance_id=1, caller="c", language_code="uk-UA",
        recorded_at=NOW + timedelta(seconds=3), start=8000, end=24_000, speech_start=10_000,
        speech_end=20_000, pcm=AUDIO.pcm, texts={"google": "так", "whisper": "ні"}, live="google",
        arm="whisper",
    )  # fmt: skip


@pytest.mark.parametrize("text", ["Так.", None])
def test_what_both_heard_alike_or_one_did_not_hear_is_not_recorded(text: str | None) -> None:
    tally = shadowed_tally()
    tally.shadow_heard(1, replace(whisper(text), audio=AUDIO))
    (turn, row) = tally.rows(*events((3, final("так"))))
    assert (type(turn), type(row)) == (TurnRow, ShadowRow)


def test_recordings_that_cannot_be_kept_are_lost_and_counted_and_rows_are_not(tmp_path: Path) -> None:
    lost: list[int] = []
    with store(tmp_path) as kept, Recordings(f"sqlite:///{tmp_path / 'full' / 'x.db'}") as without_a_key:
        sink = ExperimentSink(kept, recordings=without_a_key, on_recordings_dropped=lost.append)
        sink.start()
        for event in events((0, STARTED), (0, SHADOWED), (2, attempt("google", "published", 0.5))):
            sink.observe(event)
        sink.observe(*events((3, final("так"))))
        sink.shadow_heard("a", 1, replace(whisper("ні"), audio=AUDIO))
        sink.observe(*events((5, CallEnded(position=0, reason="hangup"))))
        sink.stop()
        found = kept.window(NOW, NOW + timedelta(hours=1))
    assert lost == [1]
    assert [row.differing_words for row in found.shadows] == [1]


def test_a_shadow_that_heard_nothing_of_it_is_a_loss_and_no_deletion() -> None:
    tally = shadowed_tally()
    tally.rows(*events((3, final("так"))))
    (row,) = tally.shadow_heard(1, whisper(None))
    assert isinstance(row, ShadowRow)
    assert (row.is_complete, row.differing_words) == (False, 0)


def test_a_call_that_fell_over_to_its_own_shadow_is_no_comparison() -> None:
    tally = shadowed_tally()
    tally.rows(*events((2, attempt("whisper", "published", 0.5))))
    tally.rows(*events((3, final("так"))))
    assert tally.shadow_heard(1, whisper("ні")) == ()


def test_a_users_grammar_compares_shadows_and_is_named_by_their_version(tmp_path: Path) -> None:
    own = tmp_path / "shop.yaml"
    own.write_text("names: {wheelhouse: вілхаус~ уилхаус}\n", encoding="utf-8")
    found = []
    for grammars in ((), (own,)):
        tally = CallTally(STARTED, NOW, grammars)
        for event in events((0, SHADOWED), (2, attempt("google", "published", 0.5))):
            tally.rows(event)
        tally.rows(*events((3, final("у вілхаусі"))))
        (row,) = tally.shadow_heard(1, whisper("у wheelhouse"))
        assert isinstance(row, ShadowRow)
        found.append(row)
    shipped, theirs = found
    assert (shipped.differing_words, theirs.differing_words) == (1, 0)
    assert theirs.live_entities == 1
    assert theirs.canonical_version == canonical_version(load_grammar("uk-UA", [own]))
    assert theirs.canonical_version != shipped.canonical_version


@pytest.mark.parametrize(("ended", "reason", "is_noted"), [
    (70, "hangup", False), (3600, "hangup", True), (3600, "error", False),
])  # fmt: skip
def test_a_clock_that_goes_ahead_of_the_audio_is_noted(
    ended: int, reason: Literal["hangup", "error"], is_noted: bool
) -> None:
    tally = CallTally(STARTED, NOW)
    for event in events((0, STARTED), (1, DECISION)):
        tally.rows(event)
    (call,) = tally.rows(*events((ended, CallEnded(position=60 * 8000, reason=reason))))
    assert isinstance(call, CallRow)
    assert call.clock_jumped == is_noted


def test_a_clock_that_goes_back_is_noted() -> None:
    tally = CallTally(STARTED, NOW)
    for event in events((10, DECISION), (3, DECISION)):
        tally.rows(event)
    (call,) = tally.rows(*events((4, CallEnded(position=0, reason="hangup"))))
    assert isinstance(call, CallRow)
    assert call.clock_jumped


def test_a_call_reaches_the_store_and_its_next_leg_replaces_it(tmp_path: Path) -> None:
    with store(tmp_path) as kept:
        sink = ExperimentSink(kept)
        sink.start()
        for event in events((0, STARTED), (0, DECISION), (5, CallEnded(position=0, reason="detached"))):
            sink.observe(event)
        for event in events((9, replace(STARTED, leg=2)), (20, CallEnded(position=0, reason="hangup"))):
            sink.observe(event)
        sink.put(OutcomeRow(call_id="a", task_success=True))
        sink.stop()
        found = kept.window(NOW, NOW + timedelta(hours=1))
    assert [(call.started_at, call.end_reason) for call in found.calls] == [(NOW, "hangup")]
    assert found.outcomes == (OutcomeRow(call_id="a", task_success=True),)


def test_a_store_that_fails_drops_rows_and_says_how_many(tmp_path: Path) -> None:
    dropped: list[int] = []
    kept = store(tmp_path)
    sink = ExperimentSink(kept, on_dropped=dropped.append)
    kept.close()
    (tmp_path / "experiment.db").unlink()
    (tmp_path / "experiment.db").mkdir()
    sink.put(OutcomeRow(call_id="a"))
    sink.start()
    sink.stop()
    assert sum(dropped) == 1
