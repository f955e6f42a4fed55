"""The samples of a wav that comes in pieces: header off, whatever length it claims. No I/O.

Engines that write to a pipe put a length into the header before they know it, and Google puts a header in
front of LINEAR16 and MULAW alike. Source: Microsoft RIFF, "WAVE form" (PCM is format 1, mu-law 7).
"""

import struct

from slukh.audio import linear16_from_mulaw

_PCM, _MULAW = 1, 7
_LONGEST_HEADER = 4096


class WavReader:
    """Bytes of a mono wav in, linear 16-bit samples out.

    Attributes:
        sample_rate_hertz: once the header has come, else 0.
    """

    def __init__(self) -> None:
        self.sample_rate_hertz = 0
        self._format = 0
        self._rest = b""
        self._in_data = False

    def push(self, data: bytes) -> bytes:
        """The samples that these further bytes complete. ValueError when it is no such wav."""
        self._rest += data
        if not self._in_data and not self._read_header():
            return b""
        whole = len(self._rest) if self._format == _MULAW else len(self._rest) // 2 * 2
        samples, self._rest = self._rest[:whole], self._rest[whole:]
        return linear16_from_mulaw(samples) if self._format == _MULAW else samples

    def _read_header(self) -> bool:
        head = self._rest
        if not (head.startswith(b"RIFF"[: len(head)]) and head[8:12] == b"WAVE"[: max(0, len(head) - 8)]):
            raise ValueError("it does not begin with RIFF ... WAVE")
        at = 12
        while at + 8 <= len(head):
            name, length = struct.unpack_from("<4sI", head, at)
            if name == b"data":
                if not self._format:
                    raise ValueError("its data stand before its format")
                self._in_data, self._rest = True, head[at + 8 :]
                return True
            if at + 8 + length > len(head):
                break
            if name == b"fmt ":
                self._read_format(head[at + 8 : at + 8 + length])
            at += 8 + length + length % 2
        if len(head) > _LONGEST_HEADER:
            raise ValueError("no data in its first 4 kB")
        return False

    def _read_format(self, chunk: bytes) -> None:
        kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
        if channels != 1 or (kind, bits) not in {(_PCM, 16), (_MULAW, 8)}:
            raise ValueError(f"format {kind} with {channels} channels of {bits} bits")
        self._format, self.sample_rate_hertz = kind, rate
