"""A desk for the tests of Claude: its dialogue, a call of it, and a local API that answers as it is told."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from slukh.dialog.base import CallerSaid, CallerTurn, Say, Step
from slukh.dialog.claude import ClaudeConversation, ClaudeDialog, ClaudeRules
from slukh.dialog.tools import tool_from
from slukh.testing.anthropic_server import KEY, Answer, AnthropicServer
from slukh.types import CallStarted, ModelAnswered, ModelUnanswered

CALL = CallStarted(call_id="c", language_code="uk-UA")
MODEL = "claude-haiku-4-5"


def order_status(number: str) -> str:
    """The state of an order, by its number."""
    return f"{number}: ready"


def broken(number: int = 1) -> str:
    """Raises."""
    raise ZeroDivisionError(number)


def impatient() -> str:
    """Waits for somebody for less than we wait for it."""
    raise TimeoutError


async def slow() -> str:
    """Takes for ever."""
    await asyncio.Event().wait()
    return "never"


def hangs() -> str:
    """Blocks its thread for ever."""
    threading.Event().wait()
    return "never"


@dataclass
class Told:
    """What a call was told of its requests."""

    used: list[ModelAnswered] = field(default_factory=list)
    unanswered: list[ModelUnanswered] = field(default_factory=list)

    def __call__(self, event: ModelAnswered | ModelUnanswered) -> None:
        match event:
            case ModelAnswered():
                self.used.append(event)
            case ModelUnanswered():
                self.unanswered.append(event)


@dataclass
class Desk:
    dialog: ClaudeDialog
    talk: ClaudeConversation
    server: AnthropicServer
    used: list[ModelAnswered] = field(default_factory=list)
    unanswered: list[ModelUnanswered] = field(default_factory=list)

    async def says(self, turn: CallerTurn | str) -> list[Step]:
        said = CallerSaid(text=turn, language_code="uk-UA") if isinstance(turn, str) else turn
        return [step async for step in self.talk.answer(said)]

    async def summed_up(self) -> None:
        """Wait for the summary that is being made, if there is one."""
        if self.talk.summing_up is not None:
            await self.talk.summing_up


@asynccontextmanager
async def desk(*answers: Answer, least: int = 0, **rules: Any) -> AsyncIterator[Desk]:
    async with AnthropicServer(answers, least_cached_tokens=least) as server:
        own = {"first_seconds": 2.0, "tool_seconds": 10.0, "retries": 0} | rules
        tools = [tool_from(function) for function in (order_status, broken, impatient, slow, hangs)]
        dialog = ClaudeDialog(ClaudeRules(model=MODEL, **own), tools, api_key=KEY, base_url=server.url)
        told = Told()
        own_desk = Desk(dialog, dialog.converse(CALL, told), server, told.used, told.unanswered)
        assert [step async for step in own_desk.talk.greet()]
        yield own_desk
        await dialog.aclose()


def words(steps: Sequence[Step]) -> list[str]:
    return [step.text for step in steps if isinstance(step, Say)]
