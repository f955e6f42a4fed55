"""Anthropic's Messages API on loopback, in its own server-sent events, without a key that costs money.

    async with AnthropicServer([Speaks("Так."), Calls("order_status", {"number": "4512"})]) as server:
        ...            # point a ClaudeDialog at server.url
        server.requests[0]["messages"]

Answers are taken in turn, the last one again and again. It caches as the API does: an entry is the bytes of
the prefix up to a breakpoint, from a least number of tokens on; a later prompt finds it at one of its own
breakpoints, or at most 20 blocks before one. A token is `CHARACTERS_PER_TOKEN` characters of JSON.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from types import TracebackType
from typing import Any, Final, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from slukh.web.server import WebServer

CHARACTERS_PER_TOKEN: Final = 4
LOOK_BACK: Final = 20  # blocks
KEY: Final = "test-key"


@dataclass(frozen=True, slots=True)
class Speaks:
    """An answer in words.

    Attributes:
        text: sent word by word.
        after_seconds: before its first event.
        breaks_after: words after which the connection is cut.
        hangs_after: words after which nothing more comes.
    """

    text: str
    after_seconds: float = 0.0
    breaks_after: int | None = None
    hangs_after: int | None = None


@dataclass(frozen=True, slots=True)
class Calls:
    """A request for a tool, after some words."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True, slots=True)
class Refuses:
    """An error of the API."""

    status: int
    kind: str = "api_error"


Answer = Speaks | Calls | Refuses


class AnthropicServer:
    """See the module.

    Attributes:
        requests: bodies of the messages asked for, in order.
        usages: what was said that each used.
        asked: set when the first request for an answer has come.
        left: set when a client closed its connection before the answer was over.
    """

    def __init__(self, answers: Sequence[Answer], *, least_cached_tokens: int = 0) -> None:
        self.requests: list[dict[str, Any]] = []
        self.usages: list[dict[str, int]] = []
        self.asked, self.left = asyncio.Event(), asyncio.Event()
        self._answers = list(answers)
        self._least = least_cached_tokens
        self._cached: set[str] = set()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        routes = [
            Route("/v1/messages", self._messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", self._count, methods=["POST"]),
        ]
        config = uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off", ws="none")
        self._server = WebServer(config)
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = self._server.force_exit = True
        if self._serving is not None:
            await self._serving

    async def _count(self, request: Request) -> Response:
        if (refusal := _refused_key(request)) is not None:
            return refusal
        body = await request.json()
        if "unknown" in body["model"]:
            return _error(404, "not_found_error")
        return JSONResponse({"input_tokens": _tokens(_prefix(body))})

    async def _messages(self, request: Request) -> Response:
        if (refusal := _refused_key(request)) is not None:
            return refusal
        body = await request.json()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Refuses):
            return _error(answer.status, answer.kind)
        self.requests.append(body)
        self.asked.set()
        usage = self._usage(body)
        self.usages.append(usage)
        if not body.get("stream"):
            text = answer.text
            if isinstance(answer, Speaks):
                await asyncio.sleep(answer.after_seconds)
            message = _message(body["model"], usage | {"output_tokens": _tokens(text)})
            message |= {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}
            return JSONResponse(message)
        return StreamingResponse(self._events(body["model"], answer, usage), media_type="text/event-stream")

    async def _events(self, model: str, answer: Speaks | Calls, usage: dict[str, int]) -> AsyncIterator[str]:
        try:
            async for event in _answer_events(model, answer, usage):
                yield f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"
        except asyncio.CancelledError:
            self.left.set()
            raise

    def _usage(self, body: dict[str, Any]) -> dict[str, int]:
        """The prompt's buckets, as the API would count them."""
        blocks = _blocks(body)
        prefixes = list(accumulate(map(_plain, blocks)))  # up to the end of each block
        marks = [number for number, block in enumerate(blocks) if "cache_control" in block]
        looked_at = {number for mark in marks for number in range(max(0, mark - LOOK_BACK), mark + 1)}
        found = (prefixes[number] for number in looked_at if prefixes[number] in self._cached)
        read, written = max(map(_tokens, found), default=0), 0
        entries = [prefixes[mark] for mark in marks if _tokens(prefixes[mark]) >= self._least]
        if entries:
            written = max(0, _tokens(entries[-1]) - read)
            self._cached.update(entries)
        return {
            "input_tokens": _tokens(prefixes[-1]) - read - written,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
        }


async def _answer_events(
    model: str, answer: Speaks | Calls, usage: dict[str, int]
) -> AsyncIterator[dict[str, Any]]:
    if isinstance(answer, Speaks):
        await asyncio.sleep(answer.after_seconds)
    yield {"type": "message_start", "message": _message(model, usage | {"output_tokens": 1})}
    index, text = 0, answer.text
    if text:
        yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        for number, word in enumerate(text.split(" ")):
            if isinstance(answer, Speaks) and number == answer.breaks_after:
                return
            if isinstance(answer, Speaks) and number == answer.hangs_after:
                await asyncio.sleep(60)
            part = word if number == 0 else f" {word}"
            yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": part}}
            await asyncio.sleep(0)
        yield {"type": "content_block_stop", "index": 0}
        index = 1
    if isinstance(answer, Calls):
        block = {"type": "tool_use", "id": f"toolu_{index}", "name": answer.name, "input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": block}
        arguments = json.dumps(answer.arguments, ensure_ascii=False)
        for part in (arguments[:3], arguments[3:]):
            delta = {"type": "input_json_delta", "partial_json": part}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    reason = "tool_use" if isinstance(answer, Calls) else "end_turn"
    output = {"output_tokens": 20 + _tokens(text)}
    yield {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": output}
    yield {"type": "message_stop"}


def _message(model: str, usage: dict[str, int]) -> dict[str, Any]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def _blocks(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Everything that a prompt consists of, in the order that its cache is made: tools, system, messages."""
    system = body.get("system") or []
    blocks = [*body.get("tools", []), *([{"text": system}] if isinstance(system, str) else system)]
    for message in body["messages"]:
        content = message["content"]
        own = [{"text": content}] if isinstance(content, str) else content
        blocks += [{"role": message["role"], **block} for block in own]
    return blocks


def _plain(block: dict[str, Any]) -> str:
    return json.dumps({k: v for k, v in block.items() if k != "cache_control"}, ensure_ascii=False)


def _prefix(body: dict[str, Any]) -> str:
    return "".join(_plain(block) for block in _blocks(body))


def _tokens(text: str) -> int:
    return len(text) // CHARACTERS_PER_TOKEN


def _error(status: int, kind: str) -> Response:
    body = {"type": "error", "error": {"type": kind, "message": "no"}}
    return JSONResponse(body, status_code=status)


def _refused_key(request: Request) -> Response | None:
    given = {request.headers.get("x-api-key"), request.headers.get("authorization")}
    return None if given & {KEY, f"Bearer {KEY}"} else _error(401, "authentication_error")
