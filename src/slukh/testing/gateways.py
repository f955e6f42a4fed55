"""A gateway on loopback with the sinks it has in service, for tests and benches."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from slukh.assembly import Parts
from slukh.callbook import CallBook
from slukh.cost.drain import MeterSink
from slukh.cost.ledger import Ledger
from slukh.cost.spool import Spool
from slukh.gateway import Admission, Gateway
from slukh.monitoring.metrics import Metrics
from slukh.server import CallLog
from slukh.session import Sink


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopbackGateway:
    """A gateway that takes calls.

    Attributes:
        port: where its AudioSocket listens on loopback.
        book: its calls' records.
        metrics: what Prometheus would see.
    """

    port: int
    book: CallBook
    metrics: Metrics

    def series(self) -> int:
        """Lines of samples on the page for Prometheus."""
        page, _ = self.metrics.render()
        return sum(not line.startswith(b"#") for line in page.splitlines())


@asynccontextmanager
async def loopback_gateway(
    parts: Parts, folder: Path, sinks: Sequence[Sink] = (), *, now: Callable[[], float] = time.monotonic
) -> AsyncIterator[LoopbackGateway]:
    """A gateway with metrics, spool, ledger and call log, whose parts are started and closed with it.

    Args:
        parts: recogniser and detector.
        folder: of its spool and ledger; empty.
        sinks: who hears events as well.
        now: monotonic seconds of its call book.
    """
    metrics = Metrics(providers=tuple(parts.providers))
    book = CallBook(transcript_seconds=15 * 60, now=now)
    with Ledger(f"sqlite:///{folder / 'ledger.db'}") as ledger, Spool(folder / "spool") as spool:
        meter = MeterSink(spool, ledger, on_error=metrics.usage_error, on_rows=metrics.spooled)
        gateway = Gateway(
            parts, book, (metrics, meter, CallLog(book), *sinks), Admission(max_calls=100), metrics.refused
        )
        meter.start()
        try:
            await parts.start()
            server = await asyncio.start_server(gateway.handle, "127.0.0.1", 0)
            yield LoopbackGateway(port=server.sockets[0].getsockname()[1], book=book, metrics=metrics)
            server.close()
            await gateway.drain(0)
        finally:
            await parts.aclose()
            meter.stop()
