import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from slukh.conformance.report import Report, Step
from slukh.cost.estimates.capacity_file import read_capacity, with_capacity
from slukh.cost.estimates.scenario import Service, WhisperFleet
from slukh.cost.estimates.scenario_file import load_scenario
from slukh.errors import ScenarioError

MEASURED = {
    "version": 1,
    "url": "http://10.0.0.7:8000",
    "model": "large-v3-turbo",
    "streams": 12,
    "p95_ms": 640,
}
DAY = datetime(2026, 11, 26, 12, tzinfo=UTC)


def written(folder: Path, content: object) -> Path:
    path = folder / "capacity.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    os.utime(path, (DAY.timestamp(), DAY.timestamp()))
    return path


def test_what_was_measured_takes_the_place_of_what_was_assumed(tmp_path: Path) -> None:
    shop = with_capacity(load_scenario("tyre-shop"), *read_capacity(written(tmp_path, MEASURED)))
    assert isinstance(shop.stt.whisper, WhisperFleet)
    assert (shop.stt.whisper.streams_per_gpu, shop.stt.whisper.model) == (12, "large-v3-turbo")
    assert shop.has_measured_streams
    origin = shop.assumptions["stt.whisper.streams_per_gpu"]
    assert origin.read_on == date(2026, 11, 26)
    assert "http://10.0.0.7:8000 (large-v3-turbo, p95 640 ms)" in origin.source


@pytest.mark.parametrize(
    ("change", "said"),
    [({"streams": -1}, "streams"), ({"version": 2}, "version"), ({"model": None}, "model")],
)
def test_a_capacity_that_cannot_be_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = written(tmp_path, MEASURED | change)
    with pytest.raises(ScenarioError, match=f"capacity.json: {said}: .*write it anew: `slukh whisper check`"):
        read_capacity(path)


def test_a_server_that_was_found_unfit_carries_no_calls(tmp_path: Path) -> None:
    measured, on = read_capacity(written(tmp_path, MEASURED | {"streams": 0}))
    with pytest.raises(
        ScenarioError, match=r"10\.0\.0\.7:8000 was found unfit for calls on 2026-11-26.*write"
    ):
        with_capacity(load_scenario("tyre-shop"), measured, on)


def test_a_file_that_is_not_there_or_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_capacity(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"version": 1, "url"', encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"half\.json"):
        read_capacity(tmp_path / "half.json")


def test_a_service_has_no_capacity_of_yours(tmp_path: Path) -> None:
    shop = load_scenario("tyre-shop")
    shop = replace(shop, stt=replace(shop.stt, whisper=Service(provider="openai", model="whisper-1")))
    with pytest.raises(ScenarioError, match="leave the capacity file out"):
        with_capacity(shop, *read_capacity(written(tmp_path, MEASURED)))


def test_the_check_of_a_server_writes_what_is_read_here(tmp_path: Path) -> None:
    report = Report(
        url="http://gpu:8000", dialect="http", server="speaches", model="turbo", language_code="uk-UA",
        wer=0.1, words=33, interims=0.0, first_interim_seconds=None, revised_share=None, why_no_interims="-",
        steps=(Step(streams=6, p50_seconds=0.4, p95_seconds=0.61, failed=0),), streams=6, doubled_at=None,
        on_silence="nothing", on_bcp_47="as uk", on_disconnect="stops",
    )  # fmt: skip
    measured, _ = read_capacity(written(tmp_path, report.capacity()))
    assert (measured.streams, measured.model, measured.p95_ms) == (6, "turbo", 610)
