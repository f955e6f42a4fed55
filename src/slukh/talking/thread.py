"""What a call's talk has come to: whoever comes back after a break is not greeted anew."""

from collections.abc import Callable
from dataclasses import dataclass, field

from slukh.dialog.base import Conversation, Dialog
from slukh.talking.answer import Answer
from slukh.talking.turns import Turns
from slukh.types import CallStarted, Event


@dataclass(slots=True)
class Reporter:
    """Where a call's events go.

    Attributes:
        publish: of the leg that is on the line.
    """

    publish: Callable[[Event], None] = lambda _event: None

    def __call__(self, event: Event) -> None:
        """Publish it."""
        self.publish(event)


@dataclass(slots=True, kw_only=True)
class Thread:
    """One call's, over all its legs. It holds what was said, and is forgotten with the call's record.

    Attributes:
        conversation: who answers.
        turns: whose turn it is.
        began: when the first leg did, loop time.
        language_code: that the caller speaks.
        report: told of every event.
        has_begun: the caller was greeted, or that was tried.
        last: what the dialogue said last, but for asking whether anybody is there.
        cut: an answer that was interrupted, until it is clear by what.
        failures: of the dialogue, in a row.
        is_over: nobody goes on with it.
    """

    conversation: Conversation
    turns: Turns
    began: float
    language_code: str
    report: Reporter = field(default_factory=Reporter)
    has_begun: bool = False
    last: Answer | None = None
    cut: Answer | None = None
    failures: int = 0
    is_over: bool = False


def new_thread(
    call: CallStarted, dialog: Dialog, *, silence_seconds: float, hearing_seconds: float, now: float
) -> Thread:
    """The thread of a call that begins.

    Args:
        call: its first leg.
        dialog: who answers.
        silence_seconds: see `Turns`.
        hearing_seconds: likewise.
        now: loop time.
    """
    report = Reporter()
    return Thread(
        conversation=dialog.converse(call, report),
        turns=Turns(silence_seconds=silence_seconds, hearing_seconds=hearing_seconds, now=now),
        began=now,
        language_code=call.language_code,
        report=report,
    )
