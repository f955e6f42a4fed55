"""How commands open what was recorded: what is past its day goes first."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from slukh.settings.config import Settings, load
from slukh.settings.recordings import RecordingSettings

if TYPE_CHECKING:
    from slukh.experiment.recordings import Recordings


@contextmanager
def opened_recordings() -> Iterator["Recordings"]:
    """The recordings that the settings name, until the block ends.

    Raises:
        SettingsError: a setting cannot be.
        ExperimentError: the store cannot be used.
    """
    from slukh.experiment.recordings import Recordings

    url, given = load(Settings).experiment_url, load(RecordingSettings)
    with Recordings(url, key=given.key, days=given.days) as recordings:
        recordings.expire(datetime.now(UTC))
        yield recordings
