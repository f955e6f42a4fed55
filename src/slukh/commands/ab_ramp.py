"""`slukh ab ramp`: another share for Whisper, in the flag file, with a verdict or a reason on record."""

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from slukh.config import AllSettings
from slukh.errors import SettingsError, UserError
from slukh.experiment.evidence import RampRow
from slukh.experiment.store import ExperimentStore
from slukh.experiment.verdict import Verdict
from slukh.routing.flag_values import flags_from_json


def ramp(given: AllSettings, verdict: Verdict, *, to: int, override: str | None) -> RampRow:
    """Write another share into the flag file; running gateways take it for their next call.

    Less is always allowed: a way back must not wait for statistics.

    Args:
        given: settings.
        verdict: as it stands.
        to: per cent of the calls.
        override: why it is more without a PROMOTE, or None.

    Raises:
        SettingsError: no flag file, or one in which there is no share.
        UserError: more is asked, and the verdict does not allow it.
    """
    path = given.flags.slukh_flag_file
    if path is None:
        raise SettingsError(
            "there is no flag file to write the share into",
            remedy="set SLUKH_FLAG_FILE, or change FF_WHISPER_ROLLOUT_PERCENT by hand and restart",
        )
    values = _values(path)
    now = flags_from_json(json.dumps(values).encode(), caller_hash=lambda _number: "0" * 16).share
    if values.get("stt_provider", "google") != "google":
        raise SettingsError(f"{path}: whisper has all calls", remedy='make "stt_provider" google first')
    if to > now and verdict.decision != "PROMOTE" and not override:
        raise UserError(
            f"the verdict is {verdict.decision}, not PROMOTE ({verdict.reasons[0]})",
            remedy="see `slukh ab report`, or give your reason with --override",
        )
    values["weights"] = {"google": 100 - to, "whisper": to}
    values["version"] = _number(values) + 1
    _write(path, values)
    row = RampRow(
        decided_at=datetime.now(UTC),
        from_percent=now,
        to_percent=to,
        decision=verdict.decision,
        override=override,
        flag_number=_number(values),
    )
    with ExperimentStore(given.settings.experiment_url) as store:
        store.record([row])
    return row


def _values(path: Path) -> dict[str, object]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"flag file {path} cannot be read ({error.strerror})", remedy="mend the path or its rights"
        ) from error
    flags_from_json(content, caller_hash=lambda _number: "0" * 16)  # what is wrong with it is told as ever
    values: dict[str, object] = json.loads(content)
    return values


def _number(values: Mapping[str, object]) -> int:
    number = values["version"]
    assert isinstance(number, int)  # flags_from_json saw to it
    return number


def _write(path: Path, values: Mapping[str, object]) -> None:
    """Whole or not at all: a file beside it, then renamed."""
    try:
        descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(values, file, ensure_ascii=False, indent=2)
            file.write("\n")
        with contextlib.suppress(OSError):
            Path(beside).chmod(path.stat().st_mode & 0o777)
        Path(beside).replace(path)
    except OSError as error:
        raise SettingsError(
            f"flag file {path} cannot be written ({error.strerror})", remedy="mend its folder's rights"
        ) from error
