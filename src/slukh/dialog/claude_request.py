"""One request to Claude, from asking to its figures, which are told once however it ends.

    request = ClaudeRequest(partial(client.ask, messages), account, ...)
    async for text in request.texts(): ...

The API says what a prompt used in its first event, and what an answer did in its last. Whoever leaves before
the first would have no figures, and be billed perhaps all the same: such a request is read on behind the
call until that event has come, for `figures_seconds` at most, and closed then. Whoever leaves later still
takes what has come already, in which the last event may be. Where no figure ever came, because the wait was
too long or a connection broke, the attempt is told as one without figures (`ModelUnanswered`).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import anthropic
import httpx2
from anthropic import APIRequest, AsyncAPIResponse, AsyncCallNext, AsyncMiddlewareCallable, AsyncStream
from anthropic.types import RawMessageStreamEvent

from slukh.dialog.base import Used
from slukh.dialog.claude_errors import error_from
from slukh.dialog.claude_stream import AnswerSoFar
from slukh.errors import DialogError
from slukh.types import ModelAnswered, ModelUnanswered

_REST_SECONDS: Final = 0.02  # what has come already is read in far less

Events = AsyncStream[RawMessageStreamEvent]
Ask = Callable[[AsyncMiddlewareCallable], Awaitable[Events]]

# Nothing was sent: there was no connection.
_UNSENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a call's requests have in common, and where they are told.

    Attributes:
        used: by whom.
        model: that is asked.
        event_seconds: to a request's first event, and between two.
        figures_seconds: likewise to the first, when nobody listens any more.
        numbers: of its requests.
        behind: keeps what goes on when nobody listens any more.
    """

    used: Used
    model: str
    event_seconds: float
    figures_seconds: float
    behind: Callable[[Coroutine[Any, Any, None]], object]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))


class ClaudeRequest:
    """See the module.

    Args:
        ask: sends it, and again where the client does; takes a middleware, which sees every attempt.
        account: whose.
        is_for_caller: its words are to be spoken.

    Attributes:
        answer: what has come.
    """

    def __init__(self, ask: Ask, account: Account, *, is_for_caller: bool = True) -> None:
        self.answer = AnswerSoFar()
        self._ask = ask
        self._account = account
        self._is_for_caller = is_for_caller
        self._is_listened_to = True
        self._unanswered = 0  # attempts
        self._first_text_seconds: float | None = None

    async def texts(self) -> AsyncGenerator[str, None]:
        """The text as it comes. Raises DialogError."""
        began = time.monotonic()
        opening = asyncio.create_task(self._open())
        try:
            async with asyncio.timeout(self._account.event_seconds):
                events = await asyncio.shield(opening)
            while (event := await self._next(events)) is not None:
                if text := self.answer.take(event):
                    if self._first_text_seconds is None:
                        self._first_text_seconds = time.monotonic() - began
                    yield text
            if self.answer.stop_reason is None:
                raise DialogError("claude", "the answer broke off", error_type="stream", is_permanent=False)
        except (anthropic.AnthropicError, httpx2.HTTPError, TypeError, TimeoutError) as error:
            raise error_from("claude", error) from error
        finally:
            if opening.done():
                await self._end(opening)
            else:
                self._is_listened_to = False
                self._account.behind(self._wait_for_figures(opening))

    async def _open(self) -> Events:
        """Its events from the second on. Raises anthropic's errors."""
        events = await self._ask(self._attempt)
        try:
            # Not `async for`: whoever leaves one closes the stream.
            while not self.answer.model and (event := await anext(events, None)) is not None:
                self.answer.take(event)
        except anthropic.APIStatusError:  # an error in place of the first event: nothing was answered
            await events.close()
            raise
        except BaseException:
            self._unanswered += 1
            await events.close()
            raise
        self._unanswered += not self.answer.model
        return events

    async def _attempt(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """Count the attempts that were sent and never answered; a refusal is an answer."""
        try:
            return await call_next(request)
        except (anthropic.APIConnectionError, asyncio.CancelledError) as error:
            self._unanswered += not isinstance(error.__cause__, _UNSENT)
            raise

    async def _next(self, events: Events) -> RawMessageStreamEvent | None:
        async with asyncio.timeout(self._account.event_seconds):
            return await anext(events, None)

    async def _wait_for_figures(self, opening: asyncio.Task[Events]) -> None:
        """Nobody listens, and the first event has not come yet."""
        await asyncio.wait({opening}, timeout=self._account.figures_seconds)
        opening.cancel()
        await asyncio.wait({opening})
        await self._end(opening)

    async def _end(self, opening: asyncio.Task[Events]) -> None:
        """Take what has come already, close the connection, tell the figures."""
        try:
            if opening.cancelled() or opening.exception() is not None:
                return
            events = opening.result()
            with suppress(anthropic.AnthropicError, httpx2.HTTPError, TimeoutError):
                async with asyncio.timeout(_REST_SECONDS):
                    while (event := await anext(events, None)) is not None:
                        self.answer.take(event)
            await events.close()
        finally:
            self._tell()

    def _tell(self) -> None:
        answer, account = self.answer, self._account
        for _ in range(self._unanswered):
            account.used(
                ModelUnanswered(request=next(account.numbers), provider="anthropic", model=account.model)
            )
        if not answer.model:
            return
        is_over = answer.stop_reason is not None
        output = answer.output_tokens if is_over else answer.least_output_tokens()
        spoken = answer.text_tokens(output) if self._is_for_caller else 0
        account.used(
            ModelAnswered(
                request=next(account.numbers),
                provider="anthropic",
                model=answer.model,
                outcome="ok" if is_over else "aborted",
                output_tokens=output,
                first_text_seconds=self._first_text_seconds,
                spoken_tokens=spoken,
                spoken_characters=answer.text_characters if self._is_for_caller else 0,
                unheard_tokens=0 if self._is_listened_to else spoken,
                **answer.bucket(),
            )
        )
