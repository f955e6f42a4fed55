"""`slukh cost prices check`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slukh.commands.cost_prices import app
from slukh.errors import PriceError

AS_OF = ["--as-of", "2026-11-22"]


def test_a_shipped_book_agrees_with_genai_prices() -> None:
    done = CliRunner().invoke(app, ["check", *AS_OF])
    assert done.exit_code == 0
    assert "73 of 74 compared prices are as in genai-prices." in done.output
    assert (
        "claude-sonnet-5-5-launch/cache_read_tokens: 0.20 here, 0.1 in genai-prices on 2026-09-28"
        in done.output
    )
    assert "Left to genai-prices: " in done.output


def test_every_price_has_its_age() -> None:
    done = CliRunner().invoke(app, ["check", "--json", *AS_OF])
    report = json.loads(done.output)
    assert (report["version"], report["book"], report["agrees"]) == (1, "market-2026-11", True)
    by_id = {price["id"]: price for price in report["prices"]}
    assert by_id["google-stt-v2"]["age_days"] == 70
    assert by_id["google-stt-v2"]["amount"] == "0.016"
    assert [by_id[name]["in_force"] for name in ("gpu-gex44-2026-04", "gpu-gex44-2026-06")] == [False, True]
    assert all(price["age_days"] is not None for price in report["prices"])
    assert {rate["currency"] for rate in report["rates"]} == {"UAH", "EUR"}


def test_a_difference_that_nobody_explained_is_exit_code_1(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        """
book: own
prices:
  - {id: haiku, component: llm, provider: anthropic, models: [claude-haiku-4-5], unit: input_tokens,
     per: 1_000_000, amount: "0.8", effective_from: 2026-01-01, source: memory, read_on: 2026-11-01,
     confidence: assumption}
""",
        encoding="utf-8",
    )
    done = CliRunner().invoke(app, ["check", "--book", str(path), *AS_OF])
    assert done.exit_code == 1
    assert "haiku: 0.8 here, 1 in genai-prices on 2026-11-22, DIFFERS" in done.output
    assert (
        json.loads(CliRunner().invoke(app, ["check", "--book", str(path), "--json"]).output)["agrees"]
        is False
    )


def test_a_wrong_book_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("book: own\nprices:\n  - id: x\n    amount: 0.1\n", encoding="utf-8")
    with pytest.raises(PriceError, match=r"own\.yaml:4: 0\.1 is a float"):
        CliRunner().invoke(app, ["check", "--book", str(path)], catch_exceptions=False)
