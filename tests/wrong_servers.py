"""Everything that stands at a WHISPER_API_URL and is not the server that was meant, in every dialect.

`WRONG` has a name for each, and what our client must make of it: the class of the error, and words of its
sentence that say what to do.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from slukh.errors import ErrorType
from slukh.testing.socket_server import Peer, Script, SocketServer
from slukh.testing.whisper_server import Answer, Closes, FakeWhisperServer, Says, Status
from slukh.testing.wyoming_server import WyomingServer

At = Callable[[], AbstractAsyncContextManager[str]]
"""A server, and the WHISPER_API_URL that leads to it."""

PAGE = "<!DOCTYPE html><title>hello</title>"
REST = ("http", "whisper.cpp+http")
SOCKETS = ("whisperlive+ws", "deepgram+ws", "whisperlivekit+ws", "realtime+ws")


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """One wrong server.

    Attributes:
        at: runs it.
        outcome: class of the error.
        sentence: words of it that name the remedy.
    """

    at: At
    outcome: ErrorType
    sentence: str


def posted_to(scheme: str, *answers: Answer, path: str = "", to_bare: bool = False) -> At:
    @asynccontextmanager
    async def made() -> AsyncIterator[str]:
        async with FakeWhisperServer(answers) as server:
            own = path or ("" if to_bare or scheme != "http" else "/v1")
            yield f"{scheme}://127.0.0.1:{server.port}{own}"

    return made


def talked_to(scheme: str, script: Script, **options: Any) -> At:
    @asynccontextmanager
    async def made() -> AsyncIterator[str]:
        async with SocketServer(script, **options) as server:
            yield f"{scheme}://127.0.0.1:{server.port}"

    return made


def over_tcp(scheme: str, context: ssl.SSLContext | None = None) -> At:
    """Somebody who accepts, perhaps under TLS, and closes."""

    @asynccontextmanager
    async def made() -> AsyncIterator[str]:
        def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with await asyncio.start_server(close, "127.0.0.1", 0, ssl=context) as server:
            yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    return made


def wyoming(fault: Any) -> At:
    @asynccontextmanager
    async def made() -> AsyncIterator[str]:
        async with WyomingServer(lambda _: ["x"], fault=fault) as server:
            yield f"wyoming+tcp://127.0.0.1:{server.port}"

    return made


def nobody(scheme: str) -> At:
    @asynccontextmanager
    async def made() -> AsyncIterator[str]:
        async with over_tcp(scheme)() as url:
            pass
        yield url

    return made


def says(*messages: Mapping[str, Any]) -> Script:
    """These, and nothing more."""

    async def script(peer: Peer) -> None:
        for message in messages:
            await peer.say(**message)
        await peer.connection.wait_closed()

    return script


async def says_a_page(peer: Peer) -> None:
    await peer.connection.send(PAGE)
    await peer.connection.wait_closed()


def closes(greeting: Mapping[str, Any] | None, code: int | None) -> Script:
    """Greets, hears something of the utterance, and is gone; without a goodbye when there is no code."""

    async def script(peer: Peer) -> None:
        if greeting is not None:
            await peer.say(**greeting)
        while len(peer.audio) < 1000:
            await peer.hear()
        if code is None:
            peer.connection.transport.abort()
        else:
            await peer.connection.close(code)

    return script


def closes_at_once(code: int) -> Script:
    async def script(peer: Peer) -> None:
        await peer.connection.close(code)

    return script


def hears_then(
    is_all: Callable[[Peer], bool], greeting: Mapping[str, Any], *messages: Mapping[str, Any]
) -> Script:
    """Greets, hears the whole utterance, and says these."""

    async def script(peer: Peer) -> None:
        await peer.say(**greeting)
        while not is_all(peer):
            await peer.hear()
        await says(*messages)(peer)

    return script


@cache
def self_signed() -> ssl.SSLContext:
    """A server's TLS whose certificate nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whisper.internal")])
    began = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, began, began + timedelta(days=36500))
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        pem = Path(folder) / "server.pem"
        pem.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        context.load_cert_chain(pem)
    return context


