"""The transport contract: bytes of a telephone's media connection in, events out, and no I/O.

A codec speaks one protocol on one connection. `socket_line.SocketLine` drives it; the contract suite in
tests/unit/telephony/test_codec_contract.py holds every codec to what is promised here.
"""

from dataclasses import dataclass, field
from typing import Final, Protocol

from slukh.errors import RefusalReason

DIGITS: Final = frozenset("0123456789*#ABCDabcd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """The peer said whose call it is; the first event of a gateway's connection.

    Attributes:
        call_id: UUID, lower case with hyphens.
    """

    call_id: str


@dataclass(slots=True, kw_only=True)  # not frozen: that is a third of what a frame costs in a codec
class MediaReceived:
    """A piece of audio; nobody changes it.

    Attributes:
        linear16: little-endian int16 mono, never empty.
        sample_rate_hertz: its rate.
    """

    linear16: bytes = field(repr=False)
    sample_rate_hertz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitPressed:
    """A key of the caller's telephone; it may be of a card's PIN, so no repr shows it."""

    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerHungUp:
    """The peer said that the call is over. Most peers just close the connection instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the protocol owes the peer at once, such as the answer to a handshake or to a ping."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowChanged:
    """The peer has room for audio to play again, or none."""

    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkReturned:
    """The peer has played everything before a mark, or was told to forget it."""

    name: str


CodecEvent = Identified | MediaReceived | DigitPressed | PeerHungUp | Reply | FlowChanged | MarkReturned


class Codec(Protocol):
    """One side of one connection.

    The same bytes give the same events however TCP split them. A peer that breaks the protocol raises
    `TelephonyError` as soon as the offence is visible; the codec is of no use afterwards.
    """

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Events of all frames that these bytes complete. Raises TelephonyError."""

    def encode_audio(self, linear16_8k: bytes) -> bytes:
        """One frame of 8 kHz audio for the peer. ValueError when it does not fit into a frame."""

    def encode_mark(self, name: str, /) -> bytes:
        """What the peer returns (`MarkReturned`) once it has played all before; nothing where it cannot."""

    def encode_flush(self) -> bytes:
        """What makes the peer forget audio that it has not played; nothing where it holds none."""

    def encode_hangup(self) -> bytes:
        """The frame that ends the call."""

    def encode_refusal(self, reason: RefusalReason, /) -> bytes:
        """What a peer that is refused or cut off is told; nothing where the protocol has no words for it."""
