"""What the log says of a recogniser that calls are kept away from."""

import logging

import pytest

from slukh.routing.breaker_store import Standing, State
from slukh.serving.standing_log import StandingLog


class Told:
    """A log whose reason can be changed, and its lines above DEBUG."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        self.reason: str | None = "whisper: cannot connect: start the server"
        self.log = StandingLog(lambda _name: self.reason)
        self._caplog = caplog

    def stands(self, *states: State, is_permanent: bool = False) -> None:
        for state in states:
            self.log("whisper", Standing(state=state, is_permanent=is_permanent))

    @property
    def lines(self) -> list[tuple[str, str, str]]:
        return [(r.levelname, r.message, vars(r)["state"]) for r in self._caplog.records]


def test_a_recogniser_that_stays_away_is_said_once_and_so_is_its_return(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told(caplog)
    told.stands("open", *(("half_open", "open") * 10))
    told.stands("half_open", "recovering", "closed")
    assert told.lines == [
        ("WARNING", "recogniser_standing", "open"),
        ("INFO", "recogniser_standing", "half_open"),
        ("INFO", "recogniser_standing", "recovering"),
        ("INFO", "recogniser_standing", "closed"),
    ]
    assert "start the server" in vars(caplog.records[0])["reason"]


def test_another_reason_and_another_outage_are_said_again(caplog: pytest.LogCaptureFixture) -> None:
    told = Told(caplog)
    told.stands("open", "open")
    told.reason = "whisper: HTTP 500"
    told.stands("open", "closed", "open")
    assert [state for _, _, state in told.lines] == ["open", "open", "closed", "open"]


def test_what_only_an_operator_can_mend_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    told = Told(caplog)
    told.stands("open", is_permanent=True)
    assert told.lines == [("ERROR", "recogniser_kept_away", "open")]
