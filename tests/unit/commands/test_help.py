"""Every command teaches: an example that can be copied, and what each parameter is."""

from collections.abc import Iterator

import pytest
import typer

from slukh.cli import app


def commands(command: object, name: str = "slukh") -> Iterator[tuple[str, object]]:
    parts = getattr(command, "commands", None)
    if parts is None:
        yield name, command
    for part, own in (parts or {}).items():
        yield from commands(own, f"{name} {part}")


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example(name: str) -> None:
    help_text: str = getattr(COMMANDS[name], "help", None) or ""
    assert name in help_text.replace("\n", " ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_parameter_is_described(name: str) -> None:
    parameters = getattr(COMMANDS[name], "params", [])
    assert [one.name for one in parameters if one.name != "help" and not getattr(one, "help", None)] == []
