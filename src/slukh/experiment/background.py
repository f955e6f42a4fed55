"""Writing to a store without anybody waiting for it."""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from slukh.errors import ExperimentError

logger = logging.getLogger(__name__)

T = TypeVar("T")


class BackgroundWriter(Generic[T]):
    """Writes what others put, in a thread of its own; what it cannot take or write is dropped, and told.

    Args:
        write: takes a batch, all or none of it.
        what: it writes, such as `rows`; named in the log.
        waiting: how many may wait.
        on_dropped: told how many were dropped.
    """

    def __init__(
        self, write: Callable[[list[T]], None], *, what: str, waiting: int, on_dropped: Callable[[int], None]
    ) -> None:
        self._write = write
        self._what = what
        self._on_dropped = on_dropped
        self._queue: queue.Queue[T | None] = queue.Queue(maxsize=waiting)
        self._thread = threading.Thread(target=self._run, name=f"slukh-{what}", daemon=True)

    def put(self, item: T) -> None:
        """Write it when there is time; from any thread."""
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self._lose([item], "too many wait")

    def start(self) -> None:
        """Begin to write. Once."""
        self._thread.start()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """Write what waits, end the thread."""
        if self._thread.ident is not None:
            with contextlib.suppress(queue.Full):  # a store that hangs must not hang the end
                self._queue.put(None, timeout=timeout_seconds)
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        is_over = False
        while not is_over:
            batch = [self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get_nowait())
            is_over = None in batch
            if kept := [item for item in batch if item is not None]:
                self._write_or_lose(kept)

    def _write_or_lose(self, items: list[T]) -> None:
        try:
            self._write(items)
        except ExperimentError as error:
            self._lose(items, str(error))
        except Exception as error:  # noqa: BLE001  # a defect of ours must not end the writing
            self._lose(items, type(error).__name__)  # not its text, which may hold a call's data

    def _lose(self, items: list[T], error: str) -> None:
        logger.error("experiment_not_stored", extra={"error": error, "what": self._what, "lost": len(items)})
        self._on_dropped(len(items))
