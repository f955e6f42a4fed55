"""The server's side of a WebSocket, without I/O: a handshake in, then whole messages.

Framing, masks and the handshake's form are the `websockets` library's, which does no I/O here either. This
adds what it leaves to its user: a limit on the handshake, somebody at the door, answers to pings and to the
close, and fragments put together.

Source: RFC 6455.
"""

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from websockets.datastructures import Headers
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from slukh.errors import RefusalReason, TelephonyError
from slukh.telephony.base import PeerHungUp, Reply
from slukh.unlogged import UNLOGGED

MAX_REQUEST_BYTES: Final = 8 * 1024

_END_OF_REQUEST: Final = b"\r\n\r\n"
_TRY_LATER: Final = frozenset({"draining", "full", "over_budget"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """What the peer asks for.

    Attributes:
        path: with its query.
        headers: may hold a secret.
    """

    path: str
    headers: Headers = field(repr=False)

    def proves(self, header: str, secret: bytes) -> bool:
        """Whether a header holds the secret; takes equally long whatever it holds."""
        given = "".join(self.headers.get_all(header))
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret)


@dataclass(slots=True, kw_only=True)  # not frozen, as `MediaReceived`: one for every frame of audio
class Message:
    """A whole message; nobody changes it."""

    data: bytes = field(repr=False)
    is_text: bool


class WebSocketServerSide:
    """One connection.

    Args:
        max_message_bytes: of one message.
        admit: looks at the handshake; raises TelephonyError when the peer may not come in.
        subprotocols: that are spoken; a peer that asks for none of them is refused.
    """

    def __init__(
        self,
        *,
        max_message_bytes: int,
        admit: Callable[[Handshake], None],
        subprotocols: Sequence[str] = (),
    ) -> None:
        self._admit = admit
        spoken = [Subprotocol(name) for name in subprotocols]
        self._protocol = ServerProtocol(
            subprotocols=spoken or None, max_size=max_message_bytes, logger=UNLOGGED
        )
        self._request: bytes | None = b""  # None once the handshake is done
        self._message = b""  # the fragments so far
        self._is_text = False

    def receive_data(self, data: bytes) -> Iterator[Reply | PeerHungUp | Message]:
        """What these bytes complete, in order; to be taken to its end.

        Raises:
            TelephonyError: `malformed`, or what `admit` raises.
        """
        if self._request is not None:
            self._request += data
            if not self._request.startswith(b"GET "[: len(self._request)]):
                raise TelephonyError("malformed", "not a WebSocket handshake")
            head, end, data = self._request.partition(_END_OF_REQUEST)
            if len(head) > MAX_REQUEST_BYTES:
                raise TelephonyError("malformed", f"a handshake of more than {MAX_REQUEST_BYTES} bytes")
            if not end:
                return
            answer = self._shake_hands(head + end)
            self._request = None
            yield Reply(data=answer)
        self._protocol.receive_data(data)
        for frame in self._protocol.events_received():
            assert isinstance(frame, Frame)
            yield from self._taken(frame)
        if self._protocol.parser_exc is not None:
            raise TelephonyError("malformed", str(self._protocol.parser_exc))

    def _shake_hands(self, request_bytes: bytes) -> bytes:
        """The answer to a handshake; whoever may not come in learns nothing but that."""
        self._protocol.receive_data(request_bytes)
        requests = self._protocol.events_received()
        if not requests:
            raise TelephonyError("malformed", str(self._protocol.handshake_exc))
        request = requests[0]
        assert isinstance(request, Request)
        self._admit(Handshake(path=request.path, headers=request.headers))
        response = self._protocol.accept(request)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            raise TelephonyError("malformed", response.body.decode())
        self._protocol.send_response(response)
        return b"".join(self._protocol.data_to_send())

    def _taken(self, frame: Frame) -> Iterator[Reply | PeerHungUp | Message]:
        match frame.opcode:
            case Opcode.PING:
                yield Reply(data=Frame(Opcode.PONG, frame.data).serialize(mask=False))
                return
            case Opcode.PONG:
                return
            case Opcode.CLOSE:
                yield Reply(data=frame.serialize(mask=False))
                yield PeerHungUp()
                return
            case Opcode.TEXT | Opcode.BINARY:
                self._is_text = frame.opcode is Opcode.TEXT
                self._message = bytes(frame.data)
            case _:
                self._message += frame.data
        if frame.fin:
            yield Message(data=self._message, is_text=self._is_text)

    def encode_refusal(
        self,
        reason: RefusalReason,
        *,
        unauthorized: HTTPStatus,
        challenge: Mapping[str, str] | None = None,
    ) -> bytes:
        """An HTTP answer before the handshake, a close frame after it; both name the reason.

        Args:
            reason: why.
            unauthorized: the status for one who may not come in.
            challenge: headers that go with it.
        """
        if self._request is None:
            code = CloseCode.TRY_AGAIN_LATER if reason in _TRY_LATER else CloseCode.POLICY_VIOLATION
            return _close(code, reason)
        is_unauthorized = reason == "unauthorized"
        status = unauthorized if is_unauthorized else HTTPStatus.BAD_REQUEST
        response = self._protocol.reject(status, f"{reason}\n")
        if is_unauthorized and challenge is not None:
            response.headers.update(challenge)
        return response.serialize()


def text_message(text: str) -> bytes:
    """A message of text, for the peer."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


def binary_message(data: bytes) -> bytes:
    """A message of bytes, for the peer."""
    return Frame(Opcode.BINARY, data).serialize(mask=False)


def goodbye() -> bytes:
    """The close frame of a connection that did what it was for."""
    return _close(CloseCode.NORMAL_CLOSURE, "")


def _close(code: CloseCode, reason: str) -> bytes:
    return Frame(Opcode.CLOSE, Close(code, reason).serialize()).serialize(mask=False)
