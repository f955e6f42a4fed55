from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slukh.errors import ExperimentError
from slukh.experiment.canonical import canonical_version
from slukh.experiment.evidence import CallRow, CanaryRow, LabelRow, OutcomeRow, ShadowRow, ShadowSum, TurnRow
from slukh.experiment.grammar import load_grammar
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
CALL = CallRow(
    call_id="a", caller=None, language_code="uk-UA", arm="whisper", flag_reason="SPLIT", flag_version="1-x",
    serving="google", models={"whisper": "base", "google": "chirp_3"}, started_at=NOW,
    ended_at=NOW + timedelta(minutes=1), end_reason="hangup", failovers=1, clock_jumped=True,
)  # fmt: skip
ROWS = (
    CALL,
    TurnRow(call_id="a", utterance_id=1, provider="", endpointing_ms=500, final_ms=None, is_salvage=True),
    OutcomeRow(call_id="a", task_success=True, repairs=2),
    ShadowRow(
        call_id="a", utterance_id=1, live="google", shadow="whisper", canonical_version="1-x",
        is_complete=False,
    ),
    LabelRow(
        call_id="a", utterance_id=1, labeller="olena", probability=0.25, canonical_version="1-x",
        reference="r", words=3, entities=1, google_errors=1, whisper_errors=0, google_entity_errors=1,
        whisper_entity_errors=0,
    ),
    CanaryRow(
        heard_at=NOW, provider="google", model="chirp_3", language_code="uk-UA", canonical_version="1-x",
        text="так", words=1, errors=0,
    ),
)  # fmt: skip


def store(folder: Path) -> ExperimentStore:
    return ExperimentStore(f"sqlite:///{folder / 'experiment.db'}")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    with store(tmp_path) as written:
        written.record(ROWS)
    with store(tmp_path) as again:
        found = again.window(NOW, NOW + timedelta(hours=1))
    assert (
        *found.calls,
        *found.turns,
        *found.outcomes,
        *found.shadows,
        *found.labels,
        *found.canaries,
    ) == ROWS


def test_a_window_holds_the_calls_that_ended_in_it_and_what_is_theirs(tmp_path: Path) -> None:
    with store(tmp_path) as written:
        written.record(ROWS)
        found = written.window(NOW - timedelta(hours=2), NOW)
    assert (found.calls, found.turns, found.labels) == ((), (), ())
    assert found.canaries  # heard at its end


def test_complete_shadows_are_summed_by_direction_and_labels_have_their_language(tmp_path: Path) -> None:
    shadow = ShadowRow(
        call_id="a", utterance_id=2, live="google", shadow="whisper", canonical_version="1-x",
        is_complete=True, differing_words=1, live_words=4, shadow_words=3,
    )  # fmt: skip
    with store(tmp_path) as written:
        written.record([*ROWS, shadow, replace(shadow, utterance_id=3), replace(shadow, call_id="unknown")])
        assert written.shadow_sums(NOW) == (
            ShadowSum(
                language_code="uk-UA", live="google", shadow="whisper", canonical_version="1-x",
                differing_words=2, live_words=8, shadow_words=6,
            ),
        )  # fmt: skip
        assert written.labelled(NOW) == (("uk-UA", ROWS[4]),)
        later = NOW + timedelta(hours=1)
        assert written.shadow_sums(later) == ()
        assert written.labelled(later) == ()


def test_a_row_replaces_the_one_with_its_key(tmp_path: Path) -> None:
    with store(tmp_path) as written:
        written.record([OutcomeRow(call_id="a", repairs=1), CALL])
        written.record([OutcomeRow(call_id="a", task_success=False), replace(CALL, end_reason="detached")])
        found = written.window(NOW, NOW + timedelta(hours=1))
    assert found.outcomes == (OutcomeRow(call_id="a", task_success=False),)
    assert [call.end_reason for call in found.calls] == ["detached"]


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
