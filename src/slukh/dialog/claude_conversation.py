"""One call's talk with Claude: streamed, a sentence at a time, its tools called in between.

What is paid for once is read from the cache after that (`history.py`). What a request used comes from the
API's own figures, also when the caller interrupts (`claude_request.py`). A long call is told in short behind
the answers, so that no answer waits for it and no caller interrupts it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Final

from slukh.dialog.base import CallerPressed, CallerSaid, CallerSilent, CallerTurn, Leave, Say, Step, Used
from slukh.dialog.claude_client import LEAVING, ClaudeClient
from slukh.dialog.claude_lines import GOODBYES, GREETINGS, STILL_THERE
from slukh.dialog.claude_request import Account, ClaudeRequest
from slukh.dialog.history import History, tool_result
from slukh.dialog.tools import ToolResult
from slukh.errors import DialogError
from slukh.tts.phrases import SentenceCutter
from slukh.types import CallStarted

logger = logging.getLogger(__name__)

_ROUNDS: Final = 5  # requests for one answer; each round of tools is one more
_PATIENCE: Final = 2


class ClaudeConversation:
    """One call's (`Conversation`).

    Attributes:
        history: what it is sent of the call.
        summing_up: the last time that older turns were told in short, perhaps still going on.
    """

    def __init__(self, client: ClaudeClient, call: CallStarted, used: Used) -> None:
        self._client = client
        self._call_id = call.call_id
        self._language = call.language_code
        self._account = Account(
            used=used,
            model=client.rules.model,
            event_seconds=client.rules.first_seconds,
            figures_seconds=client.rules.figures_seconds,
            behind=self._behind,
        )
        self._unsettled: set[asyncio.Task[None]] = set()  # requests that nobody waits for
        self._is_in_history = True  # the last answer
        self._tools: set[asyncio.Task[None]] = set()  # that run now
        self.history = History()
        self.summing_up: asyncio.Task[None] | None = None

    async def greet(self) -> AsyncGenerator[Step, None]:
        """A greeting that needs no model."""
        text = self._line(GREETINGS)
        self.history.caller(f"[A caller is on the line, whose language is probably {self._language}.]")
        self.history.answered([{"type": "text", "text": text}])
        yield self._say(text)

    async def answer(self, turn: CallerTurn) -> AsyncGenerator[Step, None]:
        """What Claude says to this. Raises DialogError."""
        match turn:
            case CallerSilent(times=times) if times > _PATIENCE:
                self._is_in_history = False
                yield self._say(self._line(GOODBYES))
                yield Leave(reason="goodbye")
            case CallerSilent():
                self._is_in_history = False
                yield self._say(self._line(STILL_THERE))
            case CallerPressed(digit="0"):
                yield Leave(reason="handover")
            case CallerPressed():
                pass  # a key may be of a card's PIN: no model is told
            case CallerSaid(text=text, language_code=code):
                self._language = code
                self._is_in_history = True
                self.history.caller(text)
                async with aclosing(self._talk()) as steps:
                    async for step in steps:
                        yield step
                self._shorten()

    def interrupted(self, heard: str) -> None:
        """The model is told what the caller heard; it never knew of our asking whether they are there."""
        if self._is_in_history:
            self.history.interrupted(heard)

    def close(self) -> None:
        """A summary that is still being made is given up."""
        if self.summing_up is not None:
            self.summing_up.cancel()

    @property
    def is_settled(self) -> bool:
        """Whether every request has told what it used."""
        return not self._unsettled

    async def settled(self) -> None:
        """Wait until that is so: seconds, as `ClaudeRules` has them."""
        while self._unsettled:
            await asyncio.wait(set(self._unsettled))

    def _behind(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """What goes on behind the call and has still to tell what it used."""
        task = self._client.behind(work)
        self._unsettled.add(task)
        task.add_done_callback(self._unsettled.discard)
        return task

    async def _talk(self) -> AsyncGenerator[Step, None]:
        """Requests until one of them asks for no tool."""
        has_spoken = False
        await self._done_with_tools()  # of an answer that was cut off
        for _ in range(_ROUNDS):
            request = ClaudeRequest(partial(self._client.ask, self.history.marked()), self._account)
            async with aclosing(self._sentences(request)) as sentences:
                async for sentence in sentences:
                    has_spoken = True
                    yield self._say(sentence)
            blocks = request.answer.whole_blocks()
            self.history.answered(blocks)
            wanted = [block for block in blocks if block["type"] == "tool_use"]
            if not wanted:
                if not has_spoken:
                    raise DialogError(
                        "claude", "an answer without words", error_type="protocol", is_permanent=False
                    )
                return
            self._begin(wanted)
            await self._done_with_tools()
            for block in wanted:
                if block["name"] in LEAVING:
                    yield Leave(reason=LEAVING[block["name"]][0])
                    return
        raise DialogError(
            "claude", f"no answer after {_ROUNDS} rounds of tools", error_type="protocol", is_permanent=False
        )

    async def _sentences(self, request: ClaudeRequest) -> AsyncGenerator[str, None]:
        """One request's text, a sentence at a time."""
        cutter = SentenceCutter()
        async with aclosing(request.texts()) as texts:
            async for text in texts:
                for sentence in cutter.push(text):
                    yield sentence
        for sentence in cutter.finish():
            yield sentence

    def _begin(self, wanted: Sequence[dict[str, Any]]) -> None:
        """Start tools. They run to their end or their time-out, whoever interrupts: half an order is worse.

        Their results stand in the history from the start on, so that an answer that is cut off meanwhile has
        done something, and the model does not have it done again.
        """
        results = [tool_result(block["id"]) for block in wanted]
        self.history.tool_results(results)
        for block, result in zip(wanted, results, strict=True):
            task = self._client.behind(self._run(block, result))
            self._tools.add(task)
            task.add_done_callback(self._tools.discard)

    async def _done_with_tools(self) -> None:
        if self._tools:
            await asyncio.wait(set(self._tools))

    async def _run(self, block: dict[str, Any], told: dict[str, Any]) -> None:
        """Run a tool, and write into the history what came of it."""
        tool = self._client.tools.get(block["name"])
        if block["name"] in LEAVING:
            result = ToolResult(text="done")
        elif tool is None:
            result = ToolResult(text=f"there is no tool {block['name']}", is_error=True)
        else:
            result = await tool.run(block["input"], timeout_seconds=self._client.rules.tool_seconds)
        if result.is_error:
            logger.warning(
                "tool_failed", extra={"call_id": self._call_id, "tool": block["name"], "error": result.text}
            )
        told |= {"content": result.text, "is_error": result.is_error}

    def _shorten(self) -> None:
        """Begin to tell the older turns in short, one time at a time."""
        if self.history.characters < self._client.rules.longest_history:
            return
        if self.summing_up is not None and not self.summing_up.done():
            return
        if (old := self.history.to_sum_up()) is not None:
            self.summing_up = self._behind(self._sum_up(*old))

    async def _sum_up(self, cut: int, text: str) -> None:
        """When this fails, the turns stay as they are."""
        request = ClaudeRequest(partial(self._client.sum_up, text), self._account, is_for_caller=False)
        try:
            async with (
                asyncio.timeout(self._client.rules.summary_seconds),
                aclosing(request.texts()) as texts,
            ):
                summary = "".join([part async for part in texts])
        except (DialogError, TimeoutError) as error:
            fields = {"call_id": self._call_id, "error": str(error) or type(error).__name__}
            logger.warning("summary_failed", extra=fields)
            return
        if summary.strip():
            self.history.summed_up(cut, summary)

    def _say(self, text: str) -> Say:
        return Say(text=text, language_code=self._language)

    def _line(self, lines: dict[str, str]) -> str:
        return lines.get(self._language, lines["uk-UA"])
