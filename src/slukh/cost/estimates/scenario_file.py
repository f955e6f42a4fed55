"""Scenarios as YAML: text in, a scenario out, and every mistake refused with file, line and remedy."""

from importlib.resources import files
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from slukh.cost.estimates.scenario import Scenario
from slukh.errors import ScenarioError
from slukh.yaml_lines import read_yaml

_ADAPTER: TypeAdapter[Scenario] = TypeAdapter(Scenario)
_FOLDER = files("slukh.cost").joinpath("scenarios")
_REMEDIES = {
    "missing": "add it; the scenarios that ship show how",
    "unexpected_keyword_argument": "there is no such name; mend its spelling",
    "dataclass_type": "write names and values, as the scenarios that ship do",
}


def shipped_scenarios() -> tuple[str, ...]:
    """Names of the scenarios that ship."""
    names = (entry.name for entry in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def load_scenario(name_or_path: str) -> Scenario:
    """A scenario that ships, by its name, or a YAML file.

    Raises:
        ScenarioError: there is none of that name, or it says something that cannot be.
    """
    if name_or_path in shipped_scenarios():
        file = f"{name_or_path}.yaml"
        return scenario_from_yaml(_FOLDER.joinpath(file).read_text(encoding="utf-8"), file=file)
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        raise ScenarioError(
            f"there is no scenario {name_or_path}",
            remedy=f"name a YAML file, or one of: {', '.join(shipped_scenarios())}",
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ScenarioError(
            f"{path} cannot be read ({reason})", remedy="mend the path or its rights"
        ) from error
    return scenario_from_yaml(text, file=str(path))


def scenario_from_yaml(text: str, *, file: str = "scenario.yaml") -> Scenario:
    """A scenario from its text; `file` is how errors call it.

    Raises:
        ScenarioError: it says something that cannot be.
    """
    document = read_yaml(text, file=file, floats="text", refusal=ScenarioError)
    try:
        scenario = _ADAPTER.validate_python(document.value)
    except ValidationError as refused:
        first = refused.errors(include_url=False)[0]
        # Members of a union stand in pydantic's path by their class's name.
        where = tuple(part for part in first["loc"] if isinstance(part, int) or not part[:1].isupper())
        shown = f" {first['input']}" if isinstance(first["input"], str | int | float) else ""
        fault = "is missing" if first["type"] == "missing" else "refused"
        remedy = _REMEDIES.get(first["type"]) or first["msg"].removeprefix("Value error, ")
        raise document.error(
            where,
            f"{'.'.join(map(str, where)) or 'the scenario'}{shown} {fault}",
            remedy=remedy[:1].lower() + remedy[1:],
        ) from refused
    for path in scenario.assumptions:
        try:
            scenario.value_at(path)
        except LookupError as error:
            raise document.error(
                ("assumptions", path),
                f"a scenario has no {path}",
                remedy="mend the path, such as call.seconds",
            ) from error
    return scenario
