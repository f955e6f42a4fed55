"""The files that say what Whisper's share is now: a flag file's weights, and a rollback kept beside it.

A rollback is written into the flag file where there is one, so that every gateway that follows the file
follows it. Where there is none, or it cannot be written, it is kept in the data folder until a person ramps.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from slukh.errors import SettingsError
from slukh.routing.flag_values import flags_from_json
from slukh.routing.flags import Flags
from slukh.routing.rollback import Rollback, rollback_from

_ANY_NUMBER = 2**63 - 1


def read_share(path: Path) -> Flags:
    """The flags of a file as anybody may read it; callers on its lists are not told apart.

    Raises:
        SettingsError: it cannot be read, or is no flag file.
    """
    return flags_from_json(_content(path), caller_hash=lambda _number: "0" * 16)


def write_share(path: Path, percent: int, *, rolled_back: Rollback | None = None) -> int:
    """Write Whisper's share into a flag file; running gateways take it for their next call.

    Args:
        path: the flag file.
        percent: of the calls.
        rolled_back: why it is 0, when no person decided so.

    Returns: the file's new number.

    Raises:
        SettingsError: the file cannot be used, or gives whisper all calls.
    """
    flags = read_share(path)
    if flags.default_provider != "google":
        raise SettingsError(f"{path}: whisper has all calls", remedy='make "stt_provider" google first')
    values: dict[str, object] = json.loads(_content(path))
    number = flags.number + 1
    values |= {"weights": {"google": 100 - percent, "whisper": percent}, "version": number}
    values.pop("rolled_back", None)
    if rolled_back is not None:
        values["rolled_back"] = rolled_back.as_json()
    _write(path, values)
    return number


class RollbackFile:
    """A rollback that no flag file holds.

    Args:
        path: in the data folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Rollback | None:
        """What stands there. A file that cannot be read is a rollback too: it was written for one."""
        try:
            content = self._path.read_bytes()
            return rollback_from(json.loads(content))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, AttributeError):
            lost = f"why stood in {self._path}, which cannot be read"
            return Rollback(at=_written_at(self._path), reason=lost, from_percent=0, flag_number=_ANY_NUMBER)

    def write(self, rollback: Rollback) -> None:
        """Keep it over restarts. Raises SettingsError."""
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(self._path, rollback.as_json())

    def remove(self) -> None:
        """A person ramped again. Raises SettingsError."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise SettingsError(
                f"{self._path} cannot be removed ({error.strerror})", remedy="mend its folder's rights"
            ) from error


def _written_at(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return datetime.now(UTC)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"flag file {path} cannot be read ({error.strerror})", remedy="mend the path or its rights"
        ) from error


def _write(path: Path, values: Mapping[str, object]) -> None:
    """Whole or not at all, also when the power goes: a file beside it, on the disk, then renamed."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        beside = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(values, file, ensure_ascii=False, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(OSError):
                beside.chmod(path.stat().st_mode & 0o777)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written ({error.strerror})", remedy="mend its folder's rights"
        ) from error
