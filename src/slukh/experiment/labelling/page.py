"""The page of a labelling session, served to one person on this machine.

    GET  /TOKEN/               the page
    GET  /TOKEN/state          the question that is asked, and how far it is
    GET  /TOKEN/audio/NUMBER   its audio; with ?whole the utterance's
    POST /TOKEN/answer         {"number", "reply", "text"}
    POST /TOKEN/undo

Texts and audio are callers': nothing without the token, nothing in caches, and who wrote what is not in it.
"""

import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slukh.audio import wav_from_linear16
from slukh.errors import ExperimentError
from slukh.experiment.evidence import LabelRow
from slukh.experiment.labelling.session import NotAskedError, Reply, Session

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; "
    "connect-src 'self'; media-src blob:; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Labels(Protocol):
    """Where labels go; `ExperimentStore` is one. Both raise ExperimentError."""

    def record(self, rows: Sequence[LabelRow]) -> None: ...  # noqa: D102  # as the store's
    def withdraw(self, label: LabelRow) -> None: ...  # noqa: D102


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int = Field(ge=0)
    reply: Reply
    text: str = Field("", max_length=1000)


def create_page(
    session: Session, labels: Labels, *, token: str, clock: Callable[[], float] = time.monotonic
) -> Starlette:
    """The application.

    Args:
        session: what is asked.
        labels: where the answers go.
        token: the first part of every path.
        clock: seconds.
    """
    private = Middleware(_Private, token=token)
    routes = [*_asking(session), *_answering(session, labels, clock)]
    return Starlette(routes=[Mount("/{token}", routes=routes, middleware=[private])])


def _asking(session: Session) -> list[Route]:
    async def page(_: Request) -> Response:
        return Response(_shipped("page.html"), media_type="text/html")

    async def script(_: Request) -> Response:
        return Response(_shipped("page.js"), media_type="text/javascript")

    async def state(_: Request) -> Response:
        return JSONResponse(_state(session))

    async def audio(request: Request) -> Response:
        question = session.question
        if question is None or request.path_params["number"] != session.number:
            return _refusal(404, "another question is asked")
        is_whole = "whole" in request.query_params
        return Response(
            wav_from_linear16(question.contested.pcm if is_whole else question.clip()), media_type="audio/wav"
        )

    return [
        Route("/", page),
        Route("/page.js", script),
        Route("/state", state),
        Route("/audio/{number:int}", audio),
    ]


def _answering(session: Session, labels: Labels, clock: Callable[[], float]) -> list[Route]:
    async def answer(request: Request) -> Response:
        try:
            given = _Answer.model_validate_json(await request.body())
        except ValidationError:  # not in its words: they have what was typed in them
            return _refusal(422, "that is no answer")
        try:
            label = session.answer(given.number, given.reply, given.text, now=clock())
        except NotAskedError:
            return JSONResponse(_state(session), status_code=409)
        if label is not None:
            try:
                labels.record([label])
            except ExperimentError as error:
                session.undo(now=clock())
                return _refusal(503, str(error))
        return JSONResponse(_state(session))

    async def undo(_: Request) -> Response:
        label = session.undo(now=clock())
        if label is not None:
            try:
                labels.withdraw(label)
            except ExperimentError as error:  # the answer itself is gone, and the next one replaces the label
                return _refusal(503, str(error))
        return JSONResponse(_state(session))

    return [
        Route("/answer", answer, methods=["POST"]),
        Route("/undo", undo, methods=["POST"]),
    ]


def _state(session: Session) -> dict[str, object]:
    """What the page shows: nothing of provider, arm or call."""
    question = session.question
    asked = None
    if question is not None:
        lines = [[{"word": word, "role": role} for word, role in line] for line in question.lines()]
        asked = {"number": session.number, "lines": lines}
    return {"progress": asdict(session.progress), "question": asked}


class _Private:
    """Refuses what has not the token, compared in constant time, and keeps the rest out of caches."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_privately(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        is_known = hmac.compare_digest(scope["path_params"]["token"].encode(), self._token)
        app = self._app if is_known else _refusal(403, "open the address that slukh ab label has printed")
        await app(scope, receive, send_privately)


def _refusal(status: int, problem: str) -> JSONResponse:
    return JSONResponse({"error": problem}, status_code=status)


def _shipped(name: str) -> bytes:
    return (files("slukh.experiment.labelling") / name).read_bytes()
