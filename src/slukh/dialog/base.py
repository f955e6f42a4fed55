"""The contract of who answers: one Protocol for a script and for Claude.

A dialogue is long-lived and shared by all calls; a conversation is one call's:

    conversation = dialog.converse(call)
    async for step in conversation.greet(): ...
    async for step in conversation.answer(CallerSaid(text="...", language_code="uk-UA")): ...

Steps come as soon as they are known, a sentence at a time where there is a model behind it. Whoever reads
them speaks; when the caller interrupts, it leaves the iteration and says what was heard by `interrupted`. A
failure raises a `DialogError`.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from slukh.tts.base import SpeechRequest
from slukh.types import CallStarted, ModelAnswered, ModelUnanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSaid:
    """What the caller said; never empty.

    Attributes:
        text: of one utterance, or of several that belong together.
        language_code: BCP-47, of what was said.
    """

    text: str
    language_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerPressed:
    """A key; several in a row come one by one."""

    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSilent:
    """The caller has said nothing since our last words.

    Attributes:
        times: 1 at first, 2 when our question about it was not answered either.
    """

    times: int


CallerTurn = CallerSaid | CallerPressed | CallerSilent


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Words for the caller: a sentence, or several."""

    text: str
    language_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Give the line back to the dial plan, once everything is said.

    Attributes:
        reason: `handover`: to a person; `goodbye`: the call is over.
    """

    reason: Literal["handover", "goodbye"]


Step = Say | Leave
Used = Callable[[ModelAnswered | ModelUnanswered], None]


class Conversation(Protocol):
    """One call's."""

    def greet(self) -> AsyncGenerator[Step, None]:
        """What is said first. Raises DialogError while it is read."""

    def answer(self, turn: CallerTurn) -> AsyncGenerator[Step, None]:
        """What is said to this. Raises DialogError while it is read."""

    def interrupted(self, heard: str) -> None:
        """The last answer was cut off; these of its words were heard, perhaps none.

        After none the next turn holds again what that answer was to, with what the caller added. A tool that
        was started for it is not stopped.
        """

    def close(self) -> None:
        """The line is gone: what goes on behind the answers ends. A further leg may go on after that."""

    @property
    def is_settled(self) -> bool:
        """Whether every request to a model has told what it used; always, where none is asked."""

    async def settled(self) -> None:
        """Wait until that is so. Bounded."""


class Dialog(Protocol):
    """Shared by all calls.

    Attributes:
        name: for logs and settings.
    """

    name: str

    @property
    def templates(self) -> Sequence[str]:
        """Sentences with holes, for the phrase cache."""

    async def start(self) -> None:
        """Make ready. Raises DialogError or SettingsError when it cannot serve."""

    def phrases(self) -> list[SpeechRequest]:
        """What it is certain to say, to be had ready before anybody calls."""

    def converse(self, call: CallStarted, used: Used, /) -> Conversation:
        """The conversation of a call; `used` is told of every request to a model, whatever became of it."""

    async def aclose(self) -> None:
        """Give everything back. Idempotent."""
