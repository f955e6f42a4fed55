"""Where tests find weights and recorded speech, and what they say when those are not there."""

import os
from pathlib import Path

import pytest

from slukh.testing.google_ears import PocketSphinxEars

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


@pytest.fixture(scope="session")
def pocketsphinx_ears() -> PocketSphinxEars:
    """A second recogniser, whose models are not part of the project."""
    folder = Path(os.environ.get("SLUKH_TEST_POCKETSPHINX", ROOT.parent / "shared" / "rigs" / "pocketsphinx"))
    if not folder.is_dir():
        pytest.skip(f"NO SECOND RECOGNISER at {folder}: set SLUKH_TEST_POCKETSPHINX for arms that differ")
    try:
        return PocketSphinxEars(folder)
    except ImportError as error:
        pytest.skip(f"NO SECOND RECOGNISER: pip install pocketsphinx ({error})")
