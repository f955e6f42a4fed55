"""Where tests find weights and recorded speech, and what they say when those are not there."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def examples() -> Path:
    """The sample calls that ship with the project."""
    return ROOT / "examples" / "calls"


@pytest.fixture(scope="session")
def recorded_calls() -> Path:
    """Recorded human speech, which is not part of the project."""
    folder = Path(os.environ.get("SLUKH_TEST_CALLS", ROOT.parent / "shared" / "calls"))
    if not folder.is_dir():
        pytest.skip(f"NO RECORDED SPEECH at {folder}: set SLUKH_TEST_CALLS to test on human voices")
    return folder
