"""A gateway on loopback with the sinks it has in service, for tests and benches."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from slukh.assembly.parts import Parts
from slukh.cost.drain import MeterSink
from slukh.cost.ledger.store import Ledger
from slukh.cost.live import LiveCosts
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.spool import Spool
from slukh.monitoring.metrics import Metrics
from slukh.serving.call_log import CallLog
from slukh.serving.callbook import CallBook
from slukh.serving.gateway import Admission, Gateway
from slukh.session import Sink
from slukh.telephony.asterisk_websocket import AsteriskWebSocketCodec
from slukh.types import AttemptEnded, CallEnded, CallEvent, SpeechEnded, Transcript

ANYBODY = Admission(max_calls=100)

CallOutcome = tuple[str, tuple[str, ...]]  # how a call ended, and its finals


@dataclass(slots=True)
class Calls:
    """A sink that counts what became of calls, and keeps nothing of one that is over.

    Attributes:
        outcomes: calls that ended, by how and with which finals.
        attempts: Attempts, by their outcome.
        finals: of the calls that are on the line.
        utterances: that reached their endpoint.
        published: finals, salvaged ones included.
        salvaged: finals that no recogniser gave.
        news: set at every event.
    """

    outcomes: Counter[CallOutcome] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    finals: dict[str, list[str]] = field(default_factory=dict)
    utterances: int = 0
    published: int = 0
    salvaged: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def observe(self, event: CallEvent) -> None:
        """Count it."""
        match event.event:
            case SpeechEnded():
                self.utterances += 1
            case AttemptEnded(outcome=outcome):
                self.attempts[outcome] += 1
            case Transcript(is_final=True, text=text, is_salvage=is_salvage):
                self.finals.setdefault(event.call_id, []).append(text)
                self.published += 1
                self.salvaged += is_salvage
            case CallEnded(reason=reason):
                self.outcomes[reason, tuple(self.finals.pop(event.call_id, ()))] += 1
        self.news.set()

    async def until_over(self, count: int) -> None:
        """Wait until so many calls or legs have ended."""
        while self.outcomes.total() < count:
            self.news.clear()
            await self.news.wait()

    async def until(self, call_id: str, finals: int) -> None:
        """Wait until a call has so many finals, or has ended."""
        over = self.outcomes.total()
        while self.outcomes.total() == over and len(self.finals.get(call_id, ())) < finals:
            self.news.clear()
            await self.news.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopbackGateway:
    """A gateway that takes calls.

    Attributes:
        port: where its AudioSocket listens on loopback.
        book: its calls' records.
        metrics: what Prometheus would see.
        websocket_port: where it listens for chan_websocket.
    """

    port: int
    websocket_port: int
    book: CallBook
    metrics: Metrics

    def series(self) -> int:
        """Lines of samples on the page for Prometheus."""
        page, _ = self.metrics.render()
        return sum(not line.startswith(b"#") for line in page.splitlines())


@asynccontextmanager
async def loopback_gateway(
    parts: Parts,
    folder: Path,
    sinks: Sequence[Sink] = (),
    *,
    now: Callable[[], float] = time.monotonic,
    websocket_password: str | None = None,
    ports: tuple[int, int] = (0, 0),
    admission: Admission = ANYBODY,
) -> AsyncIterator[LoopbackGateway]:
    """A gateway with metrics, spool, ledger and call log, whose parts are started and closed with it.

    Args:
        parts: recogniser and detector.
        folder: of its spool and ledger; empty.
        sinks: who hears events as well.
        now: monotonic seconds of its call book.
        websocket_password: of chan_websocket, or None.
        ports: of AudioSocket and of chan_websocket; 0 takes a free one.
        admission: which calls are taken.
    """
    metrics = Metrics(providers=tuple(parts.providers))
    book = CallBook(transcript_seconds=15 * 60, now=now)
    with Ledger(f"sqlite:///{folder / 'ledger.db'}") as ledger, Spool(folder / "spool") as spool:
        meter = MeterSink(
            spool,
            ledger,
            costs=LiveCosts(PriceBook.load("market-2026-11"), max_calls=15),  # as many as the book
            on_error=metrics.usage_error,
            on_rows=metrics.spooled,
        )
        gateway = Gateway(
            parts,
            book,
            (metrics, CallLog(book), *sinks),
            admission,
            metrics.refused,
            costs_of=meter.costs_of,
        )
        meter.start()
        try:
            await parts.start()
            media, websocket = [
                await asyncio.start_server(handle, "127.0.0.1", port)
                for port, handle in zip(
                    ports,
                    (
                        gateway.handle,
                        lambda r, w: gateway.handle(
                            r, w, AsteriskWebSocketCodec(password=websocket_password)
                        ),
                    ),
                    strict=True,
                )
            ]
            try:
                yield LoopbackGateway(
                    port=media.sockets[0].getsockname()[1],
                    websocket_port=websocket.sockets[0].getsockname()[1],
                    book=book,
                    metrics=metrics,
                )
            finally:
                media.close()
                websocket.close()
                await gateway.drain(0)
        finally:
            await parts.aclose()
            meter.stop()
