"""Where tests find weights and recorded speech, what they say when those are not there; and databases."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from slukh.cost.ledger.store import Ledger
from slukh.testing.google_ears import PocketSphinxEars
from slukh.testing.local_postgres import LocalPostgres, local_postgres

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


@pytest.fixture(scope="session")
def postgres() -> Iterator[LocalPostgres]:
    """A real PostgreSQL."""
    with local_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Makes empty ledgers, in either database."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path_factory.mktemp('ledger')}/ledger.db"
    server: LocalPostgres = request.getfixturevalue("postgres")
    return server.new_database


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    """An empty ledger."""
    return new_url()


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """The ledger at `url`, open."""
    with Ledger(url) as opened:
        yield opened


@pytest.fixture
def raw(url: str, ledger: Ledger) -> Iterator[Engine]:
    """The same database without us."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()
