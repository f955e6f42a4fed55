"""The ports we listen on: taken before anything is loaded, or refused in words; and one kept for a child."""

import contextlib
import errno
import socket
import sys
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


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """A free port of 127.0.0.1 for a program that is told where to listen, for as long as the block.

    It is bound and never listened on. On Linux whoever names it may listen there all the same, because both
    say SO_REUSEADDR, and whoever asks for any free port is given another one.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        if sys.platform != "linux":
            holder.close()  # elsewhere a bound port is a taken one
        yield port


def _remedy(error: OSError, name: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"stop what uses it, or set SLUKH_{name}_PORT to another port"
    if error.errno == errno.EACCES:
        return f"set SLUKH_{name}_PORT to one above 1023"
    return f"set SLUKH_{name}_HOST to an address of this machine"
