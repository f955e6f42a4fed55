"""An OpenAI-compatible Whisper server on loopback that says what it is told to, for tests.

    async with FakeWhisperServer([Says("Добрий день."), Status(503)]) as server:
        ...            # point a recogniser at server.url
        server.received[0].form["language"]

Answers are taken in turn, the last one again and again. It listens in the caller's event loop.
"""

import asyncio
import io
import json
import socket
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from slukh.web.server import WebServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request that came.

    Attributes:
        path: where it was posted.
        authorization: the header, or None.
        form: its fields other than the file.
        filename: the file's name.
        audio: the file.
    """

    path: str
    authorization: str | None
    form: dict[str, str]
    filename: str
    audio: bytes


@dataclass(frozen=True, slots=True)
class Says:
    """A transcription.

    Attributes:
        text: what was said; one segment of it is sent.
        language: as the server names it.
        fields: what else stands in the answer, or instead; a value of None takes a field out.
        after: it is sent when this is set.
    """

    text: str
    language: str = "uk"
    fields: dict[str, Any] = field(default_factory=dict)
    after: asyncio.Event | None = None

    def body(self) -> dict[str, Any]:
        """The answer in `verbose_json`."""
        segment = {
            "id": 0, "seek": 0, "start": 0.0, "end": 1.0, "text": f" {self.text}", "tokens": [1, 2, 3],
            "temperature": 0.0, "avg_logprob": -0.25, "compression_ratio": 1.0, "no_speech_prob": 0.02,
        }  # fmt: skip
        whole = {
            "task": "transcribe", "language": self.language, "duration": 1.0, "text": f" {self.text}",
            "segments": [segment],
        }  # fmt: skip
        return {key: value for key, value in {**whole, **self.fields}.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Status:
    """An answer of any kind."""

    code: int
    body: str = '{"error": {"message": "no"}}'
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Hears:
    """The transcription of what a function hears.

    Attributes:
        hear: words in linear 16-bit 8 kHz audio.
        after_seconds: how long that takes.
    """

    hear: Callable[[bytes], list[str]]
    after_seconds: float = 0.0

    def says(self, file: bytes) -> Says:
        """What it hears in a WAV file."""
        with wave.open(io.BytesIO(file)) as wav:
            return Says(" ".join(self.hear(wav.readframes(wav.getnframes()))))


@dataclass(frozen=True, slots=True)
class Hangs:
    """No answer, until the client goes."""


@dataclass(frozen=True, slots=True)
class Closes:
    """The connection is closed without an answer."""


Answer = Says | Hears | Status | Hangs | Closes


class FakeWhisperServer:
    """See the module.

    Args:
        answers: in turn.
        api_key: that a request must carry; None takes all.
        server_header: what it calls itself.
        to_pieces: what it answers to the head of a request of unknown length; None takes it.

    Attributes:
        received: requests that came, in order.
        begun: set when the head of a request had come.
        arrived: set as long as a request has come since it was last cleared.
        left: set when a client closed its connection before the answer.
    """

    def __init__(
        self,
        answers: Sequence[Answer] = (Says("Добрий день."),),
        *,
        api_key: str | None = None,
        server_header: str = "uvicorn",
        to_pieces: Status | Closes | None = None,
    ) -> None:
        self.received: list[Received] = []
        self.begun = asyncio.Event()
        self.arrived = asyncio.Event()
        self.left = asyncio.Event()
        self._answers = list(answers)
        self._api_key = api_key
        self._to_pieces = to_pieces
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        routes = [
            Route("/v1/models", self._models),
            Route("/health", self._health),
            Route("/v1/audio/transcriptions", self._transcribe, methods=["POST"]),
            Route("/inference", self._transcribe, methods=["POST"]),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), http=_Connection, ws="none", lifespan="off", log_config=None,
            access_log=False, timeout_graceful_shutdown=1, server_header=False,
            headers=[("server", server_header)],
        )  # fmt: skip
        self._server = WebServer(config)
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def answer_with(self, *answers: Answer) -> None:
        """From now on these, in turn, the last one again and again."""
        self._answers = list(answers)

    async def stop(self) -> None:
        """Close the socket and all connections; idempotent."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
        self._socket.close()

    async def _models(self, request: Request) -> Response:
        refused = self._refuse(request)
        return refused or JSONResponse({"object": "list", "data": [{"id": "whisper-1"}]})

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _transcribe(self, request: Request) -> Response:
        self.begun.set()
        if self._to_pieces is not None and "transfer-encoding" in request.headers:
            return await self._give(self._to_pieces, request)
        try:
            received = await self._receive(request)
        except ClientDisconnect:
            self.left.set()
            return Response()
        self.received.append(received)
        self.arrived.set()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Hears):
            await asyncio.sleep(answer.after_seconds)
            answer = answer.says(received.audio)
        return self._refuse(request) or await self._give(answer, request)

    async def _receive(self, request: Request) -> Received:
        async with request.form() as form:
            file = form["file"]
            assert isinstance(file, UploadFile)
            return Received(
                path=request.url.path,
                authorization=request.headers.get("authorization"),
                form={key: value for key, value in form.items() if isinstance(value, str)},
                filename=file.filename or "",
                audio=await file.read(),
            )

    async def _give(self, answer: Says | Status | Hangs | Closes, request: Request) -> Response:
        match answer:
            case Status():
                return Response(answer.body, answer.code, media_type=answer.content_type)
            case Says():
                if answer.after is not None:
                    await answer.after.wait()
                text = json.dumps(answer.body(), ensure_ascii=False)
                return Response(text, media_type="application/json")
            case Hangs():
                while (await request.receive())["type"] != "http.disconnect":
                    pass
                self.left.set()
            case Closes():
                _Connection.of(request).abort()
        return Response()

    def _refuse(self, request: Request) -> Response | None:
        if self._api_key is None or request.headers.get("authorization") == f"Bearer {self._api_key}":
            return None
        return JSONResponse({"error": {"message": "Incorrect API key provided"}}, 401)


class _Connection(H11Protocol):
    """uvicorn's connection, findable by its peer's address, because ASGI has no word for closing it."""

    _open: dict[tuple[str, int], asyncio.Transport] = {}  # noqa: RUF012  # filled and emptied by connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._open[transport.get_extra_info("peername")] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.pop(self.transport.get_extra_info("peername"), None)
        super().connection_lost(exc)

    @classmethod
    def of(cls, request: Request) -> asyncio.Transport:
        """The transport that a request came over."""
        client = request.client
        assert client is not None
        return cls._open[client.host, client.port]
