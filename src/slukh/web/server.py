"""uvicorn inside a process that is more than a web server."""

import contextlib
from collections.abc import Iterator

import uvicorn


class WebServer(uvicorn.Server):
    """uvicorn without its own signal handlers: SIGTERM is the process's, which drains calls first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield
