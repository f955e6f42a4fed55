"""What a Whisper server answers to a post, in every form we met, as a `Decoding`. Pure.

The reference is OpenAI's `verbose_json`. Servers leave out segments, scores or the language, write the
duration as a string, name the language `ukrainian` or `uk`; all that is taken. What is not JSON at all is not
a Whisper server.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from slukh.errors import SttProtocolError
from slukh.stt.whisper.decoding import DecodeRequest, Decoding
from slukh.stt.whisper.failures import spoken_language
from slukh.stt.whisper.http_events import EVENT_STREAM, answer_from_events
from slukh.stt.whisper.timings import words_of_answer


def decoding_from_body(provider: str, body: bytes, content_type: str, request: DecodeRequest) -> Decoding:
    """The decoding in a 200's body.

    Raises:
        SttProtocolError: not JSON, or no text in it.
        SttLanguageError: a language that was not asked for.
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
        language_code=spoken_language(
            provider, answer.get("language"), (request.language_code, *request.language_prior)
        ),
        reported_ms=_milliseconds(answer.get("duration")),
        words=words_of_answer(answer, segments),
    )


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


def _milliseconds(duration: object) -> int | None:
    """Seconds as a number or, from vLLM, as a string."""
    try:
        return round(float(duration) * 1000)  # type: ignore[arg-type]  # what does not convert raises TypeError
    except (TypeError, ValueError, OverflowError):
        return None
