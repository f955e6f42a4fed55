"""What a tally of phrases counted, into the ledger now and then; nothing of callers forgotten before."""

import asyncio
from datetime import UTC, datetime

from slukh.cost.drain import MeterSink
from slukh.cost.ledger.phrases import record_phrases
from slukh.cost.ledger.store import Ledger
from slukh.cost.phrase_tally import PhraseTally, Tallied
from slukh.errors import LedgerError

_KEEP_SECONDS = 30.0


class PhraseKeeping:
    """A tally on its way into the ledger."""

    def __init__(self, tally: PhraseTally, ledger: Ledger) -> None:
        self._tally = tally
        self._ledger = ledger
        self._keeping = asyncio.Lock()  # while what was taken is neither in the ledger nor given back

    async def run(self) -> None:
        """Keep what was counted, until cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(_KEEP_SECONDS)
                await self.keep()
        finally:
            self._record(self._tally.take())

    async def keep(self) -> None:
        """Add what was counted to the ledger; while that is away, it is counted with what comes."""
        async with self._keeping:
            tallied = self._tally.take()
            if not await asyncio.to_thread(self._record, tallied):
                self._tally.give_back(tallied)

    async def forget(self, caller: str) -> None:
        """After this nothing tells the ledger that a caller, by hash, heard anything before."""
        async with self._keeping:
            self._tally.forget(caller)

    def _record(self, tallied: Tallied) -> bool:
        try:
            record_phrases(self._ledger, tallied, now=datetime.now(UTC))
        except LedgerError:  # the drain says when the ledger is away; a tally is no bill
            return False
        return True


async def let_go(meter: MeterSink, phrases: PhraseKeeping | None, caller: str | None) -> str | None:
    """See that nothing in this process's memory names a caller to the ledger once they are forgotten.

    Args:
        meter: what it booked is on disk afterwards, and a second later in the ledger.
        phrases: told to nobody afterwards, as far as the caller heard them.
        caller: by hash; None when only a call is to be forgotten.

    Returns: why usage stays out of the ledger for now, and nothing is to be forgotten; else None.
    """
    is_durable = await asyncio.to_thread(meter.flush)
    reason = meter.last_error or (None if is_durable else "the disk is slow")
    if reason is None and phrases is not None and caller is not None:
        await phrases.forget(caller)
    return reason
