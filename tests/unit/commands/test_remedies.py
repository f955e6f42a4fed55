"""What a mistake at the keyboard is answered with: one sentence that names what was given, once."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from slukh.cli import app
from slukh.dialog.script import read_script
from slukh.errors import SettingsError, UserError


def refusal(folder: Path, *arguments: str, **environment: str) -> str:
    given = {"SLUKH_DATA_DIR": str(folder), "SLUKH_TTS": "espeak"} | environment
    result = CliRunner().invoke(app, arguments, env=given)
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


@pytest.mark.parametrize("command", ["warm", "learn"])
def test_a_path_that_was_an_argument_is_not_looked_for_in_a_setting(tmp_path: Path, command: str) -> None:
    said = refusal(tmp_path, "phrases", command, str(tmp_path))
    assert said.startswith(f"{tmp_path} cannot be read (Is a directory): name a")
    assert "SLUKH_" not in said


def test_a_dead_database_is_named_by_both_variables_that_may_have_its_url(tmp_path: Path) -> None:
    said = refusal(tmp_path, "ab", "report", SLUKH_LEDGER_URL="postgresql://slukh:x@127.0.0.1:1/slukh")
    assert said.endswith("in SLUKH_EXPERIMENT_URL (or SLUKH_LEDGER_URL, where that is unset)")


def test_a_price_book_that_is_not_there_is_named_once(tmp_path: Path) -> None:
    said = refusal(tmp_path, "cost", "rerate", SLUKH_PRICES="nosuchbook")
    assert said.startswith("no price book nosuchbook (No such file or directory): name a YAML file")
    assert said.count("nosuchbook") == 1


@pytest.mark.parametrize("command", [("cost", "report", "--since"), ("cost", "prices", "check", "--as-of")])
def test_a_day_that_is_none_is_told_how_it_is_written(tmp_path: Path, command: tuple[str, ...]) -> None:
    assert refusal(tmp_path, *command, "yesterday") == "'yesterday' is no day: write 2026-11-01"


SCRIPTS = "set SLUKH_DIALOG to a script, such as examples/dialog/tyre-shop.yaml, or to claude"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, f"the dialogue {{}} cannot be read (No such file or directory): {SCRIPTS}"),
        (b"\xff\xfe", f"the dialogue {{}} cannot be read (it is no UTF-8 text): {SCRIPTS}"),
        (b"", "{} holds no script: see examples/dialog/tyre-shop.yaml"),
    ],
)
def test_a_script_that_is_none_is_told_in_the_words_of_its_writer(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "script.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        read_script(path)
    assert str(refused.value) == said.format(path)
