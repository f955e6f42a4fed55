"""The flags in force: of the environment or a file, less a rollback that stands until a person ramps."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from slukh.errors import SettingsError
from slukh.routing.flag_file import FlagFile
from slukh.routing.flag_values import CallerHash, flags_from_environment
from slukh.routing.flags import Flags
from slukh.routing.rollback import Rollback
from slukh.routing.share_files import RollbackFile, write_share

logger = logging.getLogger(__name__)


_FOLLOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What stood in the files at one look.

    Attributes:
        content: of the flag file, or why it cannot be read; None where there is no file.
        rollback: that is kept beside it.
        before: the flags that were in force when the look began.
    """

    content: bytes | SettingsError | None
    rollback: Rollback | None
    before: Flags


class LiveFlags:
    """See the module.

    Args:
        path: the flag file, or None.
        environ: `FF_*`, where there is no file.
        kept: where a rollback is kept that no flag file holds.
        caller_hash: the one that announced calls get.
        accept: raises SettingsError for flags that this process could not follow.

    Attributes:
        given: what the environment or the file says, as if nothing had been rolled back.

    Raises:
        SettingsError: flags that cannot be followed.
    """

    def __init__(
        self,
        path: Path | None,
        environ: Mapping[str, str],
        kept: RollbackFile,
        *,
        caller_hash: CallerHash,
        accept: Callable[[Flags], None] = lambda _flags: None,
    ) -> None:
        self._path = path
        self._file = None if path is None else FlagFile(path, caller_hash=caller_hash, accept=accept)
        self._fixed = None if path else flags_from_environment(environ, caller_hash=caller_hash)
        self._accept = accept
        self._kept = kept
        self._unkept: Rollback | None = None  # the disk refused it: it holds for this process
        self.flags = self._in_force(kept.read())

    @property
    def given(self) -> Flags:
        """See the class."""
        flags = self._fixed if self._file is None else self._file.flags
        assert flags is not None  # one of the two is there
        return flags

    @property
    def is_file_refused(self) -> bool:
        """Whether the flag file as it is now is not in force: the last good values are."""
        return self._file is not None and self._file.last_error is not None

    def reload(self) -> bool:
        """Look whether anything has changed; True when other values are in force now. Never raises."""
        return self.take(self.read())

    def read(self) -> Seen:
        """Look into the files; changes nothing. Blocks as long as their disk: for a thread."""
        before = self.flags
        content = None if self._file is None else self._file.read()
        return Seen(content=content, rollback=self._kept.read(), before=before)

    def take(self, seen: Seen) -> bool:
        """What `read` found; True when other values are in force now. Never blocks, never raises."""
        if seen.before is not self.flags:  # a rollback came in between: the files may say less than we know
            return False
        if self._file is not None and seen.content is not None:
            self._file.take(seen.content)
        self.flags = self._in_force(seen.rollback or self._unkept)
        return self.flags.version != seen.before.version

    def roll_back(self, rollback: Rollback) -> Rollback:
        """Give Whisper no more calls, from the next one on; what it is remembered as.

        Raises:
            SettingsError: nobody else may hear them.
        """
        self._accept(replace(self.given, whisper_percent=0))
        if self._path is not None:
            try:
                number = write_share(self._path, 0, rolled_back=rollback)
            except SettingsError as error:
                logger.error("rollback_not_in_flag_file", extra={"reason": str(error)})  # noqa: TRY400  # its sentence says it
            else:
                self.reload()
                return replace(rollback, flag_number=number)
        rollback = replace(rollback, flag_number=self.given.number)
        try:
            self._kept.write(rollback)
        except SettingsError as error:
            self._unkept = rollback
            logger.error("rollback_not_kept", extra={"reason": str(error)})  # noqa: TRY400  # likewise
        self.flags = self._in_force(rollback)
        return rollback

    def _in_force(self, rollback: Rollback | None) -> Flags:
        flags = self.given
        if rollback is None or flags.number > rollback.flag_number or flags.whisper_percent is None:
            return flags
        return replace(flags, whisper_percent=0, rolled_back=rollback)


async def follow(flags: LiveFlags, *, every_seconds: float = _FOLLOW_SECONDS) -> None:
    """Have what changed in the files in force for the next call, until cancelled.

    A network disk may hang for minutes: that is a thread's to wait for, not the calls'. One at a time.
    """
    while True:
        await asyncio.sleep(every_seconds)
        flags.take(await asyncio.to_thread(flags.read))
