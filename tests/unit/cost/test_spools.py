"""The spools of a data folder: what dead gateways left is drained, and what running ones hold is seen."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from slukh.cost.drain import Drain
from slukh.cost.ledger.store import Ledger
from slukh.cost.meter import CallFacts
from slukh.cost.spool import Spool
from slukh.cost.spools import OwnedSpool, drain_ownerless, leave_address, undrained, url_of


def facts(call_id: str, caller: str | None) -> CallFacts:
    now = datetime.now(UTC)
    return CallFacts(
        call_id=call_id, leg=1, state="ended", started_at=now, ended_at=now, language_code="uk-UA",
        announced=True, trunk=None, caller=caller, provider="google", model="chirp_3", assigned_arm="google",
        end_reason="hangup",
    )  # fmt: skip


def ledger_of(folder: Path) -> Ledger:
    return Ledger(f"sqlite:///{folder / 'ledger.db'}")


def test_what_a_gateway_left_that_runs_no_more_is_drained(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool-1") as spool:
        spool.append(facts("a", "hash"))
    with ledger_of(tmp_path) as ledger:
        assert drain_ownerless(tmp_path, ledger) == ()
        assert [leg.call_id for leg in ledger.calls()] == ["a"]


def test_every_running_gateway_is_found_with_the_address_that_it_left(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool-1") as first, Spool(tmp_path / "spool-2") as second:
        leave_address(second.directory, "http://127.0.0.1:8081")
        with ledger_of(tmp_path) as ledger:
            assert drain_ownerless(tmp_path, ledger) == (
                OwnedSpool(directory=first.directory, url=None),
                OwnedSpool(directory=second.directory, url="http://127.0.0.1:8081"),
            )


def test_a_running_gateway_holds_a_call_until_it_has_drained_it(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool-1") as spool, ledger_of(tmp_path) as ledger:
        owned = (OwnedSpool(directory=spool.directory, url=None),)
        spool.append(facts("a", "hash"))
        spool.append(facts("b", "other"))
        assert spool.flush()
        assert undrained(owned, lambda row: row.caller == "hash", seconds=0) == owned
        assert undrained(owned, lambda row: row.caller == "nobody", seconds=0) == ()
        Drain(spool, ledger).drain_once()
        assert undrained(owned, lambda row: row.caller == "hash", seconds=0) == ()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),  # an address that somebody set
        ("::", "http://[::1]:80"),
        ("localhost", "http://localhost:80"),
    ],
)
def test_a_listener_is_asked_on_its_machine(host: str, url: str) -> None:
    assert url_of(host, 80) == url
