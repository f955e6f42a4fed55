"""Commands set up the log of a whole process: here it is given back."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _log_given_back() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
