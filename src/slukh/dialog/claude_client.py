"""Anthropic's client, set to how calls are answered: which model, what it is told, what it may call.

Tools and system prompt have a breakpoint of their own in the prompt cache; the turns have a moving one
(`history.py`).
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import anthropic
from anthropic import AsyncAnthropic, AsyncMiddlewareCallable

from slukh.dialog.claude_errors import error_from
from slukh.dialog.claude_lines import PERSONA
from slukh.dialog.claude_request import Events
from slukh.dialog.history import CACHE
from slukh.dialog.tools import Tool

logger = logging.getLogger(__name__)

# Tools of ours, by which the model leaves a call: why, and what it is told of them.
LEAVING: Final[Mapping[str, tuple[Literal["handover", "goodbye"], str]]] = {
    "hand_over": (
        "handover",
        "Give the caller to a person, after your last words. Use it when they ask for one.",
    ),
    "end_call": ("goodbye", "End the call, after your last words, once the caller has said goodbye."),
}
_SUMMING_UP: Final = (
    "Sum up this telephone call for yourself in at most 80 words, in its own language: who calls, what they "
    "want, every number and decision, what is still open. No preamble."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaudeRules:
    """How Claude is asked.

    Attributes:
        model: which.
        persona: its system prompt.
        max_tokens: of one answer.
        first_seconds: to the first event, and between two.
        figures_seconds: to the first event of a request that nobody listens to any more, for its figures.
        tool_seconds: for one tool.
        summary_seconds: for a long call to be told in short; the answers do not wait for it.
        retries: of the client, before anything has come.
        least_cached_tokens: the shortest prefix that the model caches; None when nobody says.
        longest_history: characters of turns from which on the older ones are summed up.
    """

    model: str
    persona: str = PERSONA
    max_tokens: int = 400
    first_seconds: float = 8.0
    figures_seconds: float = 2.0
    tool_seconds: float = 3.0
    summary_seconds: float = 5.0
    retries: int = 2
    least_cached_tokens: int | None = None
    longest_history: int = 6000


class ClaudeClient:
    """See the module.

    Args:
        rules: how it is asked.
        tools: what it may call.
        api_key: None: as the client finds it in the environment.
        base_url: empty: Anthropic's own.

    Raises:
        DialogError: no key.
    """

    def __init__(
        self,
        rules: ClaudeRules,
        tools: Sequence[Tool] = (),
        *,
        api_key: str | None = None,
        base_url: str = "",
    ) -> None:
        self.name = "claude"
        self.rules = rules
        self.tools = {tool.name: tool for tool in tools}
        try:
            self._client = AsyncAnthropic(
                api_key=api_key,
                base_url=base_url or None,
                timeout=rules.first_seconds,
                max_retries=rules.retries,
            )
        except anthropic.AnthropicError as error:
            raise error_from(self.name, error) from error
        # Whoever waits has a clock of their own: after a time-out of its own the client would ask again.
        patience = 2 * (rules.first_seconds + rules.figures_seconds)
        self._asking = self._client.with_options(timeout=patience)
        self._behind: set[asyncio.Task[None]] = set()
        self.system: list[dict[str, Any]] = [{"type": "text", "text": rules.persona, "cache_control": CACHE}]
        self.specifications: list[dict[str, Any]] = [
            {"name": tool.name, "description": tool.description, "input_schema": dict(tool.schema)}
            for tool in tools
        ] + [
            {"name": name, "description": text, "input_schema": {"type": "object", "properties": {}}}
            for name, (_, text) in LEAVING.items()
        ]

    async def start(self) -> None:
        """Ask for the length of the prompt: whether the key and the model are good, and whether it is cached.

        Raises:
            DialogError: the key or the model was refused, or the API cannot be reached.
        """
        try:
            counted = await self._client.messages.count_tokens(
                model=self.rules.model,
                system=cast("Any", self.system),
                tools=cast("Any", self.specifications),
                messages=[{"role": "user", "content": "."}],
            )
        except (anthropic.AnthropicError, TypeError) as error:
            raise error_from(self.name, error) from error
        least = self.rules.least_cached_tokens
        is_cached = None if least is None else counted.input_tokens >= least
        log = logger.warning if is_cached is False else logger.info
        fields = {"tokens": counted.input_tokens, "least_cached": least, "is_cached": is_cached}
        log("prompt_prefix", extra={"model": self.rules.model, **fields})

    async def ask(self, messages: Sequence[dict[str, Any]], through: AsyncMiddlewareCallable) -> Events:
        """One streamed request; each attempt goes through a middleware. Raises anthropic's errors."""
        return await self._asking.with_middleware(through).messages.create(
            model=self.rules.model,
            max_tokens=self.rules.max_tokens,
            system=cast("Any", self.system),
            tools=cast("Any", self.specifications),
            messages=cast("Any", messages),
            stream=True,
        )

    async def sum_up(self, text: str, through: AsyncMiddlewareCallable) -> Events:
        """A call in short, likewise; asked once. Raises anthropic's errors."""
        client = self._asking.with_middleware(through).with_options(max_retries=0)
        return await client.messages.create(
            model=self.rules.model,
            max_tokens=200,
            system=_SUMMING_UP,
            messages=[{"role": "user", "content": text}],
            stream=True,
        )

    def behind(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """What goes on when nobody waits for it, and comes to an end by itself."""
        task = asyncio.create_task(work)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)
        return task

    async def settled(self) -> None:
        """Wait until nothing goes on any more: what requests used is told, tools have done what they do."""
        while self._behind:
            await asyncio.wait(set(self._behind))

    async def aclose(self) -> None:
        """Close the connections, once everything is settled."""
        await self.settled()
        await self._client.close()
