"""What is behind a bare `http://host:port`: asked once, at start, and said in the log and by the doctor.

Every server answers some path that no other one has. Whatever is not recognised is taken to speak OpenAI's
API, as nearly everything does; `whisper.cpp` is the one that does not unless it was started so.
"""

from dataclasses import dataclass
from typing import Any, Final

import httpx

from slukh.stt.whisper.address import Dialect

_PROBE_SECONDS = 2.0
_PATHS: Final = ("/health", "/version", "/")


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
    health = next((s.body for s in seen if s.path == "/health" and isinstance(s.body, dict)), {})
    if any("whisper.cpp" in f"{s.server} {s.text}".lower() for s in seen):
        return Recognised(server="whisper.cpp", dialect="whisper.cpp")
    if "max_clients" in health:
        return Recognised(server="WhisperLive")
    if "backend" in health and "ready" in health:
        return Recognised(server="WhisperLiveKit")
    if health == {"message": "OK"}:
        return Recognised(server="speaches")
    is_vllm = any(s.path == "/version" and isinstance(s.body, dict) and "version" in s.body for s in seen)
    return Recognised(server="vLLM") if is_vllm else UNKNOWN


async def recognise(client: httpx.AsyncClient, url: str) -> Recognised | None:
    """Ask the server of an address what it is; None when it does not answer."""
    seen: list[Seen] = []
    for path in _PATHS:
        try:
            response = await client.get(httpx.URL(url).copy_with(path=path), timeout=_PROBE_SECONDS)
        except (httpx.HTTPError, RuntimeError):  # the latter when the client was given back
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
