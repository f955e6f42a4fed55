"""What a call's talk has come to: whoever comes back after a break is not greeted anew."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from slukh.dialog.base import Conversation, Dialog
from slukh.talking.answer import Answer
from slukh.talking.turns import Turns
from slukh.types import CallStarted, Event, ModelAnswered


@dataclass(slots=True)
class Reporter:
    """Where a call's events go. What a model used for an answer waits until it is known what was heard of it.

    Attributes:
        publish: of the leg that is on the line.
    """

    publish: Callable[[Event], None] = lambda _event: None
    _answered: list[ModelAnswered] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Publish it, or keep it until the answer that it wrote is over."""
        match event:
            case ModelAnswered(spoken_tokens=spoken, unheard_tokens=0) if spoken:
                self._answered.append(event)
            case _:
                self.publish(event)

    def answer_over(self, heard_characters: int | None) -> None:
        """Publish what was kept.

        Args:
            heard_characters: of the answer, that the caller heard; None: all of it. Of all that was written
                for it so many were not for nothing, whichever request wrote them.
        """
        answered, self._answered = self._answered, []
        written = sum(event.spoken_characters for event in answered)
        heard = written if heard_characters is None else min(heard_characters, written)
        for event in answered:
            unheard = event.spoken_tokens * (written - heard) // written if written else 0
            self.publish(replace(event, unheard_tokens=unheard))


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
