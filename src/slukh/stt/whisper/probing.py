"""What is behind a bare `http://host:port`: asked once, at start, and said in the log and by the doctor.

A server is named when it says its name, or answers what stands in its source and in no other's that we read.
Whatever is not recognised is taken to speak OpenAI's API, as nearly everything does; `whisper.cpp` is the one
that does not unless it was started so. Sources: the servers' own, and runs of them, November 2026.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from slukh.stt.whisper.address import Dialect

_PROBE_SECONDS = 2.0
_PATHS: Final = ("/health", "/version", "/")  # say what it speaks
_NAME_PATHS: Final = ("/openapi.json", "/v1/models")  # say only what it is called
# Title and description of what FastAPI writes about itself. open-asr-server's title alone could be anybody's.
_TITLES: Final[Mapping[tuple[str, str], str]] = {
    ("Speaches", ""): "speaches",
    ("faster-whisper-server", ""): "faster-whisper-server",
    (
        "OpenAI-Compatible ASR Server",
        "Local transcription server with OpenAI Whisper API compatibility",
    ): "open-asr-server",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What answered.

    Attributes:
        server: its name, or `an OpenAI-compatible server`.
        dialect: that is spoken to it.
    """

    server: str
    dialect: Dialect = "openai"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One answer of a probe.

    Attributes:
        path: that was asked.
        status: of HTTP.
        server: the header of that name.
        body: as JSON, or None.
        text: its first characters.
    """

    path: str
    status: int
    server: str
    body: Any
    text: str


UNKNOWN: Final = Recognised(server="an OpenAI-compatible server")


def recognised(seen: list[Seen]) -> Recognised:
    """Which server gave these answers. Pure."""
    said = {s.path: s.body for s in seen if isinstance(s.body, dict)}
    health = said.get("/health", {})
    if any("whisper.cpp" in f"{s.server} {s.text}".lower() for s in seen):
        return Recognised(server="whisper.cpp", dialect="whisper.cpp")
    if "max_clients" in health:
        return Recognised(server="WhisperLive")
    if "backend" in health and "ready" in health:
        return Recognised(server="WhisperLiveKit")
    info = said.get("/openapi.json", {}).get("info")
    if isinstance(info, dict):
        named = _TITLES.get((str(info.get("title")), str(info.get("description", ""))))
        if named is not None:
            return Recognised(server=named)
    # Others that wrap vLLM copy its owner, and others have a version: it is the one with both.
    models = said.get("/v1/models", {}).get("data")
    owners = {m.get("owned_by") for m in models if isinstance(m, dict)} if isinstance(models, list) else set()
    return (
        Recognised(server="vLLM") if "version" in said.get("/version", {}) and owners == {"vllm"} else UNKNOWN
    )


async def recognise(client: httpx.AsyncClient, url: str) -> Recognised | None:
    """Ask the server of an address what it is; None when it does not answer."""
    seen: list[Seen] = []
    for path in (*_PATHS, *_NAME_PATHS):
        try:
            response = await client.get(httpx.URL(url).copy_with(path=path), timeout=_PROBE_SECONDS)
        except (httpx.HTTPError, RuntimeError):  # the latter when the client was given back
            if path in _NAME_PATHS:
                break
            return None
        seen.append(_seen(path, response))
    return recognised(seen)


def _seen(path: str, response: httpx.Response) -> Seen:
    try:
        body = response.json()
    except ValueError:
        body = None
    return Seen(
        path=path,
        status=response.status_code,
        server=response.headers.get("server", ""),
        body=body,
        text=response.text[:2000],
    )
