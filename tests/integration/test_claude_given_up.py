"""Requests to Claude, and tools, that nobody waits for any more: what one used is told, the other is done."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from slukh.dialog.base import CallerSaid, Step
from slukh.dialog.claude import ClaudeConversation, ClaudeDialog, ClaudeRules
from slukh.dialog.tools import Tool, tool_from
from slukh.errors import DialogError
from slukh.testing.anthropic_server import KEY, Answer, AnthropicServer, Calls, Refuses, Speaks
from slukh.testing.fault_proxy import FaultProxy, Wire
from slukh.types import CallStarted, ModelAnswered, ModelUnanswered

CALL = CallStarted(call_id="c", language_code="uk-UA")
MODEL = "claude-haiku-4-5"
TYRES = CallerSaid(text="шини", language_code="uk-UA")


@dataclass
class Call:
    dialog: ClaudeDialog
    talk: ClaudeConversation
    server: AnthropicServer
    network: FaultProxy
    told: list[ModelAnswered | ModelUnanswered]
    steps: list[Step] = field(default_factory=list)

    async def listen(self) -> None:
        async with aclosing(self.talk.answer(TYRES)) as answer:
            async for step in answer:
                self.steps.append(step)

    async def given_up_after(self, seconds: float) -> None:
        """The caller interrupts, or hangs up."""
        listening = asyncio.create_task(self.listen())
        await asyncio.wait({listening}, timeout=seconds)
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening

    def sent(self, number: int) -> list[dict[str, Any]]:
        """The messages of a request."""
        messages: list[dict[str, Any]] = self.server.requests[number]["messages"]
        return messages


@asynccontextmanager
async def call(*answers: Answer, tools: Sequence[Tool] = (), **rules: Any) -> AsyncIterator[Call]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(AnthropicServer(answers))
        network = await stack.enter_async_context(FaultProxy(int(server.url.rpartition(":")[2])))
        own = ClaudeRules(model=MODEL, **{"first_seconds": 5.0, "retries": 0} | rules)
        dialog = ClaudeDialog(own, tools, api_key=KEY, base_url=f"http://127.0.0.1:{network.port}")
        told: list[ModelAnswered | ModelUnanswered] = []
        talk = dialog.converse(CALL, told.append)
        async for _ in talk.greet():
            pass
        yield Call(dialog, talk, server, network, told)
        await dialog.aclose()


async def test_a_request_given_up_before_its_first_event_is_read_on_until_it_has_said_what_it_used() -> None:
    async with call(Speaks("Перше. Друге.", after_seconds=0.3, hangs_after=1)) as own:
        await own.given_up_after(0.1)
        assert own.told == []
        await own.dialog.settled()
        (used,) = own.told
        assert isinstance(used, ModelAnswered)
        assert used.outcome == "aborted"
        assert used.cache_write_tokens == own.server.usages[0]["cache_creation_input_tokens"]
        assert used.unheard_tokens == used.spoken_tokens  # nobody listened
        await asyncio.wait_for(own.server.left.wait(), 5)  # no token more is made


async def test_a_request_that_says_nothing_in_the_time_for_that_is_told_as_one_without_figures() -> None:
    async with call(Speaks("Так.", after_seconds=60), figures_seconds=0.1) as own:
        await own.given_up_after(0.1)
        await own.dialog.settled()
        assert own.told == [ModelUnanswered(request=1, provider="anthropic", model=MODEL)]
        await asyncio.wait_for(own.server.left.wait(), 5)


async def test_a_request_that_came_too_late_is_asked_once_and_told() -> None:
    slow = Speaks("Так.", after_seconds=0.4)
    async with call(slow, first_seconds=0.1, retries=2) as own:
        with pytest.raises(DialogError, match="no answer in time"):
            await own.listen()
        await own.dialog.settled()
        assert len(own.server.requests) == 1
        assert [type(event) for event in own.told] == [ModelAnswered]


async def test_every_attempt_that_was_lost_on_the_way_is_told() -> None:
    async with call(Speaks("Так."), retries=1) as own:
        own.network.down = Wire(limit_bytes=0, at_limit="reset")  # it arrives, and its answer does not
        with pytest.raises(DialogError):
            await own.listen()
        assert len(own.server.requests) == 2
        assert own.told == [
            ModelUnanswered(request=number, provider="anthropic", model=MODEL) for number in (1, 2)
        ]


async def test_words_are_told_from_the_arguments_of_tools() -> None:
    async with call(Calls("end_call", {"reason": "x" * 60}, "Бувайте, дякую. " * 4)) as own:
        await own.listen()
        (used,) = own.told
        assert isinstance(used, ModelAnswered)
        assert used.spoken_characters == len("Бувайте, дякую. " * 4)
        assert 0 < used.spoken_tokens < used.output_tokens


async def test_what_was_refused_or_never_sent_used_nothing() -> None:
    async with call(Refuses(529), retries=1) as own:
        with pytest.raises(DialogError):
            await own.listen()
        await own.network.refuse()
        with pytest.raises(DialogError, match="cannot be reached"):
            await own.listen()
        assert own.told == []


async def test_an_answer_that_had_come_whole_when_it_was_given_up_has_the_last_figure() -> None:
    text = " ".join(f"Речення номер {number}." for number in range(40))
    async with call(Speaks(text)) as own:
        answer = own.talk.answer(TYRES)
        await anext(answer)
        await asyncio.sleep(0.2)  # it comes meanwhile, and nobody reads it
        await answer.aclose()
        (used,) = own.told
        assert isinstance(used, ModelAnswered)
        assert (used.outcome, used.output_tokens) == ("ok", 20 + len(text) // 4)


async def test_a_summary_that_ends_with_the_call_is_paid_for() -> None:
    answers = [*[Speaks("Так.")] * 5, Speaks("Коротко.", after_seconds=0.3)]
    async with call(*answers, longest_history=0) as own:
        for _ in range(5):
            await own.listen()
        await asyncio.sleep(0.1)
        own.talk.close()
        assert len(own.told) == 5
        await own.dialog.settled()
        assert len(own.told) == 6
        assert [isinstance(event, ModelAnswered) and event.spoken_tokens > 0 for event in own.told] == [
            *[True] * 5,
            False,
        ]  # a summary is for nobody's ears


@dataclass
class Orders:
    """A tool with a side effect, which takes its time."""

    placed: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    def tool(self) -> Tool:
        async def place_order(size: str) -> str:
            """Order tyres."""
            self.begun.set()
            await self.may_end.wait()
            self.placed += 1
            return f"{size}: order {self.placed}"

        return tool_from(place_order)


async def test_a_tool_that_runs_when_the_caller_interrupts_is_done_once_and_the_model_is_told() -> None:
    orders, asks = Orders(), Calls("place_order", {"size": "205/55 R16"}, "Замовляю. ")
    async with call(asks, Speaks("Замовлено."), tools=[orders.tool()]) as own:
        listening = asyncio.create_task(own.listen())
        await orders.begun.wait()
        listening.cancel()
        await asyncio.wait({listening})
        own.talk.interrupted("")
        again = asyncio.create_task(own.listen())
        await asyncio.sleep(0)
        assert len(own.server.requests) == 1  # it waits for what the tool says
        orders.may_end.set()
        await again
        *_, asked, told, said, caller = own.sent(1)
        assert [block["type"] for block in asked["content"]] == ["text", "tool_use"]
        assert [(b["content"], b["is_error"]) for b in told["content"]] == [("205/55 R16: order 1", False)]
        assert said["content"][0]["text"] == "[interrupted before a word was heard]"
        assert caller["content"][0]["text"] == "шини"
        assert orders.placed == 1


async def test_a_tool_that_runs_when_the_line_goes_is_done() -> None:
    orders = Orders()
    async with call(Calls("place_order", {"size": "205/55 R16"}), tools=[orders.tool()]) as own:
        listening = asyncio.create_task(own.listen())
        await orders.begun.wait()
        listening.cancel()
        await asyncio.wait({listening})
        own.talk.close()
        orders.may_end.set()
        await own.dialog.aclose()
        assert orders.placed == 1
