"""From the events of calls to the ledger, by way of the spool, whatever the ledger's health.

    observe(event) -> Meter -> Spool          in the caller's thread, at once; and what it costs, for who asks
    Drain.drain_once: Spool -> Ledger         in a thread of its own, about once a second

A row leaves the spool only after the ledger has committed it. A crash between the two delivers it again, and
its key makes the second delivery a duplicate.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType

from slukh.cost.ledger.store import Ledger, Recorded
from slukh.cost.live import LiveCosts
from slukh.cost.meter import Meter, UsageStage
from slukh.cost.spool import Spool
from slukh.types import CallCost, CallEnded, CallEvent, CallSettled, Usage

logger = logging.getLogger(__name__)


class Drain:
    """Moves what is durable in the spool into the ledger."""

    def __init__(self, spool: Spool, ledger: Ledger) -> None:
        self._spool = spool
        self._ledger = ledger

    def drain_once(self) -> Recorded:
        """Move what waits.

        Raises:
            LedgerError: the ledger cannot be written now, or its file or spool folder is gone; nothing left
                the spool that the ledger does not hold.
            OSError: the spool cannot be read now.
        """
        self._spool.look()
        self._ledger.look()  # before a segment is sealed: what is still open survives its folder
        total = Recorded()
        for batch in self._spool.batches():
            total += self._ledger.record(batch.rows)
            self._spool.acknowledge(batch)
        return total


def _ignore_stage(_stage: UsageStage) -> None:
    return


def _ignore_rows(_rows: int) -> None:
    return


class MeterSink:
    """The sink that books every call; never blocks it, never raises into it.

    Args:
        spool: where rows become durable.
        ledger: where they end.
        costs: says what rows cost; None where nobody asks.
        payees: who is paid for a recogniser that is not paid by its own name.
        interval_seconds: pause between two drains.
        on_error: called with the stage of every error, from any thread.
        on_rows: called after every drain with the rows that still wait.
    """

    def __init__(
        self,
        spool: Spool,
        ledger: Ledger,
        *,
        costs: LiveCosts | None = None,
        payees: Mapping[str, str] = MappingProxyType({}),
        interval_seconds: float = 1.0,
        on_error: Callable[[UsageStage], None] = _ignore_stage,
        on_rows: Callable[[int], None] = _ignore_rows,
    ) -> None:
        self._meter = Meter(payees=payees)
        self._costs = costs
        self._spool = spool
        self._drain = Drain(spool, ledger)
        self._interval_seconds = interval_seconds
        self._on_error = on_error
        self._on_rows = on_rows
        self._ledger_error: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slukh-drain", daemon=True)

    @property
    def last_error(self) -> str | None:
        """Why usage cannot reach the disk or the ledger now; None when it can."""
        return self._spool.last_error or self._ledger_error

    @property
    def healthy(self) -> bool:
        """Whether the last write to the disk and to the ledger went well."""
        return self.last_error is None

    def observe(self, event: CallEvent) -> None:
        """Book what an event used. To be called from one thread."""
        self.costs_of(event)

    def costs_of(self, event: CallEvent) -> tuple[CallCost, ...]:
        """Book what an event used, in place of `observe`; what it costs."""
        try:
            rows = self._meter.rows(event)
            for row in rows:
                self._spool.append(row)
            usage = [row for row in rows if isinstance(row, Usage)]
            if self._costs is not None:
                match event.event:
                    case CallSettled():
                        return self._costs.settled(event.call_id, event.leg)
                    case CallEnded(is_settled=is_final):
                        return self._costs.add(usage, is_final=is_final)
                    case _ if usage:
                        return self._costs.add(usage)
        except Exception as error:  # noqa: BLE001  # a sink's fault must not end a call
            fault = {"error": type(error).__name__}  # not its text, which may hold a call's data
            logger.error("usage_not_metered", extra=fault)  # noqa: TRY400  # likewise
            self._on_error("meter")
        return ()

    def flush(self) -> bool:
        """Wait until what was booked so far is durable; False when the disk does not take it."""
        return self._spool.flush()

    def start(self) -> None:
        """Begin to drain in the background. Once."""
        self._thread.start()

    def stop(self, timeout_seconds: float = 5.0) -> bool:
        """Make everything durable, drain it, end the thread; False when rows remain in the spool.

        What remains is on disk, if the disk takes it, and is drained at the next start.
        """
        self._spool.flush(timeout_seconds)
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        return self._spool.waiting_rows == 0

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_seconds):
            self._attempt()
        while self._attempt():  # until nothing moves: an open segment waits for the older ones
            pass

    def _attempt(self) -> bool:
        """One drain; whether fewer rows wait than before."""
        waited = self._spool.waiting_rows
        try:
            recorded = self._drain.drain_once()
        except Exception as error:  # noqa: BLE001  # whatever it is, the next second tries again
            if self._ledger_error is None:
                fault = {"error": str(error)}  # a LedgerError's remedy is in it
                logger.error("usage_not_drained", extra=fault)  # noqa: TRY400  # one line until it is mended
            self._ledger_error = str(error)
            self._on_error("ledger")
            return False
        finally:
            self._on_rows(self._spool.waiting_rows)
        self._ledger_error = None
        if recorded.conflicts:
            remedy = "`slukh calls show` has them; give gateways that share a call legs of their own"
            logger.error("usage_conflicts", extra={"rows": recorded.conflicts, "remedy": remedy})
        for _ in range(recorded.conflicts):
            self._on_error("conflict")
        return self._spool.waiting_rows < waited
