import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slukh.commands.calls import app
from slukh.cost.ledger.store import Ledger
from slukh.types import Usage

ROW = Usage(
    call_id="c-1", leg=1, component="stt", sequence=1001, provider="google", model="chirp_3", unit="audio_ms",
    quantity=4200, outcome="published", occurred_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
)  # fmt: skip


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
