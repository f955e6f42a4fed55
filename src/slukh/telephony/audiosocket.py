"""AudioSocket as Asterisk 22 speaks it: `kind:u8 | length:u16 big-endian | payload` over plain TCP.

    kind          payload                                    sent by
    0x00          none: the call is over                     either side
    0x01          16 bytes: the call's UUID, first of all    Asterisk
    0x03          one ASCII character: a DTMF digit          Asterisk
    0x10 - 0x18   int16 little-endian mono, rate by kind     either side
    0xff          one byte: an error code                    Asterisk

Asterisk drops the call of a gateway that sends any kind but 0x00 and 0x10 - 0x18, or whose header and
payload arrive more than 5 ms apart: a frame leaves in one write. A caller who hangs up is an end of file.
Kinds we do not know are skipped, because a newer Asterisk may have some.

Asterisk before its multi-rate patch labels every format 0x10: such a dial plan must say `c(slin)`.

Source: asterisk/asterisk at f0c1c1a (2026-08), res/res_audiosocket.c and include/asterisk/res_audiosocket.h.
"""

import struct
import uuid
from typing import Final, Literal, NoReturn

from slukh.errors import RefusalReason, TelephonyError
from slukh.telephony.base import (
    DIGITS,
    CodecEvent,
    DigitPressed,
    Identified,
    MediaReceived,
    PeerHungUp,
)

HANGUP: Final = 0x00
ID: Final = 0x01
DTMF: Final = 0x03
AUDIO_8K: Final = 0x10
ERROR: Final = 0xFF
SAMPLE_RATES: Final[dict[int, int]] = {
    0x10: 8_000,
    0x11: 12_000,
    0x12: 16_000,
    0x13: 24_000,
    0x14: 32_000,
    0x15: 44_100,
    0x16: 48_000,
    0x17: 96_000,
    0x18: 192_000,
}
MAX_PAYLOAD: Final = 0xFFFF

_HEADER: Final = struct.Struct(">BH")
_HEADER_BYTES: Final = _HEADER.size


class AudioSocketCodec:
    """One side of an AudioSocket connection (`slukh.telephony.base.Codec`).

    Args: side: `gateway` is called and wants a UUID first; `caller` is what Asterisk is to us, and receives
        audio and the hang-up.
    """

    def __init__(self, *, side: Literal["gateway", "caller"] = "gateway") -> None:
        self._identified = side == "caller"
        self._partial = b""

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Events of all frames that these bytes complete.

        Raises:
            TelephonyError: `audio_before_id`, `bad_id`, `second_id`, `malformed` or `peer_error`; an
                offence that a header shows is raised before its payload is waited for.
        """
        if self._partial:
            data = self._partial + data
        events: list[CodecEvent] = []
        start, end = 0, len(data)
        while (payload_start := start + _HEADER_BYTES) <= end:
            kind, length = _HEADER.unpack_from(data, start)
            rate = SAMPLE_RATES.get(kind)
            if rate is None:
                self._check_control(kind, length)
            elif length % 2 or not self._identified:
                self._refuse_audio(length)
            start_of_next = payload_start + length
            if start_of_next > end:
                break
            payload = data[payload_start:start_of_next]
            start = start_of_next
            if rate is None:
                events += self._control_events(kind, payload)
            elif payload:
                events.append(MediaReceived(linear16=payload, sample_rate_hertz=rate))
        self._partial = data[start:]
        return events

    def _refuse_audio(self, length: int) -> NoReturn:
        if not self._identified:
            raise TelephonyError("audio_before_id", "audio came before the call's UUID")
        raise TelephonyError("malformed", f"{length} bytes are no whole number of 16-bit samples")

    def _check_control(self, kind: int, length: int) -> None:
        if kind == ID:
            if self._identified:
                raise TelephonyError("second_id", "a UUID frame on a connection that has one")
            if length != 16:  # noqa: PLR2004  # a UUID has 16 bytes
                raise TelephonyError("bad_id", f"a UUID frame of {length} bytes instead of 16")
        elif kind == DTMF and length != 1:
            raise TelephonyError("malformed", f"a DTMF frame of {length} bytes instead of 1")

    def _control_events(self, kind: int, payload: bytes) -> list[CodecEvent]:
        match kind:
            case 0x00:
                return [PeerHungUp()]
            case 0x01:
                self._identified = True
                return [Identified(call_id=str(uuid.UUID(bytes=payload)))]
            case 0x03:
                digit = payload.decode("latin-1")
                if digit not in DIGITS:
                    raise TelephonyError("malformed", "a DTMF frame without a telephone's key")
                return [DigitPressed(digit=digit)]
            case 0xFF:
                raise TelephonyError("peer_error", f"the peer reports error 0x{payload[:4].hex()}")
            case _:
                return []  # of a newer peer

    def encode_audio(self, linear16_8k: bytes) -> bytes:
        """One frame of 8 kHz audio. ValueError on an odd length or more than 65,534 bytes."""
        if len(linear16_8k) % 2:
            raise ValueError("linear16 has two bytes per sample")
        return encode_frame(AUDIO_8K, linear16_8k)

    def encode_mark(self, _: str, /) -> bytes:
        """Nothing: Asterisk holds no audio."""
        return b""

    def encode_flush(self) -> bytes:
        """Nothing: Asterisk plays a frame when it comes and holds none."""
        return b""

    def encode_hangup(self) -> bytes:
        """The frame after which Asterisk goes on with its dial plan."""
        return encode_frame(HANGUP)

    def encode_refusal(self, _: RefusalReason, /) -> bytes:
        """Nothing: Asterisk takes audio and the hang-up, and no reasons."""
        return b""


def encode_frame(kind: int, payload: bytes = b"") -> bytes:
    """Header and payload of one frame. ValueError when the payload exceeds 65,535 bytes."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a frame holds {MAX_PAYLOAD} bytes, not {len(payload)}")
    return _HEADER.pack(kind, len(payload)) + payload


def encode_id(call_id: str) -> bytes:
    """The caller's first frame. ValueError when `call_id` is no UUID."""
    return encode_frame(ID, uuid.UUID(call_id).bytes)


def encode_dtmf(digit: str) -> bytes:
    """A key the caller pressed. ValueError when no telephone has it."""
    if digit not in DIGITS:
        raise ValueError("not a key of a telephone")
    return encode_frame(DTMF, digit.encode("ascii"))
