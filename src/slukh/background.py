"""Work beside the calls, which nobody waits for: when it ends by an error, the log says so at once."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from slukh.errors import SlukhError

logger = logging.getLogger(__name__)


def in_background(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task for `work`, named after its function, whose end by an error is logged.

    The error is kept: whoever waits for the task gets it as well.
    """
    task = asyncio.create_task(work, name=getattr(work, "__qualname__", None))
    task.add_done_callback(_log_its_error)
    return task


def _log_its_error(task: asyncio.Task[None]) -> None:
    if task.cancelled() or (error := task.exception()) is None:
        return
    defect = None if isinstance(error, SlukhError) else error  # ours say all in one sentence
    logger.error("background_ended", extra={"work": task.get_name(), "error": str(error)}, exc_info=defect)
