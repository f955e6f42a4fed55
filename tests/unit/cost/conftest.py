"""A call as its events, so that tests read as statements."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slukh.cost.ledger.store import Ledger
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.spool import Spool
from slukh.types import CallEvent, Event, Usage

MOMENT = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)

Stamp = Callable[..., CallEvent]
MakeUsage = Callable[..., Usage]


@pytest.fixture
def stamp() -> Stamp:
    """An event in its envelope, `at` seconds after `MOMENT`."""

    def stamped(event: Event, *, call_id: str = "c-1", leg: int = 1, at: float = 0.0) -> CallEvent:
        return CallEvent(
            call_id=call_id,
            leg=leg,
            provider="whisper",
            model="base",
            assigned_arm="whisper",
            received_at=MOMENT + timedelta(seconds=at),
            event=event,
        )

    return stamped


@pytest.fixture
def usage() -> MakeUsage:
    """The usage row of Attempt `sequence`."""

    def make(sequence: int = 1001, *, call_id: str = "c-1", quantity: int = 2500) -> Usage:
        return Usage(
            call_id=call_id,
            leg=1,
            component="stt",
            sequence=sequence,
            provider="whisper",
            model="base",
            unit="audio_ms",
            quantity=quantity,
            purpose="serve",
            outcome="published",
            occurred_at=MOMENT,
        )

    return make


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool") as opened:
        yield opened


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(f"sqlite:///{tmp_path}/ledger.db") as opened:
        yield opened


@pytest.fixture
def tariff(tmp_path: Path) -> Callable[..., PriceBook]:
    """A price book with one price, written as YAML: `tariff(component="line", amount="0.01", ...)`."""

    def written(**fields: object) -> PriceBook:
        entry = {
            "id": "tariff", "component": "stt", "provider": '"*"', "unit": "audio_ms", "per": 60_000,
            "effective_from": "2026-01-01", "source": "test", "read_on": "2026-11-01", "confidence": "fact",
        } | fields  # fmt: skip
        lines = "\n".join(f"    {name}: {_quoted(value)}" for name, value in entry.items())
        path = tmp_path / "tariff.yaml"
        path.write_text(f"book: tariff\nprices:\n  -\n{lines}\n", encoding="utf-8")
        return PriceBook.load(path)

    return written


def _quoted(value: object) -> object:
    return f'"{value}"' if isinstance(value, str) and value.replace(".", "").isdigit() else value
