"""What the fault table says: trials into rows, rows into a report, a report into JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from slukh import __version__
from slukh.testing.failover_faults import LEFT_OUT, TARGETS_MS, Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One call that was hit.

    Attributes:
        words_lost: said and not in any final.
        words_doubled: in finals more often than said.
        has_ended: the gateway let go of the call.
        detection_ms: None when no Attempt failed.
        switch_ms: None when no Attempt failed, or nothing was published after it.
    """

    words_lost: int
    words_doubled: int
    has_ended: bool
    detection_ms: float | None
    switch_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """All trials of one fault in one direction; times are None where no Attempt failed."""

    fault: str
    direction: str
    trials: int
    words_lost: int
    words_doubled: int
    calls_ended: int
    detection_ms_p50: float | None
    detection_ms_max: float | None
    switch_ms_p50: float | None
    switch_ms_max: float | None

    @property
    def is_whole(self) -> bool:
        """Whether no caller noticed anything but time."""
        return not (self.words_lost or self.words_doubled or self.calls_ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalRow:
    """Somebody else's row: its detection is when it said so, its switch the first words after the fault.

    Attributes:
        rival: the class that switches.
        version: of its package.
        settings: as JSON, the arguments that are not its defaults.
        censored: trials without a word for so long that nobody waited any more; their switch is that long.
        row: as ours.
    """

    rival: str
    version: str
    settings: str
    censored: int
    row: Row

    def as_json(self) -> dict[str, Any]:
        """Flat."""
        own = {"rival": self.rival, "version": self.version, "settings": self.settings}
        return own | asdict(self.row) | {"censored": self.censored}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The fault table."""

    rows: tuple[Row, ...]
    rivals: tuple[RivalRow, ...] = ()

    @property
    def is_whole(self) -> bool:
        """The gate."""
        return all(row.is_whole for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """Everything, for scripts."""
        return {
            "version": __version__,
            "rows": [asdict(row) for row in self.rows],
            "rivals": [row.as_json() for row in self.rivals],
            "left_out": [
                {"fault": fault, "direction": direction, "reason": reason}
                for fault, direction, reason in LEFT_OUT
            ],
            "detection_targets_ms": TARGETS_MS,
        }


def row_of(fault: Fault, trials: Sequence[Trial]) -> Row:
    """What all of them together say."""
    detections = [trial.detection_ms for trial in trials if trial.detection_ms is not None]
    switches = [trial.switch_ms for trial in trials if trial.switch_ms is not None]
    return Row(
        fault=fault.name,
        direction=fault.direction,
        trials=len(trials),
        words_lost=sum(trial.words_lost for trial in trials),
        words_doubled=sum(trial.words_doubled for trial in trials),
        calls_ended=sum(trial.has_ended for trial in trials),
        detection_ms_p50=_percentile(detections, 50),
        detection_ms_max=_percentile(detections, 100),
        switch_ms_p50=_percentile(switches, 50),
        switch_ms_max=_percentile(switches, 100),
    )


def _percentile(values: Sequence[float], percent: int) -> float | None:
    return round(float(np.percentile(values, percent)), 1) if values else None
