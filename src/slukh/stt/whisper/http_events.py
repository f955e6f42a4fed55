"""Server-sent events of a transcription, in the three schemas that servers write. Pure.

    OpenAI, speaches   {"type": "transcript.text.delta", "delta": ".."}, {"type": "transcript.text.done"}
    vLLM               {"object": "transcription.chunk", "choices": [{"delta": {"content": ".."}}]}, [DONE]
    WhisperLive        {"type": "metadata", "language": ".."}, {"id", "start", "end", "text"} each, [DONE]

speaches leaves the last text empty, so the deltas count; OpenAI's last text counts when there is one.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from slukh.errors import SttProtocolError, SttStreamError
from slukh.stt.whisper.failures import failed, quoted

EVENT_STREAM: Final = "text/event-stream"
_DONE: Final[Mapping[str, Any]] = {"type": "[DONE]"}


def answer_from_events(provider: str, body: bytes) -> dict[str, Any]:
    """The whole answer, in the shape of `verbose_json` as far as the events tell.

    Raises:
        SttStreamError: an event says that the server failed, or the stream broke off before its end.
        SttProtocolError: events of another kind.
    """
    events = list(_events(provider, body))
    for event in events:
        if "error" in event:
            error = event["error"]
            said = error.get("message") if isinstance(error, dict) else error
            raise failed(provider, quoted(said))
    done = next((e for e in events if e.get("type") == "transcript.text.done"), None)
    if done is None and _DONE not in events:
        raise SttStreamError(provider, "the server broke off in the middle of its answer")
    segments = [e for e in events if "start" in e and "text" in e]
    deltas = "".join(_delta(e) for e in events) or "".join(str(s["text"]) for s in segments)
    language = next((e.get("language") for e in events if e.get("type") == "metadata"), None)
    return {"text": (done or {}).get("text") or deltas, "segments": segments, "language": language}


def _delta(event: Mapping[str, Any]) -> str:
    match event:
        case {"type": "transcript.text.delta", "delta": str(delta)}:
            return delta
        case {"choices": [{"delta": {"content": str(delta)}}, *_]}:
            return delta
    return ""


def _events(provider: str, body: bytes) -> Iterator[Mapping[str, Any]]:
    """The objects in the `data` lines."""
    for line in body.decode(errors="replace").splitlines():
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            yield _DONE
            continue
        try:
            event = json.loads(data)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            raise SttProtocolError(provider, "an event that is no JSON object: is this a Whisper server?")
        yield event
