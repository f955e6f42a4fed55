"""What a Whisper server answers, in every dialect we met, to a `Decoding` or to the error it means. Pure.

The reference is OpenAI's `verbose_json`. Servers leave out segments, scores or the language, write the
duration as a string, name the language `ukrainian` or `uk`; all that is taken. What is not JSON at all is not
a Whisper server.
"""

import json
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from slukh.errors import (
    SettingsError,
    SttAuthenticationError,
    SttConnectError,
    SttError,
    SttOverloadedError,
    SttProtocolError,
    SttRequestError,
    SttStreamError,
)
from slukh.stt.language import bcp_47
from slukh.stt.whisper.decoding import DecodeRequest, Decoding
from slukh.stt.whisper.http_events import EVENT_STREAM, answer_from_events
from slukh.stt.whisper.timings import words_of_answer

_TOO_MANY, _NOT_IMPLEMENTED, _UNAVAILABLE = 429, 501, 503
_QUOTED = 160  # characters of a server's own words in our sentence


def decoding_from_body(provider: str, body: bytes, content_type: str, request: DecodeRequest) -> Decoding:
    """The decoding in a 200's body.

    Raises:
        SttProtocolError: not JSON, no text in it, or a language that was not asked for.
    """
    if content_type.startswith(EVENT_STREAM):
        answer: dict[str, Any] | None = answer_from_events(provider, body)
    else:
        answer = _json_object(body)
    if answer is None or not isinstance(answer.get("text"), str):
        kind = content_type.partition(";")[0] or "no content type"
        raise SttProtocolError(
            provider, f"200 with {kind} that is no transcription: is this a Whisper server?"
        )
    segments = [s for s in _listed(answer.get("segments")) if isinstance(s, dict)]
    return Decoding(
        text=_text(answer["text"], segments),
        avg_logprob=_mean(segments, "avg_logprob"),
        no_speech_probability=min(_numbers(segments, "no_speech_prob"), default=None),
        language_code=_language(provider, answer.get("language"), request),
        reported_ms=_milliseconds(answer.get("duration")),
        words=words_of_answer(answer, segments),
    )


def error_from_status(provider: str, status: int, body: bytes, *, url: str, secret: str = "") -> SttError:
    """The error that an answer other than 200 means, its remedy in the sentence.

    Args:
        provider: registry name.
        status: HTTP status.
        body: what came with it; its message is quoted in part.
        url: what was asked, named where the path is at fault.
        secret: the API key, which is never quoted.
    """
    said = _message(body, secret)
    if status in (401, 403):
        return SttAuthenticationError(
            provider, f"{status}: the server wants another key, see WHISPER_API_KEY{said}"
        )
    if status in (404, 405) or 300 <= status < 400:  # noqa: PLR2004  # HTTP's own classes
        return SttRequestError(
            provider, f"{status} for {url}: check path and model, see WHISPER_API_URL{said}"
        )
    if status in (_TOO_MANY, _UNAVAILABLE):
        return SttOverloadedError(provider, f"{status}: the server has no room now{said}")
    if status >= 500 and status != _NOT_IMPLEMENTED:  # noqa: PLR2004
        return SttStreamError(provider, f"{status}: the server failed{said}")
    if status >= 400:  # noqa: PLR2004
        return SttRequestError(provider, f"{status}: the server refused the request{said}")
    return SttProtocolError(provider, f"{status} for {url}: is this a Whisper server?{said}")


def connect_error(provider: str, url: str, cause: BaseException) -> SttError:
    """What a failure to connect means, TLS named as such."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return SttConnectError(
            provider,
            f"the certificate of {url} is not trusted ({cause.verify_message}); SSL_CERT_FILE adds a CA",
        )
    if isinstance(cause, ssl.SSLError):
        return SttConnectError(provider, f"no TLS with {url}: does the server speak it on this port?")
    return SttConnectError(provider, f"cannot connect to {url}: is the server running?")


def _listed(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except ValueError:  # UnicodeDecodeError is one
        return None
    return answer if isinstance(answer, dict) else None


def _text(text: str, segments: Sequence[Mapping[str, Any]]) -> str:
    """Segments joined as they are, else the text: whisper.cpp wraps `text` in the middle of words."""
    joined = "".join(str(s.get("text") or "") for s in segments)
    return " ".join((joined if joined.strip() else text).split())


def _numbers(segments: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    return [float(s[key]) for s in segments if isinstance(s.get(key), int | float)]


def _mean(segments: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """Mean over the tokens of all segments; over segments where tokens are not given."""
    weighed = [
        (len(s.get("tokens") or ()) or 1, float(s[key]))
        for s in segments
        if isinstance(s.get(key), int | float)
    ]
    total = sum(tokens for tokens, _ in weighed)
    return sum(tokens * value for tokens, value in weighed) / total if total else None


def _language(provider: str, said: object, request: DecodeRequest) -> str:
    """BCP-47 of what the server says it heard; what was asked when it does not say."""
    if not isinstance(said, str) or not said:
        return request.language_code
    allowed = (request.language_code, *request.language_prior)
    try:
        code = bcp_47(said, allowed)
    except SettingsError:
        code = said
    if code not in allowed:
        asked = " or ".join(dict.fromkeys(allowed))
        raise SttProtocolError(provider, f"the server transcribed {code[:40]} where {asked} was asked")
    return code


def _milliseconds(duration: object) -> int | None:
    """Seconds as a number or, from vLLM, as a string."""
    try:
        return round(float(duration) * 1000)  # type: ignore[arg-type]  # what does not convert raises TypeError
    except (TypeError, ValueError, OverflowError):
        return None


def _message(body: bytes, secret: str) -> str:
    """` ("the server's own words")`, cut, or nothing: OpenAI's, FastAPI's, whisper.cpp's, or a string."""
    answer = _json_object(body) or {}
    said: Any = answer.get("error", answer.get("detail", answer.get("status")))
    while isinstance(said, dict):
        said = said.get("message", said.get("error"))
    if not isinstance(said, str) or not said:
        return ""
    if secret:
        said = said.replace(secret, "***")
    return f' ("{" ".join(said.split())[:_QUOTED]}")'
