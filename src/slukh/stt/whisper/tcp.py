"""How connections to Whisper servers notice that nobody is there or nobody reads, and lose no time."""

import socket
import sys
from typing import Final

BLOCKED_SECONDS: Final = 1.5  # for a piece of audio to be taken
_GONE_MS = 3000  # for a server's kernel to acknowledge what was sent, or a keepalive
_TCP_NOTSENT_LOWAT = 25  # linux/tcp.h; the socket module of 3.11 does not name it
SOCKET_OPTIONS: list[tuple[int, int, int]] = []
if sys.platform == "linux":
    SOCKET_OPTIONS = [
        # Otherwise our own kernel takes a whole utterance for a server that reads none of it.
        (socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, 16384),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GONE_MS),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    ]


def acknowledge(connected: socket.socket) -> None:
    """Let a server know at once that its head has come.

    One that writes head and body apart, with Nagle's algorithm on, as whisper.cpp's does, holds the body back
    until then, and a kernel waits 40 ms with it: "TCP_QUICKACK ... acks are sent immediately, rather than
    delayed"; "this flag is not permanent" (tcp(7)).
    """
    if sys.platform == "linux":
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def watch(connected: socket.socket) -> None:
    """Set the options on a connection that somebody else made."""
    for level, option, value in SOCKET_OPTIONS:
        connected.setsockopt(level, option, value)
