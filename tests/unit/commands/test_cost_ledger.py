"""`slukh cost explain|rerate|reconcile|export`, as a person types them."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner, Result

from slukh.commands.cost_ledger import app
from slukh.cost.ledger.focus import COLUMNS, MANDATORY
from slukh.cost.ledger.store import Ledger
from slukh.types import Unit, Usage

MOMENT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
CALL = "0f8fad5b-d9cb-469f-a165-70867728950e"
# 5 started seconds at $0.016 a minute, 2,777 and 81 tokens at $1 and $5 per million, 90 s at $0.01 a minute.
STT, LLM_IN, LLM_OUT, LINE = 1_333_333_333, 2_777_000_000, 405_000_000, 15_000_000_000
TOTAL = STT + LLM_IN + LLM_OUT + LINE

Cost = Callable[..., Result]


def usage(component: Any, sequence: int, who: str, unit: Unit, quantity: int) -> Usage:
    provider, _, model = who.partition(" ")
    return Usage(
        call_id=CALL, leg=1, component=component, sequence=sequence, provider=provider, model=model,
        unit=unit, quantity=quantity, outcome="published",
        occurred_at=MOMENT + timedelta(seconds=sequence % 60),
    )  # fmt: skip


ROWS = [
    usage("stt", 1001, "google chirp_3", "audio_ms", 4200),
    usage("llm", 8, "anthropic claude-haiku-4-5", "input_tokens", 2777),
    usage("llm", 9, "anthropic claude-haiku-4-5", "output_tokens", 81),
    usage("line", 0, "kyiv", "call_ms", 90_000),
]


@pytest.fixture
def url(tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger(found) as ledger:
        ledger.record(ROWS)
    return found


@pytest.fixture
def cost(url: str, monkeypatch: pytest.MonkeyPatch) -> Cost:
    monkeypatch.setenv("SLUKH_LEDGER_URL", url)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


def parsed(result: Result) -> Any:
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return json.loads(result.stdout)


def usd(pico: int) -> Decimal:
    return Decimal(pico) / 10**12


def test_explain_proves_every_cent_with_rule_price_and_source(cost: Cost) -> None:
    found = parsed(cost("explain", CALL, "--json"))
    lines = found["lines"]
    assert Decimal(found["total_usd"]) == usd(TOTAL)
    assert sum(Decimal(line["amount_usd"]) for line in lines) == usd(TOTAL)
    stt = next(line for line in lines if line["component"] == "stt")
    assert stt["rule"] == "4.2 s billed as 5 s (each started 1 s) at USD 0.016 per 60 s"
    assert stt["source"].startswith("https://cloud.google.com/")
    assert all(line["source"] and line["price_id"] for line in lines)


def test_explain_prints_them_for_a_person(cost: Cost) -> None:
    shown = cost("explain", CALL)
    assert shown.exit_code == 0
    assert f"{usd(TOTAL):.12f}" in shown.stdout
    assert "google-stt-v2: https://cloud.google.com/speech-to-text/pricing, read 2026-09-13" in shown.stdout


def test_explain_of_another_book_is_of_its_prices(cost: Cost) -> None:
    found = parsed(cost("explain", CALL, "--prices", "seed-reference", "--json"))
    lines = found["lines"]
    assert next(line["amount_usd"] for line in lines if line["component"] == "stt") == "0.006"


def test_explain_says_what_it_does_not_know(cost: Cost, url: str) -> None:
    with Ledger(url) as ledger:
        ledger.record([replace(ROWS[1], sequence=16, provider="nobody")])
    found = parsed(cost("explain", CALL, "--json"))
    assert Decimal(found["total_usd"]) == usd(TOTAL)
    (unpriced,) = found["unpriced"]
    assert "no price of llm nobody claude-haiku-4-5" in unpriced["problem"]


def test_explain_of_a_call_that_is_not_there_is_one_line(cost: Cost) -> None:
    assert "slukh calls list" in str(cost("explain", "nobody").exception)


def test_rerate_says_what_changed_and_nothing_the_second_time(cost: Cost) -> None:
    assert parsed(cost("rerate", "--json")) == {
        "book": "market-2026-11", "rows": 4, "changed": 4, "unpriced": [],
    }  # fmt: skip
    assert "0 lines changed" in cost("rerate").stdout


def bill(folder: Path, amount: str) -> Path:
    path = folder / "calls.csv"
    path.write_text(
        f"calldate,billsec,cost,currency\n2026-11-22T10:00:00+00:00,90,{amount},USD\n", encoding="utf-8"
    )
    return path


def test_reconcile_books_the_difference_once(cost: Cost, tmp_path: Path) -> None:
    path = bill(tmp_path, "0.018")
    first = cost("reconcile", path, "--json")
    assert first.exit_code == 1  # a sixth of the bill was not metered
    (found,) = parsed(first)["comparisons"]
    assert (found["metered_usd"], found["invoiced_usd"]) == ("0.015000000000", "0.018000000000")
    assert (found["drift"], found["booked_usd"]) == ("0.166667", "0.003000000000")
    (again,) = parsed(cost("reconcile", path, "--json"))["comparisons"]
    assert Decimal(again["booked_usd"]) == 0


def test_a_corrected_statement_books_only_the_correction(cost: Cost, tmp_path: Path) -> None:
    cost("reconcile", bill(tmp_path, "0.018"))
    (found,) = parsed(cost("reconcile", bill(tmp_path, "0.016"), "--json"))["comparisons"]
    assert found["booked_usd"] == "-0.002000000000"
    (again,) = parsed(cost("reconcile", bill(tmp_path, "0.016"), "--json"))["comparisons"]
    assert Decimal(again["booked_usd"]) == 0


def test_reconcile_within_two_percent_is_exit_code_0(cost: Cost, tmp_path: Path) -> None:
    assert cost("reconcile", bill(tmp_path, "0.0152")).exit_code == 0


def test_a_statement_of_a_part_of_one_that_is_booked_is_refused(cost: Cost, tmp_path: Path) -> None:
    both = bill(tmp_path, "0.018")
    both.write_text(both.read_text("utf-8") + "2026-11-23T10:00:00+00:00,90,0.01,USD\n", encoding="utf-8")
    assert cost("reconcile", both).exit_code == 1
    assert "crosses the time of calls.csv" in str(cost("reconcile", bill(tmp_path, "0.018")).exception)


def focus(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_focus_has_the_mandatory_columns_of_1_2_and_only_custom_ones_besides(
    cost: Cost, tmp_path: Path
) -> None:
    assert cost("export", "--format", "focus-csv", tmp_path / "out.csv").exit_code == 0
    rows = focus(tmp_path / "out.csv")
    assert len(rows) == 4
    for row in rows:
        assert set(MANDATORY) <= set(row)
        assert all(row[name] for name in MANDATORY if name != "ChargeClass")  # null for what is no correction
        assert row["ChargeCategory"] in {"Usage", "Purchase", "Tax", "Credit", "Adjustment"}
        assert row["BillingPeriodStart"] == "2026-11-01T00:00:00Z"
        assert row["BillingPeriodEnd"] == "2026-12-01T00:00:00Z"
        assert row["ChargePeriodStart"] < row["ChargePeriodEnd"]
    assert sum(Decimal(row["BilledCost"]) for row in rows) == usd(TOTAL)
    stt = next(row for row in rows if row["x_Component"] == "stt")
    assert (stt["ConsumedQuantity"], stt["PricingQuantity"], stt["PricingUnit"]) == ("4.2", "5", "Seconds")
    assert (stt["SkuId"], stt["ServiceCategory"]) == ("3099-B70F-0949", "AI and Machine Learning")


def test_an_export_says_what_it_wrote(cost: Cost, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    told = parsed(cost("export", "--format", "cloudevents", "--since", "2026-11-01", path, "--json"))
    assert told == {
        "version": 1, "path": str(path), "format": "cloudevents", "book": "market-2026-11", "currency": "USD",
        "since": "2026-11-01T00:00:00+00:00", "rows": 4, "unpriced": [],
    }  # fmt: skip
    assert len(path.read_text("utf-8").splitlines()) == 4


def test_an_adjustment_is_a_correction_in_focus(cost: Cost, tmp_path: Path) -> None:
    cost("reconcile", bill(tmp_path, "0.018"))
    cost("export", "--format", "focus-csv", tmp_path / "out.csv")
    (row,) = (row for row in focus(tmp_path / "out.csv") if row["ChargeCategory"] == "Adjustment")
    assert (row["ChargeClass"], Decimal(row["BilledCost"])) == ("Correction", Decimal("0.003"))


def test_our_own_focus_reconciles_with_our_own_ledger(cost: Cost, tmp_path: Path) -> None:
    cost("export", "--format", "focus-csv", tmp_path / "out.csv")
    result = cost("reconcile", tmp_path / "out.csv", "--json")
    found = parsed(result)
    assert (result.exit_code, found["format"]) == (0, "focus")
    assert all(Decimal(row["drift"]) == 0 for row in found["comparisons"])


def test_parquet_holds_the_same_money_in_typed_columns(cost: Cost, tmp_path: Path) -> None:
    path = tmp_path / "o'brien.parquet"
    assert cost("export", "--format", "focus-parquet", path).exit_code == 0
    with duckdb.connect() as connection:
        found = connection.read_parquet(str(path))
        assert found.columns == list(COLUMNS)
        types = dict(zip(found.columns, map(str, found.types), strict=True))
        assert (types["BilledCost"], types["ChargePeriodStart"]) == (
            "DECIMAL(38,12)", "TIMESTAMP WITH TIME ZONE",
        )  # fmt: skip
        (total,) = found.aggregate("sum(BilledCost)").fetchall()[0]
        assert total == usd(TOTAL)
        assert found.filter("ChargeClass IS NULL").aggregate("count(*)").fetchall() == [(4,)]
    assert [found.name for found in tmp_path.iterdir() if found.name.startswith(".")] == []


def test_cloudevents_carry_the_ledgers_own_key(cost: Cost, tmp_path: Path) -> None:
    cost("export", "--format", "cloudevents", tmp_path / "out.jsonl")
    events = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert len({(event["source"], event["id"]) for event in events}) == 4
    for event in events:
        assert {"specversion", "id", "source", "type", "time", "subject", "data"} <= set(event)
        assert event["specversion"] == "1.0"
    assert sum(Decimal(event["data"]["amount_usd"]) for event in events) == usd(TOTAL)


def test_an_export_since_a_moment_has_only_what_came_then_or_later(cost: Cost, tmp_path: Path) -> None:
    cost("export", "--format", "cloudevents", "--since", "2026-11-22T10:00:30", tmp_path / "out.jsonl")
    assert len((tmp_path / "out.jsonl").read_text("utf-8").splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("export", "--format", "xlsx", "out"), "use focus-csv, focus-parquet, cloudevents"),
        (("export", "--format", "focus-csv", "--since", "November", "out"), "write it as 2026-11-01"),
        (("export", "--format", "focus-csv", "/nowhere/out.csv"), "cannot write"),
        (("export", "--format", "focus-parquet", "/nowhere/out"), "cannot write"),
        (("rerate", "--prices", "no-such-book"), "no-such-book"),
        (("reconcile", "/nowhere/bill.csv"), "cannot read"),
    ],
)
def test_what_cannot_be_done_is_one_line(cost: Cost, arguments: tuple[str, ...], problem: str) -> None:
    assert problem in str(cost(*arguments).exception)
