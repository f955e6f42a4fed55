"""What `slukh whisper check` measured: how many calls one Whisper server hears at once.

{"version": 1, "url": "http://10.0.0.7:8000", "model": "large-v3-turbo", "streams": 12, "p95_ms": 640}

`"streams": 0` is a server that callers would complain of: it was found unfit.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from slukh.cost.estimates.scenario import STREAMS_PATH, Assumption, Scenario, WhisperFleet
from slukh.errors import ScenarioError


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCapacity:
    """One server, measured.

    Attributes:
        version: of the file's format.
        url: the server.
        model: what it ran.
        streams: calls that it heard at once within its deadline; 0 when it was found unfit for any.
        p95_ms: of its finals at that load, or with one caller when it is unfit.
    """

    version: Literal[1]
    url: str
    model: str
    streams: Annotated[int, Field(ge=0, le=10_000)]
    p95_ms: Annotated[float, Field(ge=0)]

    __pydantic_config__ = ConfigDict(extra="ignore", frozen=True)

    @property
    def is_fit(self) -> bool:
        """Whether calls can be given to it."""
        return self.streams > 0


_ADAPTER: TypeAdapter[MeasuredCapacity] = TypeAdapter(MeasuredCapacity)


def read_capacity(path: Path) -> tuple[MeasuredCapacity, date]:
    """The file's content, and the day it was written.

    Raises:
        ScenarioError: it cannot be read, or holds no capacity.
    """
    try:
        written_on = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC).date()
        return _ADAPTER.validate_json(path.read_bytes()), written_on
    except OSError as error:
        raise ScenarioError(
            f"capacity file {path} cannot be read ({error.strerror})", remedy="mend the path or its rights"
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ScenarioError(
            f"capacity file {path}: {where}: {first['msg']}", remedy="write it anew: `slukh whisper check`"
        ) from error


def with_capacity(scenario: Scenario, measured: MeasuredCapacity, on: date) -> Scenario:
    """The scenario with a measured number of calls per GPU in place of the assumed one.

    Raises:
        ScenarioError: its Whisper runs on no GPU of yours, or what was measured is not fit for calls.
    """
    if not measured.is_fit:
        raise ScenarioError(
            f"{measured.url} was found unfit for calls on {on}, so it carries none",
            remedy="mend what `slukh whisper check` says of it, and let that write the file anew",
        )
    whisper = scenario.stt.whisper
    if not isinstance(whisper, WhisperFleet):
        raise ScenarioError(
            f"{scenario.name}: its Whisper is a service, which has no capacity of yours",
            remedy="leave the capacity file out",
        )
    origin = Assumption(
        source=f"slukh whisper check {measured.url} ({measured.model}, p95 {measured.p95_ms:g} ms)",
        read_on=on,
        confidence="measured",
    )
    return replace(
        scenario,
        stt=replace(
            scenario.stt,
            whisper=replace(whisper, streams_per_gpu=measured.streams, model=measured.model),
        ),
        assumptions={**scenario.assumptions, STREAMS_PATH: origin},
    )
