"""Takes the calls of one process: who may come in, what each call gets, and how all of them are let go."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from slukh.assembly.parts import Parts
from slukh.errors import TelephonyError
from slukh.routing.choosing import Assignment
from slukh.routing.router import CallRouter
from slukh.serving.callbook import CallBook
from slukh.session import NOBODY_TALKS, Sink, publisher, run_call, settle
from slukh.talking.talk import Talk
from slukh.talking.thread import Thread
from slukh.telephony.audiosocket import AudioSocketCodec
from slukh.telephony.base import Codec
from slukh.telephony.identifying import identify
from slukh.telephony.line import Earpiece
from slukh.telephony.rounds import Rounds
from slukh.telephony.socket_line import SocketLine
from slukh.types import CallCost, CallEvent, CallStarted, Event, RecognisersDown

logger = logging.getLogger(__name__)

LAST_FINALS_SECONDS = 5.0

WhenDown = Literal["continue", "hangup"] | bytes
Talks = Callable[[CallStarted, Earpiece, Callable[[Event], None], Thread | None], Talk]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Which calls are taken.

    Attributes:
        max_calls: at a time.
        require_announced: refuse calls that nobody announced.
        when_down: what is done when every recogniser failed on something a caller said: nothing, hang up, or
            play linear 16-bit 8 kHz audio to the caller.
        when_over_budget: likewise when a call has spent its budget.
        is_spent: whether the day's budget is, so that new calls are refused.
    """

    max_calls: int
    require_announced: bool = False
    when_down: WhenDown = "continue"
    when_over_budget: WhenDown = "continue"
    is_spent: Callable[[], bool] = lambda: False


