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

from slukh.errors import SttConnectError, SttProtocolError, SttRequestError
from slukh.stt.whisper.http_answers import connect_error, error_from_status
from slukh.stt.whisper.tcp import watch

_MAX_MESSAGE_BYTES = 4 << 20
_CLOSE_SECONDS = 0.5
_NOT_CLOSED = 1006  # RFC 6455: the connection broke without a goodbye


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
            proxy=None,  # a caller's audio goes to the address of the setting
            compression=None,
            open_timeout=connect_seconds,
            close_timeout=_CLOSE_SECONDS,
            ping_interval=None,  # a server that decodes in its event loop would answer too late
            max_size=_MAX_MESSAGE_BYTES,
        )
        watch(connection.transport.get_extra_info("socket"))
        return Socket(connection)
    except InvalidStatus as error:
        response = error.response
        raise error_from_status(
            name, response.status_code, bytes(response.body or b""), url=shown, secret=secret
        ) from error
    except TimeoutError as error:
        raise SttConnectError(name, f"no connection to {shown} in {connect_seconds:g} s") from error
    except (ssl.SSLError, OSError) as error:
        raise connect_error(name, shown, error) from error
    except (InvalidMessage, InvalidHandshake) as error:
        raise SttProtocolError(name, f"{shown} is no WebSocket: check WHISPER_API_URL") from error
    except InvalidURI as error:
        raise SttRequestError(name, f"{shown} cannot be asked") from error


def _closed(error: ConnectionClosed) -> SocketClosedError:
    received = error.rcvd
    return SocketClosedError(received.code if received else _NOT_CLOSED, received.reason if received else "")
