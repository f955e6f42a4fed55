import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slukh.commands.calls import app
from slukh.cost.ledger.store import Ledger
from slukh.cost.meter import CallFacts, Row
from slukh.cost.spool import Spool
from slukh.types import Usage

ROW = Usage(
    call_id="c-1", leg=1, component="stt", sequence=1001, provider="google", model="chirp_3", unit="audio_ms",
    quantity=4200, outcome="published", occurred_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
)  # fmt: skip


FACTS = CallFacts(
    call_id="c-1", leg=1, state="ended", started_at=ROW.occurred_at, ended_at=ROW.occurred_at,
    language_code="uk-UA", announced=True, provider="google", model="chirp_3", assigned_arm="google",
    voiced_ms=3000,
)  # fmt: skip
PHRASE = replace(
    ROW, component="tts", sequence=1, model="uk-UA-Chirp3-HD-Kore", unit="characters", quantity=100,
)  # fmt: skip
CALL: list[Row] = [
    FACTS,
    ROW,
    replace(PHRASE, outcome="interrupted", heard_quantity=20),
    replace(PHRASE, sequence=2, outcome="cached"),
    replace(ROW, component="line", sequence=0, provider="kyiv", model="", unit="call_ms", quantity=90_000),
]


def test_the_bill_of_a_call_is_shown_part_by_part(tmp_path: Path) -> None:
    environment = {
        "SLUKH_LEDGER_URL": f"sqlite:///{tmp_path}/ledger.db", "SLUKH_RENTED": "server=1",
        "SLUKH_CALLS_PER_MONTH": "500", "SLUKH_TARGET_LOW_USD": "0.10", "COLUMNS": "160",
    }  # fmt: skip
    with Ledger(environment["SLUKH_LEDGER_URL"]) as ledger:
        ledger.record(CALL)
    result = CliRunner().invoke(app, ("show", "c-1"), env=environment, catch_exceptions=False)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines()]
    bill = {row[0]: row[1:] for row in rows if row}
    assert bill["stt google chirp_3"] == ["4.2 s", "5 s", "0.001333333333"]
    kept = bill["tts google uk-UA-Chirp3-HD-Kore, kept"]
    assert kept == ["100 characters", "saved 0.003000000000", "0.000000000000"]
    assert bill["line kyiv, leg 1 (sip-inbound)"] == ["90 s", "90 x 1 s", "0.015000000000"]
    assert bill["fixed server"] == ["shared by 500 planned calls a month", "", "0.100000000000"]
    assert bill["stt: silence that was sent"] == ["1.2 s of 4.2 s", "0.000320000000"]
    assert bill["tts: spoken, but interrupted and not heard"][1] == "0.002400000000"
    assert result.stdout.strip().endswith("$0.1193: inside the target of $0.10 to 0.30 a call")


@pytest.fixture
def said(tmp_path: Path) -> Callable[..., str]:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger(url) as ledger:
        ledger.record([ROW])
        ledger.record([replace(ROW, quantity=9900)])

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments, env={"SLUKH_LEDGER_URL": url}, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_a_row_that_was_set_aside_is_shown_and_in_no_sum(said: Callable[..., str]) -> None:
    shown = said("show", "c-1")
    assert "set aside: leg 1, stt 1001 came again with 9900 audio_ms, in no sum" in shown
    told = json.loads(said("show", "c-1", "--json"))
    assert [row["quantity"] for row in told["usage"]] == [4200]
    assert [row["quantity"] for row in told["set_aside"]] == [9900]
    assert told["cost"]["total_usd"] == "0.001333333333"
    assert told["cost"]["components"] == {"fixed": None, "stt": "0.001333333333"}
    assert told["cost"]["target"]["verdict"] is None  # nobody said what is rented


def test_a_call_whose_gateway_was_killed_is_shown_as_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUKH_DATA_DIR", str(tmp_path))
    started = replace(FACTS, state="started", ended_at=None, voiced_ms=0)

    def said(*arguments: str) -> str:
        return CliRunner().invoke(app, arguments, catch_exceptions=False).stdout

    with Ledger(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        ledger.record([started])
        assert "cut off" in said("list")
        assert "0.0" not in said("list")
        (leg,) = json.loads(said("show", "c-1", "--json"))["legs"]
        assert (leg["state"], leg["is_cut_off"]) == ("started", True)
        assert "its gateway was killed" in said("show", "c-1")
        with Spool(tmp_path / "spool-1"):  # another gateway was started since, and has a call
            ledger.record([replace(started, call_id="c-2", started_at=datetime.now(UTC))])
            rows = [json.loads(line) for line in said("list", "--json").splitlines()]
    assert {row["call_id"]: row["is_cut_off"] for row in rows} == {"c-1": True, "c-2": False}
