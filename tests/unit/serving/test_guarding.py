"""The guard of a gateway: when it acts, when it must not, and what it tells."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from slukh.errors import SettingsError
from slukh.experiment.evidence import RampRow
from slukh.experiment.guardrails import Bounds
from slukh.monitoring.metrics import Metrics
from slukh.routing.flags import Flags
from slukh.routing.live_flags import LiveFlags
from slukh.routing.share_files import RollbackFile
from slukh.serving.guarding import Guard, bounds_of
from slukh.settings.config import load
from slukh.settings.guardrails import GuardrailSettings
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

TEN = {"FF_WHISPER_ROLLOUT_PERCENT": "10"}


class House:
    """A guard over calls of Whisper's that all fail."""

    def __init__(
        self, folder: Path, *, bounds: Bounds | None, refuses: bool = False, given: dict[str, str] = TEN
    ) -> None:
        def accept(flags: Flags) -> None:
            if refuses and not flags.share:
                raise SettingsError("google was not started", remedy="restart")

        self.flags = LiveFlags(
            None, given, RollbackFile(folder / "rollback.json"),
            caller_hash=lambda _: "0" * 16, accept=accept,
        )  # fmt: skip
        self.metrics = Metrics(providers=("google", "whisper"))
        self.rows: list[RampRow] = []
        self.guard = Guard(self.flags, bounds, self.metrics, self.rows.append, now=lambda: 0.0)

    def events(self, name: str) -> Iterator[CallEvent]:
        events: tuple[Event, ...] = (
            CallStarted(call_id=name, language_code="uk-UA"),
            FlagDecision(flag_key="stt_provider", value="whisper", variant="whisper", reason="SPLIT",
                         version="0-a"),
            SpeechEnded(utterance_id=1, position=0, endpoint=4000),
            AttemptEnded(utterance_id=1, attempt=1, provider="whisper", model="m", purpose="serve",
                         outcome="stream", audio_samples=1),
            AttemptEnded(utterance_id=1, attempt=2, provider="google", model="m", purpose="retry",
                         outcome="published", audio_samples=1, final_seconds=0.5),
            Transcript(utterance_id=1, text="так", is_final=True, stable_length=3, language_code="uk-UA",
                       start=0, end=1),
            CallEnded(position=1, reason="hangup"),
        )  # fmt: skip
        for event in events:
            yield CallEvent(
                call_id=name, leg=1, provider="whisper", model="m", assigned_arm="whisper",
                received_at=datetime(2026, 11, 1, tzinfo=UTC), event=event,
            )  # fmt: skip

    def calls(self, count: int) -> None:
        for number in range(count):
            for event in self.events(str(number)):
                self.guard.observe(event)
                self.guard.look()

    @property
    def page(self) -> str:
        return self.metrics.render()[0].decode()


def test_it_acts_once_and_tells_everybody(tmp_path: Path) -> None:
    house = House(tmp_path, bounds=Bounds())
    assert "rollout_rolled_back 0.0" in house.page
    house.calls(30)
    (row,) = house.rows
    assert (row.from_percent, row.to_percent, row.decision) == (10, 0, "ROLL BACK")
    assert row.override == "guardrail: errors: 100% of the turns of 5 callers, at most 10%"
    assert "rollout_rolled_back 1.0" in house.page
    assert 'rollout_rollbacks_total{reason="errors"} 1.0' in house.page
    assert 'rollout_rollbacks_total{reason="latency"} 0.0' in house.page


@pytest.mark.parametrize(
    "given",
    [{"FF_STT_PROVIDER": "whisper"}, {"FF_WHISPER_ROLLOUT_PERCENT": "10", "FF_WHISPER_KILL": "true"}],
)
def test_what_is_no_rollout_is_left_alone(tmp_path: Path, given: dict[str, str]) -> None:
    house = House(tmp_path, bounds=Bounds(), given=given)
    version = house.flags.flags.version
    house.calls(30)
    assert (house.rows, house.flags.flags.version) == ([], version)


def test_one_that_is_switched_off_takes_nothing_back_and_shows_what_others_did(tmp_path: Path) -> None:
    house = House(tmp_path, bounds=None)
    house.calls(30)
    assert house.rows == []
    House(tmp_path, bounds=Bounds()).calls(30)
    house.flags.reload()
    house.guard.look()
    assert "rollout_rolled_back 1.0" in house.page


def test_where_nobody_else_may_hear_calls_it_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path, bounds=Bounds(), refuses=True)
    with caplog.at_level(logging.ERROR):
        house.calls(30)
    assert [record.message for record in caplog.records] == ["cannot_roll_back"]
    assert house.flags.flags.share == 10


def test_a_defect_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    house = House(tmp_path, bounds=Bounds())

    def lost(row: RampRow) -> None:
        raise ZeroDivisionError(row)

    house.guard = Guard(house.flags, Bounds(), house.metrics, lost, now=lambda: 0.0)
    house.calls(30)
    assert "guard_defect" in caplog.text
    assert house.flags.flags.share == 0


def test_the_defaults_are_those_of_the_bounds() -> None:
    assert bounds_of(load(GuardrailSettings), final_seconds=8.0) == Bounds()
