"""Pieces of one sentence joined, so that it neither clicks nor halts where they meet. No I/O.

A voice puts silence around what it says. Inside a sentence most of it goes, and the last 10 ms of a piece
fade out under the first of the next. What is before the first piece and behind the last stays; a sentence in
one piece is not changed.
"""

from collections.abc import AsyncIterator
from typing import Final

import numpy as np

from slukh.audio import Samples, linear16_from_samples, samples_from_linear16
from slukh.types import samples_from_ms

_FADE: Final = samples_from_ms(10)
_LEFT: Final = samples_from_ms(25)  # of the silence at each side: words are not run together
_SILENT: Final = 100  # of 32768: some 50 dB below a loud voice
_NOTHING: Final = np.empty(0, np.int16)


class Joiner:
    """The pieces of one sentence, one after the other.

    Args:
        grain_samples: what is given is whole numbers of these, such as a frame of the line, but for the end
            of the sentence: what is left of a piece begins the next one.
    """

    def __init__(self, *, grain_samples: int = 1) -> None:
        self._grain = grain_samples
        self._held = _NOTHING  # of this piece, until it is known what follows
        self._tail = _NOTHING  # of the piece before
        self._is_joined = True

    async def piece(self, audio: AsyncIterator[bytes], *, is_last: bool) -> AsyncIterator[bytes]:
        """A piece as it is to be played. Raises what its audio raises."""
        async for linear16 in audio:
            if made := self.push(linear16):
                yield made
        if made := self.finish(is_last=is_last):
            yield made

    def push(self, linear16: bytes) -> bytes:
        """What can be played now of the piece that is being read."""
        self._held = np.concatenate([self._held, samples_from_linear16(linear16)])
        if not self._is_joined:
            start = _voice(self._held)[0]
            if start is None or len(self._held) - start < _FADE:
                return b""
            self._join()
        # Its end may be silence that is to go, and is faded out: hold that back.
        return self._give(min(len(self._held) - _FADE, _voice(self._held)[1]))

    def finish(self, *, is_last: bool) -> bytes:
        """The rest of a piece; what of it the next one begins with is kept."""
        if not self._is_joined:
            self._join()
        if is_last:
            made, self._held = linear16_from_samples(self._held), _NOTHING
            return made
        end = min(len(self._held), _voice(self._held)[1] + _LEFT)
        self._held = self._held[:end]
        made = self._give(end - _FADE)
        self._tail, self._held, self._is_joined = self._held, _NOTHING, False
        return made

    def _join(self) -> None:
        """Put the end of the piece before under the beginning of this one."""
        head, tail = self._held[max(0, (_voice(self._held)[0] or 0) - _LEFT) :], self._tail
        overlap = min(_FADE, len(head), len(tail))
        rises = np.linspace(0.0, 1.0, overlap)
        kept = len(tail) - overlap
        mixed = np.rint(head[:overlap] * rises + tail[kept:] * (1.0 - rises)).astype(np.int16)
        self._held = np.concatenate([tail[:kept], mixed, head[overlap:]])
        self._tail, self._is_joined = _NOTHING, True

    def _give(self, samples: int) -> bytes:
        whole = max(0, samples) // self._grain * self._grain
        made, self._held = self._held[:whole], self._held[whole:]
        return linear16_from_samples(made)


def _voice(samples: Samples) -> tuple[int | None, int]:
    """Where sound begins, or None, and where it has ended."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _SILENT)
    return (int(loud[0]), int(loud[-1]) + 1) if loud.size else (None, 0)
