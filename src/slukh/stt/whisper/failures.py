"""What the failure of a Whisper server means, in one sentence for every dialect, its remedy in it. Pure."""

import json
import re
import socket
import ssl
from collections.abc import Sequence
from typing import Any, Final

from slukh.errors import (
    SettingsError,
    SttAuthenticationError,
    SttConnectError,
    SttError,
    SttLanguageError,
    SttOverloadedError,
    SttProtocolError,
    SttRequestError,
    SttStreamError,
    SttTimeoutError,
)
from slukh.stt.language import bcp_47
from slukh.stt.whisper.tcp import BLOCKED_SECONDS

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _WRONG_METHOD, _TOO_MANY = 401, 403, 404, 405, 429
_NOT_IMPLEMENTED, _UNAVAILABLE = 501, 503
NO_GOODBYE = 1006  # RFC 6455: the connection broke
_QUOTED = 160  # characters of a server's own words in our sentence
# What nginx, Apache and Go answer in plain text on a port of TLS.
_WANTS_TLS: Final = re.compile(rb"plain HTTP.{0,40}(HTTPS|SSL)|HTTP request to an HTTPS", re.IGNORECASE)


def error_from_status(
    provider: str, status: int, body: bytes, *, url: str, secret: str = "", in_handshake: bool = False
) -> SttError:
    """The error that an answer other than 200 means.

    Args:
        provider: registry name.
        status: HTTP status.
        body: what came with it; its message is quoted in part.
        url: what was asked, named where the path is at fault.
        secret: the API key, which is never quoted.
        in_handshake: a WebSocket was asked for.
    """
    said = _quoted_from(body, secret)
    if status == _UNAVAILABLE:
        return SttOverloadedError(
            provider, f"{status}: the server has no room now, or still loads its model{said}"
        )
    if status == _NOT_IMPLEMENTED or 400 <= status < 500:  # noqa: PLR2004  # HTTP's own classes
        if status == _FORBIDDEN and in_handshake and not said:
            # All that ASGI servers answer, to a wrong key and to a path that they do not have.
            return SttAuthenticationError(
                provider,
                f"403 for {url}: another key (WHISPER_API_KEY) or path (WHISPER_API_URL) is wanted",
                remedy="set WHISPER_API_KEY to the key that the server was started with, or correct the path "
                "in WHISPER_API_URL",
            )
        return _refusal(provider, status, said, url=url, wants_tls=bool(_WANTS_TLS.search(body)))
    if status >= 500:  # noqa: PLR2004
        # open-asr-server answers so to a model that it does not have.
        return failed(
            provider,
            said,
            prefix=f"{status}: ",
            remedy="look into the server's own log; it may not have the model of WHISPER_MODEL_SIZE",
        )
    if status >= 300:  # noqa: PLR2004
        return _not_there(provider, status, said, url)
    return SttProtocolError(provider, f"{status} for {url}: is this a Whisper server?{said}")


