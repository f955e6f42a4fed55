"""doc/phase-6.md names files, settings, metrics and commands: each of them exists."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slukh.cli import app
from slukh.monitoring.declarations import DECLARATIONS
from slukh.settings.document import reference

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "doc" / "phase-6.md").read_text(encoding="utf-8")
CODE = re.findall(r"`([^`]+)`", PAGE)
WORDS = [word for text in CODE for word in text.split()]

FILES = sorted(
    {word for word in WORDS if word.startswith(("src/", "tests/", "doc/", "scripts/", "examples/"))}
)
SETTINGS = sorted({word for word in WORDS if re.fullmatch(r"(FF|WHISPER|SLUKH)_[A-Z_]+", word)})
METRICS = sorted({word for word in WORDS if re.fullmatch(r"(stt|tts)_[a-z_]+", word)})
COMMANDS = sorted({text for text in CODE if text.startswith("slukh ")})


@pytest.mark.parametrize("path", FILES)
def test_its_files_are_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("name", SETTINGS)
def test_its_settings_are_read(name: str) -> None:
    assert f"| `{name}` |" in reference()


@pytest.mark.parametrize("name", METRICS)
def test_its_metrics_are_declared(name: str) -> None:
    assert name in {declaration.name for declaration in DECLARATIONS}


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_have_these_options(command: str) -> None:
    words = command.split()[1:]
    verbs = [word for word in words[:2] if re.fullmatch(r"[a-z]+", word)]
    shown = CliRunner().invoke(app, [*verbs, "--help"], terminal_width=200)
    assert shown.exit_code == 0
    assert all(word in shown.stdout for word in words if word.startswith("--"))


def test_all_that_was_asked_for_is_in_it() -> None:
    assert len(FILES) >= 15
    assert {"FF_STT_PROVIDER", "WHISPER_API_URL", "WHISPER_MODEL_SIZE"} <= set(SETTINGS)
    assert {"stt_whisper_latency_seconds", "stt_whisper_errors_total", "stt_provider_accuracy"} <= set(
        METRICS
    )
