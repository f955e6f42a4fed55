"""The way to a server's socket: TLS, handshake, deadlines, and every failure as an error of ours."""

import ssl
from collections.abc import Mapping

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
)
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

from slukh.errors import SttProtocolError, SttRequestError
from slukh.stt.whisper.failures import NO_GOODBYE, connect_error, error_from_status, no_words, slow_connect
from slukh.stt.whisper.tcp import watch
from slukh.unlogged import UNLOGGED

_MAX_MESSAGE_BYTES = 4 << 20
_CLOSE_SECONDS = 0.5


class SocketClosedError(Exception):
    """The server closed, or the connection broke.

    Attributes:
        code: RFC 6455's, 1006 when there was no goodbye.
        reason: the server's own words.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class _Connection(ClientConnection):
    """One in which a server's goodbye counts, also of a server that does not close its end.

    "The client SHOULD wait for the server to close the connection but MAY close the connection at any time if
    it has not received a TCP Close from the server in a reasonable time period" (RFC 6455, section 5.5.1).
    """

    def process_event(self, event: Event) -> None:
        super().process_event(event)
        if isinstance(event, Frame) and event.opcode is Opcode.CLOSE:
            self.loop.call_later(_CLOSE_SECONDS, self.transport.abort)


class Socket:
    """An open WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, message: str | bytes) -> None:
        """One message; waits while the server takes none.

        Raises:
            SocketClosedError: it is closed.
        """
        try:
            await self._connection.send(message)
        except ConnectionClosed as error:
            raise _closed(error) from error

    async def receive(self) -> str | bytes:
        """The next message.

        Raises:
            SocketClosedError: there is none.
        """
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise _closed(error) from error

    async def close(self) -> None:
        """Say goodbye, and go without an answer when none comes soon. Idempotent; never raises."""
        await self._connection.close()


async def open_socket(
    name: str, url: str, *, headers: Mapping[str, str], connect_seconds: float, secret: str = ""
) -> Socket:
    """A WebSocket to a server.

    Args:
        name: registry name, for errors.
        url: with its query.
        headers: of the handshake.
        connect_seconds: longest that it may take.
        secret: the API key, which no error quotes.

    Raises:
        SttError: the leaf that the failure means.
    """
    shown = url.partition("?")[0]
    try:
        connection = await connect(
            url,
            additional_headers=headers,
            create_connection=_Connection,
            proxy=None,  # a caller's audio goes to the address of the setting
            compression=None,
            open_timeout=connect_seconds,
            close_timeout=_CLOSE_SECONDS,
            ping_interval=None,  # a server that decodes in its event loop would answer too late
            max_size=_MAX_MESSAGE_BYTES,
            logger=UNLOGGED,
        )
        watch(connection.transport.get_extra_info("socket"))
        return Socket(connection)
    except InvalidStatus as error:
        response = error.response
        raise error_from_status(
            name,
            response.status_code,
            bytes(response.body or b""),
            url=shown,
            secret=secret,
            in_handshake=True,
        ) from error
    except TimeoutError as error:
        raise slow_connect(name, shown, connect_seconds) from error
    except (ssl.SSLError, OSError) as error:
        raise connect_error(name, shown, error) from error
    except (InvalidMessage, InvalidHandshake) as error:
        if isinstance(error.__cause__, EOFError):
            raise no_words(name, url=shown) from error
        raise SttProtocolError(name, f"{shown} is no WebSocket: check WHISPER_API_URL") from error
    except InvalidURI as error:
        raise SttRequestError(name, f"{shown} cannot be asked") from error


def _closed(error: ConnectionClosed) -> SocketClosedError:
    received = error.rcvd
    return SocketClosedError(received.code if received else NO_GOODBYE, received.reason if received else "")
