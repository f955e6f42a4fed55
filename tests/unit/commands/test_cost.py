import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from slukh.commands.cost import app
from slukh.cost.ledger.store import Ledger
from slukh.cost.meter import CallFacts
from slukh.errors import PriceError, ScenarioError, UserError
from slukh.types import UNANSWERED, UNITS_PER_REQUEST, Usage

ROOT = Path(__file__).parents[3]
NOW = datetime.now(UTC)


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def as_json(*arguments: str) -> Any:
    return json.loads(said(*arguments, "--json"))


def test_analyze_prints_the_reference_example() -> None:
    assert as_json("analyze", "--calls", "1000")["per_1000"]["total_google"] == "254.50"
    table = said("analyze")
    assert "$254.50" in table
    assert "$0.2545" in table
    assert "inside" in table


def test_the_script_says_the_same() -> None:
    script = [sys.executable, str(ROOT / "scripts" / "cost_analysis.py"), "--calls", "1000", "--json"]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == as_json("analyze", "--calls", "1000")


def test_the_script_refuses_in_one_line() -> None:
    script = [sys.executable, str(ROOT / "scripts" / "cost_analysis.py"), "--scenario", "nobody"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("slukh: there is no scenario nobody: ")
    assert len(done.stderr.splitlines()) == 1


def test_decide_and_recommend_speak_to_scripts_and_people() -> None:
    decided = as_json("decide", "--scenario", "tyre-shop", "--calls", "15000")
    assert decided["decision"]["points"][0]["google_gated"] == "86.88"
    assert decided["calls"]["draws"] == 20_000
    assert any("no GPU can beat that" in sentence for sentence in decided["verdict"])
    advised = as_json("recommend")
    savings = [float(item["saving_usd_per_month"]) for item in advised["recommendations"]]
    assert savings == sorted(savings, reverse=True)
    assert "Hosted recognisers" in said("decide")
    assert "a month: send speech only" in said("recommend")


def test_a_report_is_data_for_scripts(tmp_path: Path) -> None:
    told = as_json("report", "--scenario", "seed", "--as-of", "2026-11-22")
    assert told["analysis"]["per_1000"]["total_google"] == "254.50"
    assert told["verdict"][0].startswith("A call costs $0.2545 with Google, whole call")
    assert {"decision", "tornado", "recommendations", "waterfall", "machines"} <= told.keys()
    assert told["command"] == "slukh cost report --as-of 2026-11-22 --scenario seed"
    path = tmp_path / "cost.html"
    asked = ("report", "--scenario", "seed", "--as-of", "2026-11-22", "--format", "html")
    assert as_json(*asked, "--output", str(path))["output"] == str(path)
    assert path.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_measured_capacity_changes_the_number_of_gpus(tmp_path: Path) -> None:
    capacity = {"version": 1, "url": "http://gpu:8000", "model": "turbo", "streams": 2, "p95_ms": 700}
    path = tmp_path / "capacity.json"
    path.write_text(json.dumps(capacity), encoding="utf-8")
    small = as_json("analyze", "--calls", "20000")["whisper"]
    large = as_json("analyze", "--calls", "20000", "--capacity", str(path))["whisper"]
    assert (small["gpus"], small["streams_measured"]) == (2, False)
    assert (large["gpus"], large["streams_measured"]) == (8, True)


def test_a_book_may_be_another_one(tmp_path: Path) -> None:
    today = as_json("analyze", "--scenario", "seed", "--prices", "market-2026-11")
    assert today["per_1000"]["stt_google"] == "48.00"
    empty = tmp_path / "own.yaml"
    empty.write_text(
        "book: own\nprices:\n"
        "  - {id: gpu, component: fixed, provider: us, models: [gpu-reference], unit: month, amount: 100,\n"
        "     effective_from: 2026-01-01, source: a test, read_on: 2026-01-01, confidence: assumption}\n",
        encoding="utf-8",
    )
    with pytest.raises(PriceError, match="price book own has no price of stt google long per audio_ms"):
        said("analyze", "--prices", str(empty))


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    url = f"sqlite:///{tmp_path}/ledger.db"
    monkeypatch.setenv("SLUKH_LEDGER_URL", url)
    return Ledger(url)


def call(number: int) -> list[Usage | CallFacts]:
    call_id, at = f"call-{number}", NOW - timedelta(days=2, minutes=number)
    row: dict[str, Any] = {"call_id": call_id, "leg": 1, "outcome": "published", "occurred_at": at}
    return [
        CallFacts(
            call_id=call_id, leg=1, state="ended", started_at=at, language_code="uk-UA", announced=True,
            provider="google", model="chirp_3", assigned_arm="google", heard_ms=90_000,
        ),
        Usage(
            component="stt", sequence=1001, provider="google", model="chirp_3", unit="audio_ms",
            quantity=4800, **row,
        ),
        Usage(
            component="line", sequence=0, provider="kyiv", model="", unit="call_ms", quantity=90_000, **row,
        ),
    ]  # fmt: skip


def test_real_calls_are_reported_as_scenarios_are(ledger: Ledger) -> None:
    lost = Usage(
        call_id="call-0", leg=1, component="llm", sequence=UNITS_PER_REQUEST, provider="anthropic",
        model="claude-haiku-4-5", unit="input_tokens", quantity=0, outcome=UNANSWERED, occurred_at=NOW,
    )  # fmt: skip
    with ledger:
        for number in range(10):
            ledger.record(call(number))
        ledger.record([lost])
    real = as_json("analyze", "--from-ledger", "--as-if", "stt=google-v1/phone_call")
    assert real["basis"] == "ledger"
    assert real["ledger"]["calls"] == 10
    assert real["calls_per_month"] >= 100  # ten in less than three days
    assert real["ledger"]["used"]["stt"] == "0.013333333333"
    assert real["ledger"]["as_if"]["stt"] == "0.02"
    assert real["per_call"]["stt_google"] == "0.036"
    assert real["per_call"]["stt_google_gated"] == "0.002"
    assert "call.seconds" in {source["what"] for source in real["assumptions"]}
    since = f"{NOW - timedelta(days=5):%Y-%m-%d}"
    analysed = said("analyze", "--from-ledger", "--since", since)
    assert "10 calls" in analysed
    assert "in no amount: 1 request without figures" in analysed
    assert as_json("decide", "--from-ledger", "--since", since)["decision"]["points"][0]["gpus"] == 1
    assert as_json("recommend", "--from-ledger")["recommendations"]
    report = said("report", "--from-ledger", "--since", since)
    assert "From the ledger's real calls; what no call tells is taken from: A tyre shop" in report
    assert f"| the ledger: 10 calls since {since} |" in report
    assert "No model of ours answered in these calls" in report
    assert "1 request to the model broke off, or was given up" in report
    russian = said("report", "--from-ledger", "--since", since, "--language", "ru")
    assert "1 запрос к модели оборвался раньше" in russian
    assert f"| журнал: 10 звонков с {since} |" in russian
    assert "| `" not in russian.partition("Значения сценария")[2]  # every value has its name
    again = f"slukh cost report --from-ledger --since {since} --until 20[-0-9T]*:00 --scenario tyre-shop"
    assert re.search(f"Made by `{again}`.", report)


def test_what_cannot_be_asked_is_refused(ledger: Ledger) -> None:
    ledger.close()
    with pytest.raises(ScenarioError, match="no call of the ledger started"):
        said("analyze", "--from-ledger")
    with pytest.raises(UserError, match="--as-if is about real calls"):
        said("analyze", "--as-if", "caching=moving")
    with pytest.raises(UserError, match="--until is about real calls"):
        said("decide", "--until", "2026-11-01")
    with pytest.raises(UserError, match="--calls is about scenarios"):
        said("analyze", "--from-ledger", "--calls", "5")
    with pytest.raises(UserError, match="the window ends before it begins"):
        said("analyze", "--from-ledger", "--since", "2026-11-02", "--until", "2026-11-01")
    with pytest.raises(UserError, match="--as-of and --vat are about scenarios"):
        said("report", "--from-ledger", "--as-of", "2026-11-26")
