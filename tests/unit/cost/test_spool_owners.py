"""Which calls can still be on, by the spools that gateways hold."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from slukh.cost.meter import CallFacts
from slukh.cost.spool import Spool
from slukh.cost.spool_owners import is_cut_off, owned_since
from slukh.types import Usage

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def leg(started_at: datetime, **fields: object) -> CallFacts:
    started = {
        "call_id": "c-1", "leg": 1, "state": "started", "started_at": started_at, "language_code": "uk-UA",
        "announced": True, "provider": "whisper", "model": "base", "assigned_arm": "whisper",
    }  # fmt: skip
    return CallFacts(**started | fields)  # type: ignore[arg-type]  # fields of several types


def test_a_leg_is_on_as_long_as_a_gateway_runs_that_ran_before_it() -> None:
    assert not is_cut_off(leg(NOON), [NOON - MINUTE])
    assert not is_cut_off(leg(NOON), [NOON + MINUTE, NOON - MINUTE])


def test_a_leg_whose_gateway_is_gone_or_was_started_again_is_cut_off() -> None:
    assert is_cut_off(leg(NOON), [])
    assert is_cut_off(leg(NOON), [NOON + MINUTE])


def test_a_leg_that_ended_is_not_cut_off() -> None:
    assert not is_cut_off(leg(NOON, state="ended", end_reason="hangup"), [])


def test_a_spool_is_owned_from_when_it_was_opened_until_it_is_closed(
    tmp_path: Path, usage: Callable[..., Usage]
) -> None:
    assert owned_since(tmp_path) == ()
    before = datetime.now(UTC) - timedelta(seconds=1)  # a file system's clock is coarser than ours
    with Spool(tmp_path / "spool-1") as spool:
        spool.append(usage(1))
        assert spool.flush()
        (since,) = owned_since(tmp_path)
        assert before <= since <= datetime.now(UTC)
    assert owned_since(tmp_path) == ()
    with Spool(tmp_path / "spool-1"):
        (again,) = owned_since(tmp_path)
        assert again >= since