READY: Mapping[str, Mapping[str, Any] | None] = {
    "whisperlive+ws": {"uid": "1", "message": "SERVER_READY", "backend": "faster_whisper"},
    "deepgram+ws": None,
    "whisperlivekit+ws": {"type": "config", "useAudioWorklet": True, "mode": "full"},
    "realtime+ws": {"type": "session.created", "session": {"type": "transcription", "audio": {}}},
}


def _rest(scheme: str) -> Iterator[tuple[str, Wrong]]:
    def wrong(outcome: ErrorType, sentence: str, *answers: Answer, path: str = "") -> Wrong:
        return Wrong(at=posted_to(scheme, *answers, path=path), outcome=outcome, sentence=sentence)

    yield "wrong path", wrong("request", "see WHISPER_API_URL", path="/whisper")
    yield "a page", wrong("protocol", "is this a Whisper server", Status(200, PAGE, "text/html"))
    yield "wrong key", wrong("authentication", "see WHISPER_API_KEY", Status(401))
    yield "model not installed", wrong("request", "no such model", Status(404, '{"detail": "no such model"}'))
    yield (
        "model still loading",
        wrong("overloaded", "Loading", Status(503, '{"error": {"message": "Loading model"}}')),
    )
    yield "another language", wrong("language", "was asked", Says("Привет.", language="ru"))
    yield "closes", wrong("stream", "its own log", Closes())
    yield (
        "plain http to TLS by a proxy",
        wrong(
            "connect",
            "https",
            Status(400, "<h1>The plain HTTP request was sent to HTTPS port</h1>", "text/html"),
        ),
    )


def _socket(scheme: str) -> Iterator[tuple[str, Wrong]]:
    def wrong(outcome: ErrorType, sentence: str, script: Script, **options: Any) -> Wrong:
        return Wrong(at=talked_to(scheme, script, **options), outcome=outcome, sentence=sentence)

    def refused(outcome: ErrorType, sentence: str, status: HTTPStatus, body: str) -> Wrong:
        return wrong(outcome, sentence, says(), refusal=(status, body))

    ready = READY[scheme]
    yield "wrong path", refused("request", "see WHISPER_API_URL", HTTPStatus.NOT_FOUND, "Not Found")
    yield "wrong path of FastAPI", refused("authentication", "WHISPER_API_URL", HTTPStatus.FORBIDDEN, "")
    yield "a page", refused("protocol", "is this a Whisper server", HTTPStatus.OK, PAGE)
    yield "a page in a message", wrong("protocol", "is this a Whisper server", says_a_page)
    yield "wrong key", wrong("authentication", "WHISPER_API_KEY", says(), key="right")
    yield "still loading", refused("overloaded", "no room", HTTPStatus.SERVICE_UNAVAILABLE, "")
    yield "closes", wrong("stream", "its own log", closes(ready, 1000))
    yield "resets", wrong("stream", "its own log", closes(ready, None))


def _tls(scheme: str) -> Iterator[tuple[str, Wrong]]:
    safe = f"{scheme}s"
    yield (
        "no TLS there",
        Wrong(at=posted_to(safe), outcome="connect", sentence="does the server speak it on this port"),
    )
    yield (
        "untrusted certificate",
        Wrong(at=over_tcp(safe, self_signed()), outcome="connect", sentence="SSL_CERT_FILE"),
    )
    yield "TLS there", Wrong(at=over_tcp(scheme, self_signed()), outcome="stream", sentence="or it wants")


