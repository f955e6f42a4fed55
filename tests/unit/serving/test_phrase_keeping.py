"""A tally of phrases on its way into the ledger."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, func, select

from slukh.cost.ledger.phrases import known_phrases
from slukh.cost.ledger.store import Ledger
from slukh.cost.ledger.tables import PHRASE_WITNESSES
from slukh.cost.phrase_tally import PhraseTally
from slukh.errors import LedgerError
from slukh.serving.phrase_keeping import PhraseKeeping
from slukh.types import CallEvent, CallStarted, Event, PhraseSpoken

SPOKEN = PhraseSpoken(
    phrase=1, utterance_id=0, text="Добрий день!", language_code="uk-UA", provider="google", voice="Kore",
    characters=12, outcome="sent", audio_ms=0, played_ms=0,
)  # fmt: skip


class AwayLedger(Ledger):
    """A ledger that takes nothing until `is_away` is False."""

    is_away = True

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        if self.is_away:
            raise LedgerError("away", remedy="wait")
        with super().writing() as connection:
            yield connection


def ledger_of(folder: Path) -> AwayLedger:
    ledger = AwayLedger(f"sqlite:///{folder / 'ledger.db'}")
    ledger.is_away = False
    return ledger


def tell(tally: PhraseTally, caller: str) -> None:
    call: tuple[Event, ...] = (CallStarted(call_id="c", caller=caller, language_code="uk-UA"), SPOKEN)
    for event in call:
        stamped = CallEvent(
            call_id="c", leg=1, provider="p", model="m", assigned_arm="p", received_at=datetime.now(UTC),
            event=event,
        )  # fmt: skip
        tally.observe(stamped)


def witnesses(ledger: Ledger) -> int:
    with ledger.reading() as connection:
        return connection.execute(select(func.count()).select_from(PHRASE_WITNESSES)).scalar_one()


async def test_what_was_counted_is_in_the_ledger_when_the_gateway_stops(tmp_path: Path) -> None:
    tally = PhraseTally(b"key")
    with ledger_of(tmp_path) as ledger:
        keeping = asyncio.create_task(PhraseKeeping(tally, ledger).run())
        await asyncio.sleep(0)
        tell(tally, "hash")
        keeping.cancel()
        await asyncio.wait({keeping})
        (found,) = known_phrases(ledger)
    assert (found.count.times, found.count.sent, found.text) == (1, 1, None)


async def test_a_forgotten_caller_is_no_witness_of_what_was_counted_before(tmp_path: Path) -> None:
    tally = PhraseTally(b"key")
    with ledger_of(tmp_path) as ledger:
        keeping = PhraseKeeping(tally, ledger)
        tell(tally, "theirs")
        tell(tally, "another")
        await keeping.forget("theirs")
        await keeping.keep()
        (found,) = known_phrases(ledger)
        assert (found.count.times, witnesses(ledger)) == (2, 1)


async def test_a_forgotten_caller_is_not_given_back_by_a_ledger_that_was_away(tmp_path: Path) -> None:
    tally = PhraseTally(b"key")
    with ledger_of(tmp_path) as ledger:
        ledger.is_away = True
        keeping = PhraseKeeping(tally, ledger)
        tell(tally, "theirs")
        kept = asyncio.create_task(keeping.keep())
        await asyncio.sleep(0)  # it has taken what was counted
        await keeping.forget("theirs")
        await kept
        ledger.is_away = False
        await keeping.keep()
        assert witnesses(ledger) == 0
