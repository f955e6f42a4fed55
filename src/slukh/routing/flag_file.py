"""A flag file that may change while calls run, and the last good values it had."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from slukh.errors import SettingsError
from slukh.routing.flag_values import CallerHash, flags_from_json
from slukh.routing.flags import Flags

logger = logging.getLogger(__name__)

MAX_BYTES = 1 << 20


class FlagFile:
    """A flag file, and the last good values it had.

    `reload` looks at the content, never at the time of change: a restored backup keeps its old time, and a
    half written file has a new one. Write a new file beside it and rename it; a file caught half written is
    refused, and read again when its content has changed.

    Args:
        path: the JSON file.
        caller_hash: keyed hash of a number, the one that announced calls get.
        accept: raises SettingsError for flags that this process could not follow.

    Attributes:
        flags: the values in force.
        last_error: why the file as it is now is not in force, or None.

    Raises:
        SettingsError: at construction only: there is no last good value yet.
    """

    def __init__(
        self, path: Path, *, caller_hash: CallerHash, accept: Callable[[Flags], None] = lambda _flags: None
    ) -> None:
        self._path = path
        self._caller_hash = caller_hash
        self._accept = accept
        data = self._read()
        self._seen = hashlib.sha256(data).digest()
        self.flags = self._flags(data)
        self.last_error: str | None = None

    def reload(self) -> bool:
        """Read the file if its content changed; True when other values are in force now. Never raises."""
        return self.take(self.read())

    def read(self) -> bytes | SettingsError:
        """What stands in the file, or why it cannot be read; changes nothing. Blocks as long as its disk."""
        try:
            return self._read()
        except SettingsError as error:
            return error

    def take(self, data: bytes | SettingsError) -> bool:
        """What `read` found; True when other values are in force now. Never blocks, never raises."""
        if isinstance(data, SettingsError):
            return self._refuse(b"", data)
        if (seen := hashlib.sha256(data).digest()) == self._seen:
            return False
        try:
            fresh = self._flags(data, newest=self.flags.number)
        except SettingsError as error:
            return self._refuse(seen, error)
        is_other = fresh.version != self.flags.version
        self.flags, self._seen, self.last_error = fresh, seen, None
        if is_other:
            logger.info("flags_in_force", extra={"version": fresh.version})
        return is_other

    def _flags(self, data: bytes, *, newest: int = 0) -> Flags:
        """The values of a content. Raises SettingsError when it may not be in force, by the file's name."""
        try:
            flags = flags_from_json(data, caller_hash=self._caller_hash)
            if flags.number < newest:
                raise SettingsError(  # noqa: TRY301  # refused as every other content is
                    f"flag version {flags.number} is older than {newest}, which is in force",
                    remedy="raise it if these flags are meant",
                )
            self._accept(flags)
        except SettingsError as error:
            raise SettingsError(f"{self._path}: {error.problem}", remedy=error.remedy) from error
        return flags

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise SettingsError(
                f"flag file {self._path} cannot be read ({error.strerror})",
                remedy="mend the path or its rights",
            ) from error
        if len(data) > MAX_BYTES:
            raise SettingsError(
                f"flag file {self._path} is larger than 1 MiB", remedy="is it the right file?"
            )
        return data

    def _refuse(self, seen: bytes, error: SettingsError) -> bool:
        if seen != self._seen:  # once per content, not once per look
            self._seen = seen
            self.last_error = str(error)
            logger.error("flags_refused", extra={"reason": str(error), "in_force": self.flags.version})
        return False
