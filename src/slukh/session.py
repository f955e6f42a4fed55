"""One call is one line through the house: line in, events out."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from slukh.routing.router import CallRouter
from slukh.speech.listener import Listener
from slukh.speech.segmenter import SegmentEvent
from slukh.stt.base import SttProvider
from slukh.telephony.clock import Heard
from slukh.telephony.line import Line
from slukh.types import AudioGap, CallEnded, CallEvent, CallSettled, CallStarted, Dtmf, Event

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """Whoever wants to know: metrics, the meter, the call's record, the log."""

    def observe(self, event: CallEvent) -> None:
        """Take an event. Never blocks, never raises."""


def _nothing(_event: CallEvent) -> tuple[Event, ...]:
    return ()


def publisher(
    call: CallStarted,
    sinks: Sequence[Sink],
    *,
    serving: Callable[[], SttProvider],
    assigned_arm: str,
    before: Callable[[CallEvent], Sequence[Event]] = _nothing,
) -> Callable[[Event], None]:
    """A function that stamps a call's events once and hands them to every sink.

    A sink that raises is logged and skipped: a call never ends because the meter or the metrics failed.

    Args:
        call: whose events.
        sinks: who hears them.
        serving: the provider that serves the call at that moment.
        assigned_arm: the one that the rollout chose.
        before: what is to be told ahead of an event, such as what it cost.
    """

    def publish(event: Event) -> None:
        provider = serving()
        stamped = CallEvent(
            call_id=call.call_id,
            leg=call.leg,
            provider=provider.name,
            model=provider.model,
            assigned_arm=assigned_arm,
            received_at=datetime.now(UTC),
            event=event,
        )
        try:
            ahead = before(stamped)
        except Exception:
            ahead = ()
            logger.exception("sink_failed", extra={"sink": "before"})
        for first in ahead:
            tell(replace(stamped, event=first))
        tell(stamped)

    def tell(stamped: CallEvent) -> None:
        for sink in sinks:
            try:
                sink.observe(stamped)
            except Exception:
                logger.exception("sink_failed", extra={"sink": type(sink).__name__})

    return publish


class Talker(Protocol):
    """Who answers the caller of one call, such as `slukh.talking.talk.Talk`."""

    def begin(self) -> None:
        """The caller is there."""

    def hear(self, event: SegmentEvent) -> None:
        """What endpointing found, the moment it did. Never blocks."""

    async def close(self) -> None:
        """The line is gone; everything that was said is published when this returns. Never raises."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing goes on behind the call that is still to say what it used."""

    async def settled(self) -> None:
        """Wait until that is so. Bounded."""


class _Nobody:
    """Callers are heard, and somebody else answers them (`Talker`)."""

    def begin(self) -> None:
        pass

    def hear(self, event: SegmentEvent) -> None:
        pass

    async def close(self) -> None:
        pass

    @property
    def is_settled(self) -> bool:
        return True

    async def settled(self) -> None:
        pass


NOBODY_TALKS: Talker = _Nobody()


async def run_call(line: Line, listener: Listener, router: CallRouter, talk: Talker = NOBODY_TALKS) -> bool:
    """Hear a call to its end; every utterance that began is published before this returns.

    That and `CallEnded` hold over a defect of ours and a cancellation too: a call that is not ended keeps its
    room at the recognisers. What is left of an utterance then is published at once.

    Args:
        line: the caller's.
        listener: of this leg.
        router: of this call.
        talk: who answers the caller.

    Returns: whether all is told of it; else `settle` waits for the rest.
    """
    call_id = router.call.call_id
    is_heard_out = False
    ended = CallEnded(position=0, reason="error")

    def hear(audio: Heard) -> None:
        for speech in listener.hear(audio.samples, audio.position):
            talk.hear(speech)
            router.hear(speech)

    router.begin()
    try:
        with _survived(call_id):
            talk.begin()
            async for event in line.events(hear):
                match event:
                    case CallEnded():
                        ended = event
                    case Dtmf() | AudioGap():
                        router.publish(event)
        with _survived(call_id):
            await talk.close()
        with _survived(call_id):
            for speech in listener.finish():
                router.hear(speech)
            is_heard_out = True
    finally:
        try:
            if not is_heard_out:  # an utterance without its endpoint would be waited for in vain
                router.abandon()
            await router.finish()
        finally:
            is_settled = talk.is_settled and router.is_settled
            router.publish(replace(ended, voiced=listener.voiced_samples, is_settled=is_settled))
    return is_settled


async def settle(router: CallRouter, talk: Talker = NOBODY_TALKS) -> None:
    """Wait for what goes on behind a call that has ended, and publish that nothing more of it comes."""
    await talk.settled()
    await router.settled()
    router.publish(CallSettled())


@contextlib.contextmanager
def _survived(call_id: str) -> Iterator[None]:
    """A defect of ours must not leave a call half booked, nor touch another."""
    try:
        yield
    except Exception:
        logger.exception("call_defect", extra={"call_id": call_id})
