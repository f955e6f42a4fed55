"""The HTTP side: metrics, health, announcing calls, reading them, following them live."""

import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from slukh.callers import caller_hash, named_caller
from slukh.serving.callbook import ANNOUNCED_SECONDS, CallBook
from slukh.stt.language import SUPPORTED
from slukh.types import CallStarted

_BODY_LIMIT = 16 * 1024
T = TypeVar("T", bound=BaseModel)


class Announcement(BaseModel):
    """`POST /v1/calls`: what the dial plan knows of a call before its audio comes."""

    model_config = ConfigDict(extra="forbid")

    call_id: UUID
    caller: str | None = Field(None, max_length=64)
    language_code: str | None = None
    alternative_language_codes: tuple[str, ...] | None = None
    trunk: str | None = Field(None, max_length=64)
    leg: int = Field(1, ge=1, le=10_000)

    @field_validator("language_code", "alternative_language_codes")
    @classmethod
    def _known(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for code in (value,) if isinstance(value, str) else value or ():
            if code not in SUPPORTED:
                raise ValueError(f"unknown language {code!r}; allowed: {', '.join(sorted(SUPPORTED))}")
        return value


class Outcome(BaseModel):
    """`POST /v1/calls/{id}/outcome`: what the dialogue knows of a call once it is over, any of it."""

    model_config = ConfigDict(extra="forbid")

    task_success: bool | None = None
    repairs: Annotated[int, Field(ge=0, le=1000)] | None = None
    reprompts: Annotated[int, Field(ge=0, le=1000)] | None = None
    transferred: bool | None = None
    hung_up: bool | None = None


class Forgetting(BaseModel):
    """`POST /v1/forget`: a call, or a caller by number or hash."""

    model_config = ConfigDict(extra="forbid")

    call_id: UUID | None = None
    caller: str | None = Field(None, max_length=64)


async def _nothing_held(_caller: str | None) -> None:
    """Where no usage is on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """What the API needs besides the calls.

    Attributes:
        token: bearer of `/v1/*`, or None on loopback.
        caller_key: key of the callers' hash; the same number gets the same hash under the same key.
        language_code: of announcements that name none.
        alternative_language_codes: likewise.
        refuse_reason: why new calls are not taken now (`full`, `draining`, `over_budget`), or None.
        not_ready: what is wrong, by part; empty when ready.
        degraded: what calls do without for now, by part; no reason to take none.
        metrics: the Prometheus page and its content type.
        outcome: takes what the dialogue says of a call, by its id.
        forgotten: told the id of each call that is forgotten.
        let_go: sees that nothing names a caller (by hash, or None: a call's) later; why it cannot, or None.
    """

    token: str | None
    caller_key: bytes
    language_code: str
    alternative_language_codes: tuple[str, ...]
    refuse_reason: Callable[[], str | None]
    not_ready: Callable[[], Mapping[str, str]]
    metrics: Callable[[], tuple[bytes, str]]
    degraded: Callable[[], Mapping[str, str]] = dict
    outcome: Callable[[str, Outcome], None] = lambda _call_id, _outcome: None
    forgotten: Callable[[str], None] = lambda _call_id: None
    let_go: Callable[[str | None], Awaitable[str | None]] = _nothing_held


def create_app(book: CallBook, options: ApiOptions) -> Starlette:
    """The ASGI application of a gateway."""
    token = Middleware(_Bearer, token=options.token)
    return Starlette(
        routes=[
            *_health_routes(options),
            Mount(
                "/v1",
                routes=[*_call_routes(book, options), _forget_route(book, options)],
                middleware=[token],
            ),
        ],
        exception_handlers={HTTPException: _http_error},
    )


def _health_routes(options: ApiOptions) -> list[Route]:
    async def metrics(_: Request) -> Response:
        body, content_type = options.metrics()
        return Response(body, headers={"content-type": content_type})

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        wrong = options.not_ready()
        told = {"ready": not wrong, "wrong": wrong, "degraded": options.degraded()}
        return JSONResponse(told, status_code=503 if wrong else 200)

    return [Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]


def _call_routes(book: CallBook, options: ApiOptions) -> list[Route]:
    async def announce(request: Request) -> Response:
        announcement = await _body(request, Announcement)
        if (reason := options.refuse_reason()) is not None:
            return _refusal(503, f"no new calls: {reason}", "send this call to another gateway")
        record = book.announce(_announced_call(announcement, options))
        if record is None:
            problem = f"call {announcement.call_id} is known already"
            return _refusal(409, problem, "use a new UUID for every call")
        return JSONResponse(record.summary() | {"expires_seconds": ANNOUNCED_SECONDS}, status_code=201)

    async def calls(_: Request) -> Response:
        return JSONResponse({"calls": [record.summary() for record in book.all()]})

    async def call(request: Request) -> Response:
        record = book.get(request.path_params["call_id"].lower())
        return JSONResponse(record.detail()) if record is not None else _unknown_call()

    async def events(request: Request) -> Response:
        call_id = request.path_params["call_id"].lower()
        if book.get(call_id) is None:
            return _unknown_call()
        last = request.headers.get("last-event-id", "0")
        feed = _server_sent(book, call_id, after=int(last) if last.isdecimal() else 0)
        return StreamingResponse(feed, media_type="text/event-stream", headers={"cache-control": "no-store"})

    async def outcome(request: Request) -> Response:
        # Also of a call that has left memory: a shop may know only at the end of the day.
        options.outcome(str(request.path_params["call_id"]), await _body(request, Outcome))
        return JSONResponse({"accepted": True}, status_code=202)

    return [
        Route("/calls/{call_id:uuid}/outcome", outcome, methods=["POST"]),
        Route("/calls", announce, methods=["POST"]),
        Route("/calls", calls),
        Route("/calls/{call_id}", call),
        Route("/calls/{call_id}/events", events),
    ]


def _forget_route(book: CallBook, options: ApiOptions) -> Route:
    async def forget(request: Request) -> Response:
        wanted = await _body(request, Forgetting)
        caller = named_caller(options.caller_key, wanted.caller or "")
        if (wanted.call_id is None) == (caller is None):
            return _refusal(422, "who is to be forgotten?", "name a call_id, or a caller by number or hash")
        if (reason := await options.let_go(caller)) is not None:
            remedy = "wait until /readyz says ready, then ask again; nothing is forgotten yet"
            return _refusal(503, f"usage does not reach the ledger ({reason})", remedy)
        call_id = None if wanted.call_id is None else str(wanted.call_id)
        forgotten, live = book.forget(call_id=call_id, caller=caller)
        for each in forgotten:
            options.forgotten(each)
        return JSONResponse({"forgotten": len(forgotten), "live": live})

    return Route("/forget", forget, methods=["POST"])


def _announced_call(announcement: Announcement, options: ApiOptions) -> CallStarted:
    alternatives = announcement.alternative_language_codes
    return CallStarted(
        call_id=str(announcement.call_id),
        leg=announcement.leg,
        caller=caller_hash(options.caller_key, announcement.caller),
        language_code=announcement.language_code or options.language_code,
        alternative_language_codes=(
            options.alternative_language_codes if alternatives is None else alternatives
        ),
        trunk=announcement.trunk,
    )


class _Bearer:
    """Refuses requests without the token; compares in constant time."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._expected = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._expected is not None:
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self._expected):
                refusal = _refusal(
                    401, "wrong or missing token", "send Authorization: Bearer SLUKH_API_TOKEN"
                )
                refusal.headers["www-authenticate"] = "Bearer"
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _body(request: Request, model: type[T]) -> T:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _BODY_LIMIT:
            raise HTTPException(413, "body over 16 KiB")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise HTTPException(422, f"{where}: {first['msg'].removeprefix('Value error, ')}") from error


async def _server_sent(book: CallBook, call_id: str, *, after: int) -> AsyncIterator[str]:
    async for item in book.events(call_id, after=after):
        if item is None:
            yield ": nothing new\n\n"
        else:
            number, event = item
            data = json.dumps(event, ensure_ascii=False)
            yield f"id: {number}\nevent: {event['event']}\ndata: {data}\n\n"


def _refusal(status: int, problem: str, remedy: str) -> JSONResponse:
    return JSONResponse({"error": {"problem": problem, "remedy": remedy}}, status_code=status)


def _unknown_call() -> JSONResponse:
    return _refusal(404, "no such call", "it was never announced, or ended too long ago")


def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _refusal(error.status_code, error.detail, "see doc/http-api.md")
