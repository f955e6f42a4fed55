"""Asterisk's side of a connection, for whoever calls a gateway without one: tests, benches, `slukh call`."""

from typing import Protocol

from slukh.telephony.audiosocket import (
    AUDIO_8K,
    AudioSocketCodec,
    encode_dtmf,
    encode_frame,
    encode_id,
)
from slukh.telephony.base import CodecEvent


class Peer(Protocol):
    """Asterisk's side of a connection: what it sends, and what it takes in."""

    def greeting(self, call_id: str) -> bytes:
        """What names the call, before its audio."""

    def audio(self, linear16: bytes) -> bytes:
        """Audio of the caller's."""

    def digit(self, digit: str) -> bytes:
        """A key the caller pressed."""

    def goodbye(self) -> bytes:
        """What is said before the connection is closed."""

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """What the gateway said."""


class AudioSocketPeer:
    """Asterisk's side of an AudioSocket connection (`Peer`)."""

    def __init__(self) -> None:
        self.receive_data = AudioSocketCodec(side="caller").receive_data

    def greeting(self, call_id: str) -> bytes:
        """The UUID."""
        return encode_id(call_id)

    def audio(self, linear16: bytes) -> bytes:
        """One frame."""
        return encode_frame(AUDIO_8K, linear16)

    def digit(self, digit: str) -> bytes:
        """One frame."""
        return encode_dtmf(digit)

    def goodbye(self) -> bytes:
        """Nothing: Asterisk just closes."""
        return b""