def connect_error(provider: str, url: str, cause: BaseException) -> SttConnectError:
    """What a failure to connect means, TLS and an unknown name said as such."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return SttConnectError(
            provider,
            f"the certificate of {url} is not trusted ({cause.verify_message}); SSL_CERT_FILE adds a CA",
            remedy="name the file of its CA in SSL_CERT_FILE, or give the server one of a known CA",
        )
    if isinstance(cause, ssl.SSLError):
        return SttConnectError(
            provider,
            f"no TLS with {url}: does the server speak it on this port?",
            remedy="write http for https, or ws for wss, in WHISPER_API_URL, or the port of its TLS",
        )
    if isinstance(cause, socket.gaierror):
        return SttConnectError(
            provider,
            f"the name in {url} cannot be resolved ({cause.strerror})",
            remedy="correct the host in WHISPER_API_URL, or what resolves names on this machine",
        )
    return SttConnectError(provider, f"cannot connect to {url}: is the server running?")


def slow_connect(provider: str, url: str, after_seconds: float) -> SttConnectError:
    """Nobody took the connection, or nobody answered the handshake."""
    return SttConnectError(provider, f"no connection to {url} in {after_seconds:g} s: see WHISPER_API_URL")


def took_no_more(provider: str) -> SttTimeoutError:
    """The server is there and reads nothing."""
    return SttTimeoutError(
        provider, f"the server took no more of the audio for {BLOCKED_SECONDS:g} s: is it stuck?"
    )


def no_answer(provider: str, after_seconds: float) -> SttTimeoutError:
    """The utterance was over, and its text did not come."""
    return SttTimeoutError(
        provider, f"no answer in {after_seconds:g} s: is it a Whisper server, and fast enough?"
    )


def no_words(provider: str, *, url: str = "") -> SttStreamError:
    """The connection closed instead of an answer.

    Args:
        provider: registry name.
        url: where perhaps TLS is spoken, which most servers show a stranger by closing.
    """
    scheme = url.partition("://")[0]
    or_tls = f", or it wants {scheme}s" if scheme in ("http", "ws") else ""
    remedy = f"look into the server's own log; if it speaks TLS, write {scheme}s in WHISPER_API_URL"
    if scheme == "http":  # what servers of other protocols make of a POST
        remedy += ", and if it speaks Wyoming or WebSockets, the scheme of that: doc/whisper-servers.md"
    return SttStreamError(
        provider,
        f"the server closed the connection without an answer: its own log may say why{or_tls}",
        remedy=remedy if or_tls else "",
    )


def closed(provider: str, code: int, reason: str) -> SttStreamError:
    """A WebSocket was closed instead of an answer, perhaps with a reason."""
    how = "broke off" if code == NO_GOODBYE else "closed"
    return SttStreamError(
        provider,
        f"the server {how} without a result, close code {code}{quoted(reason)}: its own log may say why",
    )


def given_back(provider: str) -> SttStreamError:
    """We closed it ourselves."""
    return SttStreamError(provider, "the connection to the server was given back")


def failed(provider: str, said: str = "", *, prefix: str = "", remedy: str = "") -> SttStreamError:
    """The server says that it failed; `said` as of `quoted`."""
    return SttStreamError(provider, f"{prefix}the server failed, see its own log{said}", remedy=remedy)


def wrong_key(provider: str, prefix: str = "", said: str = "") -> SttAuthenticationError:
    """The server wants another key, or any; `said` as of `quoted`."""
    return SttAuthenticationError(
        provider, f"{prefix}the server wants another key, see WHISPER_API_KEY{said}"
    )


def refused(provider: str, said: str = "") -> SttRequestError:
    """The server does not take what a session asks for; `said` as of `quoted`."""
    return SttRequestError(
        provider,
        f"the server refused the session: check WHISPER_MODEL_SIZE and its own log{said}",
        remedy="name a model that it has in WHISPER_MODEL_SIZE; its own log says more",
    )


def spoken_language(provider: str, said: object, allowed: Sequence[str]) -> str:
    """BCP-47 of what a server says that it heard; the first that was asked when it does not say.

    Raises:
        SttLanguageError: another one: an English-only model, or one that is not told.
    """
    if not isinstance(said, str) or not said:
        return allowed[0]
    try:
        code = bcp_47(said, allowed)
    except SettingsError:
        code = said
    if code not in allowed:
        asked = " or ".join(dict.fromkeys(allowed))
        raise SttLanguageError(
            provider,
            f"the server transcribed {code[:40]} where {asked} was asked: has it a model of many languages?",
        )
    return code


def quoted(said: object) -> str:
    """` ("a server's own words")`, on one line and cut; nothing when there are none."""
    words = " ".join(str(said or "").split())
    return f' ("{words[:_QUOTED]}")' if words else ""


def _refusal(provider: str, status: int, said: str, *, url: str, wants_tls: bool) -> SttError:
    """A 4xx: whoever asks is at fault."""
    if wants_tls:
        return SttConnectError(
            provider,
            f"{status}: the server wants TLS here, so https or wss in WHISPER_API_URL",
            remedy="write https for http, or wss for ws, in WHISPER_API_URL",
        )
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        return wrong_key(provider, f"{status}: ", said)
    if status in (_NOT_FOUND, _WRONG_METHOD):
        return _not_there(provider, status, said, url)
    if status == _TOO_MANY:
        return SttOverloadedError(provider, f"{status}: the server has no room now{said}")
    return SttRequestError(provider, f"{status}: the server refused the request{said}")


def _not_there(provider: str, status: int, said: str, url: str) -> SttRequestError:
    return SttRequestError(provider, f"{status} for {url}: check path and model, see WHISPER_API_URL{said}")


def _quoted_from(body: bytes, secret: str) -> str:
    """The message in an answer: OpenAI's, FastAPI's, whisper.cpp's, or a string."""
    try:
        answer = json.loads(body)
    except ValueError:  # UnicodeDecodeError is one
        return ""
    if not isinstance(answer, dict):
        return ""
    said: Any = answer.get("error", answer.get("detail", answer.get("status")))
    while isinstance(said, dict):
        said = said.get("message", said.get("error"))
    if not isinstance(said, str):
        return ""
    return quoted(said.replace(secret, "***") if secret else said)
