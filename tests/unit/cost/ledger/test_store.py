"""What is SQLite's own; what every ledger does is in tests/integration/test_ledger_contract.py."""

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from slukh.cost.ledger.store import Ledger, Recorded
from slukh.errors import LedgerError
from slukh.types import Usage

MakeUsage = Callable[..., Usage]


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("Шановна бухгалтеріє! " * 100)
    with pytest.raises(LedgerError, match=r"not a database.*move it aside"):
        Ledger(f"sqlite:///{path}")
    assert path.read_text().startswith("Шановна")


@pytest.mark.parametrize("path", ["file/ledger.db", "."])
def test_a_place_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="SLUKH_LEDGER_URL"):
        Ledger(f"sqlite:///{tmp_path}/{path}")


@pytest.mark.parametrize(
    "url",
    ["", "ledger.db", "sqlite://", "sqlite:///:memory:", "mysql://a:secret@h/db", "postgresql://a:secret@h"],
)
def test_a_url_that_is_no_lasting_ledger_is_refused(url: str) -> None:
    with pytest.raises(LedgerError, match="sqlite:///PATH") as refused:
        Ledger(url)
    assert "secret" not in str(refused.value)


def test_a_ledger_that_another_program_holds_is_an_error_and_nothing_is_added(
    tmp_path: Path, usage: MakeUsage
) -> None:
    with Ledger(f"sqlite:///{tmp_path}/ledger.db", busy_timeout_ms=10) as ledger:
        holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="another program holds it"):
            ledger.record([usage(1)])
        assert ledger.calls() == ()  # readers are not held up
        holder.execute("ROLLBACK")
        holder.close()
        assert ledger.record([usage(1)]) == Recorded(inserted=1)


def test_without_its_driver_a_ledger_in_postgresql_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as if it were not installed
    with pytest.raises(LedgerError, match=r"pip install 'slukh\[postgres\]'") as refused:
        Ledger("postgresql://a:secret@127.0.0.1:1/db")
    assert "secret" not in str(refused.value)