class Gateway:
    """Takes the calls of one process.

    Args:
        parts: what all calls share.
        book: the calls' records.
        sinks: who hears events, besides the book.
        admission: which calls are taken.
        refused: told the reason of every connection that was turned away or cut off.
        talks: makes the talk of a leg, which goes on with the thread of the one before; None where
            callers are heard and not answered.
        costs_of: books what an event used and says what it costs.
    """

    def __init__(
        self,
        parts: Parts,
        book: CallBook,
        sinks: Sequence[Sink],
        admission: Admission,
        refused: Callable[[str], None],
        *,
        talks: Talks | None = None,
        costs_of: Callable[[CallEvent], Sequence[CallCost]] = lambda _event: (),
    ) -> None:
        self._parts = parts
        self._book = book
        self._sinks = (book, *sinks)
        self._admission = admission
        self._refused = refused
        self._talks = talks
        self._costs_of = costs_of
        self._calls: dict[asyncio.Task[None], tuple[SocketLine, CallRouter]] = {}
        self._connections: set[asyncio.Task[None]] = set()
        self._behind: set[asyncio.Task[None]] = set()
        self._rounds = Rounds()
        self.is_draining = False

    def refuse_reason(self) -> Literal["draining", "full", "over_budget"] | None:
        """Why a new call would be refused now, or None."""
        if self.is_draining:
            return "draining"
        if self._admission.is_spent():
            return "over_budget"
        upstreams = self._parts.upstreams
        has_room = any(upstreams.has_room(name) for name in upstreams.providers)
        return "full" if self._book.live >= self._admission.max_calls or not has_room else None

    async def handle(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, codec: Codec | None = None
    ) -> None:
        """One connection, from its first byte to its last; AudioSocket unless a codec says otherwise."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        codec = codec or AudioSocketCodec()
        try:
            call_id, early = await identify(reader, writer, codec)
            call = self._admit(call_id)
            assignment = self._assign(call)
        except TelephonyError as refusal:
            self._turn_away(refusal, "connection_refused")
            writer.write(codec.encode_refusal(refusal.reason))
            writer.close()
            return
        record = self._book.attach(call)
        if record.assignment is not None:  # it was here before
            record.clock.attach(record.clock.due(now := task.get_loop().time()), now)
        record.assignment = assignment
        line = SocketLine(reader, writer, codec, early=early, clock=record.clock, rounds=self._rounds)
        listener = self._parts.listener(record.next_utterance_id)
        router, talk = self._router(call, assignment, line, record.thread)
        record.thread = None if talk is None else talk.thread
        self._calls[task] = (line, router)
        try:
            is_settled = await run_call(line, listener, router, talk or NOBODY_TALKS)
            if not is_settled:
                self._go_on_with(settle(router, talk or NOBODY_TALKS))
            if line.failure is not None:
                self._turn_away(line.failure, "connection_cut_off", call_id=call_id)
        finally:
            record.next_utterance_id = listener.next_utterance_id
            del self._calls[task]

    def _turn_away(self, error: TelephonyError, event: str, **fields: str) -> None:
        """A connection ends because of what its peer did, or because there is no room for it: say why."""
        self._refused(error.reason)
        logger.warning(event, extra={"reason": error.reason, "detail": error.detail, **fields})

    async def drain(self, seconds: float, hurry: asyncio.Event | None = None) -> None:
        """Take no new calls, let the running ones end; then give those that are left back to the dial plan.

        Args:
            seconds: how long calls may take to end.
            hurry: when it is set, they are given back at once.
        """
        self.is_draining = True
        if self._calls:
            logger.info("draining", extra={"calls": len(self._calls)})
            hurrying = asyncio.create_task((hurry or asyncio.Event()).wait())
            ending = asyncio.create_task(asyncio.wait(set(self._calls)))
            await asyncio.wait({hurrying, ending}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            hurrying.cancel()
            ending.cancel()
        for line, _ in tuple(self._calls.values()):
            await line.hang_up("drained")
        if self._calls:
            await asyncio.wait(set(self._calls), timeout=LAST_FINALS_SECONDS)
        for _, router in tuple(self._calls.values()):
            router.abandon()
        if self._connections:
            await asyncio.wait(set(self._connections), timeout=LAST_FINALS_SECONDS)

    def _router(
        self, call: CallStarted, assignment: Assignment, line: SocketLine, thread: Thread | None
    ) -> tuple[CallRouter, Talk | None]:
        """The router of a call, whose events are stamped with who serves it at that moment, and its talk."""
        when_down = self._admission.when_down

        def publish(event: Event) -> None:
            stamp(event)
            if talk is not None:
                talk.observe(event)
            # Who talks plays a recording in its turn: here it would be spoken over.
            if isinstance(event, RecognisersDown) and (talk is None or when_down == "hangup"):
                self._respond(when_down, line)

        def costs_of(event: CallEvent) -> Sequence[CallCost]:
            costs = self._costs_of(event)
            if any(cost.over_budget == "call" for cost in costs):
                self._respond(self._admission.when_over_budget, line)
            return costs

        stamp = publisher(
            call,
            self._sinks,
            serving=lambda: router.provider,
            assigned_arm=assignment.arm,
            before=costs_of,
        )
        router = self._parts.router(call, publish, assignment=assignment)
        talk = None if self._talks is None else self._talks(call, line, publish, thread)
        if talk is not None and isinstance(when_down, bytes):
            talk.unheard = when_down
        return router, talk

    def _respond(self, how: WhenDown, line: SocketLine) -> None:
        """Nobody heard the caller, or the call has spent its budget: do what was asked for that."""
        if how == "hangup":
            response = line.hang_up("gateway")
        elif isinstance(how, bytes):
            response = line.send_audio(how)
        else:
            return
        self._go_on_with(response)

    def _go_on_with(self, work: Coroutine[Any, Any, None]) -> None:
        """What nobody waits for, and comes to an end by itself."""
        task = asyncio.create_task(work)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    def _assign(self, call: CallStarted) -> Assignment:
        """Who hears a call; its further legs keep their arm. Raises TelephonyError when all are full."""
        record = self._book.get(call.call_id)
        known = None if record is None else record.assignment
        assignment = known or self._parts.assign(call)
        chain = self._parts.upstreams.with_room(assignment.chain)
        if not chain:
            raise TelephonyError("full", "every recogniser is full")
        return replace(assignment, chain=chain)

    def _admit(self, call_id: str) -> CallStarted:
        """The call of a connection that may come in. Raises TelephonyError."""
        record = self._book.get(call_id)
        if record is not None and record.state == "live":
            raise TelephonyError("duplicate", "a second connection for a call that is on the line")
        if (reason := self.refuse_reason()) is not None:
            raise TelephonyError(reason, "no new calls now")
        if record is None:
            if self._admission.require_announced:
                raise TelephonyError("unannounced", "no POST /v1/calls came before its audio")
            parts = self._parts
            return CallStarted(
                call_id=call_id,
                language_code=parts.language_code,
                alternative_language_codes=parts.alternative_language_codes,
                announced=False,
            )
        if record.state == "announced":
            return record.call
        if not self._book.can_reattach(record):
            raise TelephonyError("duplicate", "the call of this UUID is over")
        return replace(record.call, leg=record.call.leg + 1)
