"""One line of log for every leg that ends, every Attempt that fails, and all that nobody heard."""

import logging

from slukh.serving.callbook import CallBook
from slukh.types import AttemptEnded, CallEnded, CallEvent, RecognisersDown

logger = logging.getLogger(__name__)


class CallLog:
    """One line when a leg ends tells the whole call (a sink). No text, no number of the caller's."""

    def __init__(self, book: CallBook) -> None:
        self._book = book

    def observe(self, event: CallEvent) -> None:
        """Log the end of a leg, an Attempt that failed, an utterance on which all of them did."""
        match event.event:
            case CallEnded(reason=reason):
                record = self._book.get(event.call_id)
                fields = {} if record is None else record.detail()["usage"]
                logger.info(
                    "call_ended",
                    extra={"call_id": event.call_id, "leg": event.leg, "reason": reason, "usage": fields,
                           "provider": event.provider},
                )  # fmt: skip
            case AttemptEnded(error=str(error)) as ended:
                logger.warning(
                    "attempt_failed",
                    extra={"call_id": event.call_id, "provider": ended.provider, "attempt": ended.attempt,
                           "purpose": ended.purpose, "outcome": ended.outcome, "error": error,
                           "remedy": ended.remedy},
                )  # fmt: skip
            case RecognisersDown(utterance_id=utterance_id):
                logger.error(
                    "recognisers_down",
                    extra={"call_id": event.call_id, "leg": event.leg, "utterance_id": utterance_id},
                )
