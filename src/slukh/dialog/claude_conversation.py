"""One call's talk with Claude: streamed, a sentence at a time, its tools called in between.

What is paid for once is read from the cache after that (`history.py`). What a request used comes from the
API's own figures, also when the caller interrupts (`claude_stream.py`). A long call is told in short behind
the answers, so that no answer waits for it and no caller interrupts it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import anthropic
import httpx2

from slukh.dialog.base import CallerPressed, CallerSaid, CallerSilent, CallerTurn, Leave, Say, Step, Used
from slukh.dialog.claude_client import LEAVING, ClaudeClient
from slukh.dialog.claude_errors import error_from
from slukh.dialog.claude_lines import GOODBYES, GREETINGS, STILL_THERE
from slukh.dialog.claude_stream import AnswerSoFar
from slukh.dialog.history import History
from slukh.dialog.tools import ToolResult
from slukh.errors import DialogError
from slukh.tts.phrases import SentenceCutter
from slukh.types import ModelAnswered

logger = logging.getLogger(__name__)

_ROUNDS: Final = 5  # requests for one answer; each round of tools is one more
_PATIENCE: Final = 2


class ClaudeConversation:
    """One call's (`Conversation`).

    Attributes:
        history: what it is sent of the call.
        summing_up: the last time that older turns were told in short, perhaps still going on.
    """

    def __init__(self, client: ClaudeClient, language_code: str, used: Used) -> None:
        self._client = client
        self._language = language_code
        self._used = used
        self._requests = 0
        self._is_in_history = True  # the last answer
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

    async def _talk(self) -> AsyncGenerator[Step, None]:
        """Requests until one of them asks for no tool."""
        has_spoken = False
        for _ in range(_ROUNDS):
            answer = AnswerSoFar()
            async with aclosing(self._sentences(answer)) as sentences:
                async for sentence in sentences:
                    has_spoken = True
                    yield self._say(sentence)
            blocks = answer.whole_blocks()
            self.history.answered(blocks)
            wanted = [block for block in blocks if block["type"] == "tool_use"]
            if not wanted:
                if not has_spoken:
                    raise DialogError(
                        "claude", "an answer without words", error_type="protocol", is_permanent=False
                    )
                return
            results = list(await asyncio.gather(*(self._run(block) for block in wanted)))
            self.history.tool_results(results)
            for block in wanted:
                if block["name"] in LEAVING:
                    yield Leave(reason=LEAVING[block["name"]][0])
                    return
        raise DialogError(
            "claude", f"no answer after {_ROUNDS} rounds of tools", error_type="protocol", is_permanent=False
        )

    async def _sentences(self, answer: AnswerSoFar) -> AsyncGenerator[str, None]:
        """One request's text, a sentence at a time; what it used is told however it ends."""
        cutter, began, first = SentenceCutter(), time.monotonic(), None
        is_over = False
        try:
            async with await self._client.ask(self.history.marked()) as events:
                async for event in events:
                    if (text := answer.take(event)) and first is None:
                        first = time.monotonic() - began
                    for sentence in cutter.push(text):
                        yield sentence
            is_over = answer.stop_reason is not None
            if not is_over:
                raise DialogError("claude", "the answer broke off", error_type="stream", is_permanent=False)
            for sentence in cutter.finish():
                yield sentence
        except (anthropic.AnthropicError, httpx2.HTTPError, TypeError) as error:
            raise error_from("claude", error) from error
        finally:
            self._tell(answer, first, is_over=is_over)

    def _tell(self, answer: AnswerSoFar, first_text_seconds: float | None, *, is_over: bool) -> None:
        if not answer.model:
            return  # nothing came, nothing is billed
        self._requests += 1
        self._used(
            ModelAnswered(
                request=self._requests,
                provider="anthropic",
                model=answer.model,
                outcome="ok" if is_over else "aborted",
                output_tokens=answer.output_tokens if is_over else answer.least_output_tokens(),
                first_text_seconds=first_text_seconds,
                **answer.bucket(),
            )
        )

    async def _run(self, block: dict[str, Any]) -> dict[str, Any]:
        tool = self._client.tools.get(block["name"])
        if block["name"] in LEAVING:
            result = ToolResult(text="done")
        elif tool is None:
            result = ToolResult(text=f"there is no tool {block['name']}", is_error=True)
        else:
            result = await tool.run(block["input"], timeout_seconds=self._client.rules.tool_seconds)
        if result.is_error:
            logger.warning("tool_failed", extra={"tool": block["name"]})
        return {
            "type": "tool_result", "tool_use_id": block["id"], "content": result.text,
            "is_error": result.is_error,
        }  # fmt: skip

    def _shorten(self) -> None:
        """Begin to tell the older turns in short, one time at a time."""
        if self.history.characters < self._client.rules.longest_history:
            return
        if self.summing_up is not None and not self.summing_up.done():
            return
        if (old := self.history.to_sum_up()) is not None:
            self.summing_up = asyncio.create_task(self._sum_up(*old))

    async def _sum_up(self, cut: int, text: str) -> None:
        """When this fails, the turns stay as they are."""
        try:
            async with asyncio.timeout(self._client.rules.summary_seconds):
                message = await self._client.sum_up(text)
        except (anthropic.AnthropicError, httpx2.HTTPError, TimeoutError) as error:
            logger.warning("summary_failed", extra={"error": type(error).__name__})
            return
        answer = AnswerSoFar(model=message.model)
        answer.count(message.usage)
        self._tell(answer, None, is_over=True)
        summary = "".join(block.text for block in message.content if block.type == "text")
        if summary.strip():
            self.history.summed_up(cut, summary)

    def _say(self, text: str) -> Say:
        return Say(text=text, language_code=self._language)

    def _line(self, lines: dict[str, str]) -> str:
        return lines.get(self._language, lines["uk-UA"])
