from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import pytest

from slukh.cost.estimates.scenario_file import load_scenario, scenario_from_yaml, shipped_scenarios
from slukh.errors import ScenarioError

SEED = files("slukh.cost").joinpath("scenarios", "seed.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", shipped_scenarios())
def test_what_ships_can_be_read_and_is_named_as_its_file(name: str) -> None:
    assert load_scenario(name).name == name


def test_a_scenario_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(SEED.replace("name: seed", "name: ours"), encoding="utf-8")
    assert load_scenario(str(tmp_path / "ours.yaml")).name == "ours"


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("characters_per_turn: 120", "characters_per_turn: 120, hit_rate: 1.1", "tts.hit_rate 1.1 refused"),
        ("characters_per_turn: 120", "characters_per_turn: 120, hit_rate: 110%", "tts.hit_rate 110% refused"),
        ("seconds: 180", "seconds: -1", "call.seconds -1 refused"),
        ("seconds: 180", "seconds: .nan", "call.seconds .nan refused"),
        ("turns: 10", "turns: 100", "the utterances are longer than the call"),
        ("turns: 10", "turns: 10\n  turn: 3", "call.turn 3 refused: there is no such name"),
        ("prices: seed-reference\n", "", "prices is missing: add it"),
        ("{gpu: gpu-reference, ", "{", "stt.whisper.gpu is missing"),
        ("0.05, 0.03]", "0.05, 0.30]", "the hours' shares must add up to 1"),
        ("shrinkage: 0.30", "shrinkage: 1", "staff.shrinkage 1 refused"),
        ("name: seed", "name: seed\nname: seed", "`name` stands there twice"),
        ("version: 1", "version: 2", "version 2 refused"),
        ("calls_per_month: 1000", "calls_per_month: [1000", "no YAML"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(right: str, wrong: str, said: str) -> None:
    assert right in SEED
    text = SEED.replace(right, wrong, 1)
    with pytest.raises(ScenarioError) as refused:
        scenario_from_yaml(text, file="ours.yaml")
    assert said in str(refused.value)
    assert str(refused.value).startswith("ours.yaml:")


def test_the_line_is_the_values_own() -> None:
    with pytest.raises(ScenarioError, match=r"^ours\.yaml:3: `c` stands there twice"):
        scenario_from_yaml("a: 1\nb: {c: 1,\n  c: 2}\n", file="ours.yaml")
    text = SEED.replace("containment: 0.7", "containment: 7")
    line = text.splitlines().index("  containment: 7") + 1
    with pytest.raises(ScenarioError, match=rf"^ours\.yaml:{line}: staff\.containment 7 refused"):
        scenario_from_yaml(text, file="ours.yaml")


def test_an_origin_must_belong_to_a_value() -> None:
    origin = "  call.secondz: {source: us, read_on: 2026-11-22, confidence: assumption}\n"
    with pytest.raises(ScenarioError, match=r"yaml:\d+: a scenario has no call\.secondz"):
        scenario_from_yaml(SEED + origin)
    kept = scenario_from_yaml(SEED + origin.replace("secondz", "seconds"))
    assert kept.assumptions["call.seconds"].confidence == "assumption"


def test_a_scenario_nobody_knows_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ScenarioError, match="there is no scenario sede: name a YAML file, or one of: seed"):
        load_scenario("sede")


def test_an_empty_file_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match="the scenario refused"):
        load_scenario(str(tmp_path / "empty.yaml"))
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario(str(tmp_path / "none.yaml"))


def test_numbers_are_exact() -> None:
    assert load_scenario("seed").call.utterance_seconds == Decimal("4.2")