def _of_one() -> Iterator[tuple[str, str, Wrong]]:
    """What one dialect says in its own way."""

    def wrong(
        scheme: str, name: str, outcome: ErrorType, sentence: str, script: Script
    ) -> tuple[str, str, Wrong]:
        return scheme, name, Wrong(at=talked_to(scheme, script), outcome=outcome, sentence=sentence)

    ready = READY["whisperlive+ws"]
    assert ready is not None
    segments = {"segments": [{"start": "0.000", "end": "2.000", "text": "to make", "completed": False}]}
    yield wrong(
        "whisperlive+ws", "no model", "request", "WHISPER_MODEL_SIZE",
        says({"uid": "1", "status": "ERROR", "message": "Failed to load model"}),
    )  # fmt: skip
    yield wrong("whisperlive+ws", "full", "overloaded", "full for", says({"status": "WAIT", "message": 2.5}))
    yield wrong(
        "whisperlive+ws", "another language", "language", "was asked",
        hears_then(
            lambda peer: len(peer.audio) >= 32000 and not any(peer.audio[-16000:]),
            ready, {"language": "en", "language_prob": 0.9}, segments, segments,
        ),
    )  # fmt: skip
    yield wrong(
        "deepgram+ws",
        "no model",
        "request",
        "WHISPER_MODEL_SIZE",
        says({"type": "Error", "description": "no"}),
    )
    yield wrong("deepgram+ws", "closes on the key", "authentication", "WHISPER_API_KEY", closes_at_once(4401))
    yield wrong(
        "whisperlivekit+ws", "wants a container", "request", "--pcm-input",
        says({"type": "config", "useAudioWorklet": False}),
    )  # fmt: skip
    yield wrong("whisperlivekit+ws", "wrong token", "authentication", "WHISPER_API_KEY", closes_at_once(4401))
    yield wrong("whisperlivekit+ws", "wrong query", "request", "its own log", closes_at_once(4400))
    line = {"speaker": 1, "text": "to make", "detected_language": "en"}
    yield wrong(
        "whisperlivekit+ws", "another language", "language", "was asked",
        hears_then(
            lambda peer: peer.messages[-1:] == [b""],
            {"type": "config", "useAudioWorklet": True}, {"lines": [line]}, {"type": "ready_to_stop"},
        ),
    )  # fmt: skip
    yield wrong("realtime+ws", "closes on the key", "authentication", "WHISPER_API_KEY", closes_at_once(1008))
    yield wrong(
        "realtime+ws", "no model", "request", "WHISPER_MODEL_SIZE",
        says({"type": "error", "error": {"type": "invalid_request_error", "message": "no such model"}}),
    )  # fmt: skip


def _each() -> Iterator[tuple[str, str, Wrong]]:
    for scheme in REST:
        yield from ((scheme, name, wrong) for name, wrong in _rest(scheme))
    for scheme in SOCKETS:
        yield from ((scheme, name, wrong) for name, wrong in _socket(scheme))
    yield from _of_one()
    for scheme in REST + SOCKETS:
        yield from ((scheme, name, wrong) for name, wrong in _tls(scheme))
    for scheme in (*REST, *SOCKETS, "wyoming+tcp"):
        yield (
            scheme,
            "nobody there",
            Wrong(at=nobody(scheme), outcome="connect", sentence="is the server running"),
        )
    w = "wyoming+tcp"
    yield w, "a page", Wrong(at=wyoming("garbage"), outcome="protocol", sentence="does not speak Wyoming")
    yield w, "TLS there", Wrong(at=over_tcp(w, self_signed()), outcome="stream", sentence="its own log")
    yield w, "closes", Wrong(at=wyoming("closes"), outcome="stream", sentence="its own log")
    yield w, "no model", Wrong(at=wyoming("error"), outcome="stream", sentence="no model")
    yield w, "another language", Wrong(at=wyoming("language"), outcome="language", sentence="was asked")


WRONG: dict[str, Wrong] = {f"{scheme}: {name}": wrong for scheme, name, wrong in _each()}
assert len(WRONG) == len(list(_each()))
