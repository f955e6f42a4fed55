"""A logger for a library that would log what is a secret."""

import logging
from typing import Final

# websockets logs headers, URLs and messages at DEBUG: keys, passwords, and what callers say.
# Outside the tree of loggers, so that no level given to them reaches it.
UNLOGGED: Final = logging.Logger("websockets", logging.CRITICAL + 1)  # noqa: LOG001
