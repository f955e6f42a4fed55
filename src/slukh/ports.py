"""The ports we listen on: taken before anything is loaded, or refused in words."""

import contextlib
import errno
import socket
from collections.abc import Iterator

from slukh.errors import ServiceError


@contextlib.contextmanager
def listen(host: str, port: int, name: str) -> Iterator[socket.socket]:
    """A listening socket, for as long as the block.

    Args:
        host: an address of this machine.
        port: 0 takes a free one.
        name: of its settings, such as `AUDIOSOCKET` of SLUKH_AUDIOSOCKET_PORT.

    Raises:
        ServiceError: the port is taken, or the address is not ours.
    """
    try:
        listener = socket.create_server((host, port), backlog=512)
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (while")[0]  # Python names the address once more
        raise ServiceError(f"cannot listen on {host}:{port} ({why})", remedy=_remedy(error, name)) from error
    with listener:
        yield listener


def _remedy(error: OSError, name: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"stop what uses it, or set SLUKH_{name}_PORT to another port"
    if error.errno == errno.EACCES:
        return f"set SLUKH_{name}_PORT to one above 1023"
    return f"set SLUKH_{name}_HOST to an address of this machine"
